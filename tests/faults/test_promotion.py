"""`manage.py failover promote`: killed at every step, lied to, and refused."""

import json
from collections.abc import Callable
from contextlib import suppress
from threading import Timer

import psutil
import psycopg
import pytest

from failover.promotion.plan import NOTHING
from failover.promotion.steps import STEPS
from regions.embedded import replication, valkey_client
from regions.servers import Overtaken
from tests.promotions import (
    DIES_AT,
    DONE,
    KILLED,
    REFUSED,
    TRIES,
    Promises,
    attempt_of,
    failover,
    generations,
    own_connection,
    promote,
    promote_and_die,
    promoted,
    standbys,
    wait_followed,
    writers,
)
from tests.stack import Stack, wait_until

CUT_OFF = """
servers = EmbeddedProvider.servers
EmbeddedProvider.servers = lambda p: servers(p) | {{"{old}": Server("{old}", answers=False)}}
EmbeddedProvider.fence = lambda p, writer, **how: Fence(False, detail="it is cut off")
"""

WRITES_TOO = """
from dataclasses import replace
servers = EmbeddedProvider.servers
def both(provider):
    found = servers(provider)
    return found | {{"{old}": replace(found["{old}"], takes_writes=True, timeline=1)}}
EmbeddedProvider.servers = both
"""
STOPS_STANDBYS = """
import psutil
from regions.embedded.supervise import Supervisor
verify = steps.generation.verify
def verify_alone(address, promotion):
    plan = EmbeddedProvider()._plan
    states = Supervisor(plan).states()
    for region in plan.regions:
        if plan.port("postgres", region) != address[1]:
            process = psutil.Process(states[f"postgres-{region}"].pid)
            process.suspend()
            for each in process.children(recursive=True):
                each.suspend()
    verify(address, promotion)
steps.generation.verify = verify_alone
"""
CHOOSES_NOBODY = """
from failover.promotion.errors import Refused
def choose(*given, **more):
    raise Refused("Nobody is left.")
steps.choose = choose
"""
STAYS_AWAY = """
def restart(provider, writer):
    raise ProviderError("no disk")
EmbeddedProvider.restart = restart
"""


def test_promotion_goes_on_after_a_kill_at_every_step(own_stack: Stack) -> None:
    old, target = own_stack.roles["postgres"], standbys(own_stack)[0]
    promises, before = Promises.of(own_stack), generations(own_stack)
    promises.make(5)

    for step in STEPS:
        died = promote_and_die(own_stack, target, patch=DIES_AT.format(step=step.name))
        assert died.returncode == KILLED, died.stderr
        if step is STEPS[0]:
            back = promote(own_stack, old)
    foreseen = json.loads(promote(own_stack, target, "--dry-run", "--json").stdout)
    under_way = (
        f"A promotion of {target.title()} is under way, at step {STEPS[-1].name}.",
        f"If it does not go on by itself: manage.py failover promote {target}",
    )
    wait_until(lambda: under_way in attention(own_stack), 180, "status tells what is left")
    record = promoted(own_stack, target)

    wait_followed(own_stack, target)
    assert writers(own_stack) == {target}
    assert back.returncode == REFUSED
    assert f"Finish that first: manage.py failover promote {target}" in back.stderr
    done = [title for title, would in foreseen["steps"].items() if would == NOTHING]
    assert (foreseen["resumed"], done) == (True, [step.title for step in STEPS[:-1]])
    assert (record["target"], record["from"], record["done"][0]) == (target, old, "fence")
    assert generations(own_stack)[len(before) :] == [(record["generation"], target)]
    promises.make(5)
    assert len(promises.acknowledged) == 10
    assert not promises.lost()
    with (
        own_connection(own_stack, old) as former,
        pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
    ):
        former.execute("INSERT INTO promises VALUES (-1)")
    again = promote(own_stack, target)
    assert (again.returncode, "already" in again.stdout) == (DONE, True)
    assert len(generations(own_stack)) == len(before) + 1


def attention(stack: Stack) -> set[tuple[str, str]]:
    """What `status` says is amiss, and what to type. A busy machine may answer it too late."""
    told = json.loads(failover(stack, "status", "--json").stdout)
    return {(note["what"], note["advice"]) for note in told["attention"]}


