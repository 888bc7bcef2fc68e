"""For a command that a test runs as a process: the ring and the table of test_rotation.py."""

from settings.test import *  # noqa: F403 (the tests' own)

SESSION_DYNAMODB_TABLE = "anyport-rotation-sessions"
SESSION_KEYS = {"2026-a": b"n" * 32, "2025-a": b"o" * 32}
