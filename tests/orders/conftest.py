"""A guest on the way to checkout."""

import pytest
from django.test import Client

from shop.models import Variant
from tests.factories import make_product
from tests.orders.pages import add


@pytest.fixture
def variant() -> Variant:
    return make_product(name="Rope Bag", stock=10, amount=1290).variants.get()


@pytest.fixture
def shopper(client: Client, variant: Variant) -> Client:
    """A guest with two bags in the cart."""
    add(client, variant, 2)
    return client