def test_a_write_that_no_standby_confirms_ends_no_promotion(own_stack: Stack) -> None:
    old, target = own_stack.roles["postgres"], standbys(own_stack)[0]

    for _ in range(TRIES):
        left = promote(own_stack, target, "--keep-redis", patch=STOPS_STANDBYS)
        open_one = _verified(own_stack)
        for region in {*own_stack.regions} - {target}:
            process = psutil.Process(own_stack.pid("postgres", region))
            for each in (process, *process.children(recursive=True)):
                with suppress(psutil.NoSuchProcess):
                    each.resume()
        if "did not acknowledge" in left.stderr:
            break
    promoted(own_stack, target, "--keep-redis")

    assert f"{target} did not acknowledge a write" in left.stderr
    assert "Not finished: type the same command again" in left.stderr
    assert (open_one, _verified(own_stack)) == (False, True)
    wait_followed(own_stack, target)
    assert writers(own_stack) == {target} != {old}


def _verified(stack: Stack) -> bool:
    """Of the last generation, as the writer's standbys have it: what waits is not seen."""
    with stack.writer() as live:
        row = live.execute(
            "SELECT verified_at IS NOT NULL FROM failover_generation ORDER BY number DESC LIMIT 1"
        ).fetchone()
    return row == (True,)


def _quorum(stack: Stack, writer: str) -> list[tuple[str]]:
    with stack.pg_admin(writer) as server:
        return server.execute("SELECT sync_state FROM pg_stat_replication").fetchall()


def test_switchover_loses_no_acknowledged_write(
    own_stack: Stack, record_property: Callable[[str, object], None]
) -> None:
    old, target = own_stack.roles["postgres"], standbys(own_stack)[1]
    promises = Promises.of(own_stack)

    with promises.going_on():
        record = promoted(own_stack, target)

    # Aim: 5 s. Measured, not judged: the machine may be busy.
    record_property("seconds without a write", round(promises.longest_wait, 2))
    assert not promises.lost()
    if not record["notes"]["redis"].startswith("moved"):  # a promotion waits 5 s for it
        valkey_client.move_primary(own_stack.plan, target)
    wait_until(lambda: own_stack.roles.get("valkey") == target, 60, "Redis moved, too")
    wait_followed(own_stack, target)
    wait_until(lambda: _quorum(own_stack, target) == [("quorum",)] * 2, 60, "both may confirm")
    assert _verified(own_stack)
    with own_stack.pg_admin(old) as former:  # nothing is left that would keep it from following
        assert replication._stored(former, "primary_conninfo") is None


def test_a_writer_that_was_promoted_by_hand_is_agreed_on(own_stack: Stack) -> None:
    before, new = standbys(own_stack)
    promoted(own_stack, before, "--keep-redis")
    wait_followed(own_stack, before)
    own_stack.stop_process("postgres", before)
    with own_stack.pg_admin(new) as server:
        assert server.execute("SELECT pg_promote()").fetchone() == (True,)
    own_stack.start_process("postgres", before)
    wait_followed(own_stack, new)
    words = f"{new.title()} takes writes, but the regions agreed on {before.title()}."
    wait_until(
        lambda: words in dict(attention(own_stack)), 180, "status tells that it is not agreed on"
    )

    refused = promote(own_stack, new, patch=WRITES_TOO.format(old=before))
    record = promoted(own_stack, new)

    assert refused.returncode == REFUSED
    assert f"{before} takes writes, too: stop it first." in refused.stderr

    def is_agreed_on() -> bool:
        amiss = dict(attention(own_stack))
        return words not in amiss and not any("answer" in what for what in amiss)

    wait_until(is_agreed_on, 180, "it is agreed on")
    assert generations(own_stack)[-1] == (record["generation"], new)
    assert "already" in promote(own_stack, new).stdout


