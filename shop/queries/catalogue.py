"""Lists of products: cards, filters, sorting, pages. Four queries however long the list.

Lists are read from the local standby, never cached: prices and stock in them are seconds old at
most. `shop.queries.product` caches what one product's page shows.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Final, TypedDict

from django.core.files.storage import storages
from django.core.paginator import Page, Paginator
from django.db.models import Count, Exists, F, Max, Min, OrderBy, OuterRef, Prefetch, Q, QuerySet
from django.http import QueryDict

from shop.models import Product, ProductImage, StockItem, Variant
from shop.models.catalogue import ProductQuerySet
from shop.money import EXPONENTS, Money

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

PAGE_SIZE: Final = 24
MOST_FACETS: Final = 4
LONG_LIST: Final = 8
RESERVED: Final = frozenset({"q", "sort", "min", "max", "page", "variant"})
"""Query parameters that are not options of products."""
DEAREST: Final = Decimal(10**12)
"""No price is above it; a larger number would not fit the column."""

SORTS: Final[dict[str, tuple[str, ...]]] = {
    "featured": ("-is_featured", "name", "pk"),
    "price": ("lowest", "name", "pk"),
    "-price": ("-lowest", "name", "pk"),
    "name": ("name", "pk"),
    "newest": ("-created_at", "-pk"),
}
DEFAULT_SORT: Final = "featured"


class Offered(TypedDict):
    """What `priced` adds to a product. Minor units; None where the currency has no price."""

    lowest: int | None
    highest: int | None
    in_stock: bool


type PricedProduct = WithAnnotations[Product, Offered]


@dataclass(frozen=True)
class Picture:
    name: str
    """In the assets storage; the URL depends on the region's settings, so it is not kept."""
    alt: str
    width: int
    height: int

    @property
    def url(self) -> str:
        return storages["assets"].url(self.name)


@dataclass(frozen=True)
class Card:
    """A product in a list. `price` is the lowest; None where the currency has none."""

    slug: str
    name: str
    price: Money | None
    varies: bool
    """Some variants cost more: the price is written with "from"."""
    available: bool
    """It can be ordered, be it on back-order."""
    picture: Picture | None


@dataclass(frozen=True)
class Facet:
    """An option to filter by, such as Colour: its parameter and the values on offer."""

    name: str
    param: str
    values: list[tuple[str, bool]]
    """Value, and whether it is chosen."""


@dataclass(frozen=True)
class Filters:
    """What a shopper asked to see. Options are `{"Colour": ["Sand", "Ink"]}`."""

    currency: str
    sort: str = DEFAULT_SORT
    least: int | None = None
    """Minor units."""
    most: int | None = None
    options: Mapping[str, list[str]] = field(default_factory=dict)
    mistyped: bool = False
    """A price that is no number was ignored."""

    @property
    def active(self) -> bool:
        return bool(self.options) or self.least is not None or self.most is not None

    @property
    def least_price(self) -> Money | None:
        return None if self.least is None else Money(self.least, self.currency)

    @property
    def most_price(self) -> Money | None:
        return None if self.most is None else Money(self.most, self.currency)


@dataclass(frozen=True)
class Listing:
    page: Page[PricedProduct]
    cards: list[Card]
    facets: list[Facet]
    filters: Filters


def list_products(
    products: QuerySet[Product], params: QueryDict, currency: str, *, sort: str = DEFAULT_SORT
) -> Listing:
    """A page of the products under the shopper's filters.

    Never raises for what was typed: an unknown sort or value is ignored, a page that is not
    there becomes the nearest that is. `sort` holds until the shopper chooses another; `""`
    keeps the order of `products`.
    """
    facets = _facets(products, params)
    filters = _read_filters(params, currency, facets, sort)
    rows = priced(_filtered(products, filters), currency)
    if filters.sort in SORTS:
        rows = rows.order_by(*_ordering(filters.sort))
    page = Paginator(rows, PAGE_SIZE).get_page(params.get("page"))
    return Listing(page, make_cards(page, currency, filters.options), facets, filters)


def priced(products: QuerySet[Product], currency: str) -> QuerySet[PricedProduct]:
    """Adds `lowest`, `highest` and `in_stock`, and the pictures, for `make_cards`."""
    of_currency = Q(variants__is_active=True, variants__prices__currency=currency)
    amount = "variants__prices__amount"
    stock = StockItem.objects.filter(
        Q(on_hand__gt=F("allocated")) | Q(back_order=True),
        variant__product=OuterRef("pk"),
        variant__is_active=True,
    )
    images = ProductImage.objects.select_related("variant").order_by("position", "pk")
    return products.annotate(
        lowest=Min(amount, filter=of_currency),
        highest=Max(amount, filter=of_currency),
        in_stock=Exists(stock),
    ).prefetch_related(Prefetch("images", images))


