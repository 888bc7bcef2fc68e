"""Products in the admin: variants, prices, options and pictures."""

from io import BytesIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from PIL import Image

from shop.models import Price, Product, ProductImage, StockItem, Variant
from tests.factories import make_product
from tests.staff import boss, client_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    return client_of(boss())


def product_form(product: Product, **changes: Any) -> dict[str, Any]:
    """What the browser posts for the page of a product with one variant."""
    variant = product.variants.get()
    return {
        "name": product.name,
        "slug": product.slug,
        "category": product.category_id,
        "description": product.description,
        "is_active": "on",
        "variants-TOTAL_FORMS": 1,
        "variants-INITIAL_FORMS": 1,
        "variants-0-id": variant.pk,
        "variants-0-product": product.pk,
        "variants-0-sku": variant.sku,
        "variants-0-options": "Colour: Sand",
        "variants-0-position": 0,
        "variants-0-is_active": "on",
        "variants-0-price_TWD": "1290",
        "variants-0-price_JPY": "1290",
        "variants-0-price_SGD": "12.90",
        "variants-0-price_USD": "12.90",
        "images-TOTAL_FORMS": 0,
        "images-INITIAL_FORMS": 0,
    } | changes


def save_product(client: Client, product: Product, **changes: Any) -> Any:
    url = reverse("admin:shop_product_change", args=[product.pk])
    return client.post(url, product_form(product, **changes))


def prices(product: Product) -> dict[str, int]:
    rows = Price.objects.filter(variant__product=product)
    return dict(rows.values_list("currency", "amount"))


def test_prices_are_shown_in_major_units(client: Client) -> None:
    product = make_product(amount=1290)

    response = client.get(reverse("admin:shop_product_change", args=[product.pk]))

    form = response.context["inline_admin_formsets"][0].formset.forms[0]
    assert [form[f"price_{code}"].value() for code in ("TWD", "JPY", "SGD", "USD")] == [
        "1290",
        "1290",
        "12.90",
        "12.90",
    ]


def test_prices_are_saved_in_minor_units_and_an_empty_one_is_removed(client: Client) -> None:
    product = make_product(amount=1290)

    response = save_product(
        client, product, **{"variants-0-price_USD": "14.5", "variants-0-price_JPY": ""}
    )

    assert response.status_code == 302
    assert prices(product) == {"TWD": 1290, "SGD": 1290, "USD": 1450}


@pytest.mark.parametrize(
    ("currency", "typed", "complaint"),
    [
        ("JPY", "12.50", "no more than 0 decimal places"),
        ("USD", "12.905", "no more than 2 decimal places"),
        ("USD", "0", "greater than or equal to 0.01"),
        ("USD", "-3", "greater than or equal to 0.01"),
        ("TWD", "free", "Enter a number"),
        ("SGD", "NaN", "Enter a number"),
        ("SGD", "1e30", "no more than"),
    ],
)
def test_a_wrong_price_is_refused_kindly(
    client: Client, currency: str, typed: str, complaint: str
) -> None:
    product = make_product(amount=1290)

    response = save_product(client, product, **{f"variants-0-price_{currency}": typed})

    assert response.status_code == 200
    assert complaint in response.text.replace("&#x27;", "'")
    assert prices(product) == dict.fromkeys(("TWD", "JPY", "SGD", "USD"), 1290)


def test_a_new_variant_gets_its_prices_and_first_stock(client: Client) -> None:
    product = make_product()

    response = save_product(
        client,
        product,
        **{
            "variants-TOTAL_FORMS": 2,
            "variants-1-product": product.pk,
            "variants-1-sku": "NEW-1",
            "variants-1-options": "Colour: Night blue, Size: M",
            "variants-1-position": 1,
            "variants-1-is_active": "on",
            "variants-1-price_USD": "42",
            "variants-1-on_hand": "7",
        },
    )

    assert response.status_code == 302
    variant = Variant.objects.get(sku="NEW-1")
    assert variant.options == {"Colour": "Night blue", "Size": "M"}
    assert list(variant.prices.values_list("currency", "amount")) == [("USD", 4200)]
    assert (variant.stock.on_hand, variant.stock.allocated) == (7, 0)