def test_a_standby_that_was_away_first_gets_what_it_lacks(own_stack: Stack) -> None:
    old, (behind, fresh) = own_stack.roles["postgres"], standbys(own_stack)
    promises = Promises.of(own_stack)
    own_stack.stop_process("postgres", behind)
    promises.make(5)
    own_stack.kill("postgres", old)

    for words in ([], [fresh]):
        refused = promote(own_stack, *words)
        assert refused.returncode == REFUSED
        assert f"{behind} cannot be asked, and may have acknowledged" in refused.stderr
    assert not writers(own_stack)
    own_stack.start_process("postgres", behind)
    foreseen = promote(own_stack, "--dry-run")
    assert f"{fresh}: it is the furthest of all standbys" in foreseen.stdout
    foreseen = promote(own_stack, behind, "--dry-run", "--json")
    would = json.loads(foreseen.stdout)["steps"]["Choose the new one"]
    assert f"bytes behind {fresh}, and gets them first" in would
    promoted(own_stack, behind, "--keep-redis")

    assert writers(own_stack) == {behind}
    assert not promises.lost()
    wait_followed(own_stack, behind)


def test_a_standby_that_cannot_get_what_it_lacks_is_refused(own_stack: Stack) -> None:
    """And the control: promoted all the same, it lacks what was acknowledged."""
    old, (behind, fresh) = own_stack.roles["postgres"], standbys(own_stack)
    promises = Promises.of(own_stack)
    wait_until(lambda: _count(own_stack, behind) == 0, 60, f"{behind} has the table")
    own_stack.stop_process("postgres", behind)
    promises.make(5)
    _forget_log(own_stack, old, fresh)
    own_stack.kill("postgres", old)
    own_stack.start_process("postgres", behind)

    refused = promote(own_stack, behind)

    assert refused.returncode == REFUSED
    assert f"Promote {fresh} instead." in refused.stderr
    assert not writers(own_stack)

    careless = f"""
from failover.promotion.choice import Choice
steps.choose = lambda *args, **kwargs: Choice("{behind}", None, 0, "no comparison")
steps.FIRST_FOLLOWER = steps.ALL_FOLLOWERS = 1.0
"""
    promote(own_stack, behind, "--keep-redis", patch=careless)
    assert writers(own_stack) == {behind}
    with own_stack.pg_admin(behind) as server:
        kept = server.execute("SELECT count(*) FROM promises").fetchone()
    promoted(own_stack, behind, "--keep-redis")
    wait_followed(own_stack, behind)  # also the one that was ahead of it
    assert kept == (0,)
    assert promises.lost() == promises.acknowledged != set()


def test_a_move_that_is_refused_half_way_is_undone_or_told(own_stack: Stack) -> None:
    old, target = own_stack.roles["postgres"], standbys(own_stack)[0]

    refused = promote(own_stack, target, "--keep-redis", patch=CHOOSES_NOBODY)
    back = writers(own_stack)
    wait_followed(own_stack, old)
    left = promote(own_stack, target, "--keep-redis", patch=CHOOSES_NOBODY + STAYS_AWAY)
    away = writers(own_stack)
    own_stack.start_process("postgres", old)

    assert (back, away) == ({old}, set())
    assert refused.stderr.endswith("Refused. Nobody is left.\n")
    assert f"{old}, which was stopped for it, does not come back: no disk" in left.stderr
    assert "Nobody takes writes: start PostgreSQL there, or promote another region" in left.stderr
    wait_followed(own_stack, old)


def test_a_loss_is_accepted_by_name_and_told(own_stack: Stack) -> None:
    """Two of three regions are away, the one that is left lacks the last orders: an operator says
    that this shop goes on without them."""
    old, (behind, fresh) = own_stack.roles["postgres"], standbys(own_stack)
    promises = Promises.of(own_stack)
    promises.make(2)
    wait_until(lambda: _count(own_stack, behind) == 2, 60, f"{behind} has them")
    own_stack.stop_process("postgres", behind)
    promises.make(5)
    own_stack.kill("postgres", old)
    own_stack.kill("postgres", fresh)
    own_stack.start_process("postgres", behind)

    refused = promote(own_stack, behind, "--keep-redis")
    assert refused.returncode == REFUSED
    assert "cannot be asked, and may have acknowledged orders" in refused.stderr
    assert "--allow-data-loss" in refused.stderr
    assert not writers(own_stack)

    answer = promote(own_stack, behind, "--keep-redis", "--allow-data-loss")
    told = answer.stdout + answer.stderr
    assert "the last transaction it has was committed" in told
    assert writers(own_stack) == {behind}
    assert _count(own_stack, behind) == 2
    own_stack.start_process("postgres", old)
    own_stack.start_process("postgres", fresh)
    promoted(own_stack, behind, "--keep-redis")  # finished, if nobody could follow until now
    wait_followed(own_stack, behind)
    assert [_count(own_stack, region) for region in own_stack.regions] == [2, 2, 2]


