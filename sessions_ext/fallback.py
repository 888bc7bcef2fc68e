"""Moving in and out: while `SESSION_FALLBACK_ENGINE` is set, two engines serve the same browsers.

Instances of the former engine run beside ours during a rolling deploy, and again during a
rollback. Nobody is to be signed out by it, and nobody who signed out is to be signed in again.
`sessions_ext.engine.SessionStore` makes a MovingStore then, and costs nothing otherwise. It

- asks the former engine with each load: takes in a session that ours does not have, under the
  same id; takes over what the former engine's instances have changed; ends a session that they
  ended;
- tells the former engine of each save, rename and delete.

Each copy in the former engine carries a mark (MARK): digests of the values that we wrote. The
former engine's instances keep it, as they keep every attribute that they do not know. So what they
changed is what differs from the mark, even if they have written over a later copy of ours; the
rest is ours. A session that was taken in and not told back yet has the digests in an attribute of
our own (SYNC), together with what is needed to tell a deletion from a loss.

Both stores cannot be written in one step. What is left, honestly:

- A change by a former instance between our look before a save and our telling is overwritten: a
  millisecond or two. The former engine loses changes so between its own instances all the time,
  for as long as a request takes.
- When both change the same attribute before either has seen the other, the former's wins.
- A former instance that writes over our copy hides our changes from the other former instances,
  until the session is next loaded here.
- `cache` cannot update on condition. A log-out there in the instant in which we tell it of a save
  is undone there; one here is noticed after the telling and repeated.
- While the former store does not answer, ours serves, and a log-out here is not known there: its
  instances let the browser in until it comes to an instance of ours, which then deletes the
  session there. A session that only the former store knows is answered with "come back".
- A cache that evicts sessions one by one looks like log-outs, as it always did to that engine.
- The token (`auth_token`) is not told: the former store is not sealed. It is made anew.
"""

import hashlib
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final, Self

from sessions_ext import endings, keys, metrics, vault
from sessions_ext.attributes import Attributes, Codec
from sessions_ext.conf import AUTH_TOKEN, conf
from sessions_ext.engine import SessionStore
from sessions_ext.envelope import Refused, is_removal, unseal
from sessions_ext.errors import Gone, SessionsUnavailable, Taken
from sessions_ext.former import Former, FormerUnavailable, Found, Unreadable, former
from sessions_ext.record import Record, now_ms

logger = logging.getLogger(__name__)

SYNC: Final = "_moved"
"""Attribute of ours: `id`; `of`, digests of what was taken in; `until`, when the former's copy ends
(ms); `epoch` of its store; `seen`, a digest of the change taken over last."""
MARK: Final = "_sessions_ext"
"""Attribute of the copy in the former engine: digests of the values that we told it."""
OURS_ALONE: Final = {SYNC, MARK, AUTH_TOKEN}
FORM: Final = re.compile(r"[a-z0-9]{8,40}")
"""Ids of Django's engines; those of old releases were hexadecimal."""

type Digests = Mapping[str, str]


