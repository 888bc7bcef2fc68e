"""The session engine: for now sessions in Redis through django-redis.

The name is stable; the mechanism behind it deepens (docs/decisions/0001-sessions.md).
"""

from django.contrib.sessions.backends.cache import SessionStore as CacheSessionStore


class SessionStore(CacheSessionStore):
    cache_key_prefix = "session:"
