"""Settings of the control: the live shop, but with sessions in each process's own memory."""

from settings.local import *  # noqa: F403  # settings build on settings
from settings.local import CACHES

CACHES["memory"] = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
SESSION_ENGINE = "django.contrib.sessions.backends.cache"
SESSION_CACHE_ALIAS = "memory"
