"""What a promotion would do, for `--dry-run`: with today's figures, and nothing changed."""

from collections.abc import Mapping
from typing import Final

from rich.table import Table
from rich.text import Text

from failover.promotion.choice import choose
from failover.promotion.record import Record
from failover.promotion.steps import STEPS
from failover.providers.base import Provider
from regions.servers import Fence, Server

NOTHING: Final = "nothing is left to do"


def planned_steps(
    record: Record, servers: Mapping[str, Server], provider: Provider
) -> dict[str, str]:
    """What each step would do, by its title. Raises Refused."""
    if not record.underway:
        return {step.title: "nothing: it is the writer" for step in STEPS}
    standbys = [region for region in servers if region != record.old]
    target, choice = _foreseen(record, servers, provider)
    others = [region for region in servers if region != target]
    would = {
        "fence": _fencing(record, standbys),
        "choose": choice,
        "promote": f"{target}",
        "attach": f"{' and '.join(others)} follow {target}",
        "redis": f"the primary is in {provider.redis_primary() or 'nobody knows which region'}; "
        + (f"it moves to {target}" if record.redis else "it stays"),
        "generation": "the next number, in PostgreSQL and in DynamoDB",
        "verify": "one row, which a standby has to confirm",
    }
    return {step.title: NOTHING if step.name in record.done else would[step.name] for step in STEPS}


def _fencing(record: Record, standbys: list[str]) -> str:
    if record.planned:
        how = f"stop {record.old} in good order, after its standbys have everything"
    elif record.old:
        how = f"{record.old} does not answer: kill what runs of it, if it can be reached"
    else:
        how = "nobody is the writer"
    return f"{how}; detach {' and '.join(standbys)}"


def _foreseen(record: Record, servers: Mapping[str, Server], provider: Provider) -> tuple[str, str]:
    if record.begun:
        return record.target, f"{record.target}, as was chosen"
    if provider.moves_whole and record.planned and record.wanted:
        return record.wanted, "as asked"
    # As if all standbys had been detached now; a writer that answers still sends them the rest.
    choice = choose(
        servers,
        old=record.old,
        fence=Fence(stopped=record.planned, end=0 if record.planned else None),
        detached=[region for region, server in servers.items() if server.answers],
        wanted=record.wanted,
        allow_data_loss=record.allow_data_loss,
        confirmed=provider.confirmed_by_standby,
    )
    if record.planned:
        return choice.region, f"{choice.region}, once it has all that {record.old} wrote"
    return choice.region, f"{choice.region}: {choice.why}. {choice.loss}".rstrip(". ")


def server_table(servers: Mapping[str, Server]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("Region", "PostgreSQL", "Timeline", "Log, bytes", "Behind, bytes"):
        table.add_column(
            heading, justify="left" if heading in {"Region", "PostgreSQL"} else "right"
        )
    most = max((server.position or 0 for server in servers.values()), default=0)
    for server in servers.values():
        if not server.answers:
            table.add_row(server.region, Text(f"does not answer: {server.problem}", "red"))
            continue
        role = "writer" if server.takes_writes else "standby"
        if not server.takes_writes and not server.follows:
            role += ", receives nothing"
        behind = "?" if server.position is None else str(most - server.position)
        position = "?" if server.position is None else str(server.position)
        table.add_row(server.region, role, str(server.timeline), position, behind)
    return table
