"""The session engine: `SESSION_ENGINE = "sessions_ext.engine"`.

Django's whole session API, over `sessions_ext.vault`. Only what changed is sent, so two requests
that change different attributes both win. What was deleted stays deleted: a save then raises
UpdateError, which Django's middleware answers with "session interrupted".
"""

from collections.abc import Mapping
from typing import Any, Final, cast

from asgiref.sync import sync_to_async
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import CreateError, SessionBase, UpdateError

from sessions_ext import keys, metrics, redis_store, vault
from sessions_ext.conf import conf
from sessions_ext.envelope import Refused, is_removal, removal, seal, stamp_of, unseal
from sessions_ext.errors import Gone, Taken
from sessions_ext.record import Record, next_version, now_ms

EXPIRY: Final = "_session_expiry"


class SessionStore(SessionBase):
    """A session. `deferring`: create() and cycle_key() wait for save(), as requests want it.

    A request that fails after its log-in then leaves the browser's session as it was.
    """

    deferring: bool = False
    known_version: int | None = None
    """The version that this browser has seen, by its version cookie."""

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(session_key)
        self._forget()

    def _forget(self) -> None:
        self._record: Record | None = None
        """What is stored, as far as this instance knows."""
        self._plain: dict[str, bytes] = {}
        """The serialised values in it, by attribute."""
        self._former: str | None = None
        """The id until now, while a new one is not saved yet."""
        self._is_new = False
        """Created, and not saved yet."""

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
    def is_renamed(self) -> bool:
        """Whether it gets another id with the next save, as at a log-in."""
        return self._former is not None

    # --- Load --------------------------------------------------------------------------------

    def load(self) -> dict[str, Any]:
        """What is stored, or nothing for a session that is not there (any more).

        Raises SessionsUnavailable when nobody could be asked.
        """
        session_id = self.session_key
        record = None
        if session_id is not None and self._was_issued(session_id):
            record = vault.load(keys.digest_of(session_id), self.known_version)
        content = self._opened(record) if record else None
        if content is None:
            self._session_key = None
            return {}
        return content

    def _was_issued(self, session_id: str) -> bool:
        """By its own proof; an id that was moved here from another engine by its cookie's."""
        return self.known_version is not None or keys.is_issued(session_id)

    def _opened(self, record: Record) -> dict[str, Any] | None:
        """The attributes. None when one that decides who is let in does not open."""
        session_id = str(self.session_key)
        digest = keys.digest_of(session_id)
        loads = self.serializer().loads
        content, plain = {}, {}
        for field, sealed in record.fields.items():
            if is_removal(sealed):
                continue
            try:
                name, raw = unseal(sealed, digest=digest, field=field)
                content[name], plain[name] = loads(raw), raw
            except (Refused, ValueError) as refusal:
                reason = refusal.reason if isinstance(refusal, Refused) else "malformed"
                metrics.refused(reason, digest=digest)
                if field in (keys.field_of(session_id, name) for name in conf.security_attributes):
                    return None
        self._record, self._plain = record, plain
        return content

    def exists(self, session_key: str) -> bool:
        if not keys.is_issued(session_key or ""):
            return False
        return vault.load(keys.digest_of(session_key), None) is not None

    # --- Save --------------------------------------------------------------------------------

    def create(self) -> None:
        """A session with an id of its own, and what this instance holds already."""
        self._forget()
        self._content(no_load=True)
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
        try:
            if self._former:
                self._rename(self._former, content)
            else:
                self._save(content, create)
        except Taken:
            raise CreateError from None
        except Gone:
            raise UpdateError from None

    def _save(self, content: dict[str, Any], create: bool) -> None:
        session_id = str(self.session_key)
        digest = keys.digest_of(session_id)
        if create:
            self._forget()
        elif self._record is None:  # cleared without having been looked at
            self._look_up(digest)
        loaded = self._record
        base = loaded or Record(version=0, expires_at=0)
        version = next_version(base.version, self.known_version or 0)
        raw = self._serialised(content)
        changes = self._sealed(session_id, version, _difference(self._plain, raw))
        for name in self._plain.keys() - raw.keys():
            changes[keys.field_of(session_id, name)] = removal(version)
        forget = set(base.forgettable(now_ms())) - changes.keys()
        kept = {field: sealed for field, sealed in base.fields.items() if field not in forget}
        record = Record(
            version=version,
            expires_at=self._expires_at(content),
            user=_user(content),
            direct=base.direct,
            fields=kept | changes,
        )
        saved = vault.save(digest, loaded=loaded, record=record, changes=changes, forget=forget)
        self._stored(saved, raw)

    def _look_up(self, digest: str) -> None:
        """What is stored is to be replaced: find out what that is. Raises Gone."""
        record = vault.load(digest, self.known_version)
        if record is None or self._opened(record) is None:
            raise Gone

    def _stored(self, record: Record, raw: dict[str, bytes]) -> None:
        self._record, self._plain = record, raw
        self._former, self._is_new = None, False
        self.known_version = record.version

    def _serialised(self, content: dict[str, Any]) -> dict[str, bytes]:
        dumps = self.serializer().dumps
        return {str(name): dumps(value) for name, value in content.items()}

    def _sealed(
        self, session_id: str, version: int, raw: Mapping[str, bytes]
    ) -> dict[bytes, bytes]:
        digest = keys.digest_of(session_id)
        sealed = {}
        for name, value in raw.items():
            field = keys.field_of(session_id, name)
            sealed[field] = seal(digest=digest, field=field, stamp=version, name=name, value=value)
        return sealed

    def _expires_at(self, content: dict[str, Any]) -> int:
        """Milliseconds since the epoch.

        An age that slides is lengthened, as activity is not written each time. A moment, and an
        age too short for that, is meant as it is said.
        """
        expiry = content.get(EXPIRY)
        age = self.get_expiry_age(expiry=expiry)
        if not expiry or (isinstance(expiry, int) and expiry > conf.margin):
            age += conf.margin
        return now_ms() + age * 1000

    # --- A new id ----------------------------------------------------------------------------

    def cycle_key(self) -> None:
        """The same session under a new id; the old one is gone at the same instant.

        Raises UpdateError when it was deleted meanwhile.
        """
        self._content()
        if self._record is None:  # there is nothing stored that could be renamed
            self.create()
            return
        self._former = self._former or self.session_key
        self._session_key = keys.new_id()
        self.modified = True
        if not self.deferring:
            self.save()

    def _rename(self, former: str, content: dict[str, Any]) -> None:
        session_id = str(self.session_key)
        loaded = cast(Record, self._record)
        raw: dict[str, bytes] = {}

        def renamed(latest: Record) -> Record:
            nonlocal raw
            if latest is not loaded:
                self._take_over(former, latest, content)
            raw = self._serialised(content)
            version = next_version(latest.version, self.known_version or 0)
            return Record(
                version=version,
                expires_at=self._expires_at(content),
                user=_user(content),
                fields=self._sealed(session_id, version, raw),
            )

        saved = vault.rename(
            keys.digest_of(former), keys.digest_of(session_id), loaded=loaded, renamed=renamed
        )
        self._stored(saved, raw)

    def _take_over(self, former: str, latest: Record, content: dict[str, Any]) -> None:
        """What other requests have changed, where this one has not changed the same."""
        known = cast(Record, self._record).fields
        loads, raw = self.serializer().loads, self._serialised(content)
        mine = _difference(self._plain, raw).keys() | (self._plain.keys() - raw.keys())
        names = {keys.field_of(former, name): name for name in self._plain}
        for field, sealed in latest.fields.items():
            if field in known and stamp_of(known[field]) >= stamp_of(sealed):
                continue
            if is_removal(sealed):
                name = names.get(field)
                if name and name not in mine:
                    content.pop(name, None)
                continue
            try:
                name, value = unseal(sealed, digest=keys.digest_of(former), field=field)
            except Refused as refusal:
                metrics.refused(refusal.reason)
                continue
            if name not in mine:
                content[name] = loads(value)

    # --- Delete --------------------------------------------------------------------------------

    def delete(self, session_key: str | None = None) -> None:
        """Delete for good, in both stores. Raises SessionsUnavailable when neither answers."""
        own = self._former or (None if self._is_new else self.session_key)
        session_id = session_key or own
        if session_id is None or not (session_id == own or keys.is_issued(session_id)):
            return
        expires_at = self._record.expires_at if self._record and session_id == own else 0
        vault.delete(keys.digest_of(session_id), expires_at=expires_at)

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

    def _content(self, no_load: bool = False) -> dict[str, Any]:
        content: dict[str, Any] = self._get_session(no_load=no_load)  # type: ignore[attr-defined]  # not in the stubs
        return content


def _difference(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> dict[str, bytes]:
    """What is new or different."""
    return {name: value for name, value in after.items() if before.get(name) != value}


def _user(content: Mapping[str, Any]) -> str:
    user_id = content.get(SESSION_KEY)
    return keys.pseudonym_of(str(user_id)) if user_id else ""
