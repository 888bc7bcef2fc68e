"""HTTP: `granian --interface wsgi settings.wsgi:application`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.production")
application = get_wsgi_application()

from regions import peers  # noqa: E402 (needs the settings)
from sessions_ext import pulse  # noqa: E402
from storage import drain  # noqa: E402

pulse.start()
drain.follow()
peers.start()
