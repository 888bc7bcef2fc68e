"""The demo shop: what it holds, how it is drawn, and that seeding may be repeated."""

import io
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from regions.regions import all_regions
from shop.demo.catalogue import CATEGORIES, PRODUCTS
from shop.demo.items import CURRENCIES
from shop.demo.seeding import draw_galleries
from shop.models import (
    Category,
    Customer,
    Price,
    Product,
    ProductImage,
    StockItem,
    Variant,
)
from shop.queries.product import product_page
from shop.services.stock import Cause, Mover, adjust_stock, allocate_stock
from storage.buckets import bucket_name
from storage.clients import s3

VARIANTS = [variant for product in PRODUCTS for variant in product.variants]
SHOWN = [shown for shows in draw_galleries().values() for shown in shows]


def run(**options: Any) -> str:
    out = io.StringIO()
    call_command("seed_demo", stdout=out, **options)
    return out.getvalue()


@pytest.fixture
def no_admin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ADMIN_EMAIL", raising=False)
    monkeypatch.delenv("ADMIN_PASSWORD", raising=False)


@pytest.fixture
def emptied() -> Iterator[None]:
    """Every region's assets bucket without the demo's pictures, as after moto lost its memory."""
    for where in all_regions():
        for start in range(0, len(SHOWN), 1000):
            keys: Any = [{"Key": shown.key} for shown in SHOWN[start : start + 1000]]
            s3(where).delete_objects(Bucket=bucket_name("assets", where), Delete={"Objects": keys})
    yield


def shown_name() -> str:
    page = product_page("storm-lantern", "TWD")
    assert page is not None
    return str(page.data["name"])


def rows() -> list[list[tuple[Any, ...]]]:
    models = (Category, Product, Variant, Price, StockItem, ProductImage)
    return [list(model.objects.order_by("pk").values_list()) for model in models]


# --- the catalogue --------------------------------------------------------------------------


def test_catalogue_is_large_enough() -> None:
    assert len(CATEGORIES) >= 12
    assert len(PRODUCTS) >= 80
    assert len(VARIANTS) >= 200
    assert sum(product.featured for product in PRODUCTS) == 8


def test_catalogue_names_nothing_twice() -> None:
    for names in (
        [category.slug for category in CATEGORIES],
        [product.slug for product in PRODUCTS],
        [variant.sku for variant in VARIANTS],
        [product.description for product in PRODUCTS],
    ):
        assert [name for name, times in Counter(names).items() if times > 1] == []


def test_every_category_is_reachable_and_every_leaf_holds_products() -> None:
    parents = {category.parent for category in CATEGORIES}
    filled = {product.category for product in PRODUCTS}

    assert parents - {None} <= {category.slug for category in CATEGORIES}
    assert {c.slug for c in CATEGORIES} - parents - filled == set()


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.slug)
def test_product_is_described_and_priced(product: Any) -> None:
    sentences = re.findall(r"[.!?](?:\s|$)", product.description)

    assert 2 <= len(sentences) <= 5
    for variant in product.variants:
        assert tuple(variant.prices) == CURRENCIES
        assert all(amount > 0 for amount in variant.prices.values())
        assert variant.prices["SGD"] % 10 == variant.prices["USD"] % 10 == 0
        assert len(variant.sku) <= 40
    assert len({tuple(variant.options.items()) for variant in product.variants}) == len(
        product.variants
    )


def test_stock_has_empty_and_nearly_empty_shelves() -> None:
    stock = Counter(variant.stock for variant in VARIANTS)

    assert min(stock) == 0
    assert max(stock) <= 120
    assert 3 <= stock[0] <= 20
    assert 3 <= stock[2] <= 20


# --- the pictures ---------------------------------------------------------------------------


def test_no_two_pictures_are_alike() -> None:
    assert len({shown.key for shown in SHOWN}) == len(SHOWN)
    assert {shown.sku for shown in SHOWN} >= {variant.sku for variant in VARIANTS}
    assert sum(shown.sku is None for shown in SHOWN) >= len(PRODUCTS) / 2


def test_pictures_are_drawn_the_same_each_time() -> None:
    again = [shown for shows in draw_galleries().values() for shown in shows]

    assert [shown.key for shown in again] == [shown.key for shown in SHOWN]


def test_pictures_are_small_and_harmless() -> None:
    for shown in SHOWN:
        root = ElementTree.fromstring(shown.body)  # noqa: S314 (our own drawing)
        tags = {element.tag.partition("}")[2] for element in root.iter()}
        ids = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
        links = {
            value.removeprefix("url(").removesuffix(")")
            for element in root.iter()
            for name, value in element.attrib.items()
            if name.endswith("href") or "url(" in value
        }

        name = f"{shown.sku} {shown.picture.alt}"
        assert len(shown.body) < 8000, name
        assert (root.attrib["width"], root.attrib["height"]) == ("800", "800"), name
        assert tags.isdisjoint({"script", "image", "foreignObject", "text", "style", "a"}), name
        assert links == {f"#{known}" for known in ids}, name
        assert len(set(ids)) == len(ids), name
        assert 10 < len(shown.picture.alt) <= 200, name


