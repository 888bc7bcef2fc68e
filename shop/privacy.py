"""Pages that are one shopper's only."""

from collections.abc import Callable

from django.http import HttpResponse
from django.views.decorators.cache import cache_control


def private_page[**P](view: Callable[P, HttpResponse]) -> Callable[P, HttpResponse]:
    """View decorator: neither a proxy nor the browser keeps the page."""
    return cache_control(private=True, no_store=True)(view)
