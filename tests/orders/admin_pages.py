"""An order's pages in the admin, as a browser goes through them."""

import re
from typing import Any

from django.test import Client
from django.urls import reverse

from orders.models import Order, Refund


def url(order: Order, name: str) -> str:
    return reverse(f"admin:orders_order_{name}", args=[order.pk])


def fields(response: Any) -> dict[str, str]:
    """What the page's form would send."""
    form = response.text.partition('class="ap-page"')[2].partition("</form>")[0]
    inputs = [dict(re.findall(r'(\w+)="([^"]*)"', tag)) for tag in re.findall("<input[^>]*>", form)]
    return {each["name"]: each.get("value", "") for each in inputs if "name" in each}


def fill(client: Client, order: Order, name: str, **typed: Any) -> dict[str, str]:
    """Open the page, fill it in, and go on. Returns what the confirmation would send."""
    opened = client.get(url(order, name))
    asked = client.post(url(order, name), fields(opened) | typed)
    assert (opened.status_code, asked.status_code) == (200, 200)
    assert 'name="confirmed"' in asked.text
    return fields(asked)


def confirm(client: Client, order: Order, name: str, sent: dict[str, str]) -> list[str]:
    """Messages after the confirmation's button."""
    response = client.post(url(order, name), sent | {"confirmed": "1"}, follow=True)
    assert response.redirect_chain == [(url(order, "change"), 302)]
    return [str(message) for message in response.context["messages"]]


def refunds(order: Order) -> list[tuple[int, str, str]]:
    found = Refund.objects.filter(payment__order=order)
    return list(found.values_list("amount", "state", "reason"))


def act(client: Client, name: str, *orders: Order, **more: Any) -> list[str]:
    chosen = {"action": name, "_selected_action": [order.pk for order in orders]}
    response = client.post("/admin/orders/order/", chosen | more, follow=True)
    return [str(message) for message in response.context["messages"]]
