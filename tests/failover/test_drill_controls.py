"""A drill that cannot fail proves nothing: with a guard removed it tells the loss, and fails."""

from tests.failover.drilling import Held, finish, start
from tests.stack import Stack


def hold_without(guard: str, stack: Stack) -> Held:
    return finish(start(stack, "-m", "tests.failover.unguarded_drill", guard))


def test_lost_answers_do_no_harm_with_keys(own_stack: Stack) -> None:
    """The control of the control below."""
    held = hold_without("none", own_stack)

    assert (held.code, held.report["misses"]) == (0, [])
    assert held.account["acknowledged"] > 0


def test_lost_answers_give_duplicates_without_keys(own_stack: Stack) -> None:
    held = hold_without("key", own_stack)

    assert held.code == 1
    assert held.account["duplicates"] > 0
    assert f"{held.account['duplicates']} duplicate orders, target 0" in held.report["misses"]


def test_sessions_are_lost_without_their_copies(own_stack: Stack) -> None:
    held = hold_without("copy", own_stack)

    assert held.code == 1
    assert held.account["sessions_lost"] > 0
    assert f"{held.account['sessions_lost']} sessions lost, target 0" in held.report["misses"]


def test_orders_are_lost_when_commits_wait_for_no_standby(own_stack: Stack) -> None:
    held = hold_without("commit", own_stack)

    assert held.code == 1
    assert held.account["lost"] > 0
    assert f"{held.account['lost']} acknowledged orders lost, target 0" in held.report["misses"]


def test_more_is_sold_than_there_is_when_stock_may_go_below_zero(own_stack: Stack) -> None:
    held = hold_without("stock", own_stack)

    assert held.code == 1
    assert held.account["oversold"] > 0
    assert f"{held.account['oversold']} units oversold, target 0" in held.report["misses"]


def test_two_writers_are_told_when_nobody_fences_the_old_one(own_stack: Stack) -> None:
    old = own_stack.roles["postgres"]

    held = hold_without("fence", own_stack)

    assert held.code == 1
    (told,) = {miss for miss in held.report["misses"] if miss.startswith("writes were taken by")}
    assert old in told
