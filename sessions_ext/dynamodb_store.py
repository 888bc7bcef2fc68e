"""The second copy of each session, in DynamoDB; the only one while Redis cannot be asked.

An item is `pk` = digest, `sk` = "session". Tombstones are items too. Beside them, under
`pk` = "journal", stands what Redis may not know when it comes back: deletions, and writes that went
past it. Every write is conditional, so nothing older replaces anything newer, and nothing replaces
a tombstone. Every function raises botocore's `ClientError` or `BotoCoreError` when nobody answered.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import batched
from typing import TYPE_CHECKING, Any, Final

from sessions_ext import metrics
from sessions_ext.conf import conf
from sessions_ext.errors import Gone, Taken
from sessions_ext.record import Record, next_version, now_ms, number

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SESSION: Final = {"S": "session"}
JOURNAL: Final = {"S": "journal"}
ATTEMPTS: Final = 60
"""Of a write that other writers of the same session keep overtaking."""
CONFLICTS: Final = 5
"""Tries of a write that meets a transaction; one takes some milliseconds."""
ABSENT: Final = "(attribute_not_exists(pk) OR x <= :now)"
UNCHANGED: Final = "attribute_not_exists(dead) AND v = :v"
UNREADABLE: Final = f"{ABSENT} OR attribute_not_exists(dead)"
"""For what is neither a session nor a tombstone, as far as we can read it."""
NOWHERE: Final = -1


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What is left of a deleted session."""

    forget_at: int
    heir: str = ""
    """Digest of the session that it was renamed to."""
    is_told: bool = False
    """Redis' tombstone, copied here: whoever ended the session there may still be about to."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Of the journal: what Redis may not know yet."""

    digest: str
    at: int
    gone: bool


type Found = Record | Tombstone | None


def read(client: "DynamoDBClient", digest: str) -> Found:
    """Consistent: a shopper who has just written sees it."""
    answer = client.get_item(TableName=conf.table, Key=_key(digest), ConsistentRead=True)
    return _found(answer.get("Item"))


def read_many(client: "DynamoDBClient", digests: Iterable[str]) -> dict[str, Found]:
    found: dict[str, Found] = {}
    for batch in batched(digests, 100, strict=False):
        wanted: dict[str, Any] = {
            conf.table: {"Keys": [_key(digest) for digest in batch], "ConsistentRead": True}
        }
        while wanted:
            answer = client.batch_get_item(RequestItems=wanted)
            for item in answer["Responses"].get(conf.table, []):
                found[item["pk"]["S"]] = _found(item)
            wanted = answer.get("UnprocessedKeys", {})
    return found


def copy(client: "DynamoDBClient", digest: str, record: Record, *, base: int = 0) -> Record:
    """Bring the copy up to what Redis holds. `base` is the version that was saved upon.

    Returns what is to be in Redis afterwards. That is `record`, unless the copy holds later writes
    that Redis lost or never had: then it is both, merged. Raises Gone when there is a tombstone.
    """
    condition = f"{ABSENT} OR ({UNCHANGED} AND d <= :d)"
    values, kept = {":v": base, ":d": record.direct}, record
    for _ in range(ATTEMPTS):
        there = _put(client, _item(digest, kept), condition, values | {":now": now_ms()})
        match there:
            case True:
                return kept
            case Tombstone():
                raise Gone
            case Record() if _contains(there, record):
                return record  # a later save was copied first
            case Record():
                kept = _both(record, there)
                condition, values = f"{ABSENT} OR ({UNCHANGED})", {":v": there.version}
            case None:
                condition, values = UNREADABLE, {}
    raise RuntimeError(f"session {digest[:12]} is written to too often to be copied")


def _contains(there: Record, record: Record) -> bool:
    return there.version >= record.version and there.merged(record).fields == there.fields


def _both(record: Record, there: Record) -> Record:
    """`record` itself where it contains all of the other."""
    both = record.merged(record.recalled(there, now_ms()))
    if there.version >= record.version or both.fields != record.fields:
        return both.at(next_version(record.version, there.version))
    return record if there.direct <= record.direct else replace(record, direct=there.direct)


def create(client: "DynamoDBClient", digest: str, record: Record) -> None:
    """A session that Redis does not know. Raises Taken."""
    note(client, digest, gone=False)
    there = _put(client, _item(digest, record), ABSENT, {":now": now_ms()})
    if there is not True and there != record:  # the same: the first answer was lost
        raise Taken


