"""An overview in the terminal: no wider than 100 columns, the verdict first."""

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from failover.overview import words
from failover.overview.facts import facts
from failover.overview.model import Lease, Note, Overview, RegionView
from regions.checkup import State

WIDTH = 100
_MARKS = {State.OK: "✓", State.DEGRADED: "!", State.FAILING: "✗"}
_STYLES = {State.OK: "green", State.DEGRADED: "yellow", State.FAILING: "bold red"}
_COLUMNS = ("Region", "", "PostgreSQL", "TL", "", "Redis", "", "Req/s", "5xx/s", "WS", "Code")
_FIGURES = {"TL", "Req/s", "5xx/s", "WS"}


def render(overview: Overview) -> RenderableType:
    """Text everywhere: what a store or a person said is no markup of ours."""
    head = Text.assemble(
        _marked(overview.state, words.verdict(overview)),
        (f"  {overview.at:%d %b %H:%M:%S} UTC", "dim"),
    )
    parts: list[RenderableType] = [head, Text(), _regions(overview.regions), Text()]
    parts += [_facts(overview)]
    if overview.control.leases:
        parts += [Text(), _leases(overview.control.leases)]
    for note in overview.notes:
        parts += [Text(), *_note(note)]
    return Group(*parts)


def _marked(state: State, text: str) -> Text:
    return Text(f"{_MARKS[state]} {text}", _STYLES[state])


def _regions(regions: Iterable[RegionView]) -> Table:
    table = _table(*_COLUMNS)
    for one in regions:
        database, redis, rate, web = one.database, one.redis, one.web.rate, one.web
        table.add_row(
            Text(one.title, "bold"),
            _marked(one.state, words.region_state(one)),
            Text(words.database_state(database), _alarm(database and database.problem)),
            Text(str(database.timeline) if database and database.timeline else "–"),
            Text(words.behind(database.lag_bytes if database else None), "dim"),
            Text(words.redis_state(redis), _alarm(redis and redis.problem)),
            Text(words.behind(redis.lag_bytes if redis else None), "dim"),
            Text(f"{rate.requests:.1f}" if rate else "–"),
            Text(f"{rate.errors:.1f}" if rate else "–", _alarm(rate and rate.errors)),
            Text("–" if web.sockets is None else str(web.sockets)),
            Text(web.version or "–"),
        )
    return table


def _alarm(problem: object) -> str:
    return "red" if problem else ""


def _facts(overview: Overview) -> Table:
    table = _table("", "", show_header=False)
    for fact in facts(overview):
        table.add_row(Text(fact.label, "bold"), Text(fact.text))
    return table


def _leases(leases: Iterable[Lease]) -> Table:
    table = _table("Lease", "Owner", "Attempt", "")
    for lease in leases:
        style = "yellow" if lease.is_silent else "dim" if lease.released else ""
        table.add_row(
            Text(lease.name),
            Text(lease.owner),
            Text(str(lease.attempt)),
            Text(words.lease_state(lease), style),
        )
    return table


def _table(*headings: str, show_header: bool = True) -> Table:
    table = Table(
        box=None,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        header_style="dim",
        show_header=show_header,
    )
    for heading in headings:
        right = heading in _FIGURES or heading == "Attempt"
        table.add_column(heading, justify="right" if right else "left", overflow="fold")
    return table


def _note(note: Note) -> Iterable[Text]:
    yield _marked(note.state, note.what)
    yield Text(f"  Do next  {note.advice}")
