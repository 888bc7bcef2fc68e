"""Pages that are one shopper's only."""

from typing import Any

from django.views.decorators.cache import cache_control

private_page: Any = cache_control(private=True, no_store=True)
"""View decorator: neither a proxy nor the browser keeps the page."""