def _count(stack: Stack, region: str) -> int:
    """-1 where there is no such table (yet)."""
    with stack.pg_admin(region) as server:
        try:
            row = server.execute("SELECT count(*) FROM promises").fetchone()
        except psycopg.errors.UndefinedTable:
            return -1
    assert row is not None
    return int(row[0])


def _forget_log(stack: Stack, *regions: str) -> None:
    """Let them remove the log that a standby which is away will ask for."""
    for region in regions:
        with stack.pg_admin(region) as server:
            server.execute("ALTER SYSTEM SET wal_keep_size = 0")
            server.execute("SELECT pg_reload_conf()")
    with stack.pg_admin(regions[0]) as writer:
        for _ in range(3):
            writer.execute("CREATE TABLE filler AS SELECT 1")
            writer.execute("DROP TABLE filler")
            writer.execute("SELECT pg_switch_wal()")
            writer.execute("CHECKPOINT")
    for region in regions:
        with stack.pg_admin(region) as server:
            server.execute("CHECKPOINT")
            server.execute("ALTER SYSTEM RESET wal_keep_size")
            server.execute("SELECT pg_reload_conf()")


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "control"])
def test_an_old_writer_that_is_cut_off_acknowledges_nothing(
    own_stack: Stack, guarded: bool
) -> None:
    """The control: a standby that was not detached confirms what the new writer never gets."""
    old, target = own_stack.roles["postgres"], standbys(own_stack)[0]
    promises = Promises.of(own_stack)
    promises.make(3)
    careless = "" if guarded else "steps._detach = lambda run, server: None"
    patch = CUT_OFF.format(old=old) + careless + DIES_AT.format(step="promote")

    died = promote_and_die(own_stack, target, "--keep-redis", patch=patch)
    with own_connection(own_stack, old) as former:
        acknowledged = _writes(former)
    record = promoted(own_stack, target, "--keep-redis")

    assert died.returncode == KILLED, died.stderr
    assert writers(own_stack) == {target}
    assert acknowledged is not guarded
    wait_followed(own_stack, target)
    assert record["generation"] == generations(own_stack)[-1][0]
    assert not promises.lost()
    for region in (old, target):  # what the old writer wrote alone is nowhere any more
        wait_until(lambda region=region: _numbers(own_stack, region) == {1, 2, 3}, 30, "the same")  # type: ignore[misc]  # its default


def _writes(connection: psycopg.Connection[object]) -> bool:
    """Whether a write is acknowledged within three seconds. It is cancelled otherwise, which
    PostgreSQL answers with a warning instead of an error: it is committed there alone."""
    warnings: list[str] = []
    connection.add_notice_handler(lambda notice: warnings.append(str(notice.sqlstate)))
    impatience = Timer(3.0, connection.cancel_safe)
    impatience.start()
    connection.execute("INSERT INTO promises VALUES (-1)")
    impatience.cancel()
    return not warnings


def _numbers(stack: Stack, region: str) -> set[int]:
    with stack.pg_admin(region) as server:
        return {number for (number,) in server.execute("SELECT number FROM promises")}


def test_a_server_refuses_a_runner_that_was_overtaken(own_stack: Stack) -> None:
    region = standbys(own_stack)[0]
    attempt = attempt_of(own_stack, region) + 1
    replication.detach(own_stack.plan, region, attempt)

    with pytest.raises(Overtaken):
        replication.promote(own_stack.plan, region, attempt - 1)

    assert region not in writers(own_stack)
    replication.release(own_stack.plan, region)
    with own_stack.pg_admin(region) as server:  # the next promotion counts from the lease's
        server.execute("ALTER SYSTEM RESET anyport.promotion")
    wait_followed(own_stack, own_stack.roles["postgres"])
