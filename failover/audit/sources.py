"""The project's own modules: not what is installed, not tests, not migrations."""

import ast
import re
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from django.apps import apps
from django.conf import settings

from failover.audit.scope import Scope, scope_of

_LEFT_OUT: Final = {"migrations", "tests", "test", "testing", "node_modules", "__pycache__"}
_TEST: Final = re.compile(r"tests?\.py|test_.*\.py|.*_tests?\.py|conftest\.py|manage\.py|setup\.py")


@dataclass(frozen=True)
class Source:
    """A module of the project, parsed when it is asked for."""

    name: str
    """Dotted."""
    path: Path

    @cached_property
    def scope(self) -> Scope:
        """Raises SyntaxError or ValueError for what this Python cannot read."""
        return scope_of(ast.parse(self.path.read_bytes(), str(self.path)))

    @property
    def is_package(self) -> bool:
        return self.path.name == "__init__.py"


def own_sources() -> list[Source]:
    """Those of the installed apps and of the packages that hold settings, URLs, WSGI and ASGI."""
    found: dict[Path, Source] = {}
    for name, directory in _roots():
        for path in _python_files(directory):
            found.setdefault(path, Source(_dotted(name, directory, path), path))
    return sorted(found.values(), key=lambda source: source.name)


def _roots() -> Iterator[tuple[str, Path]]:
    """Dotted name and directory of each package; the audit does not audit itself."""
    itself = Path(__file__).resolve().parent
    for config in apps.get_app_configs():
        directory = Path(config.path).resolve()
        if directory != itself and not _is_installed(directory):
            yield config.name, directory
    for name in sorted(_packages_of_settings()):
        spec = find_spec(name)
        for location in (spec.submodule_search_locations or ()) if spec else ():
            if not _is_installed(Path(location).resolve()):
                yield name, Path(location).resolve()


def _packages_of_settings() -> set[str]:
    names = [settings.SETTINGS_MODULE, getattr(settings, "ROOT_URLCONF", None)]
    names += [settings.WSGI_APPLICATION, getattr(settings, "ASGI_APPLICATION", None)]
    return {str(name).partition(".")[0] for name in names if name} - _LEFT_OUT


def _is_installed(directory: Path) -> bool:
    """Beside other people's packages, or Python's own."""
    standard = Path(sysconfig.get_path("stdlib")).resolve()
    parts = set(directory.parts)
    return bool(parts & {"site-packages", "dist-packages"}) or standard in directory.parents


def _python_files(directory: Path) -> Iterator[Path]:
    for entry in sorted(directory.iterdir()):
        if entry.is_dir():
            if (
                entry.name not in _LEFT_OUT
                and not entry.name.startswith(".")
                and not (entry / "pyvenv.cfg").exists()
            ):
                yield from _python_files(entry)
        elif entry.suffix == ".py" and not _TEST.fullmatch(entry.name):
            yield entry


def _dotted(package: str, directory: Path, path: Path) -> str:
    parts = path.relative_to(directory).with_suffix("").parts
    return ".".join((package, *(part for part in parts if part != "__init__")))
