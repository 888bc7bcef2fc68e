"""Operators' check of sessions over HTTP: made here, read in every region."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Final

from django.conf import settings

from regions import direct
from regions.checkup import Answer, Check, Degraded, Probe, State, patience, probes
from sessions_ext.engine import SessionStore
from shop.preferences import SESSION_CURRENCY

ELSEWHERE: Final = Check(
    "sessions.elsewhere",
    "a session made here is served by each region (GET /api/session there)",
    impact="Shoppers who are sent to that region lose cart and log-in, or see 503.",
    advice="See region.view of that region, and sessions.keys.",
    worst=State.DEGRADED,
    rank=3,
    after=("region.ready", "redis.primary", "dynamodb.write", "sessions.stores"),
    deep=False,
)


@probes
def sessions() -> Iterator[Probe]:
    for region, address in settings.ANYPORT_REGION_URLS.items():
        where = f"{settings.ANYPORT_REGION} to {region}"
        yield Probe(ELSEWHERE, where, partial(_read_there, address), region)


def _read_there(address: str) -> Answer:
    """By its currency: another one than whoever has no session is shown."""
    currency = next(
        code for code in settings.SHOP_CURRENCIES if code != settings.SHOP_DEFAULT_CURRENCY
    )
    session = SessionStore()
    session[SESSION_CURRENCY] = currency
    session.create()
    try:
        cookie = f"{settings.SESSION_COOKIE_NAME}={session.session_key}"
        reply = direct.get(
            address, "/api/session", timeout=patience(0.75), headers={"Cookie": cookie}
        )
    finally:
        SessionStore(session.session_key).delete()
    if reply.status != 200:
        raise Degraded(f"HTTP {reply.status} there")
    if json.loads(reply.body).get("currency") != currency:
        raise Degraded("is not known there: a visitor without a session was served")
    return Answer("made here, read there")
