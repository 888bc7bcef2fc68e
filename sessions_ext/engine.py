"""The session engine: for now sessions in Redis through django-redis.

The name is stable; the mechanism behind it deepens (docs/decisions/0005-sessions-first-form.md).
"""

from typing import Any, Final

from django.contrib.sessions.backends.cache import SessionStore as CacheSessionStore

VERSION: Final = "_version"


class SessionStore(CacheSessionStore):
    cache_key_prefix = "session:"

    @property
    def version(self) -> int:
        """How often this session was saved; 0 for one that never was."""
        return int(self.get(VERSION, 0))

    def load(self) -> dict[str, Any]:
        """What is stored, or nothing for a session that is not there (any more).

        Raises what the client raises when Redis could not be asked. Django's own engine takes
        that for an empty session, and a signed-in shopper for a stranger.
        """
        return self._known(self._cache.get(self.cache_key))  # type: ignore[attr-defined]

    async def aload(self) -> dict[str, Any]:
        key = await self.acache_key()
        return self._known(await self._cache.aget(key))  # type: ignore[attr-defined]

    def save(self, must_create: bool = False) -> None:
        if self.session_key is not None:  # else the parent creates one, which saves again
            # no_load as in the parent: a session being created must not be looked for.
            content = self._get_session(no_load=must_create)  # type: ignore[attr-defined]
            content[VERSION] = content.get(VERSION, 0) + 1
        super().save(must_create)

    def _known(self, stored: dict[str, Any] | None) -> dict[str, Any]:
        if stored is None:
            self._session_key = None
            return {}
        return stored
