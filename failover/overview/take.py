"""Takes an overview: all questions at once, then what each region makes of the answers."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from failover.overview import control, instances, stores
from failover.overview.ask import ask_all, problem
from failover.overview.model import (
    Control,
    Database,
    Overview,
    Redis,
    RegionView,
    Sample,
    Web,
)
from failover.overview.notes import notes
from regions.regions import Region, all_regions
from regions.whereabouts import database_hosts
from storage.clients import dynamodb

type Answers = Mapping[tuple[str, str], Any]


def take(before: Mapping[str, Sample] | None = None) -> Overview:
    """How everything is now. `before`: samples of an earlier overview, for requests a second.

    Takes two seconds at most, whatever hangs, and raises nothing.
    """
    dynamodb()  # made here: botocore reads its models for a while, which is not DynamoDB's fault
    answers = ask_all(_questions())
    found = _control(answers)
    overview = Overview(
        at=datetime.now(UTC),
        regions=_regions(answers, found, before or {}),
        control=found,
        sessions=_value(answers["sessions", ""]),
    )
    return replace(overview, notes=notes(overview))


def take_samples() -> dict[str, Sample]:
    """Of the regions that answer: with them a first overview tells requests a second, too."""
    found = ask_all(
        {region.name: partial(instances.ask_web, region.name) for region in all_regions()}
    )
    return {name: web.sample for name, web in found.items() if isinstance(web, Web) and web.sample}


def _questions() -> dict[tuple[str, str], Any]:
    """By what is asked, and the region."""
    questions: dict[tuple[str, str], Any] = {
        ("documents", ""): control.ask_documents,
        ("leases", ""): control.ask_leases,
        ("sessions", ""): stores.ask_sessions,
    }
    for region in all_regions():
        questions["web", region.name] = partial(instances.ask_web, region.name)
        questions["sockets", region.name] = partial(instances.ask_sockets, region.name)
    for name, (host, port) in database_hosts().items():
        questions["database", name] = partial(stores.ask_database, host, port)
    for name, url in stores.redis_urls().items():
        questions["redis", name] = partial(stores.ask_redis, url)
    return questions


def _control(answers: Answers) -> Control:
    documents, leases = answers["documents", ""], answers["leases", ""]
    for answer in (documents, leases):
        if isinstance(answer, Exception):
            return Control(problem=problem(answer))
    return Control(documents=documents, leases=leases)


def _regions(
    answers: Answers, found: Control, before: Mapping[str, Sample]
) -> tuple[RegionView, ...]:
    databases = stores.databases_behind(
        {name: _answer(answers, "database", name, Database) for name in database_hosts()}
    )
    redis = stores.redis_behind(
        {name: _answer(answers, "redis", name, Redis) for name in stores.redis_urls()}
    )
    drained = control.drained(found)

    def view(region: Region) -> RegionView:
        web = instances.with_rate(
            _answer(answers, "web", region.name, Web), before.get(region.name)
        )
        return RegionView(
            name=region.name,
            title=region.title,
            aws_region=region.aws_region,
            web=replace(web, sockets=_value(answers["sockets", region.name])),
            database=databases.get(region.name),
            redis=redis.get(region.name),
            drain=drained.get(region.name),
        )

    return tuple(view(region) for region in all_regions())


def _answer[T: (Web, Database, Redis)](
    answers: Answers, what: str, region: str, kind: type[T]
) -> T:
    answer = answers[what, region]
    if isinstance(answer, Exception):
        return kind(problem=problem(answer))
    found: T = answer
    return found


def _value(answer: Any) -> int | None:
    """None where nobody said, or it could not be asked."""
    return None if isinstance(answer, Exception) else answer
