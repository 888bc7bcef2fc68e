"""Schedule slots: which exist, and claiming one for all regions (DESIGN §10).

A slot is a job and the time it was due, in UTC, computed from the schedule and never from when
a scheduler happened to look, so that schedulers whose clocks differ name the same slot.
"""

import calendar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Self

from botocore.exceptions import BotoCoreError, ClientError
from celery.schedules import BaseSchedule, crontab
from celery.schedules import schedule as interval
from django.conf import settings

from storage.clients import dynamodb
from storage.tables import slots_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

CATCH_UP: Final = timedelta(hours=25)
"""How far back a scheduler that starts looks for a slot nobody ran: a day and a clock change."""
KEEP: Final = timedelta(days=7)
"""How long DynamoDB remembers a claim. Longer than `CATCH_UP`, or a slot would come back."""


class SlotsUnreachable(Exception):
    """DynamoDB could not be asked: nobody knows who owns the slot, so nobody may run it."""


@dataclass(frozen=True)
class Slot:
    job: str
    due: datetime

    @property
    def time(self) -> str:
        """`2026-11-22T02:00:00Z`, as tasks receive it."""
        return self.due.astimezone(UTC).isoformat().replace("+00:00", "Z")

    @property
    def key(self) -> str:
        return f"{self.job}|{self.time}"


@dataclass(frozen=True)
class Claim:
    """Who may send a slot's task. `attempt` grows with each takeover."""

    slot: Slot
    owner: str
    attempt: int
    sent: bool

    @classmethod
    def from_item(cls, slot: Slot, item: "dict[str, AttributeValueTypeDef]") -> Self:
        return cls(slot, item["owner"]["S"], int(item["attempt"]["N"]), item["sent"]["BOOL"])


def latest_slot(when: BaseSchedule, now: datetime) -> datetime | None:
    """The last time not after `now` when `when` was due; None if there is none in `CATCH_UP`.

    Raises TypeError for a schedule that is neither a crontab nor an interval.
    """
    now = now.astimezone(UTC)
    if isinstance(when, crontab):
        return _latest_in_crontab(when, now)
    if isinstance(when, interval):
        every = timedelta(seconds=when.seconds)
        # Counted from the epoch: no scheduler's start is part of the answer.
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        return epoch + (now - epoch) // every * every
    raise TypeError(f"a {type(when).__name__} has no slots; use a crontab or a timedelta")


def _latest_in_crontab(when: Any, now: datetime) -> datetime | None:  # Any: stubs lack the sets
    for days in range(CATCH_UP.days + 2):
        day = (now - timedelta(days=days)).date()
        if (
            day.day not in when.day_of_month
            or day.month not in when.month_of_year
            or day.isoweekday() % 7 not in when.day_of_week
        ):
            continue
        for hour in sorted(when.hour, reverse=True):
            for minute in sorted(when.minute, reverse=True):
                due = datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)
                if due <= now:
                    return due if now - due <= CATCH_UP else None
    return None


def seconds_to_next(when: BaseSchedule, now: datetime) -> float:
    """How long a scheduler may sleep before it looks again. A crontab turns on the minute."""
    every = when.seconds if isinstance(when, interval) else 60.0
    return every - now.timestamp() % every


def claim_slot(slot: Slot, owner: str) -> Claim:
    """Ask for the slot. Returns the claim that stands: this owner's, or whoever was first.

    Raises SlotsUnreachable.
    """
    claim = Claim(slot, owner, attempt=1, sent=False)
    try:
        dynamodb().put_item(
            TableName=slots_table(),
            Item={
                "slot": {"S": slot.key},
                "owner": {"S": owner},
                "region": {"S": settings.ANYPORT_REGION},
                "attempt": {"N": "1"},
                "sent": {"BOOL": False},
                "claimed_at": {"S": datetime.now(UTC).isoformat()},
                "expires_at": {"N": str(calendar.timegm((slot.due + KEEP).utctimetuple()))},
            },
            ConditionExpression="attribute_not_exists(slot)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except ClientError as error:
        return Claim.from_item(slot, _standing_item(error))
    except BotoCoreError as error:
        raise SlotsUnreachable(repr(error)) from error
    return claim


def take_over(claim: Claim, owner: str) -> Claim:
    """Take a claim that led to nothing from its owner. Returns the claim that stands.

    The condition names what was observed, so of several that try one succeeds, and an owner
    that was only slow keeps its slot if it marks it first. Raises SlotsUnreachable.
    """
    return _update(
        claim,
        Claim(claim.slot, owner, claim.attempt + 1, sent=False),
        "#owner = :old_owner AND attempt = :old_attempt AND sent = :old_sent",
    )


def mark_sent(claim: Claim) -> Claim:
    """Record that the task was sent. Raises SlotsUnreachable."""
    return _update(
        claim,
        Claim(claim.slot, claim.owner, claim.attempt, sent=True),
        "#owner = :old_owner AND attempt = :old_attempt",
    )


def _update(old: Claim, new: Claim, condition: str) -> Claim:
    values: dict[str, AttributeValueTypeDef] = {
        ":old_owner": {"S": old.owner},
        ":old_attempt": {"N": str(old.attempt)},
        ":owner": {"S": new.owner},
        ":attempt": {"N": str(new.attempt)},
        ":sent": {"BOOL": new.sent},
        ":region": {"S": settings.ANYPORT_REGION},
    }
    if ":old_sent" in condition:
        values[":old_sent"] = {"BOOL": old.sent}
    try:
        dynamodb().update_item(
            TableName=slots_table(),
            Key={"slot": {"S": old.slot.key}},
            UpdateExpression=(
                "SET #owner = :owner, #region = :region, attempt = :attempt, sent = :sent"
            ),
            ConditionExpression=condition,
            ExpressionAttributeNames={"#owner": "owner", "#region": "region"},
            ExpressionAttributeValues=values,
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except ClientError as error:
        return Claim.from_item(old.slot, _standing_item(error))
    except BotoCoreError as error:
        raise SlotsUnreachable(repr(error)) from error
    return new


def _standing_item(error: ClientError) -> "dict[str, AttributeValueTypeDef]":
    """The item that a condition failed on. Raises SlotsUnreachable for any other error."""
    response: dict[str, object] = dict(error.response)
    if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
        raise SlotsUnreachable(repr(error)) from error
    item = response.get("Item")
    if not isinstance(item, dict) or not item:
        raise SlotsUnreachable("the claim vanished while it was read") from error
    return item
