"""The session engine: for now sessions in Redis through django-redis.

The name is stable; the mechanism behind it deepens (docs/decisions/0001-sessions.md).
"""

from typing import Final

from django.contrib.sessions.backends.cache import SessionStore as CacheSessionStore

VERSION: Final = "_version"


class SessionStore(CacheSessionStore):
    cache_key_prefix = "session:"

    @property
    def version(self) -> int:
        """How often this session was saved; 0 for one that never was."""
        return int(self.get(VERSION, 0))

    def save(self, must_create: bool = False) -> None:
        if self.session_key is not None:  # else the parent creates one, which saves again
            # no_load as in the parent: a session being created must not be looked for.
            content = self._get_session(no_load=must_create)  # type: ignore[attr-defined]
            content[VERSION] = content.get(VERSION, 0) + 1
        super().save(must_create)
