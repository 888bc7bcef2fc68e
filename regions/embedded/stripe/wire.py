"""What goes over the wire: Stripe's nested forms coming in, its errors going out."""

import re
from typing import Any, Self
from urllib.parse import parse_qsl

type Document = dict[str, Any]

_UNSET = object()
_LONGEST_METADATA = 50  # keys


class Refused(Exception):
    """An error answer. `saved` says whether the request's idempotency key remembers it."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        saved: bool = False,
        **more: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.saved = saved
        self.body = {"error": {"type": kind, "message": message, **more}}


def missing(kind: str, name: str) -> Refused:
    shown = kind.replace(".", "_")
    return Refused(404, f"No such {shown}: '{name}'", code="resource_missing", param="id")


def parse_form(text: str) -> Document:
    """`a[b][0]=c` as `{"a": {"b": {"0": "c"}}}`. Raises Refused where a name is text and tree."""
    tree: Document = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        head, *rest = re.findall(r"[^\[\]]+", name) or [""]
        place, path = tree, [head, *rest]
        for step in path[:-1]:
            place = place.setdefault(step, {})
            if not isinstance(place, dict):
                raise Refused(400, f"Invalid object: {name}", param=name)
        place[path[-1]] = value
    return tree


class Parameters:
    """A request's parameters. Each is taken once; what nobody took is refused, as Stripe does."""

    def __init__(self, tree: Document, path: str = "") -> None:
        self._tree = dict(tree)
        self._path = path

    def _name(self, name: str) -> str:
        return f"{self._path}[{name}]" if self._path else name

    def _take(self, name: str, default: Any) -> Any:
        value = self._tree.pop(name, _UNSET)
        if value is _UNSET or value == "":
            if default is _UNSET:
                raise Refused(
                    400,
                    f"Missing required param: {self._name(name)}.",
                    code="parameter_missing",
                    param=self._name(name),
                )
            return default
        return value

    def text(self, name: str, default: Any = _UNSET, *, of: tuple[str, ...] = ()) -> Any:
        """A text, one of `of` where those are given; `default` where it is missing."""
        value = self._take(name, default)
        if value is not default and (not isinstance(value, str) or (of and value not in of)):
            raise self._wrong(name, "one of " + ", ".join(of) if of else "a string")
        return value

    def integer(self, name: str, default: Any = _UNSET, *, least: int = 0) -> Any:
        value = self._take(name, default)
        if value is default:
            return value
        if not isinstance(value, str) or not re.fullmatch(r"\d{1,15}", value):
            raise self._wrong(name, "an integer", code="parameter_invalid_integer")
        if int(value) < least:
            raise self._wrong(name, f"at least {least}", code="parameter_invalid_integer")
        return int(value)

    def nested(self, name: str) -> Self:
        """Parameters below this name; none where it is missing."""
        value = self._take(name, {})
        if not isinstance(value, dict):
            raise self._wrong(name, "an object")
        return type(self)(value, self._name(name))

    def array(self, name: str) -> list[Any]:
        """Texts and trees, in order; empty where it is missing."""
        value = self._take(name, {})
        if not isinstance(value, dict) or not all(key.isdigit() for key in value):
            raise self._wrong(name, "an array")
        return [value[key] for key in sorted(value, key=int)]

    def trees(self, name: str) -> "list[Parameters]":
        return [
            Parameters(tree, f"{self._name(name)}[{place}]")
            for place, tree in enumerate(self.array(name))
            if isinstance(tree, dict)
        ]

    def metadata(self) -> dict[str, str]:
        value = self._take("metadata", {})
        plain = isinstance(value, dict) and all(isinstance(v, str) for v in value.values())
        if not plain or len(value) > _LONGEST_METADATA:
            raise self._wrong("metadata", f"at most {_LONGEST_METADATA} strings")
        return dict(value)

    def end(self) -> None:
        """Raises Refused if something is left."""
        for name in self._tree:
            unknown = self._name(name)
            message = f"Received unknown parameter: {unknown}"
            raise Refused(400, message, code="parameter_unknown", param=unknown)

    def _wrong(self, name: str, wanted: str, code: str = "parameter_invalid") -> Refused:
        message = f"Invalid {self._name(name)}: must be {wanted}"
        return Refused(400, message, code=code, param=self._name(name))