def make_cards(
    rows: Iterable[PricedProduct], currency: str, options: Mapping[str, list[str]] | None = None
) -> list[Card]:
    """Cards of `priced` products. Who filters by colour sees that colour's picture."""
    return [
        Card(
            slug=row.slug,
            name=row.name,
            price=None if row.lowest is None else Money(row.lowest, currency),
            varies=row.lowest != row.highest,
            available=row.in_stock,
            picture=_picture_for(row, options or {}),
        )
        for row in rows
    ]


def picture_of(image: ProductImage) -> Picture:
    return Picture(image.file.name or "", image.alt, image.width, image.height)


def in_categories(ids: Iterable[int]) -> ProductQuerySet:
    return Product.objects.on_sale().filter(category_id__in=list(ids))


def featured_cards(currency: str, count: int) -> list[Card]:
    rows = priced(Product.objects.on_sale(), currency).order_by(*SORTS[DEFAULT_SORT])
    return make_cards(rows[:count], currency)


def related_cards(product_id: int, category_id: int, currency: str, count: int) -> list[Card]:
    """Others of the category, those in stock first; not the same four under every product."""
    rows = priced(in_categories([category_id]).exclude(pk=product_id), currency)
    rotated = rows.annotate(after=Q(pk__gt=product_id)).order_by("-in_stock", "-after", "pk")
    return make_cards(rotated[:count], currency)


def read_amount(text: str, currency: str) -> int | None:
    """Minor units of an amount as typed, `12.50`. None for an empty one; raises ValueError."""
    if not (text := text.strip().replace(",", "")):
        return None
    try:
        amount = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(text) from error
    if not amount.is_finite() or not 0 <= amount <= DEAREST:
        raise ValueError(text)
    return int(amount.scaleb(EXPONENTS[currency]))


def _picture_for(product: Product, options: Mapping[str, list[str]]) -> Picture | None:
    images = list(product.images.all())
    wanted = [
        image for image in images if options and image.variant and _matches(image.variant, options)
    ]
    return next((picture_of(image) for image in wanted or images), None)


def _matches(variant: Variant, options: Mapping[str, list[str]]) -> bool:
    return all(str(variant.options.get(name)) in values for name, values in options.items())


def _ordering(sort: str) -> list[str | OrderBy]:
    """Products without a price in this currency come last, whichever way prices run."""
    return [
        F(name.removeprefix("-")).desc(nulls_last=True)
        if name == "-lowest"
        else F(name).asc(nulls_last=True)
        if name == "lowest"
        else name
        for name in SORTS[sort]
    ]


def _facets(products: QuerySet[Product], params: QueryDict) -> list[Facet]:
    """Options that tell these products apart, those that most have first.

    Values stand as staff arranged them (S, M, L); a long list, by the alphabet.
    """
    rows = (
        Variant.objects.filter(is_active=True, product__in=products.order_by().values("pk"))
        .values_list("options")
        .annotate(first=Min("position"), count=Count("pk"))
        .order_by("first", "options")
    )
    offered: dict[str, dict[str, None]] = {}
    spread: Counter[str] = Counter()
    for options, _, count in rows:
        for name, value in options.items():
            offered.setdefault(name, {})[str(value)] = None
            spread[name] += count
    facets = []
    for name in sorted(offered, key=lambda name: (-spread[name], name))[:MOST_FACETS]:
        param = name.lower()
        values = list(offered[name])
        if len(values) > LONG_LIST:
            values.sort()
        if len(values) > 1 and param not in RESERVED:
            chosen = set(params.getlist(param))
            facets.append(Facet(name, param, [(value, value in chosen) for value in values]))
    return facets


def _read_filters(
    params: QueryDict, currency: str, facets: list[Facet], default_sort: str
) -> Filters:
    sort = params.get("sort", default_sort)
    amounts: list[int | None] = []
    mistyped = False
    for name in ("min", "max"):
        try:
            amounts.append(read_amount(params.get(name, ""), currency))
        except ValueError:
            amounts.append(None)
            mistyped = True
    chosen = {
        facet.name: [value for value, is_chosen in facet.values if is_chosen] for facet in facets
    }
    return Filters(
        currency=currency,
        sort=sort if sort in SORTS else default_sort,
        least=amounts[0],
        most=amounts[1],
        options={name: values for name, values in chosen.items() if values},
        mistyped=mistyped,
    )


def _filtered(products: QuerySet[Product], filters: Filters) -> QuerySet[Product]:
    """Products with one variant that meets every filter at once."""
    if not filters.active:
        return products
    variants = Variant.objects.filter(product=OuterRef("pk"), is_active=True)
    for name, values in filters.options.items():
        any_value = Q()
        for value in values:
            any_value |= Q(options__contains={name: value})
        variants = variants.filter(any_value)
    if filters.least is not None or filters.most is not None:
        amount = Q(prices__currency=filters.currency)
        if filters.least is not None:
            amount &= Q(prices__amount__gte=filters.least)
        if filters.most is not None:
            amount &= Q(prices__amount__lte=filters.most)
        variants = variants.filter(amount)
    return products.filter(Exists(variants))
