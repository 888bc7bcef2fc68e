"""What operators can do: each module here is one action of `manage.py failover`, by its own name.

A module holds `action`. To add one, add a file; nothing else lists them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, TextIO

from django.core.management.base import CommandParser

type Options = Mapping[str, Any]


@dataclass(frozen=True)
class Action:
    help: str
    """One line, for the list of actions."""
    description: str
    run: Callable[[Options, TextIO], int]
    """Does it and prints; returns the exit code. Raises CommandError where it cannot."""
    epilog: str = ""
    """Exit codes, and examples."""
    add_arguments: Callable[[CommandParser], None] = lambda parser: None


def all_actions() -> dict[str, Action]:
    """By name, in alphabetical order."""
    names = [module.name for module in iter_modules(__path__)]
    return {name: import_module(f"{__name__}.{name}").action for name in names}
