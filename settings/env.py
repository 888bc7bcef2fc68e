"""Typed environment variables; a wrong or missing value stops the start with one line.

Every reader takes `NAME` from the environment or, where a secret is kept in a file
(Docker and Kubernetes secrets), from the file that `NAME_FILE` points at.
"""

import base64
import binascii
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, NamedTuple, Never

REQUIRED: Final = None
"""Default of a variable that has none: the start stops when it is missing."""


def refuse(name: str, problem: str) -> Never:
    """Stop the process with one line that names the variable.

    SystemExit rather than an exception of ours: whichever server or command is starting,
    Python prints the line alone, without a traceback.
    """
    raise SystemExit(f"anyport: {name} {problem}")


def _read[T](name: str, parse: Callable[[str], T], default: T | None, what: str) -> T:
    raw = os.environ.get(name)
    if raw is None and (path := os.environ.get(f"{name}_FILE")):
        try:
            raw = Path(path).read_text().strip()
        except OSError as error:
            refuse(f"{name}_FILE", f"cannot be read: {path}: {error.strerror}")
    if raw is None or raw == "":
        if default is None:
            refuse(name, f"is not set. It must hold {what}. Set {name} or {name}_FILE.")
        return default
    try:
        return parse(raw)
    except ValueError as error:
        refuse(name, f"is wrong: it must hold {what} ({error}).")


def env_str(name: str, default: str | None = REQUIRED, *, what: str = "a text") -> str:
    return _read(name, str, default, what)


def env_int(name: str, default: int | None = REQUIRED, *, what: str = "a whole number") -> int:
    return _read(name, int, default, what)


def env_bool(name: str, default: bool | None = REQUIRED) -> bool:
    def parse(raw: str) -> bool:
        if raw.lower() in {"1", "true", "yes", "on"}:
            return True
        if raw.lower() in {"0", "false", "no", "off"}:
            return False
        raise ValueError(repr(raw))

    return _read(name, parse, default, "true or false")


def env_list(
    name: str, default: list[str] | None = REQUIRED, *, what: str = "a comma-separated list"
) -> list[str]:
    def parse(raw: str) -> list[str]:
        items = [item.strip() for item in raw.split(",") if item.strip()]
        if not items:
            raise ValueError("it is empty")
        return items

    return _read(name, parse, default, what)


def env_lines(name: str, default: str | None = REQUIRED, *, what: str) -> list[str]:
    """Written in one line: `first | second`."""
    raw = _read(name, str, default, what)
    lines = [line.strip() for line in raw.split("|") if line.strip()]
    return lines or refuse(name, f"is empty. It must hold {what}.")


class HostPort(NamedTuple):
    host: str
    port: int


def env_hosts(name: str, default: list[HostPort] | None = REQUIRED) -> list[HostPort]:
    def parse(raw: str) -> list[HostPort]:
        hosts = []
        for item in raw.split(","):
            host, _, port = item.strip().rpartition(":")
            if not host or not port.isdigit():
                raise ValueError(repr(item))
            hosts.append(HostPort(host, int(port)))
        return hosts

    return _read(name, parse, default, "host:port,host:port,…")


def env_domain(name: str, *, of: str) -> str | None:
    """A domain that the host `of` is in, `.shop.example`; None when none is set."""

    def parse(raw: str) -> str:
        domain = raw.lower().removeprefix(".")
        labels = domain.split(".")
        if len(labels) < 2 or not all(re.fullmatch(r"[a-z0-9-]+", label) for label in labels):
            raise ValueError(f"{raw!r} is no domain")
        if labels[-1].isdigit() or not f".{of}".endswith(f".{domain}"):
            raise ValueError(f"{of} is not in {raw!r}")
        return f".{domain}"

    return _read(name, parse, "", f"a domain that {of} is in, such as .shop.example") or None


def env_regions(name: str, default: dict[str, str] | None = REQUIRED) -> dict[str, str]:
    """Regions and the AWS regions they live in: `taiwan=ap-east-2,tokyo=ap-northeast-1`."""

    def parse(raw: str) -> dict[str, str]:
        pairs = [item.strip().partition("=") for item in raw.split(",")]
        for region, _, code in pairs:
            if not re.fullmatch(r"[a-z][a-z0-9-]*", region) or not code:
                raise ValueError(repr(region))
        return {region: code for region, _, code in pairs}

    return _read(name, parse, default, "region=aws-region,…")


def env_urls(name: str, regions: Iterable[str], scheme: str = "https?") -> dict[str, str]:
    """An address for each region, or none at all: `taiwan=http://10.0.1.5:8000,tokyo=http://…`.

    `scheme` is a regular expression.
    """

    def parse(raw: str) -> dict[str, str]:
        pairs = [item.strip().partition("=") for item in raw.split(",")]
        for region, _, url in pairs:
            if not re.match(rf"(?:{scheme})://[^/]", url):
                raise ValueError(f"{region}={url}")
        found = {region: url.rstrip("/") for region, _, url in pairs}
        if found.keys() != set(regions):
            raise ValueError(f"it names {', '.join(found)}; the regions are {', '.join(regions)}")
        return found

    example = scheme.replace("?", "")
    return _read(name, parse, {}, f"region={example}://host:port,… for every region")


def env_secret(name: str, default: str | None = REQUIRED, *, length: int = 32) -> str:
    """A secret of at least `length` characters."""

    def parse(raw: str) -> str:
        if len(raw) < length:
            raise ValueError(f"it has {len(raw)}")
        return raw

    return _read(name, parse, default, f"a secret of at least {length} characters")


def env_keys(name: str, default: dict[str, bytes] | None = REQUIRED) -> dict[str, bytes]:
    """A key ring `id:base64,id:base64`, newest first; every key is 32 bytes (AES-256)."""

    def parse(raw: str) -> dict[str, bytes]:
        ring = {}
        for item in raw.split(","):
            key_id, _, encoded = item.strip().partition(":")
            try:
                key = base64.b64decode(encoded, validate=True)
            except binascii.Error:
                raise ValueError(f"key {key_id!r} is not base64") from None
            if not key_id or len(key) != 32:
                raise ValueError(f"key {key_id!r} must be 32 bytes")
            ring[key_id] = key
        return ring

    return _read(name, parse, default, "id:base64-of-32-bytes,…")
