"""What a WebSocket process counts."""

from typing import Final

from django.conf import settings
from prometheus_client import Gauge

SOCKETS: Final = Gauge(
    "anyport_sockets_open", "Open WebSockets.", ["region"], multiprocess_mode="livesum"
).labels(settings.ANYPORT_REGION)
