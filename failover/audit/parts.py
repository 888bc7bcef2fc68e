"""What the audit finds, and how the settings' dotted names are understood."""

from dataclasses import dataclass
from typing import Any

from django.utils.module_loading import import_string


@dataclass(frozen=True)
class Part:
    """A place where a project keeps state in or beside one process."""

    id: str
    """`anyport.E001`: E where a request may be answered wrongly or something is lost with the
    process, W where somebody has to look whether that matters."""
    where: str
    """The setting or the name in the code that is at fault; stays when lines move."""
    problem: str
    hint: str
    """What to do."""

    @property
    def is_error(self) -> bool:
        return self.id.partition(".")[2].startswith("E")


def kind_of(path: Any, *, default: str = "") -> type | None:
    """The class that a setting names, or None for what cannot be imported: Django says so."""
    try:
        found = import_string(path or default)
    except (ImportError, AttributeError, TypeError):
        return None
    return found if isinstance(found, type) else None


def is_kind(found: type | None, *paths: str) -> bool:
    """Whether it is one of these classes or made of one; their packages may be missing."""
    if found is None:
        return False
    names = {f"{base.__module__}.{base.__qualname__}" for base in found.__mro__}
    return not names.isdisjoint(paths)