def write(
    client: "DynamoDBClient", digest: str, known: Record, change: Callable[[Record], Record]
) -> Record:
    """Write past Redis: `change` is given the newest of what is known and what is stored.

    Returns what is stored then. Raises Gone.
    """
    note(client, digest, gone=False)
    base, stored = known, known.version
    for _ in range(ATTEMPTS):
        changed = change(base)
        record = replace(changed, direct=changed.version)
        condition, values = UNCHANGED, {":v": stored}
        if stored == NOWHERE:
            condition, values = UNREADABLE, {":now": now_ms()}
        there = _put(client, _item(digest, record), condition, values)
        match there:
            case True:
                return record
            case Tombstone():
                raise Gone
            case Record():
                base, stored = known.merged(there), there.version
            case None:  # never copied: DynamoDB was away when it was made
                stored = NOWHERE
    raise RuntimeError(f"session {digest[:12]} is written to too often")


def rename(
    client: "DynamoDBClient",
    digest: str,
    new: str,
    *,
    loaded: Record,
    record: Record,
    forget_at: int,
) -> Record | None:
    """Past Redis: the new session and the old one's tombstone, both or none.

    Returns what the old one has become when it has changed meanwhile, and then nothing is done.
    Raises Gone.
    """
    note(client, digest, gone=True)
    note(client, new, gone=False)
    items: list[Any] = [
        {
            "Put": {
                "TableName": conf.table,
                "Item": _tombstone(digest, forget_at, heir=new),
                "ConditionExpression": f"{ABSENT} OR (attribute_not_exists(dead) AND v <= :v)",
                "ExpressionAttributeValues": _numbers({":v": loaded.version, ":now": now_ms()}),
            }
        },
        {
            "Put": {
                "TableName": conf.table,
                "Item": _item(new, record),
                "ConditionExpression": "attribute_not_exists(pk)",
            }
        },
    ]
    try:
        client.transact_write_items(TransactItems=items)
    except client.exceptions.TransactionCanceledException:
        there = read(client, digest)
        if isinstance(there, Tombstone) and there.heir != new:  # else the first answer was lost
            raise Gone from None
        return there if isinstance(there, Record) else None
    return None


def bury_renamed(
    client: "DynamoDBClient", digest: str, *, heir: str, known: Record, forget_at: int
) -> Record | None:
    """Put a tombstone in the place of a session that Redis has renamed.

    Returns what stands there, and leaves it, when that holds writes past Redis which `known` does
    not contain. Raises Gone when somebody else has ended or renamed it there.
    """
    note(client, digest, gone=True)
    condition = f"{ABSENT} OR (attribute_not_exists(dead) AND d <= :d)"
    values = {":d": known.direct}
    for _ in range(ATTEMPTS):
        item = _tombstone(digest, forget_at, heir=heir)
        match _put(client, item, condition, values | {":now": now_ms()}):
            case Tombstone(heir=other, is_told=False) if other != heir:
                raise Gone
            case Record() as there:
                return there
            case None:
                condition, values = UNREADABLE, {}
            case _:
                return None
    raise RuntimeError(f"session {digest[:12]} changes too often to be buried")


def tell(client: "DynamoDBClient", digest: str, *, forget_at: int) -> None:
    """Redis knows that the session has ended there: deleted, or renamed."""
    note(client, digest, gone=True)
    item = _tombstone(digest, forget_at) | {"told": {"BOOL": True}}
    _put(client, item, UNREADABLE, {":now": now_ms()})


def bury(client: "DynamoDBClient", digest: str, *, forget_at: int) -> str:
    """Put a tombstone in the session's place, for good.

    Returns the digest of the session that it had been renamed to meanwhile, past Redis.
    """
    note(client, digest, gone=True)
    there = client.put_item(
        TableName=conf.table, Item=_tombstone(digest, forget_at), ReturnValues="ALL_OLD"
    )
    former = _found(there.get("Attributes"))
    return former.heir if isinstance(former, Tombstone) else ""


def reseal(client: "DynamoDBClient", digest: str, record: Record) -> bool:
    """The same content under another key. False when it has changed meanwhile."""
    return _put(client, _item(digest, record), UNCHANGED, {":v": record.version}) is True


def digests_of(client: "DynamoDBClient", pseudonym: str) -> list[str]:
    """A user's sessions. The index lags a little: one made a moment ago may be missing."""
    pages = client.get_paginator("query").paginate(
        TableName=conf.table,
        IndexName="by-user",
        KeyConditionExpression="u = :u",
        ExpressionAttributeValues={":u": {"S": pseudonym}},
    )
    return [item["pk"]["S"] for page in pages for item in page["Items"]]


