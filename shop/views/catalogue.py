"""Home, category, product, search. All may read the local standby."""

from typing import Any, Final

from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.middleware import HtmxDetails

from regions.routing import reads_replica
from shop.models.cart import MAX_QUANTITY
from shop.preferences import current_currency
from shop.queries.catalogue import (
    Listing,
    featured_cards,
    in_categories,
    list_products,
    related_cards,
)
from shop.queries.covers import category_covers
from shop.queries.product import product_page
from shop.queries.search import clean_query, search_products
from shop.queries.tree import category_tree, find_path, find_path_to_id, walk

FEATURED: Final = 9
"""One leads the page, eight follow."""
RELATED: Final = 4
FEW: Final = 5
"""Units at which the page says how many are left."""


@require_safe
@reads_replica
def home(request: HttpRequest) -> HttpResponse:
    cards = featured_cards(current_currency(request), FEATURED)
    return render(request, "shop/home.html", {"cards": cards, "covers": category_covers()})


@require_safe
@vary_on_headers("HX-Request")
@reads_replica
def category(request: HttpRequest, slug: str) -> HttpResponse:
    """A category with what is in it and below it."""
    path = find_path(category_tree(), slug)
    if not path:
        raise Http404
    node = path[-1]
    products = in_categories(below["id"] for below in walk(node))
    listing = list_products(products, request.GET, current_currency(request))
    context = {"category": node, "path": path, "active_category": path[0]["slug"]}
    return _render_listing(request, "shop/category.html", listing, context)


@require_safe
@vary_on_headers("HX-Request")
@reads_replica
def product(request: HttpRequest, slug: str) -> HttpResponse:
    """A product; `?variant=SKU` chooses one of its variants."""
    currency = current_currency(request)
    page = product_page(slug, currency, request.GET.get("variant", ""))
    if page is None:
        raise Http404
    path = find_path_to_id(category_tree(), page.data["category"])
    context: dict[str, Any] = {"page": page, "few": FEW, "most": MAX_QUANTITY}
    if _wants_part(request):
        return render(request, "shop/product.html#product", context)
    context |= {
        "path": path,
        "active_category": path[0]["slug"] if path else "",
        "related": related_cards(page.data["id"], page.data["category"], currency, RELATED),
    }
    return render(request, "shop/product.html", context)


@require_safe
@vary_on_headers("HX-Request")
@reads_replica
def search(request: HttpRequest) -> HttpResponse:
    """Products for `?q=`. Without a match, what comes closest, and it says so."""
    query = clean_query(request.GET.get("q", ""))
    if not query:
        return render(request, "shop/search.html", {"query": "", "covers": category_covers()})
    found = search_products(query)
    listing = list_products(found.products, request.GET, current_currency(request), sort="")
    context: dict[str, Any] = {"query": query, "exact": found.exact}
    if not listing.cards and not listing.filters.active:
        context["covers"] = category_covers()
    return _render_listing(request, "shop/search.html", listing, context)


def _render_listing(
    request: HttpRequest, template: str, listing: Listing, context: dict[str, Any]
) -> HttpResponse:
    """The page, or for htmx only its results."""
    if _wants_part(request):
        template = "shop/partials/listing.html#results"
    context |= {
        "listing": listing,
        "sorts": _sorts(with_best_match=listing.filters.sort == "" or "q" in request.GET),
        "chips": _chips(request.GET, listing),
        "clear": f"?{_without(request.GET, *_filter_names(listing))}",
    }
    return render(request, template, context)


def _wants_part(request: HttpRequest) -> bool:
    htmx: HtmxDetails = request.htmx  # type: ignore[attr-defined]  # set by django-htmx
    return bool(htmx) and not htmx.boosted and not htmx.history_restore_request


def _sorts(*, with_best_match: bool) -> list[tuple[str, str]]:
    first = ("", _("Best match")) if with_best_match else ("featured", _("Featured"))
    return [
        first,
        ("price", _("Price, low to high")),
        ("-price", _("Price, high to low")),
        ("name", _("Name")),
        ("newest", _("Newest")),
    ]


def _filter_names(listing: Listing) -> list[str]:
    return [*(facet.param for facet in listing.facets), "min", "max", "page"]


def _chips(params: QueryDict, listing: Listing) -> list[tuple[str, str]]:
    """Each active filter in words, and the address without it."""
    chips = []
    for facet in listing.facets:
        chosen = [value for value, is_chosen in facet.values if is_chosen]
        for value in chosen:
            rest = params.copy()
            rest.setlist(facet.param, [other for other in chosen if other != value])
            chips.append((f"{facet.name}: {value}", f"?{_without(rest, 'page')}"))
    if listing.filters.least is not None:
        label = _("From %(price)s") % {"price": listing.filters.least_price}
        chips.append((label, f"?{_without(params, 'min', 'page')}"))
    if listing.filters.most is not None:
        label = _("Up to %(price)s") % {"price": listing.filters.most_price}
        chips.append((label, f"?{_without(params, 'max', 'page')}"))
    return chips


def _without(params: QueryDict, *names: str) -> str:
    rest = params.copy()
    for name in names:
        rest.pop(name, None)
    return rest.urlencode()
