"""What a tired operator reads."""

from io import StringIO

from failover.report import as_json, by_urgency, show
from failover.services import all_checks, describe
from regions.checkup import Finding, State


def shown(*findings: Finding) -> list[str]:
    out = StringIO()
    show(findings, out)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_causes_come_before_what_follows_from_them_which_is_only_named() -> None:
    known = all_checks()
    lines = shown(
        known["channels.echo"].problem("from here", "no answer in time", region="tokyo"),
        known["redis.node"].problem("a:1", "replica: refused", region="tokyo"),
        known["redis.node"].problem("b:1", "replica: refused", region="taiwan"),
        known["redis.primary"].problem("by 3 Sentinels", "no primary"),
        known["redis.quorum"].ok("Sentinels", "3 of 3"),
    )

    assert [line for line in lines if line[:2] in ("1.", "2.", "3.")] == [
        "1. ✗ failing: redis.primary",
        "2. ! degraded: redis.node",
    ]
    assert "   tokyo (a:1): replica: refused" in lines
    assert "   taiwan (b:1): replica: refused" in lines
    assert lines.count("   Do next       " + known["redis.node"].advice) == 1
    assert "These should end with the above: channels.echo." in lines
    assert lines[-1].startswith("Shoppers are hurt")


def test_a_region_that_is_drained_explains_no_other_region() -> None:
    known = all_checks()
    lines = shown(
        known["region.drained"].problem("control", "drained by mei", region="tokyo"),
        known["region.ready"].problem("http://a", "503: drained", region="tokyo"),
        known["region.ready"].problem("http://b", "refused", region="singapore"),
    )

    assert "   singapore (http://b): refused" in lines
    assert "   tokyo (http://a): 503: drained" not in lines


def test_a_check_is_never_worse_than_it_may_be() -> None:
    found = all_checks()["postgres.role"].problem("a:1", "gone", state=State.FAILING)

    assert found.state is State.DEGRADED
    assert '"exit_code": 1' in as_json([found])


def test_regions_stand_together_in_the_table() -> None:
    check = all_checks()["redis.node"]
    regions = ("tokyo", "taiwan", "tokyo", "")
    lines = shown(*(check.ok(f"{n}:1", "primary", region=r) for n, r in enumerate(regions)))

    wheres = [line.split("redis.node")[1].split()[0] for line in lines if "redis.node" in line]
    assert wheres == ["3:1", "1:1", "0:1", "2:1"]


def test_what_is_worst_is_first_for_programs_too() -> None:
    known = all_checks()
    fine = known["postgres.writer"].ok("x", "one")
    soon = known["jobs.workers"].problem("worker", "none", region="tokyo")
    now = known["sessions.keys"].problem("1 keys", "lacks key k2", region="tokyo")

    assert by_urgency([fine, soon, now]) == [now, soon, fine]


def test_every_check_says_what_it_means_and_what_to_do() -> None:
    for check in all_checks().values():
        assert check.id == check.id.lower()
        assert check.verifies and check.impact and check.advice
        assert set(check.after) <= set(all_checks())


def test_clients_errors_are_cut_to_what_they_say() -> None:
    redis = "No master found for 'anyport' : <redis.client.Redis(<redis.connection…>)>"
    libpq = 'connection failed: connection to server at "::1", port 1 failed: Connection refused'

    assert describe(OSError(redis)) == "No master found for 'anyport'"
    assert describe(OSError(libpq)) == "Connection refused"
    assert describe(TimeoutError()) == "no answer in time"
