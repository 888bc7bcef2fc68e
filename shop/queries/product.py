"""One product's page: what changes rarely comes from the cache, stock is always read."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, TypedDict

from django.db.models import Case, F, IntegerField, Prefetch, Q, When
from django.db.models.functions import Greatest

from shop.models import Price, Product, Variant
from shop.money import Money
from shop.queries.catalogue import Picture
from storage.cache import cache_key, read_through

LONGEST_SLUG: Final = 200


class ImageData(TypedDict):
    name: str
    alt: str
    width: int
    height: int
    sku: str


class VariantData(TypedDict):
    sku: str
    options: dict[str, str]
    prices: dict[str, int]


class ProductData(TypedDict):
    id: int
    slug: str
    name: str
    description: str
    category: int
    images: list[ImageData]
    variants: list[VariantData]


@dataclass(frozen=True)
class Offer:
    """A variant as it can be bought now. `price` is None where the currency has none."""

    sku: str
    options: Mapping[str, str]
    price: Money | None
    available: int
    """Units on the shelf for sale."""
    back_order: bool = False
    """More can be ordered; they are sent when they have come."""

    @property
    def orderable(self) -> bool:
        return self.available > 0 or self.back_order

    @property
    def title(self) -> str:
        return ", ".join(self.options.values())


@dataclass(frozen=True)
class Value:
    """A value of an option, and the variant that choosing it leads to."""

    name: str
    offer: Offer
    chosen: bool
    picture: Picture | None


@dataclass(frozen=True)
class Choice:
    """An option to choose, such as Colour."""

    name: str
    value: str
    values: list[Value]
    pictured: bool = False
    """Pictures stand for its values."""

    @property
    def distinct_pictures(self) -> bool:
        """Every value has a picture of its own."""
        names = [value.picture.name for value in self.values if value.picture]
        return len(set(names)) == len(self.values)


@dataclass(frozen=True)
class ProductPage:
    data: ProductData
    offers: list[Offer]
    chosen: Offer | None
    """None for a product without variants on sale."""

    @property
    def pictures(self) -> list[Picture]:
        """The chosen variant's first, then those of the product as a whole."""
        images = self.data["images"]
        own = [image for image in images if self.chosen and image["sku"] == self.chosen.sku]
        rest = [image for image in images if not image["sku"]]
        return [_picture(image) for image in own + rest or images]

    @property
    def choices(self) -> list[Choice]:
        """Options with more than one value, the pictured one first (JSON kept no order).

        Each value leads to the variant nearest to the chosen one: it keeps the other options
        where it can.
        """
        if self.chosen is None:
            return []
        names = list(dict.fromkeys(name for offer in self.offers for name in offer.options))
        choices = [self._choice(name, self.chosen) for name in names]
        real = [choice for choice in choices if len(choice.values) > 1]
        # Of the options that pictures can show, the most varied one is shown by them.
        drawn = [choice for choice in real if choice.distinct_pictures]
        lead = max(drawn, key=lambda choice: len(choice.values), default=None)
        rest = [choice for choice in real if choice is not lead]
        return [replace(lead, pictured=True), *rest] if lead else rest

    def _choice(self, name: str, chosen: Offer) -> Choice:
        current = chosen.options.get(name, "")
        nearest: dict[str, Offer] = {}
        for offer in sorted(self.offers, key=lambda offer: -_likeness(offer, chosen)):
            nearest.setdefault(offer.options.get(name, ""), offer)
        in_order = dict.fromkeys(offer.options.get(name, "") for offer in self.offers)
        return Choice(
            name,
            current,
            [
                Value(value, nearest[value], value == current, self._picture_of(nearest[value]))
                for value in in_order
                if value
            ],
        )

    def _picture_of(self, offer: Offer) -> Picture | None:
        images = (image for image in self.data["images"] if image["sku"] == offer.sku)
        return next((_picture(image) for image in images), None)


def page_key(slug: str) -> str:
    return cache_key("product", "page", slug)


def product_page(slug: str, currency: str, sku: str = "") -> ProductPage | None:
    """The page with the variant asked for, else with the first that can be bought.

    None for a product that is not on sale. One cache read and one query.
    """
    if len(slug) > LONGEST_SLUG:
        return None
    data = read_through(page_key(slug), lambda: _load(slug))
    if data is None:
        return None
    stock = read_stock(data["id"])
    offers = [
        Offer(
            variant["sku"],
            variant["options"],
            Money(variant["prices"][currency], currency) if currency in variant["prices"] else None,
            *stock[variant["sku"]],
        )
        for variant in data["variants"]
        if variant["sku"] in stock
    ]
    buyable = [offer for offer in offers if offer.orderable and offer.price]
    asked = [offer for offer in offers if offer.sku == sku]
    return ProductPage(data, offers, next(iter(asked or buyable or offers), None))


def read_stock(product_id: int) -> dict[str, tuple[int, bool]]:
    """Units that can be sold now, and whether on back-order too, by SKU of the variants on sale.

    Never cached.
    """
    free = F("stock__on_hand") - F("stock__allocated")
    rows = Variant.objects.filter(product_id=product_id, is_active=True).annotate(
        free=Case(
            When(Q(stock=None), then=0),
            default=Greatest(free, 0),
            output_field=IntegerField(),
        )
    )
    return {
        sku: (available, bool(back_order))
        for sku, available, back_order in rows.values_list("sku", "free", "stock__back_order")
    }


def _load(slug: str) -> ProductData | None:
    on_sale = Variant.objects.filter(is_active=True).prefetch_related(
        Prefetch("prices", Price.objects.order_by("currency"))
    )
    product = (
        Product.objects.on_sale()
        .prefetch_related(Prefetch("variants", on_sale), "images__variant")
        .filter(slug=slug)
        .first()
    )
    if product is None:
        return None
    images: list[ImageData] = [
        {
            "name": image.file.name or "",
            "alt": image.alt,
            "width": image.width,
            "height": image.height,
            "sku": image.variant.sku if image.variant else "",
        }
        for image in product.images.all()
    ]
    variants: list[VariantData] = [
        {
            "sku": variant.sku,
            "options": {name: str(value) for name, value in variant.options.items()},
            "prices": {price.currency: price.amount for price in variant.prices.all()},
        }
        for variant in product.variants.all()
    ]
    return {
        "id": product.pk,
        "slug": product.slug,
        "name": product.name,
        "description": product.description,
        "category": product.category_id,
        "images": images,
        "variants": variants,
    }


def _likeness(offer: Offer, other: Offer) -> int:
    """How many options two variants share; one that can be ordered wins a tie."""
    shared = sum(other.options.get(name) == value for name, value in offer.options.items())
    return shared * 2 + offer.orderable


def _picture(image: ImageData) -> Picture:
    return Picture(image["name"], image["alt"], image["width"], image["height"])