def scan(client: "DynamoDBClient") -> Iterator[tuple[str, Record]]:
    """Every live session."""
    pages = client.get_paginator("scan").paginate(
        TableName=conf.table,
        FilterExpression="sk = :s AND attribute_not_exists(dead)",
        ExpressionAttributeValues={":s": SESSION},
    )
    for page in pages:
        for item in page["Items"]:
            if isinstance(record := _found(item), Record):
                yield item["pk"]["S"], record


# --- The journal -----------------------------------------------------------------------------


def note(client: "DynamoDBClient", digest: str, *, gone: bool) -> None:
    """Before a write past Redis, and with every deletion: whoever trusts Redis again looks here."""
    at = now_ms()
    item = _journal_key(digest, at) | {
        "gone": {"BOOL": gone},
        "expires_at": _number(at // 1000 + conf.age),
    }
    client.put_item(TableName=conf.table, Item=item)


def journal(client: "DynamoDBClient", *, since: int) -> Iterator[Entry]:
    """Entries noted since then (ms), in order."""
    pages = client.get_paginator("query").paginate(
        TableName=conf.table,
        KeyConditionExpression="pk = :j AND sk >= :since",
        ExpressionAttributeValues={":j": JOURNAL, ":since": {"S": f"{since:015d}"}},
        ConsistentRead=True,
    )
    for page in pages:
        for item in page["Items"]:
            at, _, digest = item["sk"]["S"].partition(":")
            yield Entry(digest=digest, at=int(at), gone=item["gone"]["BOOL"])


def strike(client: "DynamoDBClient", entry: Entry) -> None:
    """Redis knows."""
    client.delete_item(TableName=conf.table, Key=_journal_key(entry.digest, entry.at))


def _journal_key(digest: str, at: int) -> dict[str, Any]:
    return {"pk": JOURNAL, "sk": {"S": f"{at:015d}:{digest}"}}


# --- Items -----------------------------------------------------------------------------------


def _put(
    client: "DynamoDBClient", item: dict[str, Any], condition: str, values: dict[str, int]
) -> Found | bool:
    """True, or what stands there instead when the condition does not hold."""
    for attempt in range(CONFLICTS):
        try:
            client.put_item(
                TableName=conf.table,
                Item=item,
                ConditionExpression=condition,
                ExpressionAttributeValues=_numbers(values),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except client.exceptions.ConditionalCheckFailedException as refusal:
            answer: Any = refusal.response
            return _found(answer.get("Item"))
        except client.exceptions.TransactionConflictException:  # a rename of it is under way
            if attempt == CONFLICTS - 1:
                raise
        else:
            break
    return True


def _found(item: Any) -> Found:
    """An expired item is deleted by DynamoDB some time later, and is not there for us."""
    if item is None:
        return None
    try:
        expires_at = number(item["x"]["N"])
        found = _buried(item, expires_at) if "dead" in item else _record(item)
    except (KeyError, ValueError, AttributeError):
        metrics.refused("malformed", digest=item["pk"]["S"])
        return Tombstone(now_ms() + conf.age * 1000) if "dead" in item else None
    return found if expires_at > now_ms() else None


def _buried(item: Any, forget_at: int) -> Tombstone:
    return Tombstone(forget_at, item.get("heir", {}).get("S", ""), "told" in item)


def _record(item: Any) -> Record:
    return Record(
        version=number(item["v"]["N"]),
        expires_at=number(item["x"]["N"]),
        user=item.get("u", {}).get("S", ""),
        direct=number(item["d"]["N"]),
        fields={bytes.fromhex(name): value["B"] for name, value in item["f"]["M"].items()},
    )


def _item(digest: str, record: Record) -> dict[str, Any]:
    item: dict[str, Any] = _key(digest) | {
        "v": _number(record.version),
        "x": _number(record.expires_at),
        "expires_at": _number(record.expires_at // 1000 + 1),
        "d": _number(record.direct),
        "f": {"M": {name.hex(): {"B": value} for name, value in record.fields.items()}},
    }
    if record.user:  # an index key may not be empty
        item["u"] = {"S": record.user}
    return item


def _tombstone(digest: str, forget_at: int, heir: str = "") -> dict[str, Any]:
    return _key(digest) | {
        "heir": {"S": heir},
        "dead": {"BOOL": True},
        "v": _number(0),
        "x": _number(forget_at),
        "expires_at": _number(forget_at // 1000 + 1),
    }


def _key(digest: str) -> dict[str, Any]:
    return {"pk": {"S": digest}, "sk": SESSION}


def _numbers(values: dict[str, int]) -> dict[str, Any]:
    return {name: _number(value) for name, value in values.items()}


def _number(value: int) -> dict[str, str]:
    return {"N": str(value)}
