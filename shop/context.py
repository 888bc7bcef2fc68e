"""What every page of the storefront shows: currency, cart count, categories, region."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_noop

from regions.regions import this_region
from shop.preferences import current_currency
from shop.queries.tree import category_tree
from shop.services.cart import SESSION_COUNT

gettext_noop("Tokyo")  # a region that the footer names; the others are countries too


def storefront(request: HttpRequest) -> dict[str, Any]:
    """Context processor. Asks the session and the cache, never the writer."""
    if not hasattr(request, "session"):  # an error page of a request that never got that far
        return {"region": this_region()}
    return {
        "categories": SimpleLazyObject(category_tree),  # pages of the admin never ask for it
        "cart_count": request.session.get(SESSION_COUNT, 0),
        "currencies": settings.SHOP_CURRENCIES,
        "currency": current_currency(request),
        "region": this_region(),
    }
