"""What in an overview needs attention, and what to type next. The worst comes first."""

from collections.abc import Iterator
from typing import Final

from django.conf import settings
from django.utils.translation import gettext as _

from failover.overview.model import Note, Overview, RegionView
from regions.checkup import State

LAG: Final = 10.0
"""Seconds a standby may be behind."""
ERRORS: Final = 0.01
"""Share of answers 5xx from which on it is worth a look."""


def notes(overview: Overview) -> tuple[Note, ...]:
    found = [note for rule in RULES for note in rule(overview)]
    return tuple(sorted(found, key=lambda note: note.state is not State.FAILING))


def writers(overview: Overview) -> Iterator[Note]:
    found = overview.writers
    if not found:
        best = _furthest(overview)
        yield Note(
            State.FAILING,
            _("No server takes writes: shoppers browse, and orders wait."),
            f"manage.py failover promote {best}"
            if best
            else _("Start a PostgreSQL server; its log says why it ended."),
        )
    elif len(found) > 1:
        what = _("%(regions)s all take writes: orders of all but one will be discarded.")
        yield Note(
            State.FAILING,
            what % {"regions": ", ".join(one.title for one in found)},
            _("Stop all but the one that was promoted last, now."),
        )
    else:
        yield from _agreed(overview, found[0])


def _agreed(overview: Overview, writer: RegionView) -> Iterator[Note]:
    agreed = overview.document("writer").get("region")
    if agreed and agreed != writer.name:
        what = _("%(region)s takes writes, but the regions agreed on %(agreed)s.")
        yield Note(
            State.DEGRADED,
            what % {"region": writer.title, "agreed": str(agreed).title()},
            "manage.py failover check",
        )


def _furthest(overview: Overview) -> str:
    """The standby that is furthest of those that answer; a promotion looks for itself."""
    reached = [
        (one.database.timeline, one.database.position, one.name)
        for one in overview.regions
        if one.database and not one.database.problem
    ]
    return max(reached)[2] if reached else ""


def service(overview: Overview) -> Iterator[Note]:
    """Whether anybody serves, where all can be asked."""
    known = settings.ANYPORT_REGION_URLS
    if all(one.name in known and not one.web.ready for one in overview.regions):
        what = _("No region takes requests: every page answers 503.")
        yield Note(State.FAILING, what, "manage.py failover check")


def silence(overview: Overview) -> Iterator[Note]:
    for one in overview.regions:
        asked = {"web": one.web, "PostgreSQL": one.database, "Redis": one.redis}
        parts = [name for name, part in asked.items() if part and part.problem]
        if parts:
            yield Note(
                State.DEGRADED,
                _("%(region)s: no answer from %(parts)s.")
                % {"region": one.title, "parts": ", ".join(parts)},
                _check(one),
            )


def _check(one: RegionView) -> str:
    return f"manage.py failover check --region {one.name}"


def readiness(overview: Overview) -> Iterator[Note]:
    for one in overview.regions:
        if one.drain:
            what = _("%(region)s is drained, by %(by)s: %(why)s")
            words = {"region": one.title, "by": one.drain.by or "?", "why": one.drain.why or "–"}
            yield Note(State.DEGRADED, what % words, f"manage.py failover undrain {one.name}")
        elif not one.web.ready and not one.web.problem:
            what = _("%(region)s wants no requests: %(reason)s")
            words = {"region": one.title, "reason": one.web.reason}
            yield Note(State.DEGRADED, what % words, _check(one))


def errors(overview: Overview) -> Iterator[Note]:
    for one in overview.regions:
        rate = one.web.rate
        if rate and rate.errors > ERRORS * rate.requests:
            what = _("%(region)s answers %(errors).1f requests a second with an error.")
            yield Note(
                State.DEGRADED,
                what % {"region": one.title, "errors": rate.errors},
                _check(one),
            )


def databases(overview: Overview) -> Iterator[Note]:
    """Of the standbys. Without a writer none can receive anything, which is told already."""
    for one in overview.regions if overview.writers else ():
        if not (problem := _database_problem(one)):
            continue
        yield Note(
            State.DEGRADED,
            _("PostgreSQL in %(region)s: %(problem)s.") % {"region": one.title, "problem": problem},
            _check(one),
        )


