from typing import Any, Final

from realtime.models import Event

BATCH: Final = 100
"""Events read at once; a reader that gets this many asks again."""


def events_after(*, audience: str, sequence: int) -> list[dict[str, Any]]:
    """What the audience has not seen, oldest first, in the shape that sockets send."""
    events = Event.objects.filter(audience=audience, sequence__gt=sequence).order_by("sequence")
    return [
        {
            "type": "event",
            "sequence": event.sequence,
            "kind": event.kind,
            "payload": event.payload,
            "at": event.created_at.isoformat(),
        }
        for event in events[:BATCH]
    ]
