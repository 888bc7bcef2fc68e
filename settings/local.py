"""The embedded stack. Needs no `.env`: `manage.py up` writes `<state>/env`, read here."""

import os
from pathlib import Path

STATE_DIR = Path(
    os.environ.get("ANYPORT_STATE") or Path(__file__).resolve().parent.parent / ".anyport"
)


def _load_stack_environment() -> None:
    """Let a command in another terminal find the running stack; what is set already wins."""
    try:
        lines = (STATE_DIR / "env").read_text().splitlines()
    except FileNotFoundError:
        lines = []
    for line in lines:
        name, _, value = line.partition("=")
        os.environ.setdefault(name, value)


_load_stack_environment()
# Without a stack there are still commands to run: `up` itself, `check`, `makemigrations`.
for _name, _value in {
    "ANYPORT_REGIONS": "taiwan=ap-east-2,tokyo=ap-northeast-1,singapore=ap-southeast-1",
    "ANYPORT_REGION": "taiwan",
    "ANYPORT_URL": "http://localhost:8000",
    "COORDINATION_REGION": "tokyo",
    "DATABASE_HOSTS": "127.0.0.1:7301,127.0.0.1:7302,127.0.0.1:7303",
    "DATABASE_PASSWORD": "no-stack-is-running",
    "REDIS_URL": "" if os.environ.get("REDIS_SENTINELS") else "redis://127.0.0.1:7101",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:7400",
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "SECRET_KEY": "only-for-commands-that-run-without-a-stack",
    "SESSION_KEYS": "none:" + "A" * 43 + "=",
    "STATIC_ROOT": str(STATE_DIR / "static"),
    "FAILOVER_PROVIDER": "regions.embedded.provider.EmbeddedProvider",
}.items():
    os.environ.setdefault(_name, _value)

from settings.base import *  # noqa: E402, F403  # after what has to be set up first
from settings.base import ALLOWED_HOSTS  # noqa: E402  # after what has to be set up first

ALLOWED_HOSTS = [*ALLOWED_HOSTS, "localhost", "127.0.0.1", "[::1]"]

# The front door compresses; doing it for every file beforehand costs each new clone seconds.
STORAGES["staticfiles"] = {  # noqa: F405  # from settings.base
    "BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
}

# Password resets and order e-mails land here, one file each, which any mail program opens.
MAILERS = {
    "default": {
        "BACKEND": "shop.mailbox.FileBackend",
        "OPTIONS": {"file_path": str(STATE_DIR / "mail")},
    }
}

ANYPORT_AUDIT_BASELINE.append(BASE_DIR / "settings" / "audit.local.toml")  # noqa: F405  # from settings.base

FAILOVER_FAULTS = "regions.embedded.faults.EmbeddedFaults"
