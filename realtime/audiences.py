"""Who may listen to what: apps register a resolver in their own `audiences.py`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.contrib.sessions.backends.base import SessionBase

OWN: Final = "customer"


@dataclass(frozen=True)
class Listener:
    """Whoever opened a socket: the same session and user that a page of theirs would see."""

    session: SessionBase
    user: AbstractBaseUser | AnonymousUser


type Resolver = Callable[[Listener, str], str | None]

_resolvers: dict[str, Resolver] = {}


def audience(name: str) -> Callable[[Resolver], Resolver]:
    """Register the resolver of `?name=value`: it returns the audience, or None to refuse.

    A refusal and a thing that does not exist must look alike.
    """

    def register(resolver: Resolver) -> Resolver:
        _resolvers[name] = resolver
        return resolver

    return register


def resolve(listener: Listener, query: Mapping[str, str]) -> str | None:
    """The audience that the query asks for, if this listener may hear it. Reads the stores."""
    for name, resolver in _resolvers.items():
        if name in query:
            return resolver(listener, query[name])
    return _resolvers[OWN](listener, "")


@audience("staff")
def staff(listener: Listener, value: str) -> str | None:
    return "staff" if getattr(listener.user, "is_staff", False) else None


@audience(OWN)
def customer(listener: Listener, value: str) -> str | None:
    """The customer's own audience, whatever the value says."""
    return f"customer:{listener.user.pk}" if listener.user.is_authenticated else None