def test_a_product_page_cannot_change_the_stock_of_a_variant_that_exists(client: Client) -> None:
    product = make_product(stock=10)

    save_product(client, product, **{"variants-0-on_hand": "99"})

    assert StockItem.objects.get(variant__product=product).on_hand == 10


@pytest.mark.parametrize("options", ["Sand", "Colour:", ": Sand"])
def test_options_without_a_name_or_choice_are_refused(client: Client, options: str) -> None:
    product = make_product()

    response = save_product(client, product, **{"variants-0-options": options})

    assert response.status_code == 200
    assert "Write options as" in response.text


def test_a_sku_that_is_taken_is_a_form_error(client: Client) -> None:
    taken = make_product().variants.get()
    product = make_product()

    response = save_product(client, product, **{"variants-0-sku": taken.sku})

    assert response.status_code == 200
    assert "SKU already exists" in response.text


def test_the_list_toggle_takes_a_product_off_sale_and_touches_nothing_else(client: Client) -> None:
    product = make_product()
    url = reverse("admin:shop_product_changelist")

    response = client.post(
        url,
        {
            "form-TOTAL_FORMS": 1,
            "form-INITIAL_FORMS": 1,
            "form-0-id": product.pk,
            "_save": "Save",
        },
    )

    assert response.status_code == 302
    product.refresh_from_db()
    assert (product.is_active, product.name) == (False, "Rope Bag")


@pytest.mark.parametrize(("state", "found"), [("out", ["A"]), ("low", ["B"]), ("in", ["B", "C"])])
def test_products_are_filtered_by_stock(client: Client, state: str, found: list[str]) -> None:
    for name, stock in (("A", 0), ("B", 3), ("C", 50)):
        make_product(name=name, stock=stock)

    response = client.get(reverse("admin:shop_product_changelist"), {"stock": state})

    assert [product.name for product in response.context["cl"].result_list] == found


# --- Pictures ---------------------------------------------------------------------------------


def picture(kind: str = "PNG", size: tuple[int, int] = (60, 40)) -> bytes:
    body = BytesIO()
    Image.new("RGB", size, "#0f4c4a").save(body, kind)
    return body.getvalue()


def upload(client: Client, product: Product, name: str, body: bytes) -> Any:
    return save_product(
        client,
        product,
        **{
            "images-TOTAL_FORMS": 1,
            "images-0-product": product.pk,
            "images-0-file": SimpleUploadedFile(name, body, "image/png"),
            "images-0-alt": "A bag",
            "images-0-position": 0,
        },
    )


@pytest.mark.parametrize(
    ("kind", "suffix"), [("PNG", ".png"), ("JPEG", ".jpg"), ("WEBP", ".webp"), ("AVIF", ".avif")]
)
def test_a_picture_is_stored_and_measured(client: Client, kind: str, suffix: str) -> None:
    product = make_product()

    response = upload(client, product, "whatever.exe", picture(kind))

    assert response.status_code == 302
    image = ProductImage.objects.get(product=product)
    assert (image.width, image.height, image.alt) == (60, 40, "A bag")
    name = str(image.file.name)
    assert (name[:7], name[-len(suffix) :]) == ("sha256/", suffix)
    assert image.file.storage.open(name).read() == picture(kind)


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.mark.parametrize(
    ("name", "body", "complaint"),
    [
        ("a.svg", SVG, "not a JPEG, PNG, WebP or AVIF"),
        ("a.png", SVG, "not a JPEG, PNG, WebP or AVIF"),
        ("a.png", b"MZ\x90\x00", "not a JPEG, PNG, WebP or AVIF"),
        ("a.gif", picture("GIF"), "not a JPEG, PNG, WebP or AVIF"),
        ("a.jpg", picture("JPEG", (900, 900))[:900], "not a JPEG, PNG, WebP or AVIF"),
        ("a.png", picture() + b"\0" * 5 * 1024 * 1024, "larger than 5 MB"),
        ("a.png", picture("PNG", (10_000, 5_001)), "50 million pixels"),
    ],
    ids=["svg", "svg named png", "program", "gif", "truncated", "too large", "bomb"],
)
def test_what_is_no_picture_is_refused(
    client: Client, name: str, body: bytes, complaint: str
) -> None:
    product = make_product()

    response = upload(client, product, name, body)

    assert response.status_code == 200
    assert complaint in response.text
    assert not ProductImage.objects.exists()
