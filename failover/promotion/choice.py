"""Which standby becomes the writer: the one that has every acknowledged commit.

A commit is acknowledged when at least one standby has it on its disk. So once nothing can be
confirmed any more, the furthest of *all* standbys has every acknowledged commit. Of fewer than
all, it does so only when the old writer stopped in good order, and said where its log ends.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf

from failover.promotion.errors import Refused
from regions.servers import Fence, Server


@dataclass(frozen=True)
class Choice:
    region: str
    source: str | None
    """Whom it first has to catch up with; None when it is as far as anybody."""
    position: int
    """Bytes of the log that it must have."""
    why: str
    loss: str = ""
    """What may be lost, as far as anybody knows; empty when nothing is."""


def old_writer(servers: Mapping[str, Server], last_known: str | None) -> str | None:
    """Who was the writer: who takes writes now, or was recorded, or alone does not answer."""
    writers = [server for server in servers.values() if server.takes_writes]
    if writers:
        return max(writers, key=lambda server: server.reach).region
    silent = [server.region for server in servers.values() if not server.answers]
    if last_known in silent:
        return last_known
    return silent[0] if len(silent) == 1 else None


def choose(
    servers: Mapping[str, Server],
    *,
    old: str | None,
    fence: Fence,
    detached: Iterable[str],
    wanted: str | None,
    allow_data_loss: bool,
    confirmed: bool = True,
) -> Choice:
    """Raises Refused. `detached` are those that certainly confirm nothing any more.

    `confirmed`: a commit is acknowledged only when a standby has it.
    """
    standbys = {region: server for region, server in servers.items() if region != old}
    known = {
        region: server
        for region, server in standbys.items()
        if server.answers and region in set(detached)
    }
    if not known:
        raise Refused("No standby answers: there is nobody to promote.")
    furthest = max(known.values(), key=lambda server: _rank(server, wanted))
    missing = sorted(standbys.keys() - known.keys())
    if why := _proof(furthest, fence, missing, confirmed):
        loss = ""
    else:
        why, loss = "nobody knows whether it has everything", _loss(furthest, fence, missing)
        if not allow_data_loss:
            bring = f"Bring {_and(missing)} back, or accept" if missing else "Accept"
            raise Refused(f"{loss} {bring} it: --allow-data-loss.")
    return _towards(wanted, known, furthest, why, loss)


def _rank(server: Server, wanted: str | None) -> tuple[tuple[int, int], bool, float]:
    """Where positions are not known, the wanted one, or whoever was behind least."""
    behind = inf if server.behind is None else server.behind
    return server.reach, server.region == wanted, -behind


def _proof(furthest: Server, fence: Fence, missing: list[str], confirmed: bool) -> str:
    """Why the furthest has every acknowledged commit; empty when that is not known."""
    if fence.end is not None and (furthest.position or 0) >= fence.end:
        return "it has all that the old writer wrote until it stopped"
    if confirmed and not missing:
        return "it is the furthest of all standbys"
    return ""


def _towards(
    wanted: str | None, known: Mapping[str, Server], furthest: Server, why: str, loss: str
) -> Choice:
    """The wanted one, if it can have what the furthest has."""
    region, position = wanted or furthest.region, furthest.position or 0
    server = known.get(region)
    if server is None:
        raise Refused(f"{region} does not answer. Promote {furthest.region} instead.")
    if server.reach == furthest.reach or region == furthest.region:
        return Choice(region, None, position, why, loss)
    if server.timeline != furthest.timeline:
        raise Refused(
            f"{region} follows an older history than {furthest.region}. "
            f"Promote {furthest.region} instead."
        )
    behind = position - (server.position or 0)
    why = f"it is {behind} bytes behind {furthest.region}, and gets them first"
    return Choice(region, furthest.region, position, why, loss)


def _loss(furthest: Server, fence: Fence, missing: list[str]) -> str:
    parts = ["A commit is acknowledged here before another region has it"]
    if missing:
        parts = [f"{_and(missing)} cannot be asked, and may have acknowledged orders"]
        parts.append(f" that {furthest.region} has not")
    if fence.end is not None:
        parts.append(f": it lacks {fence.end - (furthest.position or 0)} bytes of the log")
    if furthest.behind is not None:
        parts.append(f"; {furthest.region} was {furthest.behind:.2f} s behind when last seen")
    if furthest.age is not None:
        parts.append(f"; the last transaction it has was committed {furthest.age:.0f} s ago")
    return "".join(parts) + "."


def _and(regions: list[str]) -> str:
    return " and ".join(regions)