class MovingStore(SessionStore):
    """Our session, kept in step with the former engine's."""

    _ends_at: int | None = None

    def __init__(self, session_key: str | None = None, *, engine: Former | None = None) -> None:
        super().__init__(session_key)
        self.engine = engine or former(str(conf.fallback_engine))

    def _again(self) -> Self:
        """The same session as another request would find it."""
        other = type(self)(self.session_key, engine=self.engine)
        other.known_version = self.known_version
        other._content()
        return other

    def _was_issued(self, session_id: str) -> bool:
        return super()._was_issued(session_id) or bool(FORM.fullmatch(session_id))

    def exists(self, session_key: str) -> bool:
        return type(self)(session_key, engine=self.engine)._again().is_stored

    # --- Load --------------------------------------------------------------------------------

    def load(self) -> Attributes:  # type: ignore[override]  # a mapping, as the engine's
        session_id = self.session_key
        content = self._ours()
        if session_id is None or not self._was_issued(session_id):
            return content
        try:
            found = self.engine.read(session_id)
        except FormerUnavailable:
            if self._record is None and not keys.is_issued(session_id):
                raise SessionsUnavailable from None
            return content
        except Unreadable:
            logger.warning("a session of %s cannot be read", self.engine.store_class.__module__)
            return content
        if self._record is None:
            return self._taken_in(session_id, found) if found else content
        if found is None:
            return self._missed(content)
        self._catch_up(content, found)
        return content

    def _ours(self) -> Attributes:
        """What is stored here, and not refused: what the former engine has is compared with it."""
        content = super().load()
        content.decide()
        return content

    def _taken_in(self, session_id: str, found: Found) -> Attributes:
        self._session_key = session_id
        try:
            content = self.take_in(found)
        except Gone:  # and the former engine has not heard of it
            self._unless_away(self.engine.delete, session_id)
        except Taken:  # by another request, or it is there and was refused
            return self._ours()
        except FormerUnavailable:
            raise SessionsUnavailable from None
        except (TypeError, ValueError) as error:
            logger.error("a session cannot be taken in: %s", error)
        else:
            metrics.LOADED["fallback"].inc()
            self.modified = True  # saved with the request, its copy gets its mark
            return content
        self.refuse()
        return Attributes(self._codec)

    def take_in(self, found: Found) -> Attributes:
        """Store it here under its id, with its expiry.

        Raises Gone where it was deleted here, Taken where it is here, TypeError or ValueError for
        what our serialiser does not take.
        """
        content = Attributes(self._codec)
        content.update({name: value for name, value in found.content.items() if name != MARK})
        content[SYNC] = self._sync(of=_digests(content), until=found.expires_at)
        self._ends_at = found.expires_at
        try:
            super()._save(content, create=True)
        finally:
            self._ends_at = None
        return content

    def take_over(self, found: Found, *, dry_run: bool = False) -> bool:
        """Save here what the former engine's instances have changed; says whether they did.

        The former engine is not told. Raises Gone when it is not here (any more).
        """
        content = self._ours()
        if self._record is None:
            raise Gone
        if not self._take_over_from(found, content, mine=()):
            return False
        if not dry_run:
            super()._save(content, create=False)
        return True

    def _missed(self, content: Attributes) -> Attributes:
        """Ours has it, the former engine does not: ended there, or never told, or lost."""
        if self._was_ended(content):
            self._end()
            self.refuse()
            return Attributes(self._codec)
        self.modified = True
        return content

    def _catch_up(self, content: Attributes, found: Found) -> None:
        session_id = str(self.session_key)
        if self._take_over_from(found, content, mine=()) or SYNC not in content:
            self.modified = True
        elif found.content.get(MARK) != _digests(content):  # it missed a save of ours
            self._unless_away(self._tell, session_id, content, create=False)

    # --- Save --------------------------------------------------------------------------------

    def _expires_at(self, content: Attributes) -> int:
        return self._ends_at or super()._expires_at(content)

    def _look_up(self, digest: str) -> Record:
        record = self._again()._record
        if record is None:
            raise Gone
        return record

    def _save(self, content: Attributes, create: bool) -> None:
        if not create:
            self._look_over(str(self.session_key), content)
        with self._telling(content, new=create):
            super()._save(content, create)

    def _rename(self, former: str, content: Attributes) -> None:
        self._look_over(former, content)
        with self._telling(content, new=True):
            super()._rename(former, content)
        self._unless_away(self.engine.delete, former)

    def _look_over(self, session_id: str, content: Attributes) -> None:
        """Take over what happened since the load. Raises Gone."""
        if SYNC not in content and (sync := self._stored_sync()):  # somebody cleared it
            content[SYNC] = sync
        with suppress(FormerUnavailable, Unreadable):
            found = self.engine.read(session_id)
            if found is None and self._was_ended(content):
                self._end()
                raise Gone
            if found is None:
                content.pop(SYNC, None)  # it must be made there, not changed
            elif not self._was_cleared:
                changed, removed = content.changes()
                self._take_over_from(found, content, mine=changed.keys() | removed)

    @contextmanager
    def _telling(self, content: Attributes, *, new: bool) -> Iterator[None]:
        """Tell the former engine of a save that is made inside.

        What is new to it is told first: ours then says whether it was, so that a copy which is
        missing later is known to have been ended. What it has is told afterwards, when the save
        has met no deletion.
        """
        session_id = str(self.session_key)
        made = (new or SYNC not in content) and self._make(session_id, content, new=new)
        if not made and SYNC in content:
            content[SYNC] = content[SYNC] | {"until": self._until(content)}
        told = _digests(content) if made else None
        try:
            yield
        except BaseException as error:
            if made and (new or isinstance(error, Gone)):
                self._unless_away(self.engine.delete, session_id)
            raise
        latest = self._stored_content()
        if SYNC in latest and told != _digests(latest):
            self._unless_away(self._tell, session_id, latest, create=False)

    def _make(self, session_id: str, content: Attributes, *, new: bool) -> bool:
        """Say whether it was. Raises Taken where a new session's id is in use there."""
        try:
            content[SYNC] = self._sync(of={}, until=self._until(content))
            self._tell(session_id, content, create=True)
        except FormerUnavailable:
            content.pop(SYNC, None)
            return False
        except Taken:
            if new:
                raise
            return False  # it is told afterwards
        return True

    def _tell(self, session_id: str, content: Attributes, *, create: bool) -> None:
        """Write the copy. One that was ended meanwhile stays so, on both sides."""
        copy: dict[str, Any] = {
            name: value for name, value in content.items() if name not in OURS_ALONE
        }
        copy[MARK] = _digests(content)
        if not self.engine.write(session_id, copy, create=create):
            if self._was_ended(content):
                self._end()
        elif not (create or self.engine.is_conditional or self._is_alive(session_id)):
            self.engine.delete(session_id)

    def _is_alive(self, session_id: str) -> bool:
        try:
            return vault.load(keys.digest_of(session_id), None) is not None
        except SessionsUnavailable:
            return True

    def _stored_content(self) -> Attributes:
        fields = self._record.fields if self._record else {}
        return Attributes(self._codec, session_id=str(self.session_key), fields=fields)

    def _stored_sync(self) -> Any:
        session_id = self._former or str(self.session_key)
        record = self._record or vault.load(keys.digest_of(session_id), self.known_version)
        fields = record.fields if record else {}
        return Attributes(self._codec, session_id=session_id, fields=fields).get(SYNC)

    # --- Delete ------------------------------------------------------------------------------

    def delete(self, session_key: str | None = None) -> None:
        own = self._former or (None if self._is_new else self.session_key)
        session_id = session_key or own
        if session_id is None or not self._was_issued(session_id):
            return
        seen = self._record if session_id == own else None
        endings.delete(
            keys.digest_of(session_id),
            expires_at=seen.expires_at if seen else 0,
            was_alive=seen is not None,
        )
        self._unless_away(self.engine.delete, session_id)

    def _end(self) -> None:
        """It was ended there."""
        session_id = self._former or str(self.session_key)
        endings.delete(keys.digest_of(session_id))

    # --- What both know ----------------------------------------------------------------------

    def _sync(self, *, of: Digests, until: int) -> dict[str, Any]:
        return {
            "id": self.session_key,
            "of": dict(of),
            "until": until,
            "epoch": self.engine.epoch(),
        }

    def _until(self, content: Attributes) -> int:
        age = self.get_expiry_age(expiry=content.get("_session_expiry"))
        return now_ms() + 1000 * age

    def _was_ended(self, content: Attributes) -> bool:
        """The former engine had it and should have it still."""
        sync = content.get(SYNC)
        if not sync or now_ms() >= sync["until"]:
            return False
        try:
            return bool(sync["epoch"] == self.engine.epoch())
        except FormerUnavailable:
            return False

    def _take_over_from(self, found: Found, content: Attributes, mine: Iterable[str]) -> bool:
        """What differs from what we told it, or else from what we took in. Says whether it did."""
        theirs = {name: v for name, v in found.content.items() if name not in OURS_ALONE}
        before = found.content.get(MARK, content.get(SYNC, {}).get("of"))
        if not isinstance(before, dict):
            return False
        try:
            now = {name: _digest(self._codec.dumps(value)) for name, value in theirs.items()}
        except (TypeError, ValueError) as error:
            logger.error("a change of the former engine cannot be taken over: %s", error)
            return False
        seen = _digest(self._codec.dumps(found.content))
        if seen == content.get(SYNC, {}).get("seen"):  # ours may have changed again since
            return False
        have, took = _digests(content), False
        for name in (now.keys() | before.keys()).difference(mine):
            if now.get(name) in (before.get(name), have.get(name)):
                continue
            took = True
            if name in theirs:
                content[name] = theirs[name]
            else:
                content.pop(name, None)
        if took and SYNC in content:
            content[SYNC] = content[SYNC] | {"seen": seen}
        return took

    def _unless_away[**P](
        self, function: Callable[P, None], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """The former store's failure is not the request's; it was logged."""
        with suppress(FormerUnavailable, Unreadable):
            function(*args, **kwargs)


def end_there(session_id: str) -> None:
    """The former engine is to forget a session that has ended here."""
    with suppress(FormerUnavailable, Unreadable):
        former(str(conf.fallback_engine)).delete(session_id)


def id_of(digest: str) -> str | None:
    """The id of a session that the former engine knows, for ending it there. None: it does not."""
    try:
        record = vault.load(digest, None)
    except SessionsUnavailable:  # whether it can be ended all the same is not decided here
        return None
    codec = Codec(SessionStore().serializer)
    for field, sealed in (record.fields if record else {}).items():
        if is_removal(sealed):
            continue
        with suppress(Refused):
            name, raw = unseal(sealed, digest=digest, field=field)
            if name == SYNC:
                return str(codec.loads(raw)["id"])
    return None


def _digests(content: Attributes) -> dict[str, str]:
    return {name: _digest(raw) for name, raw in content.raw().items() if name not in OURS_ALONE}


def _digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()[:16]
