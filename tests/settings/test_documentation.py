"""docs/operations.md names every variable that the settings read, and no other."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def read_by_settings() -> set[str]:
    text = "".join(
        (ROOT / "settings" / f"{name}.py").read_text()
        for name in ("accounts", "base", "databases", "payments", "production")
    )
    return set(re.findall(r"env_[a-z]+\(\s*\"([A-Z0-9_]+)\"", text))


def documented() -> set[str]:
    lines = (ROOT / "docs" / "operations.md").read_text().splitlines()
    names = [line.split("|")[1] for line in lines if line.startswith("| `")]
    return set(re.findall(r"`([A-Z0-9_]+)`", "".join(names)))


def test_every_variable_is_in_the_table_or_among_the_secrets() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    secrets = text.partition("## Secrets")[2].partition("## Settings")[0]

    assert read_by_settings() - documented() <= set(re.findall(r"`([A-Z0-9_]+)`", secrets))


def test_the_table_names_no_variable_that_nothing_reads() -> None:
    assert documented() <= read_by_settings()
