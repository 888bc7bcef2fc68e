"""For commands that a test runs as processes: the tests' stores, and the former engine's app."""

import os

from settings.test import *  # noqa: F403 (the tests' own)

DATABASES["default"]["NAME"] = os.environ["TEST_DATABASE"]  # noqa: F405 (from there)
INSTALLED_APPS = [*INSTALLED_APPS, "django.contrib.sessions"]  # noqa: F405 (from there)
