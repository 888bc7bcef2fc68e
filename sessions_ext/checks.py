"""Operators' check of sessions."""

from collections.abc import Iterator
from importlib import import_module

from django.conf import settings

from regions.checkup import Answer, Probe, probes


@probes
def sessions() -> Iterator[Probe]:
    yield Probe(
        "Sessions",
        settings.ANYPORT_REGION,
        _round_trip,
        impact="Shoppers cannot log in, and carts of guests are not found.",
        advice="See Redis primary.",
    )


def _round_trip() -> Answer:
    store = import_module(settings.SESSION_ENGINE).SessionStore
    session = store()
    session["check"] = True
    session.create()
    try:
        if not store(session.session_key).get("check"):
            raise RuntimeError("a session that was just saved is not found")
    finally:
        session.delete()
    return Answer("saved, read and deleted")
