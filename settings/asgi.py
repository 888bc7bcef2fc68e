"""WebSockets only: `granian --interface asgi settings.asgi:application`.

HTTP is served over WSGI by processes of its own, several times faster for synchronous views;
what reaches this application over HTTP is the front door asking for its health.
"""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.production")
django_application = get_asgi_application()

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402  # after what has to be set up first
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402  # after what has to be set up first
from channels.sessions import CookieMiddleware, SessionMiddleware  # noqa: E402  # after what has to be set up first

from realtime import sockets as open_sockets  # noqa: E402  # after what has to be set up first
from realtime.closing import CloseAtOnce  # noqa: E402  # after what has to be set up first
from realtime.routing import websocket_urlpatterns  # noqa: E402  # after what has to be set up first
from sessions_ext import pulse  # noqa: E402  # after what has to be set up first
from sessions_ext.bearer import BearerSockets  # noqa: E402  # after what has to be set up first
from sessions_ext.signed_in import SignedInSockets  # noqa: E402  # after what has to be set up first

sockets = URLRouter(websocket_urlpatterns)
cookies = CookieMiddleware(SessionMiddleware(SignedInSockets(sockets)))
browsers = AllowedHostsOriginValidator(cookies)
application = ProtocolTypeRouter(
    {
        "http": django_application,
        "websocket": CloseAtOnce(BearerSockets(sockets, otherwise=browsers)),
    }
)
pulse.start()
open_sockets.start()
