"""Who may watch an order: whoever may read its page."""

from django.http import HttpRequest

from orders.queries import find_order
from realtime.audiences import Listener, audience


@audience("order")
def order(listener: Listener, number: str) -> str | None:
    request = HttpRequest()
    request.session = listener.session
    request.user = listener.user  # type: ignore[assignment]  # a guest or a customer
    found = find_order(request, number)
    return f"order:{found.number}" if found else None
