"""Whoever gets hold of a dump of Redis or DynamoDB reads nothing of anybody's session in it.

Every short word turns up in random bytes some day. So two shoppers walk the same way, and a find
counts when both of their dumps have it.
"""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final
from uuid import UUID

import pytest
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.cache import KEY_PREFIX
from django.contrib.sessions.backends.cache import SessionStore as DjangoCacheStore
from django.test import Client

from sessions_ext.conf import ACTIVITY, AUTH_TOKEN, conf
from sessions_ext.directory import sign_out
from sessions_ext.engine import SessionStore
from sessions_ext.keys import RANDOM
from shop.models import Variant
from storage.clients import dynamodb
from storage.redis import redis_primary
from storage.tables import sessions_table
from tests.factories import make_customer, make_product
from tests.orders.pages import CHECKOUT, TYPED, add, hidden
from tests.sessions_ext.outage import redis_gone
from tests.sessions_ext.stores import away, digest_of

pytestmark = pytest.mark.django_db

PASSWORD: Final = "harbour-light"
SHORTEST: Final = 3
"""Characters of a word that is looked for: fewer are found in any random bytes."""
NAMES: Final = {"_auth_user_id", "_auth_user_hash", "currency", "language", "cart", "orders"}
"""Of attributes that the walk leaves; whatever else a session holds is looked for too."""
_numbers = count(7_402_913_586_201)


# --- What is dumped ------------------------------------------------------------------------------


def redis_dump(wanted: Callable[[bytes], bool]) -> bytes:
    """Names and values of the keys that are wanted, of every type that Redis has."""
    client: Any = redis_primary()
    read: dict[bytes, Callable[[bytes], Any]] = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"zset": lambda key: client.zrange(key, 0, -1, withscores=True),
        b"set": client.smembers,
        b"list": lambda key: client.lrange(key, 0, -1),
    }
    names = [name for name in client.scan_iter() if wanted(name)]
    return b"\n".join(
        part for name in names for part in flat([name, read[client.type(name)](name)])
    )


def of_sessions(name: bytes) -> bool:
    return name.startswith(conf.prefix.encode())


def of_djangos(name: bytes) -> bool:
    return KEY_PREFIX.encode() in name


def of_others(name: bytes) -> bool:
    return not of_sessions(name)


def dynamodb_dump() -> bytes:
    """Every item with all of its attributes, those of the journal too."""
    pages = dynamodb().get_paginator("scan").paginate(TableName=sessions_table())
    return b"\n".join(flat([page["Items"] for page in pages]))


def flat(value: Any) -> Iterator[bytes]:
    """All of it as bytes, names as well as values."""
    match value:
        case bytes():
            yield value
        case dict():
            for pair in value.items():
                yield from flat(pair)
        case list() | tuple() | set():
            for each in value:
                yield from flat(each)
        case _:
            yield str(value).encode()


# --- What is looked for in it --------------------------------------------------------------------


