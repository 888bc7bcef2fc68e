"""Nobody types anything: the watchers promote, where a majority of them agree."""

from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pytest

from tests.promotions import (
    DIES_AT,
    DONE,
    KILLED,
    Promises,
    failover,
    generations,
    promote_and_die,
    standbys,
    wait_followed,
    writers,
)
from tests.stack import Stack, wait_until
from tests.watchers import watching

MAJORITY_OF_ONE = "Policy.among = classmethod(lambda cls, regions, after: cls(1, after))"


def wait_healed(stack: Stack, old: str) -> str:
    """Until another region takes writes and all follow it; which."""
    new = wait_until(lambda: next(iter(writers(stack) - {old}), ""), 120, "another takes over")
    wait_followed(stack, new)
    return new


def test_a_dead_writer_is_replaced_but_not_while_paused(
    own_stack: Stack, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    old, before = own_stack.roles["postgres"], generations(own_stack)
    promises = Promises.of(own_stack)
    promises.make(5)
    with watching(own_stack, tmp_path / "logs") as watchers:
        assert failover(own_stack, "watch", "--pause", "a test").returncode == DONE
        watchers.wait_said("paused by")
        own_stack.kill("postgres", old)
        watchers.wait_missing(*own_stack.regions, seconds=6)
        idle = writers(own_stack)

        assert failover(own_stack, "watch", "--resume").returncode == DONE
        began = monotonic()
        new = wait_healed(own_stack, old)

        record_property("seconds until all follow", round(monotonic() - began, 2))
        assert not idle
        wait_until(
            lambda: all(watchers.view(r)["writer_region"] == new for r in own_stack.regions),
            120,
            "everybody sees the new writer",
            interval=0.5,
        )
        watchers.wait_said(f"{new} is the writer now")  # or it would be left half done
        assert "a test" in watchers.said
        assert "sees no writer: promote" in watchers.said
        assert [region for _, region in generations(own_stack)[len(before) :]] == [new]
        assert not promises.lost()


def test_the_loss_of_the_writers_whole_region_heals(own_stack: Stack, tmp_path: Path) -> None:
    """With its watcher, which may be the leader."""
    old, before = own_stack.roles["postgres"], generations(own_stack)
    promises = Promises.of(own_stack)
    with watching(own_stack, tmp_path / "logs") as watchers:
        with promises.going_on():
            own_stack.kill_region(old, stores=True)
            watchers.kill(old)
            new = wait_until(
                lambda: next(iter(writers(own_stack) - {old}), ""), 120, "another takes over"
            )
        watchers.wait_said(f"{new} is the writer now")  # or it would be left half done
        wait_followed(own_stack, new)
        assert [region for _, region in generations(own_stack)[len(before) :]] == [new]
        assert not promises.lost()


def test_a_promotion_whose_runner_died_is_finished(own_stack: Stack, tmp_path: Path) -> None:
    """It died before any standby followed the new writer: nobody can write."""
    target, before = standbys(own_stack)[1], generations(own_stack)
    died = promote_and_die(own_stack, target, "--keep-redis", patch=DIES_AT.format(step="promote"))
    assert died.returncode == KILLED, died.stdout + died.stderr

    with watching(own_stack, tmp_path / "logs") as watchers:
        watchers.wait_said(f"{target} is the writer now")

    wait_followed(own_stack, target)
    assert [region for _, region in generations(own_stack)[len(before) :]] == [target]


def test_a_named_target_that_died_is_not_insisted_on(own_stack: Stack, tmp_path: Path) -> None:
    """Nobody else takes writes until it can be asked what it acknowledged, and that is said."""
    target, before = standbys(own_stack)[1], generations(own_stack)
    with watching(own_stack, tmp_path / "logs") as watchers:
        assert failover(own_stack, "watch", "--pause", "a test").returncode == DONE
        watchers.wait_said("paused by")
        died = promote_and_die(
            own_stack, target, "--keep-redis", patch=DIES_AT.format(step="promote")
        )
        assert died.returncode == KILLED, died.stdout + died.stderr
        own_stack.kill("postgres", target)

        assert failover(own_stack, "watch", "--resume").returncode == DONE
        watchers.wait_said("cannot be asked, and may have acknowledged orders")
        assert not writers(own_stack)
        own_stack.start_process("postgres", target)
        watchers.wait_said("is the writer now")

    wait_until(lambda: len(writers(own_stack)) == 1, 60, "one takes writes")
    (writer,) = writers(own_stack)
    wait_followed(own_stack, writer)
    assert [region for _, region in generations(own_stack)[len(before) :]] == [writer]


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "control"])
def test_one_blind_region_promotes_nobody(own_stack: Stack, tmp_path: Path, guarded: bool) -> None:
    """The control: were one region enough, it would take the writer from those who see it."""
    old, before = own_stack.roles["postgres"], generations(own_stack)
    blind = standbys(own_stack)[0]
    patch = "" if guarded else MAJORITY_OF_ONE
    with watching(own_stack, tmp_path / "logs", blind=blind, patch=patch) as watchers:
        if guarded:
            watchers.wait_missing(blind, seconds=6)
            watchers.wait_said("2 must miss it for 3 s to act")
            assert writers(own_stack) == {old}
            assert generations(own_stack) == before
        else:
            watchers.wait_said("is the writer now")
            assert len(generations(own_stack)) > len(before)
            assert writers(own_stack) != {old}
    own_stack.mend()
