#!/usr/bin/env python
"""Django's command line for Anyport."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.local")
    try:
        from django.core.management import execute_from_command_line  # noqa: PLC0415 (it may be missing)
    except ImportError:
        sys.exit("anyport: Django is not installed here. Run `make run`, or `uv sync` first.")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
