"""A guest on the way to checkout, and the shop's line to Stripe."""

from collections.abc import Iterator

import pytest
import stripe
from django.test import Client
from pytest_django.fixtures import Settings

from orders.gateways import stripe as gateway
from shop.models import Variant
from storage.breaker import Circuit
from tests.card import Account, Line
from tests.factories import make_product
from tests.orders.pages import add
from tests.stack import Stack


@pytest.fixture
def variant() -> Variant:
    return make_product(name="Rope Bag", stock=10, amount=1290).variants.get()


@pytest.fixture
def shopper(client: Client, variant: Variant) -> Client:
    """A guest with two bags in the cart."""
    add(client, variant, 2)
    return client


@pytest.fixture
def account(stack: Stack) -> Account:
    return Account(stack.plan.stripe, stack.plan.secrets.stripe_key)


@pytest.fixture
def line(stack: Stack, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    """Between the shop and Stripe, whose silence the next test knows nothing of."""
    line = Line(stack.plan.ports["stripe"])
    settings.STRIPE_API_BASE = line.address
    gateway.client.cache_clear()
    circuit = Circuit("stripe", gateway._probe, outages=(stripe.APIConnectionError,))
    monkeypatch.setattr(gateway, "_circuit", circuit)
    yield line
    gateway.client.cache_clear()
    line.close()
