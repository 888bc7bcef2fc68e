"""What gateways tell of their own accord: webhooks. Told is only that something happened."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


class ForgedEvent(Exception):
    """It does not come from the gateway, or is too old to be believed."""


@dataclass(frozen=True)
class Event:
    """Which payment or refund to ask about; neither where it is not of ours."""

    gateway: str
    id: str
    kind: str
    payment: UUID | None = None
    refund: UUID | None = None


class TellsEvents(Protocol):
    def read_event(self, payload: bytes, signature: str) -> Event:
        """Raises ForgedEvent."""
        ...
