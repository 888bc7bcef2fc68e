"""Which code a process runs."""

from pathlib import Path
from typing import Any

from regions.version import _digest, code_version


def tree(root: Path, content: str, *, tests: str = "") -> Path:
    for path, text in {
        "shop/__init__.py": "",
        "shop/views.py": content,
        "tests/__init__.py": tests,
        "shop/locale/ja.mo": "not source",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def test_version_is_what_the_operator_named_it(settings: Any) -> None:
    settings.ANYPORT_VERSION = "2026.12.1"
    code_version.cache_clear()
    try:
        assert code_version() == "2026.12.1"
    finally:
        code_version.cache_clear()


def test_unnamed_version_is_a_digest_of_the_source(settings: Any) -> None:
    assert settings.ANYPORT_VERSION == ""

    assert code_version() == f"src-{_digest(settings.BASE_DIR)[:8]}"


def test_digest_tells_sources_apart_and_nothing_else(tmp_path: Path) -> None:
    one = _digest(tree(tmp_path / "one", "price = 1"))
    same = _digest(tree(tmp_path / "same", "price = 1", tests="the image has none"))
    other = _digest(tree(tmp_path / "other", "price = 2"))

    assert one == same != other
