"""Drills as an operator starts them: a process of their own, in the environment of a stack."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from regions.embedded.plan import REPOSITORY
from tests.stack import Stack

LIMIT = 400.0
"""Seconds that a drill may take; an idle machine needs ten to twenty."""
SHORT = ("--shoppers", "6", "--busy", "--json")
"""Few shoppers; and a busy machine's seconds are no finding here."""


OURS = ("ANYPORT_", "DATABASE_", "REDIS_", "AWS_", "STRIPE_", "DJANGO_", "PYTEST_")
"""What the tests' own environment has of a stack."""


@dataclass(frozen=True)
class Held:
    """A drill that has ended."""

    code: int
    report: dict[str, Any]
    told: str
    """To whom watches: phases, results, problems."""

    @property
    def account(self) -> dict[str, Any]:
        found: dict[str, Any] = self.report["account"]
        return found


def environment(stack: Stack) -> dict[str, str]:
    """The stack's own, and nothing of the tests' settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return kept | stack.plan.environment(stack.plan.regions[0])


def start(stack: Stack, *command: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=REPOSITORY,
        env=environment(stack),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def hold(stack: Stack, *arguments: str) -> Held:
    """`failover drill …`, to its end."""
    return finish(start(stack, "manage.py", "failover", "drill", *arguments, *SHORT))


def finish(process: "subprocess.Popen[str]") -> Held:
    output, told = process.communicate(timeout=LIMIT)
    assert output, f"exit code {process.returncode}:\n{told}"
    return Held(process.returncode, json.loads(output)["drills"][0], told)
