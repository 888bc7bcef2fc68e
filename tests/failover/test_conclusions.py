"""What is concluded from several answers: keys, secrets, versions, clocks, timelines."""

from typing import Any

import pytest

from failover.checks.takeover import apart
from jobs.checks import ANY, workers
from regions.checks.instances import VERSION, VIEW, versions
from regions.checks.postgres import (
    LAGGING,
    ROLE,
    SYNCHRONOUS,
    TIMELINE,
    WRITER,
    beside_the_writer,
    writer,
)
from regions.checks.secrets import same
from regions.checkup import Check, Finding, State
from sessions_ext.checks import key_rings
from storage.checks.clocks import skew

OK, DEGRADED, FAILING = State.OK, State.DEGRADED, State.FAILING


def view(region: str, **data: Any) -> Finding:
    return VIEW.ok("http://there", "", region=region, data=data)


def states(findings: Any) -> dict[str, State]:
    return {finding.region: finding.state for finding in findings}


def ring(region: str, *keys: str) -> Finding:
    """`k1=a`: a key's id and fingerprint."""
    pairs = [dict(zip(("id", "fingerprint"), key.split("="), strict=True)) for key in keys]
    return view(region, facts={"session_keys": pairs})


@pytest.mark.parametrize(
    ("taiwan", "tokyo", "expected"),
    [
        (["k1=a"], ["k1=a"], {"taiwan": OK, "tokyo": OK}),
        # The new key goes in last everywhere, and then becomes the first.
        (["k1=a"], ["k1=a", "k2=b"], {"taiwan": DEGRADED, "tokyo": DEGRADED}),
        (["k2=b", "k1=a"], ["k1=a", "k2=b"], {"taiwan": OK, "tokyo": OK}),
        # tokyo seals with a key that taiwan has not got.
        (["k1=a"], ["k2=b", "k1=a"], {"taiwan": FAILING, "tokyo": DEGRADED}),
        (["k1=a"], ["k1=b"], {"taiwan": FAILING, "tokyo": FAILING}),
    ],
)
def test_each_region_must_open_what_the_others_seal(
    taiwan: list[str], tokyo: list[str], expected: dict[str, State]
) -> None:
    findings = [ring("taiwan", *taiwan), ring("tokyo", *tokyo)]

    assert states(key_rings(findings)) == expected


def told(region: str, *former: str, **secrets: str | None) -> Finding:
    return view(region, facts={"secrets": secrets, "former_secret_keys": list(former)})


def test_secrets_are_compared_without_being_known() -> None:
    first = told("taiwan", SECRET_KEY="a", STRIPE_SECRET_KEY="s")

    def against(other: Finding) -> tuple[State, str]:
        finding = list(same([first, other]))[1]
        return finding.state, finding.detail

    equal = against(told("tokyo", SECRET_KEY="a", STRIPE_SECRET_KEY="s"))
    missing = against(told("tokyo", SECRET_KEY="a", STRIPE_SECRET_KEY=None))
    rotating = against(told("tokyo", "a", SECRET_KEY="b", STRIPE_SECRET_KEY="x"))
    other = against(told("tokyo", SECRET_KEY="b", STRIPE_SECRET_KEY="x"))

    assert equal == (OK, "2 secrets, the same")
    assert missing == (FAILING, "differs or is missing: STRIPE_SECRET_KEY")
    assert rotating[0] == DEGRADED
    assert other == (FAILING, "differs or is missing: SECRET_KEY")


def test_regions_that_run_other_code_are_named() -> None:
    (equal,) = versions([view("taiwan", version="a"), view("tokyo", version="a")])
    (other,) = versions([view("taiwan", version="a"), view("tokyo", version="b")])

    assert (equal.check, equal.state) == (VERSION, OK)
    assert (other.state, other.detail) == (DEGRADED, "2 versions: a in taiwan; b in tokyo")


@pytest.mark.parametrize(
    ("ahead", "error", "state"),
    [(0.1, 0.05, OK), (-3.0, 0.2, DEGRADED), (1.5, 0.6, OK), (1.7, 0.6, DEGRADED)],
)
def test_a_clock_is_judged_past_the_time_that_the_answer_took(
    ahead: float, error: float, state: State
) -> None:
    assert states(skew([view("tokyo", clock=(ahead, error))])) == {"tokyo": state}


