"""The session engine: `SESSION_ENGINE = "sessions_ext.engine"`.

Django's whole session API, over `sessions_ext.vault`. Only what changed is sent, so two requests
that change different attributes both win. What was deleted stays deleted: a save then raises
UpdateError, which Django's middleware answers with "session interrupted".
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Self, cast

from asgiref.sync import sync_to_async
from django.contrib.sessions.backends.base import CreateError, SessionBase, UpdateError

from sessions_ext import endings, keys, redis_store, vault
from sessions_ext.attributes import Attributes, Codec, user_of
from sessions_ext.conf import ACTIVITY, AUTH_TOKEN, conf
from sessions_ext.envelope import removal, seal, stamp_of
from sessions_ext.errors import Gone, SessionsUnavailable, Taken
from sessions_ext.record import Record, next_version, now_ms

EXPIRY: Final = "_session_expiry"
LARGEST: Final = 350_000
"""Bytes of a sealed session: an item of DynamoDB holds 400 kB."""
HOUSEKEEPING: Final = {ACTIVITY, AUTH_TOKEN}


class SessionStore(SessionBase):
    """A session. `deferring`: create() and cycle_key() wait for save(), as requests want it.

    A request that fails after its log-in then leaves the browser's session as it was.
    """

    deferring: bool = False
    known_version: int | None = None
    """The version that this browser has seen, by its version cookie."""

    _session_cache: Attributes | None = None
    _record: Record | None = None
    """What is stored, as far as this instance knows."""
    _reflected: Record | None = None
    """What of it our content shows: not what others changed before a save of ours."""
    _former: str | None = None
    """The id until now, while a new one is not saved yet."""
    _is_new = False
    """Created, and not saved yet."""
    _was_cleared = False
    """What is stored is to be replaced."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """While another engine is being left, what keeps both in step."""
        if cls is SessionStore and conf.fallback_engine:
            from sessions_ext.fallback import MovingStore  # noqa: PLC0415 (it is built on this)

            return cast(Self, super().__new__(MovingStore))
        return super().__new__(cls)

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(session_key)
        self._codec = Codec(self.serializer)

    def _forget(self) -> None:
        self._record = self._reflected = self._former = None
        self._is_new = self._was_cleared = False

    @property
    def version(self) -> int:
        """Grows with each save; 0 for a session that was never saved."""
        self._content()
        return self._record.version if self._record else 0

    @property
    def expires_at(self) -> int:
        """When what is stored ends, in milliseconds since the epoch; 0 while nothing is."""
        return self._record.expires_at if self._record else 0

    @property
    def is_stored(self) -> bool:
        return self._record is not None

    @property
    def is_renamed(self) -> bool:
        """Whether it gets another id with the next save, as at a log-in."""
        return self._former is not None

    # --- Load --------------------------------------------------------------------------------

    def load(self) -> Attributes:  # type: ignore[override]  # a mapping that opens what is asked for
        """What is stored, or nothing for a session that is not there (any more).

        Raises SessionsUnavailable when nobody could be asked.
        """
        session_id = self.session_key
        self._record, digest = None, ""
        if session_id is not None and self._was_issued(session_id):
            digest = keys.digest_of(session_id)
            self._record = vault.load(digest, self.known_version)
        if session_id is None or self._record is None:
            self.refuse()
            return Attributes(self._codec)
        return Attributes(
            self._codec,
            session_id=session_id,
            digest=digest,
            fields=self._record.fields,
            owner=self,
        )

    def _was_issued(self, session_id: str) -> bool:
        """By its own proof; an id that was moved here from another engine by its cookie's."""
        return self.known_version is not None or keys.is_issued(session_id)

    def refuse(self) -> None:
        """There is no such session for whoever asks."""
        self._session_key = None
        self._record = None

    def exists(self, session_key: str) -> bool:
        if not keys.is_issued(session_key or ""):
            return False
        return vault.load(keys.digest_of(session_key), None) is not None

    def clear(self) -> None:
        self._session_cache = Attributes(self._codec)
        self.accessed = self.modified = self._was_cleared = True

    def _content(self, no_load: bool = False) -> Attributes:
        self.accessed = True
        if self._session_cache is None:
            wanted = self.session_key is not None and not no_load
            self._session_cache = self.load() if wanted else Attributes(self._codec)
        return self._session_cache

    _get_session = _content
    _session = property(_content)

    async def _aget_session(self, no_load: bool = False) -> Attributes:
        return await sync_to_async(self._content)(no_load)

    # --- Save --------------------------------------------------------------------------------

    def create(self) -> None:
        """A session with an id of its own, and what this instance holds already."""
        content = self._content(no_load=True)
        content.moved("", {})
        self._forget()
        self._is_new = self.modified = True
        self._session_key = keys.new_id()
        if not self.deferring:
            self.save(must_create=True)

    def save(self, must_create: bool = False) -> None:
        """Send what changed. Raises UpdateError for a session that was deleted meanwhile.

        Raises CreateError when `must_create` and the id is taken, SessionsUnavailable when it
        could be saved nowhere.
        """
        create = must_create or self._is_new
        content = self._content(no_load=create)
        if self.session_key is None:  # never had one, or what it had is not there any more
            self.create()
            if self.deferring:
                self.save()
            return
        content.decide()
        if self.session_key is None:  # what is stored was forged
            raise UpdateError
        try:
            if self._former:
                self._rename(self._former, content)
            else:
                self._save(content, create)
        except Taken:
            raise CreateError from None
        except Gone:
            if not self._only_keeps_house(content):
                raise UpdateError from None
        except SessionsUnavailable:
            if not self._only_keeps_house(content):
                raise

    def _only_keeps_house(self, content: Attributes) -> bool:
        """A page that only showed something is not refused because that could not be noted."""
        if self._record is None or self._former or self._was_cleared:
            return False
        changed, removed = content.changes()
        return bool(changed) and changed.keys() <= HOUSEKEEPING and not removed

    def _save(self, content: Attributes, create: bool) -> None:
        session_id = str(self.session_key)
        digest = keys.digest_of(session_id)
        loaded = None if create else self._record
        was_cleared = self._was_cleared and not create
        if loaded is None and not create:  # cleared without having been looked at
            loaded = self._look_up(digest)
        base = loaded or Record(version=0, expires_at=0)
        version = next_version(base.version, self.known_version or 0)
        changed, removed = content.changes()
        changes = _sealed(session_id, digest, version, changed)
        gone = base.fields.keys() if was_cleared else _fields(session_id, removed)
        changes = dict.fromkeys(gone, removal(version)) | changes
        forget = set(base.forgettable(now_ms())) - changes.keys()
        fields = {**base.fields, **changes}
        for field in forget:
            del fields[field]
        record = Record(
            version=version,
            expires_at=self._expires_at(content),
            user=user_of(content),
            direct=base.direct,
            fields=_bounded(fields),
        )
        saved = vault.save(digest, loaded=loaded, record=record, changes=changes, forget=forget)
        content.saved(session_id, changed, removed)
        self._stored(saved)
        self._reflected = record

    def _look_up(self, digest: str) -> Record:
        """What is stored is to be replaced: find out what that is. Raises Gone."""
        record = vault.load(digest, self.known_version)
        if record is None:
            raise Gone
        return record

    def _stored(self, record: Record) -> None:
        self._record = self._reflected = record
        self._former, self._is_new, self._was_cleared = None, False, False
        self.known_version = record.version

    def _expires_at(self, content: Attributes) -> int:
        """Milliseconds since the epoch.

        An age that slides is lengthened, as activity is not written each time. A moment, and an
        age too short for that, is meant as it is said.
        """
        expiry = content[EXPIRY] if EXPIRY in content else None  # noqa: SIM401 (`get` raises inside)
        age = self.get_expiry_age(expiry=expiry)
        if not expiry or (isinstance(expiry, int) and expiry > conf.margin):
            age += conf.margin
        return now_ms() + age * 1000

    # --- A new id ----------------------------------------------------------------------------

    def cycle_key(self) -> None:
        """The same session under a new id; the old one is gone at the same instant.

        Raises UpdateError when it was deleted meanwhile.
        """
        self._content().decide()
        if self._record is None:  # there is nothing stored that could be renamed
            self.create()
            return
        self._former = self._former or self.session_key
        self._session_key = keys.new_id()
        self.modified = True
        if not self.deferring:
            self.save()

    def _rename(self, former: str, content: Attributes) -> None:
        session_id = str(self.session_key)
        digest = keys.digest_of(session_id)
        loaded = cast(Record, self._record)
        raw: dict[str, bytes] = {}

        def renamed(latest: Record) -> Record:
            nonlocal raw
            content.take_over(_newer(latest, self._reflected or loaded))
            raw = content.raw()
            version = next_version(latest.version, self.known_version or 0)
            return Record(
                version=version,
                expires_at=self._expires_at(content),
                user=user_of(content),
                fields=_bounded(_sealed(session_id, digest, version, raw)),
            )

        saved = endings.rename(keys.digest_of(former), digest, loaded=loaded, renamed=renamed)
        content.moved(session_id, raw)
        self._stored(saved)

    # --- Delete --------------------------------------------------------------------------------

    def delete(self, session_key: str | None = None) -> None:
        """Delete for good, in both stores. Raises SessionsUnavailable when neither answers."""
        own = self._former or (None if self._is_new else self.session_key)
        session_id = session_key or own
        issued = self._was_issued if session_id == own else keys.is_issued
        if session_id is None or not issued(session_id):
            return
        seen = self._record if session_id == own else None
        endings.delete(
            keys.digest_of(session_id),
            expires_at=seen.expires_at if seen else 0,
            was_alive=seen is not None,
        )

    def flush(self) -> None:
        """Log-out: at once, also where the request fails afterwards."""
        self.clear()
        self.delete()
        self._session_key = None
        self._forget()

    @classmethod
    def clear_expired(cls) -> None:
        """Both stores expire sessions themselves; this drops what is left in Redis' indexes."""
        redis_store.forget_expired(conf.redis())

    # --- Asynchronous: the base class runs the others' twins in a thread ----------------------

    async def acycle_key(self) -> None:
        await sync_to_async(self.cycle_key)()

    async def aflush(self) -> None:
        await sync_to_async(self.flush)()


def _sealed(
    session_id: str, digest: str, version: int, raw: Mapping[str, bytes]
) -> dict[bytes, bytes]:
    fields = {name: keys.field_of(session_id, name) for name in raw}
    return {
        fields[name]: seal(digest=digest, field=fields[name], stamp=version, name=name, value=value)
        for name, value in raw.items()
    }


def _bounded(fields: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """Raises ValueError for a session that the second store could not hold."""
    size = sum(map(len, fields.values()))
    if size > LARGEST:
        raise ValueError(
            f"The session would have {size} bytes; at most {LARGEST} are possible."
            " Keep large things in the database, and their ids in the session."
        )
    return fields


def _fields(session_id: str, names: Iterable[str]) -> list[bytes]:
    return [keys.field_of(session_id, name) for name in names]


def _newer(latest: Record, loaded: Record) -> dict[bytes, bytes]:
    """What was written since."""
    return {
        field: sealed
        for field, sealed in latest.fields.items()
        if field not in loaded.fields or stamp_of(loaded.fields[field]) < stamp_of(sealed)
    }
