# mypy: disable-error-code="no-untyped-call"
"""The socket against real Redis and PostgreSQL, through the application that granian serves."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from asgiref.testing import ApplicationCommunicator
from channels.auth import get_user
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import Permission

from orders.models import Order
from orders.queries import SESSION_ORDERS
from orders.services.status import change_status
from realtime.models import Event
from realtime.publish import publish
from settings.asgi import application
from shop.models import Customer
from storage.redis import redis_primary
from tests.factories import make_customer, make_order

pytestmark = pytest.mark.django_db(transaction=True)


def cookie(**values: Any) -> str:
    """A session that holds the values, as the cookie of a browser."""
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session.update(values)
    session.create()
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"


def log_in(customer: Customer, auth_hash: str = "") -> str:
    return cookie(
        **{
            SESSION_KEY: str(customer.pk),
            BACKEND_SESSION_KEY: settings.AUTHENTICATION_BACKENDS[0],
            HASH_SESSION_KEY: auth_hash or customer.get_session_auth_hash(),
        }
    )


class Socket(ApplicationCommunicator):
    """One browser's socket. (Channels' own testing class needs another server installed.)"""

    def __init__(self, query: str, cookies: str = "", origin: str = "http://localhost") -> None:
        headers = [(b"origin", origin.encode()), (b"cookie", cookies.encode())]
        scope = {"type": "websocket", "path": "/ws/events/", "query_string": query.encode()}
        super().__init__(application, scope | {"headers": headers, "subprotocols": []})

    async def connect(self) -> bool:
        await self.send_input({"type": "websocket.connect"})
        return bool((await self.receive_output(20))["type"] == "websocket.accept")

    async def open(self) -> None:
        assert await self.connect()
        assert (await self.next_message())["type"] == "welcome"

    async def say(self, text: str) -> None:
        await self.send_input({"type": "websocket.receive", "text": text})

    async def next_message(self) -> dict[str, Any]:
        output = await self.receive_output(20)
        assert output["type"] == "websocket.send", output
        message: dict[str, Any] = json.loads(output["text"])
        return message

    async def next_event(self) -> tuple[int, dict[str, Any]]:
        message = await self.next_message()
        assert message["type"] == "event"
        return message["sequence"], message["payload"]

    async def disconnect(self) -> None:
        await self.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.wait(20)


@asynccontextmanager
async def opened(query: str, cookies: str = "") -> AsyncIterator[Socket]:
    socket = Socket(query, cookies)
    await socket.open()
    yield socket
    await socket.disconnect()


async def closing_code(query: str, cookies: str = "") -> int:
    socket = Socket(query, cookies)
    await socket.connect()
    return int((await socket.receive_output(20))["code"])


def test_who_signed_in_before_the_secret_key_was_changed_listens_on(settings: Any) -> None:
    customer = make_customer()
    former = customer.get_session_auth_hash()
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "quite another, and as long as one of these should be at the least"
    store = import_module(settings.SESSION_ENGINE).SessionStore()
    cookies = log_in(customer, former)
    session = store.__class__(cookies.partition("=")[2])

    async def scenario() -> None:
        async with opened("", cookies):
            pass

    async_to_sync(scenario)()
    kept = session.get(SESSION_KEY)
    user = async_to_sync(get_user)({"session": session})  # the control

    assert kept == str(customer.pk)
    assert user.is_anonymous
    assert session.is_empty()


def paid_by_admin(order: Order) -> None:
    change_status(order=order, to=Order.Status.PAID)


def test_open_tab_is_told_of_a_status_change() -> None:
    order = make_order()
    cookies = cookie(**{SESSION_ORDERS: [order.number]})

    async def scenario() -> tuple[int, dict[str, Any]]:
        async with opened(f"order={order.number}", cookies) as tab:
            await sync_to_async(paid_by_admin)(order)
            return await tab.next_event()

    event = async_to_sync(scenario)()

    assert event == (1, {"number": order.number, "status": "paid"})


def test_tab_that_was_away_gets_only_what_it_missed_in_order() -> None:
    order = make_order()
    for step in range(5):
        publish(audience=f"order:{order.number}", kind="note", payload={"step": step})
    cookies = cookie(**{SESSION_ORDERS: [order.number]})

    async def scenario() -> list[int]:
        async with opened(f"order={order.number}&last=2", cookies) as tab:
            sequences = [(await tab.next_event())[0] for _ in range(3)]
            assert await tab.receive_nothing(0.3)
            return sequences

    assert async_to_sync(scenario)() == [3, 4, 5]


def test_doubled_and_late_announcements_show_nothing_twice() -> None:
    order = make_order()
    cookies = cookie(**{SESSION_ORDERS: [order.number]})
    audience = f"order:{order.number}"

    async def scenario() -> list[int]:
        async with opened(f"order={order.number}", cookies) as tab:
            await sync_to_async(publish)(audience=audience, kind="note", payload={})
            first = await tab.next_event()
            for _ in range(3):
                await sync_to_async(announce_again)(audience, 1)
            await sync_to_async(publish)(audience=audience, kind="note", payload={})
            second = await tab.next_event()
            assert await tab.receive_nothing(0.3)
            return [first[0], second[0]]

    assert async_to_sync(scenario)() == [1, 2]


def announce_again(audience: str, sequence: int) -> None:
    from realtime.publish import _announce  # noqa: PLC0415 (what on_commit runs)

    _announce(audience, sequence)


def test_event_whose_announcement_was_lost_comes_with_the_next_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("realtime.consumers.CHECK_EVERY", 0.2)
    order = make_order()
    cookies = cookie(**{SESSION_ORDERS: [order.number]})

    async def scenario() -> int:
        async with opened(f"order={order.number}", cookies) as tab:
            # Written without `publish`: as if Redis had lost the announcement.
            await Event.objects.acreate(
                audience=f"order:{order.number}", sequence=1, kind="note", payload={}
            )
            return (await tab.next_event())[0]

    assert async_to_sync(scenario)() == 1


def test_customer_and_staff_may_watch_an_order() -> None:
    customer, staff = make_customer(), make_customer(is_staff=True)
    staff.user_permissions.add(Permission.objects.get(codename="view_order"))
    order = make_order(customer=customer)

    async def scenario() -> None:
        for cookies in (await sync_to_async(log_in)(customer), await sync_to_async(log_in)(staff)):
            async with opened(f"order={order.number}", cookies):
                pass

    async_to_sync(scenario)()


def test_foreign_and_unknown_orders_are_refused_alike() -> None:
    order, other = make_order(customer=make_customer()), make_order()
    stranger = log_in(make_customer())
    staff = log_in(make_customer(is_staff=True))  # may not view orders
    guest = cookie(**{SESSION_ORDERS: [other.number]})

    codes = [
        async_to_sync(closing_code)(query, cookies)
        for query in (f"order={order.number}", "order=AP-0000-0000-0000", "order=%00")
        for cookies in (stranger, staff, guest, "")
    ]

    assert codes == [4403] * 12


def test_audiences_of_ones_own_are_refused_to_strangers() -> None:
    customer = log_in(make_customer())

    assert async_to_sync(closing_code)("last=0") == 4403
    assert async_to_sync(closing_code)("staff=1", customer) == 4403
    async_to_sync(Socket("last=0", customer).open)()


@pytest.mark.parametrize(
    "query",
    [
        "last=x",
        "last=-1",
        "last=9223372036854775808",
        "last=%FF",
        "last=١",
        "&".join("a=1" for _ in range(50)),
    ],
)
def test_garbage_queries_are_refused(query: str) -> None:
    assert async_to_sync(closing_code)(query) == 4400


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"type": "pong"}', '{"type": "ping"}' + " " * 2000]
)
def test_garbage_messages_close_the_socket(text: str) -> None:
    cookies = log_in(make_customer())

    async def scenario() -> int:
        socket = Socket("", cookies)
        await socket.open()
        await socket.say(text)
        return int((await socket.receive_output(20))["code"])

    assert async_to_sync(scenario)() == 4400


def test_ping_is_answered() -> None:
    cookies = log_in(make_customer())

    async def scenario() -> Any:
        async with opened("", cookies) as socket:
            await socket.say('{"type": "ping"}')
            return await socket.next_message()

    assert async_to_sync(scenario)() == {"type": "pong"}


def test_foreign_origin_is_refused() -> None:
    assert async_to_sync(Socket("", origin="https://evil.example").connect)() is False


def test_publishing_from_threads_keeps_the_number_of_connections() -> None:
    publish(audience="order:any", kind="note", payload={})
    before = len(redis_primary().client_list())

    for _ in range(50):
        publish(audience="order:any", kind="note", payload={})

    # One that was left behind each time would be fifty; the live shop's come and go.
    assert len(redis_primary().client_list()) < before + 25
    assert Event.objects.filter(audience="order:any").count() == 51
