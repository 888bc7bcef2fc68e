"""Answers given under idempotency keys, and Redis' copy of them.

The copy only saves a retry the way to PostgreSQL, which may be an ocean away. It is written after
the commit, never changed, and soon forgotten: so it is never newer than PostgreSQL, any replica
of it may be read, and whatever is not there, spoilt or unreachable is asked of PostgreSQL. Nothing
is ever claimed here.
"""

import base64
import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from redis.exceptions import RedisError

from storage.redis import redis_local, redis_primary

logger = logging.getLogger(__name__)

TTL: Final = 10 * 60
"""Seconds. Retries come soon; later ones ask PostgreSQL."""
LARGEST: Final = 64 * 1024
"""Bytes of a body. A larger one is not worth the memory."""
KEPT_HEADERS: Final = ("Content-Type", "Location")


@dataclass(frozen=True)
class Answer:
    """What everyone who sends the key is told, byte for byte."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, response: HttpResponse) -> Self:
        headers = {name: response[name] for name in KEPT_HEADERS if name in response}
        return cls(response.status_code, response.content, headers)

    def response(self) -> HttpResponse:
        return HttpResponse(self.body, status=self.status, headers=dict(self.headers))


def remember(owners: tuple[str, ...], key: UUID, digest: str, answer: Answer) -> None:
    """Copy a committed answer, with the digest of what it answers."""
    if len(answer.body) > LARGEST:
        return
    body = base64.b64encode(answer.body).decode()
    value = json.dumps([digest, answer.status, body, dict(answer.headers)])
    try:
        pipeline = redis_primary().pipeline(transaction=False)
        for owner in owners:
            pipeline.set(_name(owner, key), value, ex=TTL)
        pipeline.execute()
    except RedisError as error:
        logger.info("idempotency: no copy of the answer to %s: %s", key, error)


def recall(owners: tuple[str, ...], key: UUID) -> tuple[str, Answer] | None:
    """The digest and the answer, if this region's Redis has them. It is asked once."""
    try:
        found: Any = (redis_local() or redis_primary()).mget([_name(o, key) for o in owners])
        for value in filter(None, found):
            digest, status, body, headers = json.loads(value)
            return str(digest), Answer(int(status), base64.b64decode(body), headers)
    except RedisError as error:
        logger.info("idempotency: PostgreSQL is asked for %s: %s", key, error)
    except (ValueError, TypeError) as error:
        logger.warning("idempotency: the copy of the answer to %s is spoilt: %s", key, error)
    return None


def _name(owner: str, key: UUID) -> str:
    """Of one length, whatever the owner is called; tells nobody who that is."""
    digest = hashlib.sha256(f"{owner} {key}".encode()).hexdigest()
    return f"{settings.ANYPORT_NAMESPACE}:idempotency:{digest}"
