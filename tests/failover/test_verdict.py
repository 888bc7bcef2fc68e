"""When the watch acts: on what most of all regions see, and not again at once."""

from failover.watching.verdict import Policy, Verdict, View, judge

POLICY = Policy.among(3, after=3.0)
SEES = View("x", "", True, "taiwan")
MISSES = View("x", "", False, missing_for=4.0, failures=4)
SOON = View("x", "", False, missing_for=2.0, failures=2)
ONCE = View("x", "", False, missing_for=9.0, failures=1)


def verdict(*views: View | None, since: float | None = None) -> Verdict:
    regions = ("taiwan", "tokyo", "singapore")
    return judge(dict(zip(regions, views, strict=True)), POLICY, since)


def test_two_of_three_have_to_miss_it() -> None:
    assert verdict(SEES, SEES, SEES) == Verdict(False, "all is well")
    assert not verdict(SEES, SEES, MISSES).promote
    assert verdict(SEES, MISSES, MISSES).promote
    assert verdict(MISSES, MISSES, MISSES).promote


def test_silence_is_not_agreement() -> None:
    assert verdict(None, None, MISSES) == Verdict(
        False,
        "taiwan is silent, tokyo is silent, singapore sees no writer: "
        "2 must miss it for 3 s to act",
    )
    assert not verdict(None, SEES, MISSES).promote
    assert not verdict(None, None, None).promote
    assert verdict(None, MISSES, MISSES).promote


def test_it_waits_for_several_seconds_and_tries() -> None:
    assert not verdict(MISSES, SOON, SOON).promote
    assert not verdict(MISSES, ONCE, ONCE).promote


def test_it_is_calm_after_a_promotion() -> None:
    assert "only just ended" in verdict(MISSES, MISSES, MISSES, since=5.0).why
    assert verdict(MISSES, MISSES, MISSES, since=60.0).promote


def test_it_does_not_go_on_when_a_promotion_did_not_help() -> None:
    never = View("x", "", False, missing_for=90.0, failures=80)

    assert "did not help" in verdict(never, never, SEES, since=60.0).why
    assert verdict(never, MISSES, SEES, since=60.0).promote


def test_a_majority_is_more_than_half_of_all() -> None:
    assert [Policy.among(n, 3.0).majority for n in (1, 2, 3, 4, 5)] == [1, 2, 2, 3, 3]