def test_a_worker_that_takes_no_tasks_is_named() -> None:
    heard = ANY.ok("all", "", data={"heard": {"taiwan", "tokyo"}, "taking": {"taiwan"}})

    assert [(one.region, one.state, one.detail) for one in workers([heard])] == [
        ("taiwan", OK, "takes tasks"),
        ("tokyo", DEGRADED, "answers, and takes no tasks"),
        ("singapore", DEGRADED, "no worker answers"),
    ]


# --- PostgreSQL --------------------------------------------------------------------------------


def server(region: str, **data: Any) -> Finding:
    return ROLE.ok(f"{region}:5432", "", region=region, data=data)


def primary(**data: Any) -> Finding:
    given = {
        "writer": True,
        "position": 1 << 30,
        "timeline": 2,
        "synchronous": "ANY 1 (taiwan, tokyo)",
        "standbys": [("tokyo", "streaming", "quorum")],
        "waiting": 0,
        "longest": 0.0,
        "applied": [],
    }
    return server("taiwan", **given | data)


def standby(**data: Any) -> Finding:
    given = {"writer": False, "position": 1 << 30, "timeline": 2, "behind": 0.0, "streaming": True}
    return server("tokyo", **given | data)


def of(check: Check, *findings: Finding) -> list[tuple[State, str]]:
    found = beside_the_writer(findings)
    return [(finding.state, finding.detail) for finding in found if finding.check is check]


def test_two_writers_and_none_are_failing_and_say_what_to_type() -> None:
    (both,) = writer([primary(), primary(timeline=3)])
    (none,) = writer([standby(), server("singapore", writer=False, position=(1 << 30) + 5)])

    assert (both.check, both.state) == (WRITER, FAILING)
    assert "Stop all but the one with the highest timeline" in both.advice
    assert none.state == FAILING
    assert "manage.py failover promote singapore" in none.advice


@pytest.mark.parametrize(
    ("coordination", "endpoint", "state"),
    [("tokyo", "", OK), ("taiwan", "", DEGRADED), ("taiwan", "http://127.0.0.1:1", OK)],
)
def test_whoever_is_lost_with_the_writer_cannot_agree_on_another(
    settings: Any, coordination: str, endpoint: str, state: State
) -> None:
    settings.COORDINATION_REGION, settings.DYNAMODB_ENDPOINT_URL = coordination, endpoint

    (found,) = apart([primary(), standby()])

    assert found.state == state


def test_lag_is_told_in_bytes_and_seconds() -> None:
    assert of(LAGGING, primary(), standby()) == [(OK, "0 bytes, 0.0 s behind")]
    behind = standby(position=(1 << 30) - 2048, behind=11.5)
    assert of(LAGGING, primary(), behind) == [(DEGRADED, "2,048 bytes, 11.5 s behind")]
    far = standby(position=(1 << 30) - (65 << 20))
    assert of(LAGGING, primary(), far)[0][0] == DEGRADED
    # The standby may have been asked a moment later.
    assert of(LAGGING, primary(), standby(position=(1 << 30) + 9))[0] == (
        OK,
        "0 bytes, 0.0 s behind",
    )


def test_a_standby_with_another_history_is_named() -> None:
    assert of(TIMELINE, primary(), standby(timeline=1)) == [
        (DEGRADED, "timeline 1, the writer's is 2")
    ]


@pytest.mark.parametrize(
    ("data", "state"),
    [
        ({}, OK),
        ({"waiting": 3, "longest": 0.2}, OK),  # a commit is waiting at any moment
        ({"waiting": 3, "longest": 4.0}, FAILING),
        ({"standbys": []}, FAILING),
        ({"standbys": [("tokyo", "streaming", "async")]}, FAILING),
        ({"synchronous": "ANY 2 (a, b, c)"}, FAILING),
        ({"synchronous": ""}, DEGRADED),
        ({"standbys": [("tokyo", "unknown", "unknown")]}, DEGRADED),
    ],
)
def test_commits_must_be_in_two_regions(data: dict[str, Any], state: State) -> None:
    assert of(SYNCHRONOUS, primary(**data))[0][0] == state


def test_commits_are_told_to_wait_for_standbys_that_are_there() -> None:
    """Else they would wait for ever."""

    def advice(**data: Any) -> str:
        findings = beside_the_writer([primary(synchronous="", **data)])
        return next(found.advice for found in findings if found.check is SYNCHRONOUS)

    assert "ALTER SYSTEM SET" in advice()
    assert "ALTER SYSTEM" not in advice(standbys=[])