def written(what: str, secret: str) -> Iterator[bytes]:
    """The ways in which a secret might stand there, in small letters."""
    plain = secret.encode()
    forms = {plain, secret.replace("-", "").encode(), secret.encode("utf-16-le")}
    if len(secret) == len(str(UUID(int=0))):
        forms.add(UUID(secret).bytes)
    if what != "session id":  # the only one that a digest hides: nobody can try all there are
        forms.add(hashlib.sha256(plain).digest()[:12])
    for form in forms:
        yield form.lower()
        yield form.hex().encode()
        for shift in range(3):  # the part of its base 64 that does not depend on its neighbours
            encoded = base64.b64encode(bytes(shift) + form).rstrip(b"=")
            inner = encoded[-(-shift * 8 // 6) : (shift + len(form)) * 8 // 6].lower()
            yield inner
            yield inner.translate(bytes.maketrans(b"+/", b"-_"))


@dataclass
class Walk:
    """One shopper's session, dumped wherever it stands, and the same content as Django keeps it."""

    client: Client
    secrets: dict[str, set[str]] = field(default_factory=dict)
    dump: list[bytes] = field(default_factory=list)
    djangos: list[bytes] = field(default_factory=list)

    @property
    def session(self) -> SessionStore:
        return SessionStore(self.client.cookies["SESSION"].value)

    def look(self) -> None:
        session = self.session
        content = dict(session.items())
        self.note("session id", str(session.session_key), str(session.session_key)[:RANDOM])
        self.note("attribute name", *content)
        self.note("user id", content.get(SESSION_KEY))
        self.note("password hash", content.get(HASH_SESSION_KEY))
        self.note("token", content.get(AUTH_TOKEN))
        self.note("currency", content.get("currency"))
        self.note("cart", content.get("cart"))
        self.note("order number", *content.get("orders", []))
        self.note("region", content[ACTIVITY]["region"])
        self.dump += [redis_dump(of_sessions), dynamodb_dump()]
        theirs = DjangoCacheStore(session.session_key)
        theirs.save(must_create=True)
        theirs.update(content)
        theirs.save()
        self.djangos.append(redis_dump(of_djangos))
        theirs.delete()

    def note(self, what: str, *secrets: str | None) -> None:
        self.secrets.setdefault(what, set()).update(filter(None, secrets))

    def found_in(self, dump: list[bytes]) -> dict[str, set[str]]:
        """Which secrets stand there; of the names of attributes, which ones."""
        whole = b"\n".join(dump).lower()
        found: dict[str, set[str]] = {}
        for what, secrets in self.secrets.items():
            for secret in secrets:
                forms = [form for form in written(what, secret) if len(form) >= SHORTEST]
                if any(form in whole for form in forms):
                    found.setdefault(what, set()).add(secret if what == "attribute name" else what)
        return found


def walk(variant: Variant) -> Walk:
    """A guest orders, fills another cart and logs in; Redis is away for a moment; one logs out."""
    number = next(_numbers)
    customer = make_customer(pk=number, email=f"mei{number}@example.com", password=PASSWORD)
    agent = f"Harbour/{number} (lantern)"
    seen = Walk(Client(headers={"User-Agent": agent}))
    seen.note("e-mail", customer.email)
    seen.note("User-Agent", agent)
    add(seen.client, variant)
    typed = TYPED | {"email": customer.email}
    placed = seen.client.post(CHECKOUT, hidden(seen.client.get(CHECKOUT)) | typed)
    add(seen.client, variant, 2)
    seen.client.post("/currency/", {"currency": "JPY"})
    seen.client.post("/i18n/setlang/", {"language": "ja"})
    seen.look()
    form = {"login": customer.email, "password": PASSWORD}
    assert seen.client.post("/accounts/login/", form | {"password": "guessed"}).status_code == 200
    assert seen.client.post("/accounts/login/", form).status_code == 302
    assert seen.client.get("/account/").status_code == 200
    seen.look()
    with away(redis_gone):
        seen.client.post("/currency/", {"currency": "SGD"})
    seen.look()
    other = Client()
    other.post("/accounts/login/", form)
    sign_out(digest_of(SessionStore(other.cookies["SESSION"].value)))
    seen.look()
    assert placed.headers["Location"].strip("/").split("/")[-1] in seen.secrets["order number"]
    assert seen.secrets["attribute name"] >= NAMES
    assert all(seen.secrets.values())
    return seen


@pytest.fixture
def walks() -> list[Walk]:
    variant = make_product(stock=100).variants.get()
    return [walk(variant) for _ in range(2)]


def found_twice(walks: list[Walk], dump: Callable[[Walk], list[bytes]]) -> dict[str, set[str]]:
    one, other = (walk.found_in(dump(walk)) for walk in walks)
    both = {what: one[what] & other[what] for what in one.keys() & other.keys()}
    return {what: names for what, names in both.items() if names}


def test_dumps_of_sessions_tell_nothing(walks: list[Walk]) -> None:
    assert found_twice(walks, lambda walk: walk.dump) == {}


def test_dumps_hold_what_they_should(walks: list[Walk]) -> None:
    """A control: sessions, sets, tombstones, and both kinds of the journal's notes are in them."""
    for each in walks:
        redis, copies = b"\n".join(each.dump[::2]), b"\n".join(each.dump[1::2])
        name = digest_of(each.session).encode()
        assert name in redis and name in copies
        for part in (b"s:live", b"s:gone", b"s:of:"):
            assert conf.prefix.encode() + part in redis
        for part in (b"journal", b"gone\nBOOL\nTrue", b"gone\nBOOL\nFalse", b"dead"):
            assert part in copies


def test_dump_of_djangos_sessions_tells_everything(walks: list[Walk]) -> None:
    """The control: the same content, kept by Django's `cache` engine, in the same Redis."""
    names = set.intersection(*(walk.secrets["attribute name"] for walk in walks))

    found = found_twice(walks, lambda walk: walk.djangos)

    assert found.pop("attribute name") == names
    assert found == {what: {what} for what in walks[0].secrets if what != "attribute name"}


def test_rest_of_redis_lets_nobody_in(walks: list[Walk]) -> None:
    """Answers that are kept for a retry name their order, which is no use without its e-mail."""
    rest = redis_dump(of_others)
    found = found_twice(walks, lambda walk: [rest])
    # Both look at one dump, so nothing rules out chance: three letters stand in any kilobytes of
    # random text. As a word of its own a currency does not stand there by chance.
    found.pop("currency", None)

    assert found == {"order number": {"order number"}}
    assert re.findall(rb"(?<![\w+/=-])(?:JPY|SGD)(?![\w+/=-])", rest) == []


@pytest.mark.parametrize(
    "form",
    [
        lambda secret: secret.upper().encode(),
        lambda secret: secret.encode().hex().upper().encode(),
        lambda secret: base64.b64encode(b"." + secret.encode() + b"."),
        lambda secret: base64.urlsafe_b64encode(b".." + secret.encode()),
        lambda secret: hashlib.sha256(secret.encode()).digest(),
        lambda secret: json.dumps({"kept": secret}).encode("utf-16"),
    ],
)
def test_disguised_secrets_are_found(form: Callable[[str], bytes]) -> None:
    """The control of the search itself."""
    seen = Walk(Client())
    seen.note("e-mail", "mei@example.com")

    assert seen.found_in([b"\0\xff" + form("mei@example.com") + b"\xff"]) == {"e-mail": {"e-mail"}}
    assert seen.found_in([b"\0\xff" + form("lin@example.com") + b"\xff"]) == {}
