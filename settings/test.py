"""Tests: the embedded stack that `tests/stack.py` started, with names of our own inside it.

The live processes of that stack keep their own database, Redis database, buckets and tables.
"""

import os

os.environ["ANYPORT_NAMESPACE"] = "anyport-test"
os.environ["REDIS_DB"] = "1"
os.environ["DATABASE_POOL_MAX"] = "12"  # for the threads of a test, all inside at once

from settings.local import *  # noqa: F403  # settings build on settings

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"] = {  # noqa: F405  # from settings.base
    "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
}
WHITENOISE_AUTOREFRESH = True  # or every test's client would read the directory of static files
# Stores on a busy machine; the live processes keep the shop's own time-outs.
AWS_TIMEOUTS = DYNAMODB_TIMEOUTS = {"connect_timeout": 5.0, "read_timeout": 15.0}
REDIS_REQUEST_TIMEOUTS = {"socket_connect_timeout": 5.0, "socket_timeout": 15.0}
REDIS_LOCAL_TIMEOUTS = REDIS_SENTINEL_TIMEOUTS = {
    "socket_connect_timeout": 3.0,
    "socket_timeout": 5.0,
}
CHANNEL_LAYERS["default"]["CONFIG"]["hosts"][0] |= REDIS_REQUEST_TIMEOUTS  # type: ignore[index]  # noqa: F405  # a setting of many shapes
CELERY_BROKER_TRANSPORT_OPTIONS |= REDIS_REQUEST_TIMEOUTS  # noqa: F405
# Threads of a test wait for each other there, too. Of two settings of one name the later holds.
for _database in DATABASES.values():  # noqa: F405
    _database["OPTIONS"]["connect_timeout"] = 10  # type: ignore[index]  # a setting of many shapes
    _database["OPTIONS"]["pool"]["timeout"] = 30  # type: ignore[index]  # a setting of many shapes
    _database["OPTIONS"]["options"] += (  # type: ignore[index]  # a setting of many shapes
        " -c lock_timeout=20s -c statement_timeout=40s -c idle_in_transaction_session_timeout=0"
    )
DATABASE_ANSWER_TIMEOUT = DATABASES["replica"]["ANSWER_TIMEOUT"] = 42  # noqa: F405
LOGGING["loggers"]["httpx"] = {"level": "WARNING"}  # type: ignore[index]  # noqa: F405  # a setting of many shapes
