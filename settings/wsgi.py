"""HTTP: `granian --interface wsgi settings.wsgi:application`."""

import os
from collections.abc import Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.production")
iterated = get_wsgi_application()

from regions import peers  # noqa: E402 (needs the settings)
from sessions_ext import pulse  # noqa: E402  # after what has to be set up first
from storage import drain  # noqa: E402  # after what has to be set up first


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """What is whole is handed over whole: head and body leave in one write.

    granian sends the head of what it has to iterate before it asks for the body. Killed between
    the two, it would have begun an answer that the front door can no longer ask another region for.
    """
    response: Any = iterated(environ, start_response)
    if getattr(response, "streaming", True):
        return response  # type: ignore[no-any-return]  # Django's own, or granian's file wrapper
    try:
        return [response.content]
    finally:
        response.close()


pulse.start()
drain.follow()
peers.start()
