"""Begins a promotion, or takes up one that its runner left, and does the steps that are missing.

One runner at a time, by the lease `promotion`. Its attempt is shown to each server, which refuses
a runner that was frozen and overtaken; the record refuses it at its next write.
"""

import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

import psycopg
from django.conf import settings

from failover.promotion import record as records
from failover.promotion.choice import old_writer
from failover.promotion.errors import NotUndone, Refused, Unfinished
from failover.promotion.record import Ledger, Record
from failover.promotion.steps import STEPS, Run, Step
from failover.providers.base import Provider
from regions.regions import all_regions
from regions.servers import Overtaken, ProviderError, Server
from storage import control
from storage.control import Conflict, ControlUnreachable
from storage.leases import LeaseLost, hold

LEASE: Final = "promotion"
DURATION: Final = 5.0
"""Seconds of the lease: how long a promotion whose runner was killed waits for the next."""

type Say = Callable[[Step, str, float], None]
"""Told of each step when it is done: what it found, and the seconds it took."""


@dataclass(frozen=True)
class Request:
    region: str | None
    """None for whichever standby is furthest."""
    by: str
    allow_data_loss: bool = False
    redis: bool = True
    unattended: bool = False
    """A majority says that nobody can write: also a writer that answers may be replaced."""


def promote(request: Request, provider: Provider, say: Say) -> Record:
    """Returns the finished record. Raises Refused (NotUndone, too), Unfinished, LeaseTaken and
    LeasesUnreachable."""
    _check_name(request)  # before it waits for the lease
    owner = f"{settings.ANYPORT_REGION} {socket.gethostname()} {os.getpid()}"
    with hold(LEASE, owner=owner, duration=DURATION, data={"region": request.region}) as lease:
        try:
            ledger = begin(request, provider)
            if not ledger.record.underway:
                return ledger.record
            ledger.record.attempt = lease.attempt
            ledger.record.problem = ""
            ledger.save()
            run = Run(provider, ledger, lease)
            _perform(run, say)
        except (Overtaken, LeaseLost) as error:
            raise Unfinished(f"Another run has taken over: {error}") from error
        except (ControlUnreachable, Conflict) as error:
            raise Unfinished(f"Nobody knows whether DynamoDB has it: {error}") from error
    return ledger.record


def _check_name(request: Request) -> None:
    """Before it is written down. Raises Refused."""
    names = [region.name for region in all_regions()]
    if request.region is not None and request.region not in names:
        raise Refused(f"There is no region {request.region}: {', '.join(names)}.")


def begin(request: Request, provider: Provider) -> Ledger:
    """What is under way, or what would be done anew. Changes and writes nothing. Raises Refused."""
    _check_name(request)
    ledger = Ledger.read()
    if ledger and ledger.record.underway and _resumes(ledger.record, request, provider):
        return ledger
    document = ledger.document if ledger else control.Document(records.PROMOTION)
    return Ledger(prepare(request, provider), document)


def _resumes(record: Record, request: Request, provider: Provider) -> bool:
    """Whether it takes up what is under way; if not, a new promotion has to replace that."""
    record.allow_data_loss |= request.allow_data_loss
    if record.begun:
        if provider.servers()[record.target].answers:
            if request.region not in (None, record.target):
                raise Refused(
                    f"{record.target} is being promoted. "
                    f"Finish that first: manage.py failover promote {record.target}"
                )
        elif request.region != record.target:
            return False  # it died as the new writer
    elif not request.unattended:
        if request.region is not None and request.region == record.old:
            raise Refused(
                f"A promotion that moves the writer away from {record.old} is half done. Finish "
                f"that first: manage.py failover promote {record.wanted or ''}".rstrip()
            )
        record.wanted = request.region
    elif record.wanted and not provider.servers()[record.wanted].answers:
        record.wanted = None  # whoever asked for it is gone, and it is, too
    if "promote" not in record.done:
        record.done.clear()  # what was fenced may have come back meanwhile
    return True