def _database_problem(one: RegionView) -> str:
    database = one.database
    if database is None or database.writer or database.problem:
        return ""
    if not database.receives:
        return _("receives nothing from a writer")
    if (database.lag_seconds or 0) > LAG:
        return _("%(seconds)d s behind") % {"seconds": database.lag_seconds}
    return ""


def redis(overview: Overview) -> Iterator[Note]:
    nodes = [(one, one.redis) for one in overview.regions if one.redis]
    primaries = [one.title for one, node in nodes if node.primary]
    whole = len(nodes) == len(overview.regions)
    if whole and len(primaries) != 1:
        what = (
            _("%(regions)s are all primaries of Redis.") % {"regions": ", ".join(primaries)}
            if primaries
            else _("Redis has no primary: sessions go on from DynamoDB, pages are slower.")
        )
        yield Note(State.FAILING, what, "manage.py failover check")
    for one, node in nodes:
        if not (node.problem or node.primary or node.receives):
            what = _("Redis in %(region)s receives nothing from a primary.")
            yield Note(State.DEGRADED, what % {"region": one.title}, _check(one))


def versions(overview: Overview) -> Iterator[Note]:
    found = {one.web.version for one in overview.regions if one.web.version}
    if len(found) > 1:
        yield Note(
            State.DEGRADED,
            _("The regions run different code: %(versions)s.")
            % {"versions": ", ".join(sorted(found))},
            _("Finish the roll-out, or take it back."),
        )


def coordination(overview: Overview) -> Iterator[Note]:
    if overview.control.problem:
        what = _("DynamoDB does not answer: nobody can say who is drained or leads, and jobs wait.")
        yield Note(State.FAILING, what, "manage.py failover check")
    for lease in overview.control.leases:
        if lease.is_silent:
            what = _("Lease %(name)s: %(owner)s has not renewed it for %(age)d s.")
            yield Note(
                State.DEGRADED,
                what % {"name": lease.name, "owner": lease.owner, "age": lease.age},
                _("Nothing, if nobody needs it: the next who does takes it over."),
            )


def promotion(overview: Overview) -> Iterator[Note]:
    told = overview.document("promotion")
    if not told or told.get("finished"):
        return
    target = str(told.get("target") or told.get("wanted") or "")
    what = _("A promotion of %(region)s is under way, at step %(step)s. %(problem)s") % {
        "region": target.title() or "?",
        "step": told.get("step") or "?",
        "problem": told.get("problem") or "",
    }
    again = f"manage.py failover promote {target}".strip()
    advice = _("If it does not go on by itself: %(command)s") % {"command": again}
    yield Note(State.DEGRADED, what.strip(), advice)


def watch(overview: Overview) -> Iterator[Note]:
    told = overview.document("watch")
    if told.get("paused"):
        what = _("The watch is paused by %(by)s: nothing is promoted unattended. %(why)s") % {
            "by": told.get("by") or "?",
            "why": told.get("why") or "",
        }
        yield Note(State.DEGRADED, what.strip(), "manage.py failover watch --resume")


def drill(overview: Overview) -> Iterator[Note]:
    told = overview.document("drill")
    if told and not told.get("passed"):
        what = _("The last drill, %(scenario)s, did not pass: %(summary)s")
        words = {"scenario": told.get("scenario", ""), "summary": told.get("summary") or "–"}
        yield Note(State.DEGRADED, what % words, f"manage.py failover drill {words['scenario']}")
    others = [name for name in told.get("failed", ()) if name != told.get("scenario")]
    if others:
        what = _("Drills that did not pass when they were last held: %(scenarios)s.")
        words = {"scenarios": ", ".join(others)}
        yield Note(State.DEGRADED, what % words, f"manage.py failover drill {others[0]}")


def sessions(overview: Overview) -> Iterator[Note]:
    if overview.sessions is None and not any(
        note.state is State.FAILING for note in redis(overview)
    ):
        what = _("Redis did not say how many sessions live.")
        yield Note(State.DEGRADED, what, "manage.py failover check")


RULES: Final = (
    service,
    writers,
    silence,
    readiness,
    errors,
    databases,
    redis,
    versions,
    coordination,
    promotion,
    watch,
    drill,
    sessions,
)
"""To add one, write it above and name it here."""
