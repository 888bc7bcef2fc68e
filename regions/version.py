"""Which code this process runs, so that operators see when two regions differ."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from django.conf import settings

_SOURCES: Final = {".py", ".html", ".lua"}


@cache
def code_version() -> str:
    """ANYPORT_VERSION, or else `src-` and the first digits of a digest of our source.

    The digest tells two checkouts apart that call themselves by one commit, needs no git, and is
    the same on every machine. It is taken at the first call, which must therefore be while a
    process starts: files may be changed under it later. About 30 ms.
    """
    named: str = settings.ANYPORT_VERSION
    return named or f"src-{_digest(settings.BASE_DIR)[:8]}"


def _digest(root: Path) -> str:
    """Of our packages; not of the tests, which the image has not got."""
    digest = hashlib.sha256()
    for package in sorted(marker.parent for marker in root.glob("*/__init__.py")):
        if package.name == "tests":
            continue
        for path in sorted(package.rglob("*")):
            if path.suffix in _SOURCES:
                content = path.read_bytes()
                digest.update(f"{path.relative_to(root)}\0{len(content)}\0".encode())
                digest.update(content)
    return digest.hexdigest()
