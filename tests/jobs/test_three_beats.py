"""Three real `celery beat` processes, one a region, and what they leave in the real broker."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import connection
from redis import Redis

from jobs.models import JobRun
from storage import drain
from storage.redis import redis_primary
from storage.tables import create_tables
from tests.jobs.queue import sent_arguments

REPOSITORY = Path(__file__).parent.parent.parent
START = 180.0  # seconds for four Pythons on a busy machine


class Fleet:
    """Celery processes with a schedule, a database and a broker's queue of their own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.namespace = f"beats-{uuid4().hex[:8]}"
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, region: str, *arguments: str) -> subprocess.Popen[bytes]:
        """`celery -A jobs …` as in that region, in an empty directory of its own."""
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "tests.jobs.beat_settings",
            "PYTHONPATH": str(REPOSITORY),
            "ANYPORT_NAMESPACE": self.namespace,
            "ANYPORT_REGION": region,
            "DATABASE_NAME": str(connection.settings_dict["NAME"]),
        }
        (self.directory / region).mkdir(exist_ok=True)
        log = (self.directory / f"{region}-{arguments[0]}.log").open("wb")
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-q", "-A", "jobs", *arguments, "-l", "INFO"],
            cwd=self.directory / region,
            env=environment,
            stdout=log,
            stderr=log,
        )
        self.processes.append(process)
        return process

    def start_beats(self, *arguments: str) -> dict[str, subprocess.Popen[bytes]]:
        return {
            region: self.start(region, "beat", *arguments) for region in settings.ANYPORT_REGIONS
        }

    def stop(self, sig: signal.Signals = signal.SIGTERM) -> None:
        for process in self.processes:
            process.send_signal(sig)
        for process in self.processes:
            process.wait(150)
        self.processes.clear()

    def log(self, region: str, what: str = "beat") -> str:
        return (self.directory / f"{region}-{what}.log").read_text()

    def running_beats(self) -> int:
        return sum("Starting..." in self.log(region) for region in settings.ANYPORT_REGIONS)

    def sent(self, broker: Redis) -> list[dict[str, Any]]:
        return sent_arguments(broker, self.namespace)


@pytest.fixture
def broker() -> Redis:
    return redis_primary()


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    made = Fleet(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(settings, "ANYPORT_NAMESPACE", made.namespace)
        create_tables()
    yield made
    made.stop(signal.SIGKILL)


def wait_until(true: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.1)


def files_in(directory: Path) -> list[str]:
    return [path.name for path in directory.rglob("*") if path.is_file()]


@pytest.mark.django_db(transaction=True)
def test_three_beats_give_each_slot_one_run(fleet: Fleet, broker: Redis) -> None:
    beats = fleet.start_beats()
    wait_until(lambda: fleet.running_beats() == 3, START, "three beats run")
    at_work = len(fleet.sent(broker))
    wait_until(lambda: len(fleet.sent(broker)) >= at_work + 4, START, "four more slots")
    busiest = max(beats, key=lambda region: fleet.log(region).count(" sent, "))
    beats[busiest].kill()
    at_kill = len(fleet.sent(broker))
    wait_until(lambda: len(fleet.sent(broker)) >= at_kill + 4, START, "the others take its slots")
    fleet.stop()

    slots = [arguments["slot"] for arguments in fleet.sent(broker)]
    assert Counter(slots).most_common(1)[0][1] == 1
    assert {arguments["job"] for arguments in fleet.sent(broker)} == {"tick"}

    fleet.start("tokyo", "worker", "--pool", "threads", "--concurrency", "2")
    done = JobRun.objects.filter(status=JobRun.Status.DONE)
    wait_until(lambda: done.count() >= len(slots), START, "the worker runs every slot")
    fleet.stop()
    ran = [f"{run.slot:%Y-%m-%dT%H:%M:%SZ}" for run in JobRun.objects.all()]
    assert sorted(ran) == sorted(slots)
    assert files_in(fleet.directory / "taiwan") == []


@pytest.mark.django_db(transaction=True)
def test_a_drained_region_claims_no_slot_and_takes_no_task(
    fleet: Fleet, broker: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "ANYPORT_NAMESPACE", fleet.namespace)
    workers = ("worker", "--pool", "threads", "--without-gossip", "--without-mingle")

    def put() -> None:
        drain.drain("tokyo", by="test", why="", allow=lambda drained: None)

    def claimed(region: str) -> int:
        return fleet.log(region).count(" sent, ")

    def taken(region: str) -> int:
        return fleet.log(region, "worker").count("] received")

    def others_work(slots: int) -> None:
        claims, tasks = claimed("taiwan"), taken("taiwan")
        wait_until(lambda: claimed("taiwan") >= claims + slots, START, "taiwan claims")
        wait_until(lambda: taken("taiwan") >= tasks + slots, START, "taiwan works")

    def wait_said(region: str, what: str, words: str, times: int = 1) -> None:
        wait_until(
            lambda: fleet.log(region, what).count(words) >= times,
            START,
            f"{what} in {region} says {words!r}",
        )

    put()  # it starts as drained
    beats = [fleet.start(region, "beat") for region in ("taiwan", "tokyo")]
    for region in ("taiwan", "tokyo"):
        fleet.start(region, *workers)
    for region in ("taiwan", "tokyo"):
        wait_said(region, "worker", " ready.")
        wait_said(region, "beat", "Starting...")
    others_work(4)
    assert (claimed("tokyo"), taken("tokyo")) == (0, 0)

    drain.undrain("tokyo")
    wait_until(lambda: claimed("tokyo") > 0, START, "its beat claims")
    wait_until(lambda: taken("tokyo") > 0, START, "its worker takes tasks")

    put()
    wait_said("tokyo", "beat", "this region is drained", 2)  # once at the start
    wait_said("tokyo", "worker", "Canceling queue", 2)
    others_work(1)
    before = claimed("tokyo"), taken("tokyo")
    others_work(4)
    assert (claimed("tokyo"), taken("tokyo")) == before
    for beat in beats:
        beat.terminate()
        beat.wait(60)
    # Nor was anything lost on the way: what a consumer that ended was handed went back.
    done = JobRun.objects.filter(status=JobRun.Status.DONE)
    claims = claimed("taiwan") + claimed("tokyo")
    wait_until(lambda: done.count() == claims, START, "every slot is done")


def test_control_three_beats_without_the_claim_send_a_slot_three_times(
    fleet: Fleet, broker: Redis
) -> None:
    fleet.start_beats("-S", "tests.jobs.unguarded:Unguarded")
    wait_until(lambda: fleet.running_beats() == 3, START, "three beats run")

    def most_sent() -> int:
        slots = Counter(arguments["slot"] for arguments in fleet.sent(broker))
        return max(slots.values(), default=0)

    wait_until(lambda: most_sent() == 3, START, "a slot is sent by each")
