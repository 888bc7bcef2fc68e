"""Watches a running stack: keeps stack.json true, says what died, what came back, who took over."""

import json
import time
from typing import Any

from regions.embedded import postgres, postgres_client, valkey
from regions.embedded.plan import Plan, write_atomically
from regions.embedded.ports import LOOPBACK
from regions.embedded.processes import Identity, is_alive
from regions.embedded.screen import Screen
from regions.embedded.strays import Strays
from regions.embedded.supervise import Program, State, Supervisor

_RECHECK = 5.0  # seconds between questions to supervisord while every known pid lives
_RETRY_FATAL = 10.0  # seconds before what supervisord gave up on is tried again
_REJOIN_AFTER = 2.0  # seconds in which what a killed PostgreSQL server forked ends, too


class Watch:
    """`tick` is called about twice a second, and costs next to nothing while nothing happens."""

    def __init__(
        self, plan: Plan, parts: list[Program], supervisor: Supervisor, screen: Screen
    ) -> None:
        self._plan = plan
        self._parts = parts
        self._supervisor = supervisor
        self._screen = screen
        self._pids: dict[str, int] = {}
        self._asked = 0.0
        self._retry_at: dict[str, float] = {}
        self._roles: dict[str, str] = {}
        self._strays = Strays(plan)
        self._written = ""
        self._supervisord = 0

    def begin(self, supervisord: int) -> None:
        """Take note of what runs now, and describe it in stack.json."""
        self._supervisord = supervisord
        self._pids = {key: state.pid for key, state in self._supervisor.states().items()}
        self._roles = self._current_roles()
        self._write()

    def tick(self) -> None:
        """Raises SupervisorError when supervisord does not answer."""
        now = time.monotonic()
        someone_died = any(pid and not is_alive(pid) for pid in self._pids.values())
        someone_is_away = not all(self._pids.values())
        if someone_died or someone_is_away or now - self._asked > _RECHECK:
            self._asked = now
            self._compare(self._supervisor.states())
        roles = self._current_roles()
        for store, region in roles.items():
            if self._roles.get(store) not in (None, region):
                self._screen.warn(f"{store}: {region} is the primary now")
        self._roles |= roles
        self._write()
        if self._plan.replicated:
            self._stop_strays()

    def _stop_strays(self) -> None:
        pids = {region: self._pids.get(f"postgres-{region}", 0) for region in self._plan.regions}
        for region in self._strays.stop(pids):
            self._screen.warn(
                f"postgres {region} is ahead of the writer: it is stopped, and rewound"
            )

    def _compare(self, states: dict[str, State]) -> None:
        for part in self._parts:
            state = states[part.key]
            known = self._pids.get(part.key, 0)
            if known and state.pid != known:
                self._screen.warn(self._obituary(part, state))
            elif state.pid and not known:
                self._screen.warn(f"{_title(part)} runs again (process {state.pid})")
            self._pids[part.key] = state.pid
            self._retry(part, state)

    def _obituary(self, part: Program, state: State) -> str:
        log = self._plan.log(part.key)
        if state.state == "STOPPED":
            return f"{_title(part)} was stopped"
        if state.pid:
            return f"{_title(part)} died and was restarted (process {state.pid}). Log: {log}"
        if part.restart:
            return f"{_title(part)} died; it is being restarted. Log: {log}"
        return f"{_title(part)} died; it returns as a standby, if there is a writer. Log: {log}"

    def _retry(self, part: Program, state: State) -> None:
        """supervisord gives up after a few quick deaths; we go on trying, slowly."""
        if not part.restart:
            self._rejoin(part, state)
            return
        if state.state != "FATAL":
            self._retry_at.pop(part.key, None)
            return
        now = time.monotonic()
        due = self._retry_at.setdefault(part.key, now + _RETRY_FATAL)
        if now >= due:
            self._screen.warn(f"{_title(part)} keeps dying. Log: {self._plan.log(part.key)}")
            self._supervisor.start(part.key)
            self._retry_at[part.key] = now + _RETRY_FATAL

    def _rejoin(self, part: Program, state: State) -> None:
        """Start a dead PostgreSQL node when it can only become a standby.

        Commits wait for one standby: were none to return, the second loss would stop them all.
        A dead writer stays dead until another node accepts writes in its place. What was stopped
        in good order stays away, too.
        """
        if state.state not in {"EXITED", "FATAL"}:
            self._retry_at.pop(part.key, None)
            return
        now = time.monotonic()
        if now < self._retry_at.setdefault(part.key, now + _REJOIN_AFTER):
            return
        # `postgres_node` elects by the same rule before it starts the server, and a promotion
        # cannot be undone meanwhile: the node finds this writer, or a later one.
        writer = postgres.elect(self._plan)
        if writer is None or writer.region == part.region:
            return
        if postgres_client.accepts_writes(self._plan, writer.region):
            self._supervisor.start(part.key)
            self._retry_at[part.key] = now + _RETRY_FATAL

    def _current_roles(self) -> dict[str, str]:
        """Who accepts writes. A role that nobody has now is left out."""
        roles = {}
        writer = postgres.elect(self._plan)
        if writer and self._pids.get(f"postgres-{writer.region}"):
            roles["postgres"] = writer.region
        if primary := valkey.primary_region(self._plan):
            roles["valkey"] = primary
        return roles

    def _write(self) -> None:
        text = json.dumps(self.description(), indent=1)
        if text != self._written:
            write_atomically(self._plan.state / "stack.json", text)
            write_atomically(self._plan.run / "pids.json", self._identities())
            self._written = text

    def _identities(self) -> str:
        saved = [
            {"pid": found.pid, "started": found.started}
            for pid in [self._supervisord, *self._pids.values()]
            if pid and (found := Identity.of(pid))
        ]
        return json.dumps({"processes": saved})

    def description(self) -> dict[str, Any]:
        """What stack.json holds (DESIGN §3)."""
        plan = self._plan
        stores: dict[str, Any] = {
            kind: {region: plan.address(kind, region) for region in plan.regions}
            for kind in ("postgres", "valkey")
        }
        if plan.replicated:
            stores["sentinels"] = plan.addresses("sentinel").split(",")
        stores["aws"] = f"http://{LOOPBACK}:{plan.ports['aws']}"
        stores["stripe"] = plan.stripe
        return {
            "front": plan.front,
            "admin": {
                "email": plan.secrets.admin_email,
                "password": plan.secrets.admin_password,
            },
            "regions": {
                region: {
                    "web": f"http://{plan.address('web', region)}",
                    "ws": f"ws://{plan.address('ws', region)}",
                }
                for region in plan.regions
            },
            "stores": stores,
            "roles": self._roles,
            "processes": [
                {
                    "name": part.name,
                    "region": part.region,
                    "pid": self._pids[part.key],
                    "port": part.port,
                }
                for part in self._parts
                if self._pids.get(part.key)
            ],
        }


def _title(part: Program) -> str:
    return f"{part.name} {part.region}" if part.region else part.name
