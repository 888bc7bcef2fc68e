"""Invoices: a PDF that is drawn once, kept in S3, and shown to whoever may see the order."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from pypdfium2 import PdfDocument  # type: ignore[import-untyped]  # it has no types
from pytest_django.fixtures import Settings

from orders.errors import WrongStatus
from orders.invoice import invoice_url
from orders.models import Order, OrderLine
from orders.pdf import draw_invoice
from regions.regions import all_regions
from storage.buckets import bucket_name
from storage.clients import s3
from tests.factories import make_customer, make_order, make_product
from tests.staff import clerk, client_of

pytestmark = pytest.mark.django_db


def make_ordered(lines: int = 1, *, name: str = "Rope Bag", **fields: Any) -> Order:
    """An order of one unit at 1290 a line."""
    order = make_order(subtotal_amount=1290 * lines, **fields)
    for _ in range(lines):
        variant = make_product(name=name).variants.get()
        OrderLine.objects.create(
            order=order,
            variant=variant,
            sku=variant.sku,
            name=name,
            options=variant.options,
            quantity=1,
            unit_amount=1290,
            total_amount=1290,
        )
    return order


def written(order: Order) -> list[str]:
    """Names of the regions whose bucket has the invoice."""
    return [
        where.name
        for where in all_regions()
        if s3(where).list_objects_v2(
            Bucket=bucket_name("uploads", where), Prefix=f"invoices/{order.number}"
        )["KeyCount"]
    ]


def pages_of(document: bytes) -> list[str]:
    """The text of each page, as a reader would copy it."""
    with PdfDocument(document) as pages:
        return [page.get_textpage().get_text_range().replace("\r\n", "\n") for page in pages]


def invoice_page(order: Order) -> str:
    return reverse("orders:invoice", args=[order.number])


def test_an_invoice_names_everything_that_was_bought() -> None:
    order = make_ordered(2, currency="USD")
    line = order.lines.all()[0]

    (page,) = pages_of(draw_invoice(order))

    texts = page.split("\n")
    assert "Invoice" in texts
    assert {order.number, "Mei Lin", "1 Harbour Road", "100 Taipei", "Taiwan"} <= set(texts)
    assert f"Sand · {line.sku}" in texts
    for text in ("US$12.90", "US$25.80", "US$0.80", "US$26.60", "Tax number 24867702"):
        assert text in page
    assert "Bank of the Three" in page  # an invoice says where it is paid


def test_an_invoice_writes_chinese_japanese_and_korean() -> None:
    taipei = make_ordered(name="鐵壺", language="zh-hant", line1="信義路五段7號")
    tokyo = make_order(language="ja", country="JP", city="東京都渋谷区", line1="神南1-2-3 𠮷野ビル")
    seoul = make_order(country="KR", city="서울특별시", line1="สวัสดี")

    (first,), (second,), (third,) = (
        pages_of(draw_invoice(order)) for order in (taipei, tokyo, seoul)
    )

    assert "信義路五段7號" in first
    assert "鐵壺" in first
    assert "發票" in first
    assert "神南1-2-3 𠮷野ビル" in second
    assert "100 東京都渋谷区" in second
    assert "請求書" in second
    assert "서울특별시" in third
    assert "??????" in third  # no letters of ours: seen to be missing, not left out


def test_a_long_invoice_goes_on_with_its_number_and_headings() -> None:
    order = make_ordered(25)

    pages = pages_of(draw_invoice(order))

    assert len(pages) == 3
    assert all(order.number in page for page in pages)
    assert [page.count("Rope Bag") for page in pages] == [10, 14, 1]
    assert [f"{number} / 3" in page for number, page in enumerate(pages, 1)] == [True] * 3


def test_the_same_order_gives_the_same_bytes() -> None:
    order = make_ordered()
    first = draw_invoice(order)
    Order.objects.filter(pk=order.pk).update(status=Order.Status.PAID)

    assert draw_invoice(Order.objects.get(pk=order.pk)) == first


def test_the_first_invoice_stays_what_it_is(settings: Settings) -> None:
    order = make_ordered(region=settings.ANYPORT_REGION)
    first = httpx.get(invoice_url(order))
    order.name = "Somebody Else"  # as staff may set it
    order.save()

    again = httpx.get(invoice_url(order))

    assert first.headers["Content-Type"] == "application/pdf"
    assert "Mei Lin" in pages_of(first.content)[0]
    assert again.content == first.content
    assert "Mei Lin" not in pages_of(draw_invoice(order))[0]  # control: it would be another


@pytest.mark.django_db(transaction=True)
def test_two_who_ask_at_once_get_the_same_invoice() -> None:
    order = make_ordered()
    other = Order.objects.get(pk=order.pk)
    other.name = "Somebody Else"  # so that two writes would differ

    def ask(asked: Order) -> bytes:
        try:
            return httpx.get(invoice_url(asked)).content
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(ask, (order, other))

    assert first == second
    assert draw_invoice(order) != draw_invoice(other)  # control: it mattered who was first


def test_an_invoice_lies_where_its_order_was_placed(settings: Settings) -> None:
    order = make_ordered(region="taiwan")
    settings.ANYPORT_REGIONS = {"taiwan": "ap-east-2", "tokyo": "ap-northeast-1"}
    settings.ANYPORT_REGION = "tokyo"

    invoice_url(order)

    settings.ANYPORT_REGIONS = {"taiwan": "ap-east-2"}
    assert written(order) == ["taiwan"]


def test_another_region_serves_while_the_bucket_of_the_first_is_gone(settings: Settings) -> None:
    order = make_ordered(region="lost")
    here = settings.ANYPORT_REGION
    # Its bucket was never made: S3 says NoSuchBucket to the write.
    settings.ANYPORT_REGIONS = {"lost": "ap-south-1", here: settings.ANYPORT_REGIONS[here]}

    answer = httpx.get(invoice_url(order))

    assert order.number in pages_of(answer.content)[0]


def test_an_invoice_is_asked_of_two_regions_before_its_reader_is_told(settings: Settings) -> None:
    here, code = settings.ANYPORT_REGION, settings.ANYPORT_REGIONS[settings.ANYPORT_REGION]
    order = make_ordered(region="lost", customer=make_customer())
    assert order.customer
    reader = client_of(order.customer)
    reader.raise_request_exception = False
    # "here" would serve, but third: S3 says NoSuchBucket in the two before it.
    settings.ANYPORT_REGIONS = {"lost": "ap-south-1", "gone": "ap-south-2", here: code}
    settings.ANYPORT_REGION = "gone"

    response = reader.get(invoice_page(order))

    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    settings.ANYPORT_REGIONS, settings.ANYPORT_REGION = {here: code}, here
    assert written(order) == []
    assert reader.get(invoice_page(order)).status_code == 302  # control


def test_a_cancelled_order_gets_no_invoice() -> None:
    order = make_ordered(status=Order.Status.CANCELLED)

    with pytest.raises(WrongStatus):
        invoice_url(order)

    assert written(order) == []


def test_the_invoice_is_for_whoever_may_see_the_order(client: Client) -> None:
    order = make_ordered(customer=make_customer())
    assert order.customer
    allowed = [client_of(order.customer), client_of(clerk("view_order"))]
    strangers = [client, client_of(make_customer()), client_of(clerk("view_product"))]

    refused = [stranger.get(invoice_page(order)) for stranger in strangers]
    assert written(order) == []  # nothing was drawn for them
    shown = [person.get(invoice_page(order)) for person in allowed]

    assert [response.status_code for response in refused] == [404, 404, 404]
    assert [response.status_code for response in shown] == [302, 302]
    address = urlsplit(shown[0].headers["Location"])
    assert address.path.endswith(f"/invoices/{order.number}.pdf")
    query = parse_qs(address.query)
    assert query.keys() & {"X-Amz-Signature", "Signature"}
    assert "no-store" in shown[0].headers["Cache-Control"]
    assert httpx.get(shown[0].headers["Location"]).content.startswith(b"%PDF-")
    unsigned = shown[0].headers["Location"].partition("?")[0]
    assert httpx.get(unsigned).status_code != 200


def test_the_invoice_of_a_cancelled_order_leads_to_its_page() -> None:
    order = make_ordered(customer=make_customer(), status=Order.Status.CANCELLED)
    assert order.customer

    response = client_of(order.customer).get(invoice_page(order))

    assert (response.status_code, response.headers["Location"]) == (302, order.get_absolute_url())
