"""What a stack is made of: its regions, ports, secrets, files and environment variables."""

import base64
import json
import os
import secrets
import shutil
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from regions.embedded.ports import LOOPBACK

REPOSITORY = Path(__file__).resolve().parents[2]
AWS_REGIONS = {
    "taiwan": "ap-east-2",
    "tokyo": "ap-northeast-1",
    "singapore": "ap-southeast-1",
}
VALKEY_NAME = "anyport"
# Everything that we make in a state directory; `--fresh` removes these and nothing else.
PARTS = ("postgres", "valkey", "aws", "stripe", "caddy", "mail", "logs", "run")
_FILES = ("secrets.json", "env", "stack.json", "plan.json")


def write_atomically(path: Path, text: str, mode: int = 0o600) -> None:
    """Readers see the old text or the new one, never half of it."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")  # two may write at the same time
    draft.touch(mode)
    draft.chmod(mode)
    draft.write_text(text)
    draft.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """An empty dictionary when the file is missing or unreadable as JSON."""
    try:
        found = json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return found if isinstance(found, dict) else {}


def _random() -> str:
    return secrets.token_urlsafe(32)


@dataclass(frozen=True)
class Secrets:
    """Made once per state directory, kept in `secrets.json` (mode 0600)."""

    django: str = field(default_factory=_random)
    session_keys: str = field(
        default_factory=lambda: "k1:" + base64.b64encode(secrets.token_bytes(32)).decode()
    )
    database: str = field(default_factory=_random)
    superuser: str = field(default_factory=_random)
    replicator: str = field(default_factory=_random)
    supervisor: str = field(default_factory=_random)
    stripe_key: str = field(default_factory=lambda: f"sk_test_{_random()}")
    stripe_webhook: str = field(default_factory=lambda: f"whsec_{_random()}")
    admin_email: str = "admin@anyport.example"
    admin_password: str = field(default_factory=lambda: secrets.token_urlsafe(9))

    @classmethod
    def of(cls, state: Path) -> Self:
        path = state / "secrets.json"
        known = {k: v for k, v in read_json(path).items() if k in cls.__dataclass_fields__}
        made = cls(**known)
        if asdict(made) != known:  # `up` writes it; the processes that it starts read it
            write_atomically(path, json.dumps(asdict(made), indent=1))
        return made


@dataclass(frozen=True)
class Plan:
    state: Path
    regions: tuple[str, ...]
    ports: dict[str, int]
    secrets: Secrets
    run_id: str
    """Changes with every `up`, so that a launcher can tell a restart from a first start."""
    valkey_primary: str
    """The region whose Valkey node starts as primary in this run."""
    watched: bool = True
    """Whether a watcher in each region promotes unattended."""

    @classmethod
    def load(cls, state: Path) -> Self:
        """The plan of the running stack, for processes that it started."""
        saved = read_json(state / "plan.json")
        return cls(
            state=state,
            regions=tuple(saved["regions"]),
            ports=saved["ports"],
            secrets=Secrets.of(state),
            run_id=saved["run_id"],
            valkey_primary=saved["valkey_primary"],
            watched=saved.get("watched", False),  # older code started the stack that runs
        )

    def save(self) -> None:
        saved = {
            "regions": self.regions,
            "ports": self.ports,
            "run_id": self.run_id,
            "valkey_primary": self.valkey_primary,
            "watched": self.watched,
        }
        write_atomically(self.state / "plan.json", json.dumps(saved, indent=1))

    @property
    def replicated(self) -> bool:
        return len(self.regions) > 1

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def run(self) -> Path:
        return self.state / "run"

    @property
    def front(self) -> str:
        return f"http://localhost:{self.ports['front']}"

    @property
    def stripe(self) -> str:
        """Not `localhost`: its payment page gets none of the shop's cookies."""
        return f"http://{LOOPBACK}:{self.ports['stripe']}"

    @property
    def static(self) -> Path:
        """Collected static files: they follow from the code, so every stack of it shares them."""
        shared = REPOSITORY / ".anyport-static"
        owner = shared if shared.exists() else REPOSITORY
        return shared if owner.stat().st_uid == os.geteuid() else self.state / "static"

    def log(self, name: str) -> Path:
        """`name` as supervised: `web-tokyo`, `caddy`."""
        return self.logs / f"{name}.log"

    def port(self, kind: str, region: str) -> int:
        return self.ports[f"{kind}-{region}"]

    def address(self, kind: str, region: str) -> str:
        return f"{LOOPBACK}:{self.port(kind, region)}"

    def addresses(self, kind: str) -> str:
        return ",".join(self.address(kind, region) for region in self.regions)

    def environment(self, region: str) -> dict[str, str]:
        """The variables that `settings` reads (DESIGN §4), for a process in the region."""
        return {**self._shared_environment(), **self.regional_environment(region)}

    def regional_environment(self, region: str) -> dict[str, str]:
        return {
            "ANYPORT_REGION": region,
            "DATABASE_LOCAL_HOST": self.address("postgres", region),
            "REDIS_LOCAL_URL": f"redis://{self.address('valkey', region)}",
        }

    def _shared_environment(self) -> dict[str, str]:
        only = self.regions[0]
        redis = (
            {"REDIS_URL": "", "REDIS_SENTINELS": self.addresses("sentinel")}
            if self.replicated
            else {"REDIS_URL": f"redis://{self.address('valkey', only)}", "REDIS_SENTINELS": ""}
        )
        return redis | {
            "DJANGO_SETTINGS_MODULE": "settings.local",
            "ANYPORT_REGIONS": ",".join(f"{name}={AWS_REGIONS[name]}" for name in self.regions),
            "ANYPORT_REGION_URLS": ",".join(
                f"{region}=http://{self.address('web', region)}" for region in self.regions
            ),
            "REDIS_REGION_URLS": ",".join(
                f"{region}=redis://{self.address('valkey', region)}" for region in self.regions
            ),
            "ANYPORT_STATE": str(self.state),
            "ANYPORT_URL": self.front,
            "STATIC_ROOT": str(self.static),
            "DATABASE_HOSTS": self.addresses("postgres"),
            "DATABASE_NAME": "anyport",
            "DATABASE_USER": "anyport",
            "DATABASE_PASSWORD": self.secrets.database,
            "REDIS_MASTER_NAME": VALKEY_NAME,
            "AWS_ENDPOINT_URL": f"http://{LOOPBACK}:{self.ports['aws']}",
            "AWS_ACCESS_KEY_ID": "anyport",
            "AWS_SECRET_ACCESS_KEY": "anyport-local",
            "COORDINATION_REGION": "tokyo" if "tokyo" in self.regions else only,
            **self._card_environment(),
            "SECRET_KEY": self.secrets.django,
            "SESSION_KEYS": self.secrets.session_keys,
            "ADMIN_EMAIL": self.secrets.admin_email,
            "ADMIN_PASSWORD": self.secrets.admin_password,
        }

    def _card_environment(self) -> dict[str, str]:
        if "stripe" not in self.ports:  # older code started the stack that runs
            return {}
        return {
            "STRIPE_API_BASE": self.stripe,
            "STRIPE_SECRET_KEY": self.secrets.stripe_key,
            "STRIPE_WEBHOOK_SECRET": self.secrets.stripe_webhook,
        }

    def write_env_file(self) -> None:
        """For commands in another terminal, which `settings.local` lets find the stack."""
        lines = (f"{name}={value}\n" for name, value in self.environment(self.regions[0]).items())
        write_atomically(self.state / "env", "".join(lines))

    def process_environment(self, region: str | None = None) -> dict[str, str]:
        """What a started process gets: ours over the caller's, its interpreter first in PATH."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        return {
            # Compiling every module in every process would double the time to start.
            **inherited,
            **self.environment(region or self.regions[0]),
            "PATH": path,
            "PYTHONUNBUFFERED": "1",
            # Django's system checks load every URL and admin page: CI runs them, not each worker.
            "CELERY_SKIP_CHECKS": "1",
            "ANYPORT_PYTHON": sys.executable,
        }


def discard(state: Path) -> None:
    """Remove every file that a stack made in its state directory, and no other."""
    for part in PARTS:
        shutil.rmtree(state / part, ignore_errors=True)
    for name in _FILES:
        (state / name).unlink(missing_ok=True)
