# mypy: disable-error-code="no-untyped-call"
"""Sockets opened by a token: no session, no cookie, and an end."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx
import pytest
import websockets
from asgiref.sync import async_to_sync, sync_to_async

from tests import loops
from tests.asked import Asked, watched
from tests.factories import make_customer, make_order
from tests.realtime.test_socket import Socket, log_in, paid_by_admin
from tests.stack import Stack
from tests.tokens import FORGERIES, token_for

pytestmark = pytest.mark.django_db(transaction=True)

REFUSED: Final = 4401
SUBSCRIBING: Final = {"SUBSCRIBE", "UNSUBSCRIBE", "PUBLISH"}
"""What the channel layer says to Redis for any socket."""


class BearerSocket(Socket):
    """A client that is no browser: it has a token, and by default neither cookie nor origin."""

    def __init__(self, token: str, query: str = "", cookies: str = "", origin: str = "") -> None:
        super().__init__(query, cookies, origin)
        headers = [(name, value) for name, value in self.scope["headers"] if value]
        self.scope["headers"] = [*headers, (b"authorization", f"Bearer {token}".encode())]


@asynccontextmanager
async def opened(socket: Socket) -> AsyncIterator[Socket]:
    await socket.open()
    yield socket
    await socket.disconnect()


async def closing_code(socket: Socket) -> int:
    await socket.connect()
    output = await socket.receive_output(20)
    assert output["type"] == "websocket.close", output
    return int(output["code"])


def test_token_opens_the_customers_own_audience_and_their_orders() -> None:
    customer = make_customer()
    order = make_order(customer=customer)
    token = token_for(customer).text

    async def scenario() -> list[Any]:
        async with (
            opened(BearerSocket(token, "last=0")),
            opened(BearerSocket(token, f"order={order.number}")) as tab,
        ):
            await sync_to_async(paid_by_admin)(order)
            return list(await tab.next_event())

    assert async_to_sync(scenario)() == [1, {"number": order.number, "status": "paid"}]


def test_token_opens_nothing_that_is_anothers() -> None:
    order = make_order(customer=make_customer())
    token = token_for(make_customer()).text

    assert async_to_sync(closing_code)(BearerSocket(token, f"order={order.number}")) == 4403
    assert async_to_sync(closing_code)(BearerSocket(token, "staff=1")) == 4403


def test_cookie_beside_a_token_admits_to_nothing() -> None:
    other = make_customer()
    order = make_order(customer=other)
    cookies = log_in(other)
    query = f"order={order.number}"

    beside = BearerSocket(token_for(make_customer()).text, query, cookies)

    assert async_to_sync(closing_code)(beside) == 4403
    async_to_sync(Socket(query, cookies).open)()


def test_token_needs_no_origin_and_a_cookie_does() -> None:
    customer = make_customer()
    cookies = log_in(customer)

    for origin in ("", "https://elsewhere.example"):
        async_to_sync(BearerSocket(token_for(customer).text, origin=origin).open)()
        assert async_to_sync(Socket("", cookies, origin).connect)() is False


async def asked_by(socket: Socket) -> Asked:
    with watched() as asked:
        await socket.open()
    return asked


def test_handshake_by_token_asks_no_store_and_by_cookie_does() -> None:
    customer = make_customer()
    cookies = log_in(customer)

    by_token = async_to_sync(asked_by)(BearerSocket(token_for(customer).text, "", cookies))
    by_cookie = async_to_sync(asked_by)(Socket("", cookies))

    assert set(by_token.redis) <= SUBSCRIBING
    assert by_token.dynamodb == []
    assert set(by_cookie.redis) - SUBSCRIBING


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("name", FORGERIES)
def test_forged_token_is_refused(name: str) -> None:
    assert async_to_sync(closing_code)(BearerSocket(FORGERIES[name]())) == REFUSED


def test_token_that_ended_is_refused_whatever_the_cookie_says() -> None:
    customer = make_customer()
    socket = BearerSocket(token_for(customer, ago=300).text, "", log_in(customer))

    assert async_to_sync(closing_code)(socket) == REFUSED


@pytest.mark.parametrize("lost", ["deleted", "inactive", "password"])
def test_token_of_a_customer_who_may_no_longer_log_in_is_refused(lost: str) -> None:
    customer = make_customer()
    token = token_for(customer).text
    if lost == "deleted":
        customer.delete()
    elif lost == "inactive":
        customer.is_active = False
        customer.save()
    else:
        customer.set_password("lighthouse-keeper")
        customer.save()

    assert async_to_sync(closing_code)(BearerSocket(token)) == REFUSED


async def later(socket: Socket, seconds: float) -> None:
    """Open the socket; then let it be so much later."""
    await socket.open()
    loop = asyncio.get_running_loop()
    now = loop.time
    loop.time = lambda: now() + seconds  # type: ignore[method-assign]  # the point of it


def test_socket_is_closed_when_its_token_ends() -> None:
    token = token_for(make_customer()).text

    async def scenario() -> Any:
        socket = BearerSocket(token)
        await later(socket, 301)
        answer = await socket.receive_output(20)
        await socket.wait(20)  # the application has ended, and left its groups
        return answer

    assert async_to_sync(scenario)() == {"type": "websocket.close", "code": REFUSED}


def test_socket_stays_open_until_then_and_by_cookie_for_longer() -> None:
    customer = make_customer()
    by_token, by_cookie = BearerSocket(token_for(customer).text), Socket("", log_in(customer))

    async def pong(socket: Socket, seconds: float) -> Any:
        await later(socket, seconds)
        await socket.say('{"type": "ping"}')
        answer = await socket.next_message()
        assert await socket.receive_nothing(0.2)
        await socket.disconnect()
        return answer

    assert async_to_sync(pong)(by_token, 200) == {"type": "pong"}
    assert async_to_sync(pong)(by_cookie, 400) == {"type": "pong"}


def test_token_opens_a_socket_in_every_region(stack: Stack) -> None:
    """Against the running shop, by the port that each region's own process listens on."""
    regions = stack.regions
    credentials = {name: stack.admin[name] for name in ("email", "password")}
    minted_in = next(iter(regions.values()))["web"]
    answer = httpx.post(f"{minted_in}/api/auth/token", json=credentials, timeout=60)
    headers = {"Authorization": f"Bearer {answer.json()['token']}"}

    async def welcome(address: str) -> Any:
        url = f"{address}/ws/events/?staff=1"
        async with websockets.connect(url, additional_headers=headers, open_timeout=60) as socket:
            return json.loads(await asyncio.wait_for(socket.recv(), 60))

    for region, addresses in regions.items():
        assert loops.run(welcome(addresses["ws"])) == {"type": "welcome", "region": region}


def test_live_socket_with_a_bad_token_is_closed_with_the_code(stack: Stack) -> None:
    async def code(address: str) -> int:
        headers = {"Authorization": "Bearer garbage"}
        url = f"{address}/ws/events/?staff=1"
        async with websockets.connect(url, additional_headers=headers, open_timeout=60) as socket:
            await asyncio.wait_for(socket.wait_closed(), 60)
            assert socket.close_code is not None
            return int(socket.close_code)

    for addresses in stack.regions.values():
        assert loops.run(code(addresses["ws"])) == REFUSED
