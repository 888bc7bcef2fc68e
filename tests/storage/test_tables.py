"""Tables as `manage.py provision` makes them."""

from storage.clients import dynamodb
from storage.tables import SESSIONS_BY_USER, create_tables, sessions_table, slots_table


def test_tables_are_made_once_and_items_expire() -> None:
    assert create_tables() == []  # tests/conftest.py made them

    for table in (slots_table(), sessions_table()):
        found = dynamodb().describe_time_to_live(TableName=table)["TimeToLiveDescription"]
        assert found == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}


def test_a_table_whose_making_was_cut_short_is_completed() -> None:
    dynamodb().update_time_to_live(
        TableName=sessions_table(),
        TimeToLiveSpecification={"Enabled": False, "AttributeName": "expires_at"},
    )

    create_tables()

    found = dynamodb().describe_time_to_live(TableName=sessions_table())["TimeToLiveDescription"]
    assert found["TimeToLiveStatus"] == "ENABLED"


def test_sessions_of_a_user_are_found_by_index_and_guests_are_not_in_it() -> None:
    items = {"a": "user-1", "b": "user-1", "c": "user-2", "guest": None}
    for name, user in items.items():
        owner = {"u": {"S": user}} if user else {}
        dynamodb().put_item(
            TableName=sessions_table(),
            Item={"pk": {"S": f"test-{name}"}, "sk": {"S": "session"}} | owner,
        )

    of_user = dynamodb().query(
        TableName=sessions_table(),
        IndexName=SESSIONS_BY_USER,
        KeyConditionExpression="u = :u",
        ExpressionAttributeValues={":u": {"S": "user-1"}},
    )["Items"]
    everybody = dynamodb().scan(TableName=sessions_table(), IndexName=SESSIONS_BY_USER)["Items"]

    assert {item["pk"]["S"] for item in of_user} == {"test-a", "test-b"}
    assert "test-guest" not in {item["pk"]["S"] for item in everybody}
    for name in items:
        key = {"pk": {"S": f"test-{name}"}, "sk": {"S": "session"}}
        dynamodb().delete_item(TableName=sessions_table(), Key=key)
