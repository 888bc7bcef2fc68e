"""HTTP: `granian --interface wsgi settings.wsgi:application`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.production")
application = get_wsgi_application()

from sessions_ext import pulse  # noqa: E402 (needs the settings)

pulse.start()
