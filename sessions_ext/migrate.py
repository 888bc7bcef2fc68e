"""Copying the live sessions of another engine, so that nobody is signed out by changing engines.

Each keeps its id and its expiry. It is copied by the same step that makes a session, which neither
replaces one that is there nor brings back one that was deleted. So the run may be killed anywhere
and started again, beside instances of both engines.
"""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from typing import Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from redis.exceptions import RedisError

from sessions_ext import keys, redis_store, vault
from sessions_ext.attributes import Attributes, Codec
from sessions_ext.conf import conf
from sessions_ext.errors import Gone, SessionsUnavailable, Taken
from sessions_ext.fallback import FORM, MovingStore
from sessions_ext.former import Former, Found, former

ENGINE: Final = "sessions_ext.engine"
WORKERS: Final = 8
"""Copies under way at once: each waits for two stores."""


class Fate(StrEnum):
    COPIED = "copied"
    UPDATED = "updated"
    """It was here, and the other engine's instances have changed it since."""
    PRESENT = "already there"
    EXPIRED = "expired"
    DELETED = "deleted"
    """Somebody signed out here; the other engine does not know."""
    UNREADABLE = "unreadable"
    """Its owner will have to sign in again."""


type Counts = Counter[Fate]


def migrate(
    engine: str,
    *,
    batch: int,
    dry_run: bool = False,
    moved: Callable[[Counts, int | None], None] = lambda counts, total: None,
) -> Counts:
    """Copy what is live. `moved` is called after each batch, with the counts and the total.

    Raises ImproperlyConfigured and NotListable for an engine that cannot be copied from, and
    FormerUnavailable or SessionsUnavailable when a store does not answer; what was copied by then
    stays copied.
    """
    if engine == settings.SESSION_ENGINE:
        raise ImproperlyConfigured(
            f"SESSION_ENGINE is still {engine}. Set it to {ENGINE}, and SESSION_FALLBACK_ENGINE to"
            f" {engine}."
        )
    source = former(engine)
    total, expired = source.count()
    counts: Counts = Counter({Fate.EXPIRED: expired} if expired else {})
    moved(counts, total)

    def move(item: tuple[str, Found | None]) -> Fate:
        return _fate(source, *item) if dry_run else _move(source, *item)

    with ThreadPoolExecutor(WORKERS, "sessions-migrate") as pool:
        for items in source.items(batch):
            counts.update(pool.map(move, items))
            moved(counts, total)
    return counts


def _move(source: Former, session_id: str, found: Found | None) -> Fate:
    if found is None or not FORM.fullmatch(session_id):
        return Fate.UNREADABLE
    try:
        MovingStore(session_id, engine=source).take_in(found)
    except Taken:
        return _update(source, session_id, found)
    except Gone:
        return Fate.DELETED
    except (TypeError, ValueError):
        return Fate.UNREADABLE
    return Fate.COPIED


def _update(source: Former, session_id: str, found: Found, *, dry_run: bool = False) -> Fate:
    try:
        changed = MovingStore(session_id, engine=source).take_over(found, dry_run=dry_run)
    except Gone:
        return Fate.DELETED
    return Fate.UPDATED if changed else Fate.PRESENT


def _fate(source: Former, session_id: str, found: Found | None) -> Fate:
    """What would become of it."""
    if found is None or not FORM.fullmatch(session_id):
        return Fate.UNREADABLE
    digest = keys.digest_of(session_id)
    if vault.load(digest, None) is not None:
        return _update(source, session_id, found, dry_run=True)
    try:
        if redis_store.is_gone(conf.redis(), digest):
            return Fate.DELETED
    except RedisError:
        raise SessionsUnavailable from None
    content = Attributes(Codec(MovingStore(session_id, engine=source).serializer))
    content.update(found.content)
    try:
        content.raw()
    except (TypeError, ValueError):
        return Fate.UNREADABLE
    return Fate.COPIED
