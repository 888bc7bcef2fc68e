"""What the tests of checkout's page share."""

import re
from typing import Any

from django.test import Client

from shop.models import StockItem, Variant
from shop.services.stock import Cause, Mover, adjust_stock

CHECKOUT = "/checkout/"
TYPED = {
    "email": "mei@example.com",
    "name": "Lin Mei",
    "line1": "12 Harbour Road",
    "line2": "",
    "city": "Keelung",
    "postcode": "202",
    "country": "TW",
    "delivery_method": "standard",
    "payment_method": "invoice",
}


def add(client: Client, variant: Variant, quantity: int = 1) -> None:
    client.post("/cart/items/", {"sku": variant.sku, "quantity": str(quantity)})


def set_stock(variant: Variant, units: int) -> None:
    on_hand = StockItem.objects.values_list("on_hand", flat=True).get(variant=variant)
    adjust_stock({variant.pk: units - on_hand}, Cause(Mover.SYSTEM, reason="test"))


def text_of(response: Any) -> str:
    return str(response.content.decode())


def hidden(response: Any) -> dict[str, str]:
    """The checkout form's hidden fields."""
    form = text_of(response).partition('id="checkout"')[2].partition("</form>")[0]
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form))
