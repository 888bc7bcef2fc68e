"""A deleted session stays dead, at whichever step of another request it is deleted.

Each test deletes a session before and after each single question that a concurrent request asks
the stores. `-s` prints how many interleavings were tried.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from typing import Any, Final
from uuid import uuid4

import pytest
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import UpdateError
from django.db import connections
from django.test import Client

from sessions_ext import directory, dynamodb_store, keys, redis_store
from sessions_ext.conf import conf
from sessions_ext.engine import SessionStore
from sessions_ext.health import redis_gate
from sessions_ext.reconcile import reconcile
from sessions_ext.record import Record, now_ms
from sessions_ext.sweep import sweep
from storage.clients import dynamodb
from storage.redis import redis_primary
from tests.factories import make_customer, make_product
from tests.sessions_ext.behaviour.twin import CACHE, CACHED_DB
from tests.sessions_ext.steps import WHENS, RedisOutOfReach, Steps, stepping
from tests.sessions_ext.stores import trust_redis

MOST_STEPS: Final = 40


def stored(user: str) -> str:
    session = SessionStore()
    session.update({SESSION_KEY: user, "cart": "c-1"})
    session.create()
    return str(session.session_key)


def alive(key: str) -> bool:
    return bool(dict(SessionStore(key).items()))


# --- Requests ------------------------------------------------------------------------------------


@dataclass
class Request:
    """Carried out step by step. Ends with `saved`, or was interrupted."""

    key: str
    user: str
    saved: bool = False
    now_under: str | None = None

    def run(self) -> None:
        session = SessionStore(self.key)
        try:
            self.work(session)
        except UpdateError:
            return
        self.saved, self.now_under = True, session.session_key

    def work(self, session: SessionStore) -> None:
        raise NotImplementedError


class Modify(Request):
    def work(self, session: SessionStore) -> None:
        session["currency"] = "JPY"
        session.save()


class Remove(Request):
    def work(self, session: SessionStore) -> None:
        session.pop("cart", None)
        session.save()


class Rename(Request):
    """What a log-in does, with its save."""

    def work(self, session: SessionStore) -> None:
        session["currency"] = "JPY"
        session.cycle_key()


class RenameLater(Request):
    """As in a request: carried out at its end."""

    def work(self, session: SessionStore) -> None:
        session.deferring = True
        session.cycle_key()
        session["currency"] = "JPY"
        session.save()


class Create(Request):
    """A new session of the same user."""

    def work(self, session: SessionStore) -> None:
        session.create()
        session.update({SESSION_KEY: self.user, "cart": "c-2"})
        session.save()


REQUESTS: Final = (Modify, Remove, Rename, RenameLater, Create)


# --- What happens at a step ----------------------------------------------------------------------


@dataclass
class Ending:
    key: str
    user: str
    ended: set[str] = field(default_factory=set)
    """Digests of the sessions that were alive before."""
    renamed_to: str | None = None

    def __call__(self) -> None:
        if alive(self.key):
            self.ended = {keys.digest_of(self.key)}
        self.end(SessionStore(self.key))

    def end(self, session: SessionStore) -> None:
        raise NotImplementedError


class LogOut(Ending):
    def end(self, session: SessionStore) -> None:
        session.get(SESSION_KEY)
        session.flush()


class LogOutUnread(Ending):
    def end(self, session: SessionStore) -> None:
        session.flush()


class LogOutEverywhere(Ending):
    def __call__(self) -> None:
        self.ended = {entry.digest for entry in directory.sessions_of(self.user)}
        directory.sign_out_all(self.user)


class RenameElsewhere(Ending):
    def end(self, session: SessionStore) -> None:
        if not self.ended:
            return
        session.get(SESSION_KEY)
        try:
            session.cycle_key()
        except UpdateError:  # the request has renamed it first, past Redis
            self.ended = set()
        else:
            self.renamed_to = session.session_key


ENDINGS: Final = (LogOut, LogOutUnread, LogOutEverywhere, RenameElsewhere)


type Around = Callable[[Callable[[], None]], None]


def here(do: Callable[[], None]) -> None:
    do()


def interleavings(
    request: type[Request],
    ending: type[Ending],
    serves: Around = here,
    ends: Around = here,
    **broken: Any,
) -> Iterator[tuple[Request, Ending, Steps]]:
    """Each outcome, until the request asks no more; `serves` and `ends` say where each runs."""
    for when in WHENS:
        for at in range(1, MOST_STEPS):
            trust_redis()  # its trial is nobody's step
            user = uuid4().hex
            key = stored(user)
            victim, end = request(key, user), ending(key, user)
            with stepping(at=at, when=when, action=partial(ends, end), **broken) as steps:
                serves(victim.run)
            trust_redis()  # the jury reconciles
            if len(steps.taken) < at:
                break
            yield victim, end, steps
        else:
            raise AssertionError("the request has no end")


def found(digest: str) -> list[object]:
    """Where the session is alive."""
    copies = (redis_store.read(conf.redis(), digest), dynamodb_store.read(dynamodb(), digest))
    return [copy for copy in copies if isinstance(copy, Record)]


class Jury:
    """Sees each outcome; once all are there, what Redis' loss and the sweep make of them."""

    def __init__(self) -> None:
        self.count = 0
        self.dead: dict[str, object] = {}
        self.alive: dict[str, object] = {}
        self.since = now_ms() - 1000

    def try_all(self, outcomes: Iterator[tuple[Request, Ending, Steps]]) -> None:
        for victim, end, steps in outcomes:
            what = (victim, end, [step.name for step in steps.taken], steps.at, steps.when)
            since, self.since = self.since, now_ms() - 1000
            reconcile(conf.redis(), dynamodb(), since=since)
            self._judge(victim, end, what)
            self.count += 1

    def _judge(self, victim: Request, end: Ending, what: object) -> None:
        dead = set(end.ended)
        renames = victim.saved and victim.now_under != victim.key
        if isinstance(end, LogOutEverywhere) or (renames and not isinstance(victim, Create)):
            dead.add(keys.digest_of(victim.key))
        for digest in dead:
            assert not found(digest), what
            self.dead[digest] = what
        if keys.digest_of(victim.key) in dead:
            assert not alive(victim.key), what
        if end.ended and not isinstance(victim, Create):
            left = {entry.digest for entry in directory.sessions_of(end.user)}
            assert left == ({keys.digest_of(end.renamed_to)} if end.renamed_to else set()), what
        self._not_lost(victim, end, what)

    def _not_lost(self, victim: Request, end: Ending, what: object) -> None:
        if end.renamed_to:
            renamed = dict(SessionStore(end.renamed_to).items())
            assert renamed[SESSION_KEY] == end.user, what
            if isinstance(victim, Modify) and victim.now_under == victim.key:
                assert renamed["currency"] == "JPY", what  # it was told that this is saved
        for key in (end.renamed_to, None if end.ended else victim.now_under):
            if key is not None:
                assert alive(key), what
                self.alive[key] = what

    def close(self, name: str) -> None:
        assert self.count >= 4
        print(f"\n{name}: {self.count} interleavings", end=" ")
        for lose in (redis_primary().flushdb, sweep):
            lose()
            for digest, what in self.dead.items():
                assert not found(digest), what
        for key, what in self.alive.items():
            assert alive(key), what


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("request_", REQUESTS)
def test_a_session_ended_at_any_step_stays_dead(
    request_: type[Request], ending: type[Ending]
) -> None:
    jury = Jury()

    jury.try_all(interleavings(request_, ending))

    jury.close(f"{request_.__name__} × {ending.__name__}")


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("request_", REQUESTS)
def test_the_same_where_redis_is_out_of_reach(
    request_: type[Request], ending: type[Ending], out_of_reach: RedisOutOfReach
) -> None:
    jury = Jury()

    jury.try_all(interleavings(request_, ending, out_of_reach.run, out_of_reach.run))

    jury.close(f"{request_.__name__} × {ending.__name__}, without Redis")


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("request_", REQUESTS)
def test_the_same_where_redis_is_out_of_reach_of_one(
    request_: type[Request], ending: type[Ending], out_of_reach: RedisOutOfReach
) -> None:
    jury = Jury()

    jury.try_all(interleavings(request_, ending, serves=out_of_reach.run))
    jury.try_all(interleavings(request_, ending, ends=out_of_reach.run))

    jury.close(f"{request_.__name__} × {ending.__name__}, one without Redis")