def set_stock(product: Product, *, on_hand: int, allocated: int) -> None:
    cause = Cause(Mover.STAFF, reason="test")
    for item in StockItem.objects.filter(variant__product=product):
        adjust_stock({item.variant_id: on_hand - item.on_hand}, cause)
        allocate_stock({item.variant_id: allocated}, cause)


# --- seeding --------------------------------------------------------------------------------


@pytest.mark.django_db
def test_seeding_fills_the_shop(no_admin: None) -> None:
    run()

    assert Category.objects.count() == len(CATEGORIES)
    assert Product.objects.count() == len(PRODUCTS)
    assert Variant.objects.count() == StockItem.objects.count() == len(VARIANTS)
    assert Price.objects.count() == 4 * len(VARIANTS)
    assert ProductImage.objects.count() == len(SHOWN)
    for variant in Variant.objects.prefetch_related("images"):
        assert [image.product_id for image in variant.images.all()] == [variant.product_id]
    image = ProductImage.objects.order_by("pk")[0]
    with image.file.open() as file:
        assert file.read().startswith(b"<svg")


@pytest.mark.django_db
def test_seeding_twice_changes_nothing(no_admin: None) -> None:
    run()
    before = rows()

    with CaptureQueriesContext(
        connection,
    ) as queries:
        said = run()

    assert rows() == before
    assert "uploaded 0 pictures; created nothing" in said
    assert len(queries) < 20


@pytest.mark.django_db
def test_seeding_keeps_what_staff_changed(no_admin: None) -> None:
    run()
    product = Product.objects.get(slug="storm-lantern")
    Product.objects.filter(pk=product.pk).update(name="Storm Lamp", is_active=False)
    Price.objects.filter(variant__product=product).update(amount=1)
    set_stock(product, on_hand=7, allocated=3)
    image = ProductImage.objects.filter(product=product).earliest("position")
    other = ProductImage.objects.exclude(product=product)[0].file.name
    ProductImage.objects.filter(pk=image.pk).update(file=other)
    before = rows()

    run()

    assert rows() == before


@pytest.mark.django_db
def test_refresh_sets_texts_and_prices_back_but_not_stock(no_admin: None) -> None:
    run()
    product = Product.objects.get(slug="storm-lantern")
    prices = list(Price.objects.order_by("pk").values_list("pk", "amount"))
    Product.objects.filter(pk=product.pk).update(name="Storm Lamp", is_active=False)
    Price.objects.filter(variant__product=product).update(amount=1)
    set_stock(product, on_hand=7, allocated=3)

    run(refresh=True)

    product.refresh_from_db()
    assert (product.name, product.is_active) == ("Storm Lantern", False)
    assert list(Price.objects.order_by("pk").values_list("pk", "amount")) == prices
    stock = StockItem.objects.filter(variant__product=product).values_list("on_hand", "allocated")
    assert set(stock) == {(7, 3)}


@pytest.mark.django_db
def test_pictures_lost_by_the_bucket_are_uploaded_again(no_admin: None, emptied: None) -> None:
    run()
    lost = SHOWN[3].key
    for where in all_regions():
        s3(where).delete_object(Bucket=bucket_name("assets", where), Key=lost)
    before = rows()

    said = run()

    assert "uploaded 1 pictures" in said
    assert rows() == before
    for where in all_regions():
        found = s3(where).get_object(Bucket=bucket_name("assets", where), Key=lost)
        assert found["ContentType"] == "image/svg+xml"
        assert found["Body"].read() == SHOWN[3].body


@pytest.mark.django_db(transaction=True, databases=["default", "replica"])
def test_seeding_forgets_cached_pages(no_admin: None) -> None:
    run()
    Product.objects.filter(slug="storm-lantern").update(name="Storm Lamp")
    assert shown_name() == "Storm Lamp"

    run(refresh=True)

    assert shown_name() == "Storm Lantern"


@pytest.mark.django_db
def test_admin_is_made_once_and_keeps_a_right_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADMIN_EMAIL", "Keeper@Example.com")
    monkeypatch.setenv("ADMIN_PASSWORD", "first-harbour-light")
    run()
    admin = Customer.objects.get(email="keeper@example.com")
    first = admin.password

    run()
    admin.refresh_from_db()
    unchanged = admin.password
    monkeypatch.setenv("ADMIN_PASSWORD", "second-harbour-light")
    run()
    admin.refresh_from_db()

    assert admin.is_superuser and admin.is_staff
    assert unchanged == first
    assert admin.check_password("second-harbour-light")
    assert Customer.objects.filter(is_superuser=True).count() == 1


@pytest.mark.django_db
def test_missing_bucket_is_one_sentence(no_admin: None, settings: Any, emptied: None) -> None:
    settings.ANYPORT_NAMESPACE = "nobody-made-this"

    with pytest.raises(CommandError, match=r"^The pictures could not be stored in S3: .*bucket"):
        run()

    assert Product.objects.count() == 0