def prepare(request: Request, provider: Provider) -> Record:
    """What would be done, judged before anything is changed. Raises Refused."""
    _check_name(request)
    servers = provider.servers()
    old = old_writer(servers, records.writer().get("region"))
    planned = old is not None and servers[old].takes_writes
    if request.unattended:
        planned &= any(server.follows for server in servers.values())
    record = Record(
        old,
        request.region,
        planned,
        request.by,
        allow_data_loss=request.allow_data_loss,
        redis=request.redis,
    )
    if request.region is not None and request.region == old and planned:
        if records.writer().get("region") in (None, old):
            return replace(record, target=old, finished=records.now())
        # It was promoted by hand: what is left is Redis, a generation to agree on, and a write.
        others = [name for name, server in servers.items() if server.takes_writes and name != old]
        if others:
            raise Refused(f"{' and '.join(others)} takes writes, too: stop it first.")
        return replace(record, target=old, done=[step.name for step in STEPS[:-3]])
    problem = _problem(record, servers, provider, unattended=request.unattended)
    if problem:
        raise Refused(problem)
    return record


def _problem(
    record: Record, servers: dict[str, Server], provider: Provider, *, unattended: bool
) -> str:
    """Why it would fail; empty when nothing speaks against it."""
    standbys = {region: server for region, server in servers.items() if region != record.old}
    wanted = servers[record.wanted] if record.wanted else None
    if wanted and not wanted.answers:
        return f"{wanted.region} does not answer: {wanted.problem}"
    if record.planned and not record.wanted and not unattended:
        return f"{record.old} takes writes: say which region shall do so instead."
    if record.planned:
        followers = [server for server in standbys.values() if server.follows]
        if not followers or (wanted and not wanted.follows):
            who = record.wanted or "No standby"
            return f"{who} receives nothing from {record.old}, which takes writes: mend that first."
        return ""
    silent = sorted(region for region, server in standbys.items() if not server.answers)
    if record.allow_data_loss:
        return ""
    if not provider.confirmed_by_standby:
        return (
            f"{record.old or 'The writer'} does not answer, and a commit is acknowledged here "
            "before another region has it. Accept the loss: --allow-data-loss."
        )
    if silent:
        return (
            f"{' and '.join(silent)} cannot be asked, and may have acknowledged orders that "
            "nobody else has. Bring it back, or accept the loss: --allow-data-loss."
        )
    return ""


def _perform(run: Run, say: Say) -> None:
    record, ledger = run.record, run.ledger
    for step in STEPS:
        if step.name in record.done:
            continue
        run.lease.check()
        record.step = step.name
        ledger.save()
        began = time.monotonic()
        try:
            found = step.do(run)
        except Refused as error:
            if problem := _undo(run, str(error)):
                raise NotUndone(
                    f"{error} But {record.old}, which was stopped for it, does not come back: "
                    f"{problem}. Nobody takes writes: start PostgreSQL there, or promote another "
                    "region (manage.py failover promote REGION)."
                ) from error
            raise
        except Overtaken:
            raise
        except (ProviderError, Unfinished, psycopg.Error) as error:
            record.problem = f"{step.title}: {error}"
            ledger.save()
            raise Unfinished(record.problem) from error
        record.done.append(step.name)
        record.notes[step.name] = found
        ledger.save()
        say(step, found, time.monotonic() - began)
    record.step, record.finished = "", records.now()
    ledger.save()


def _undo(run: Run, why: str) -> str:
    """Nobody was promoted: what was fenced goes back to work. Why it does not; mostly empty."""
    record, provider = run.record, run.provider
    problem = ""
    if record.planned and record.old and record.stopped:
        try:
            provider.restart(record.old)
        except ProviderError as error:
            problem = str(error)
    for region in record.detached:
        with suppress(ProviderError):  # it said so when it was asked for the last time
            provider.release(region)
    record.step, record.finished = "", records.now()
    record.problem = f"{why}; {problem}" if problem else why
    run.ledger.save()
    return problem