@pytest.mark.parametrize("ending", [LogOut, RenameElsewhere])
@pytest.mark.parametrize("request_", REQUESTS)
def test_the_same_where_redis_is_lost_in_the_middle(
    request_: type[Request], ending: type[Ending], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Or a thread would trust Redis again in the middle, between what the log-out sees and does.
    monkeypatch.setattr(redis_gate, "_try_in_background", lambda: None)
    jury = Jury()

    for breaks in WHENS:
        for breaks_at in (1, 2):
            outcomes = interleavings(request_, ending, breaks=breaks, breaks_at=breaks_at)
            jury.try_all(outcomes)

    jury.close(f"{request_.__name__} × {ending.__name__}, Redis lost in between")


# --- Controls ------------------------------------------------------------------------------------


def comes_back(engine: str, *, cached: bool) -> int:
    """At how many of its steps a log-out is undone by a request that is under way."""
    store, count = import_module(engine).SessionStore, 0
    for when in WHENS:
        for at in range(1, MOST_STEPS):
            session = store()
            session["cart"] = "c-1"
            session.create()
            session.save()
            key = session.session_key
            if not cached:
                redis_primary().flushdb()

            def log_out(key: str = key) -> None:
                store(key).flush()
                connections.close_all()

            with stepping(at=at, when=when, action=log_out) as steps:
                request = store(key)
                request["currency"] = "JPY"
                with suppress(UpdateError):
                    request.save()
            if len(steps.taken) < at:
                break
            count += "cart" in dict(store(key).items())
    return count


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("engine", "cached"), [(CACHE, True), (CACHED_DB, True)])
def test_djangos_engines_bring_a_session_back(
    engine: str, cached: bool, session_table: None
) -> None:
    """The control: the test can fail."""
    assert comes_back(engine, cached=cached) >= 1


# --- Log-in --------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_log_in_renames_the_session_and_keeps_the_guests_things(client: Client) -> None:
    sku = make_product().variants.get().sku
    client.post("/cart/items/", {"sku": sku, "quantity": "2"})
    client.post("/currency/", {"currency": "JPY"})
    client.post("/i18n/setlang/", {"language": "ja"})
    guests = client.cookies["SESSION"].value
    customer = make_customer()

    client.post("/accounts/login/", {"login": customer.email, "password": "harbour-light"})

    assert not alive(guests)
    assert client.cookies["SESSION"].value != guests
    answer = client.get("/api/session").json()
    held = {name: answer[name] for name in ("language", "currency", "authenticated", "cart_units")}
    assert held == {"language": "ja", "currency": "JPY", "authenticated": True, "cart_units": 2}
