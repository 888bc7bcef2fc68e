"""The steps of a promotion, in their order. Each may be done again: it finds what is done."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import psycopg

from failover.promotion import generation
from failover.promotion.choice import choose
from failover.promotion.errors import Refused, Unfinished
from failover.promotion.record import WRITER, Ledger, Record, now
from failover.providers.base import Provider
from regions.regions import all_regions
from regions.servers import Overtaken, ProviderError, Server
from storage import control
from storage.leases import Lease

FIRST_FOLLOWER: Final = 20.0
"""Seconds to wait for one standby: without any, no commit is acknowledged."""
ALL_FOLLOWERS: Final = 30.0
"""Seconds to wait for the others, the old writer among them."""


@dataclass
class Run:
    """What a step works with."""

    provider: Provider
    ledger: Ledger
    lease: Lease

    @property
    def record(self) -> Record:
        return self.ledger.record

    def others(self) -> list[str]:
        """Regions besides the new writer's."""
        return [region.name for region in all_regions() if region.name != self.record.target]


@dataclass(frozen=True)
class Step:
    name: str
    title: str
    do: Callable[[Run], str]
    """Does it and says what it found. Raises Refused, Unfinished or ProviderError."""


def _fence(run: Run) -> str:
    """Nobody is told any more that an order is committed; from here on writes wait."""
    record, provider = run.record, run.provider
    servers = provider.servers()
    said = []
    if provider.moves_whole:
        record.detached = [region for region in servers if region != record.old]
        return "the environment does it while it promotes"
    if record.old:
        target = record.wanted or _any_follower(servers)
        if target and record.planned and servers[record.old].takes_writes:
            with suppress(ProviderError):  # it only makes the rest shorter
                provider.prepare(record.old, target)
        run.lease.check()
        fence = provider.fence(record.old, gently=servers[record.old].answers)
        record.stopped, record.end = fence.stopped, fence.end
        said.append(fence.detail)
    standbys = [region for region in servers if region != record.old]
    record.detached, problems = _each(standbys, lambda region: _detach(run, servers[region]))
    said.append(f"detached: {', '.join(record.detached) or 'nobody'}")
    return "; ".join(said + problems)


def _any_follower(servers: dict[str, Server]) -> str | None:
    return next((region for region, server in servers.items() if server.follows), None)


def _detach(run: Run, server: Server) -> None:
    if server.region == run.record.target and server.takes_writes:
        return  # promoted by a run that ended before it could say so
    run.provider.detach(server.region, run.lease.attempt)


def _each(regions: list[str], what: Callable[[str], object]) -> tuple[list[str], list[str]]:
    """Do it for all of them at once: with whom it went well, and what went wrong."""

    def attempt(region: str) -> str:
        try:
            what(region)
        except Overtaken:
            raise
        except ProviderError as error:
            return f"{region}: {error}"
        return ""

    if not regions:
        return [], []
    with ThreadPoolExecutor(len(regions)) as pool:
        problems = dict(zip(regions, pool.map(attempt, regions), strict=True))
    well = [region for region, problem in problems.items() if not problem]
    return well, [problem for problem in problems.values() if problem]


def _choose(run: Run) -> str:
    record, provider = run.record, run.provider
    servers = provider.servers()
    if record.target and servers[record.target].takes_writes and record.target != record.old:
        return f"{record.target}, which takes writes already"
    if provider.moves_whole and record.planned and record.wanted:
        record.target = record.wanted
        return f"{record.target}, as asked"
    choice = choose(
        servers,
        old=record.old,
        fence=record.fence,
        detached=record.detached,
        wanted=record.wanted,
        allow_data_loss=record.allow_data_loss and not record.planned,
        confirmed=provider.confirmed_by_standby,
    )
    if choice.source:
        try:
            provider.catch_up(choice.region, choice.source, choice.position)
        except ProviderError as error:
            raise Refused(f"{error}. Promote {choice.source} instead.") from error
    record.target = choice.region
    return f"{choice.region}: {choice.why}{'. ' + choice.loss if choice.loss else ''}"


def _promote(run: Run) -> str:
    began = time.monotonic()
    run.provider.promote(run.record.target, run.lease.attempt, planned=run.record.planned)
    return f"{run.record.target} takes writes ({time.monotonic() - began:.1f} s)"


def _attach(run: Run) -> str:
    """The other standby is pointed at it, and the old writer is started as another."""
    target = run.record.target
    # Those that run first: one of them confirms commits while the old writer is being rewound.
    others = sorted(run.others(), key=lambda region: region == run.record.old)
    _, problems = _each(others, lambda region: run.provider.attach(region, target))
    followers = _await_followers(run, 1, FIRST_FOLLOWER)
    if not followers:
        problems.append("nobody follows yet: commits wait until somebody does")
    return "; ".join([f"follow it: {', '.join(sorted(followers)) or 'nobody'}", *problems])


def _await_followers(run: Run, count: int, limit: float) -> set[str]:
    deadline = time.monotonic() + limit
    while True:
        followers = run.provider.followers(run.record.target)
        if len(followers) >= count or time.monotonic() > deadline:
            return followers
        time.sleep(0.1)


def _redis(run: Run) -> str:
    """Sessions live in DynamoDB as well: what goes wrong here is said, and stops nothing."""
    if not run.record.redis:
        return f"stays where it is ({run.provider.redis_primary() or 'nobody knows where'})"
    try:
        return run.provider.promote_redis(run.record.target)
    except ProviderError as error:
        return f"not moved: {error}"


def _generation(run: Run) -> str:
    record = run.record
    address = run.provider.address(record.target)
    known = int(control.read(WRITER).data.get("generation", 0))
    record.generation = generation.add(
        address, promotion=record.id, region=record.target, least=known + 1
    )
    claim = {
        "region": record.target,
        "generation": record.generation,
        "since": now(),
        "promotion": record.id,
    }
    control.change(
        WRITER, lambda old: claim if old.get("generation", 0) < record.generation else old
    )
    return f"{record.generation}"


def _verify(run: Run) -> str:
    """A row as an order would be: committed, and confirmed by a standby."""
    target = run.record.target
    began = time.monotonic()
    try:
        generation.verify(run.provider.address(target), run.record.id)
    except psycopg.Error as error:
        raise Unfinished(f"{target} did not acknowledge a write: {error}") from error
    took = time.monotonic() - began
    others = run.others()
    followers = _await_followers(run, len(others), ALL_FOLLOWERS)
    for region in (target, *followers):
        run.provider.release(region)
        _await_followers(run, len(followers), FIRST_FOLLOWER)
    away = sorted(set(others) - followers)
    return f"a write was acknowledged ({took:.2f} s); " + _standing(followers, away)


def _standing(followers: Iterable[str], away: list[str]) -> str:
    said = f"follow it: {', '.join(sorted(followers))}"
    return f"{said}; not yet: {', '.join(away)}" if away else said


STEPS: Final = (
    Step("fence", "Fence the old writer", _fence),
    Step("choose", "Choose the new one", _choose),
    Step("promote", "Promote PostgreSQL", _promote),
    Step("attach", "Let the others follow", _attach),
    Step("redis", "Promote Redis", _redis),
    Step("generation", "Begin a generation", _generation),
    Step("verify", "Verify by a write", _verify),
)
