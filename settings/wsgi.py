"""HTTP: `granian --interface wsgi settings.wsgi:application`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.production")
application = get_wsgi_application()

from regions import peers  # noqa: E402 (needs the settings)
from sessions_ext import pulse  # noqa: E402  # after what has to be set up first
from storage import drain  # noqa: E402  # after what has to be set up first

pulse.start()
drain.follow()
peers.start()
