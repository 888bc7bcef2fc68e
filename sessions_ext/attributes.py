"""A session's content as a mapping that opens a stored attribute when somebody asks for it.

Most requests look at a few attributes. What nobody looked at cannot have changed either, so it is
neither deciphered at load nor serialised at save.
"""

import json
from collections.abc import (
    Callable,
    ItemsView,
    Iterator,
    KeysView,
    Mapping,
    MutableMapping,
    ValuesView,
)
from typing import Any, Final, Protocol
from weakref import ref

from django.contrib.auth import SESSION_KEY
from django.core.signing import JSONSerializer

from sessions_ext import keys, metrics
from sessions_ext.conf import conf
from sessions_ext.envelope import STAMP, Refused, is_removal, unseal

_encoder: Final = json.JSONEncoder(separators=(",", ":"))
_decoder: Final = json.JSONDecoder()


class Codec:
    """How a value becomes bytes: `SESSION_SERIALIZER`."""

    def __init__(self, serializer: type[Any]) -> None:
        if serializer is JSONSerializer:  # which makes an encoder for each value
            self.dumps: Callable[[Any], bytes] = _to_json
            self.loads: Callable[[bytes], Any] = _from_json
        else:
            self.dumps, self.loads = serializer().dumps, serializer().loads


def _to_json(value: Any) -> bytes:
    return _encoder.encode(value).encode("ascii")


def _from_json(raw: bytes) -> Any:
    value, end = _decoder.raw_decode(text := raw.decode("latin-1"))
    return value if end == len(text) else json.loads(text)


class Owner(Protocol):
    def refuse(self) -> None: ...


class Attributes(MutableMapping[str, Any]):
    """Names to values. When an attribute that decides who is let in is forged, the owner refuses
    the session, and nothing is left.

    Those that decide are opened together (`decide`), before anybody sees one
    of them, sees everything, changes anything, or saves. Any other attribute that does not open is
    not there.
    """

    def __init__(
        self,
        codec: Codec,
        *,
        session_id: str = "",
        digest: str = "",
        fields: Mapping[bytes, bytes] | None = None,
        owner: Owner | None = None,
    ) -> None:
        self._codec = codec
        self._session_id, self._digest = session_id, digest or keys.digest_of(session_id)
        self._sealed = dict(fields or {})
        # Weakly: the owner holds this, and a circle would wait for the garbage collector.
        self._owner = None if owner is None else ref(owner)
        self._values: dict[str, Any] = {}
        self._raw: dict[str, bytes] = {}
        """What is stored, of the attributes that were opened."""
        self._texts: dict[str, str] = {}
        """Of these the texts, which cannot have changed while they are the same object."""
        self._is_decided = False

    def decide(self) -> None:
        """Open the attributes that decide who is let in, unless that was done."""
        if not self._is_decided:
            self._is_decided = True
            for name in conf.security_attributes:
                self._find(name)

    def __getitem__(self, name: str) -> Any:
        name = str(name)  # as JSON has it
        if name not in self._values and not self._find(name):
            raise KeyError(name)
        return self._values[name]

    def __contains__(self, name: object) -> bool:
        name = str(name)
        return name in self._values or self._find(name)

    def __setitem__(self, name: str, value: Any) -> None:
        name = str(name)
        self.decide()
        self._find(name)
        self._values[name] = value

    def __delitem__(self, name: str) -> None:
        name = str(name)
        self.decide()
        self._find(name)
        del self._values[name]

    def __iter__(self) -> Iterator[str]:
        self._open_all()
        return iter(self._values)

    def __len__(self) -> int:
        self._open_all()
        return len(self._values)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({dict(self)!r})"

    def keys(self) -> KeysView[str]:
        self._open_all()
        return self._values.keys()

    def values(self) -> ValuesView[Any]:
        self._open_all()
        return self._values.values()

    def items(self) -> ItemsView[str, Any]:
        self._open_all()
        return self._values.items()

    def raw(self) -> dict[str, bytes]:
        """All of it, serialised."""
        return {name: self._codec.dumps(self[name]) for name in self}

    def changes(self) -> tuple[dict[str, bytes], set[str]]:
        """What is new or different from what is stored, serialised; and what was removed."""
        changed = {}
        for name, value in self._values.items():
            if value is self._texts.get(name, self):
                continue
            raw = self._codec.dumps(value)
            if self._raw.get(name) != raw:
                changed[name] = raw
        return changed, self._raw.keys() - self._values.keys()

    def saved(self, session_id: str, changed: Mapping[str, bytes], removed: set[str]) -> None:
        """The changes are stored now, under this id."""
        self._name(session_id)
        self._raw |= changed
        for name in changed:
            self._texts.pop(name, None)
        for name in removed:
            self._raw.pop(name, None)
            self._texts.pop(name, None)

    def moved(self, session_id: str, raw: dict[str, bytes]) -> None:
        """All of it is stored under another id now; `raw` is how."""
        self._open_all()  # while its fields can still be told by the former id
        self._name(session_id)
        self._raw, self._texts = raw, {}

    def take_over(self, fields: Mapping[bytes, bytes]) -> None:
        """What another request has stored meanwhile, where this one has not changed the same."""
        self._open_all()
        changed, removed = self.changes()
        names = {keys.field_of(self._session_id, name): name for name in self._raw}
        for field, sealed in fields.items():
            if not is_removal(sealed):
                opened = self._unseal(field, sealed)
                if opened and opened[0] not in changed and opened[0] not in removed:
                    self._values[opened[0]] = opened[2]
            elif field in names and names[field] not in changed:
                self._values.pop(names[field], None)

    def _name(self, session_id: str) -> None:
        if session_id != self._session_id:
            self._session_id, self._digest = session_id, keys.digest_of(session_id)

    def _find(self, name: str) -> bool:
        """Open the attribute if it is stored and not open yet. Says whether it is there now."""
        if not self._sealed:
            return False
        if not self._is_decided and name in conf.security_attributes:
            self.decide()
            return name in self._values
        return self._open(keys.field_of(self._session_id, name))

    def _open_all(self) -> None:
        self.decide()
        for field in list(self._sealed):
            self._open(field)

    def _open(self, field: bytes) -> bool:
        sealed = self._sealed.pop(field, None)
        if sealed is None or len(sealed) == STAMP:  # it was removed
            return False
        opened = self._unseal(field, sealed)
        if opened is None:
            return False
        name, raw, value = opened
        self._raw[name], self._values[name] = raw, value
        if type(value) is str:
            self._texts[name] = value
        return True

    def _unseal(self, field: bytes, sealed: bytes) -> tuple[str, bytes, Any] | None:
        """Name, what is stored, and the value; None where it does not open."""
        try:
            name, raw = unseal(sealed, digest=self._digest, field=field)
            return name, raw, self._codec.loads(raw)
        except Refused as refusal:
            self._refused(field, refusal.reason)
        except Exception:  # another serialiser's value, and each raises what it likes
            self._refused(field, "malformed")
        return None

    def _refused(self, field: bytes, reason: str) -> None:
        metrics.refused(reason, digest=self._digest)
        decisive = {keys.field_of(self._session_id, name) for name in conf.security_attributes}
        if field in decisive and self._owner is not None:
            self._sealed, self._values, self._raw, self._texts = {}, {}, {}, {}
            if owner := self._owner():
                owner.refuse()


def user_of(content: Mapping[str, Any]) -> str:
    """Pseudonym of the user that is signed in, empty for a guest."""
    user_id = content.get(SESSION_KEY)
    return keys.pseudonym_of(str(user_id)) if user_id else ""
