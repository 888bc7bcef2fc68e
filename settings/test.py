"""Tests: the embedded stack that `tests/stack.py` started, with names of our own inside it.

The live processes of that stack keep their own database, Redis database, buckets and tables.
"""

import os

os.environ["ANYPORT_NAMESPACE"] = "anyport-test"
os.environ["REDIS_DB"] = "1"

from settings.local import *  # noqa: F403  # settings build on settings

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"] = {  # noqa: F405  # from settings.base
    "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
}
WHITENOISE_AUTOREFRESH = True  # or every test's client would read the directory of static files
# moto on a busy machine; the live processes keep the shop's own time-outs.
DYNAMODB_TIMEOUTS = {"connect_timeout": 5.0, "read_timeout": 15.0}
# Threads of a test wait for each other there, too. Of two settings of one name the later holds.
DATABASES["default"]["OPTIONS"]["options"] += " -c lock_timeout=20s -c statement_timeout=40s"  # type: ignore[index]  # noqa: F405  # a setting of many shapes
DATABASE_ANSWER_TIMEOUT = 42
LOGGING["loggers"]["httpx"] = {"level": "WARNING"}  # type: ignore[index]  # noqa: F405  # a setting of many shapes
