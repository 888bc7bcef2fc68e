"""A shopper over HTTP: cookies, forms and their hidden fields, as a browser without scripts."""

import ssl
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final, Self
from urllib.parse import urljoin, urlsplit
from uuid import uuid4

import httpx

NO_TLS: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Shared by all: to load the world's certificates takes a client 50 ms, and none is ever used."""
ADDRESS: Final = {
    "email": "mei@example.com",
    "name": "Lin Mei",
    "line1": "12 Harbour Road",
    "line2": "",
    "city": "Keelung",
    "postcode": "202",
    "country": "TW",
    "delivery_method": "standard",
    "payment_method": "invoice",
}


def new_email() -> str:
    """An address nobody else has."""
    return f"shopper-{uuid4().hex[:12]}@example.com"


@dataclass
class Form:
    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)


class _FormParser(HTMLParser):
    """Collects every form of a page with the values a browser would send untouched."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._select: str | None = None
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = True
            self.forms.append(
                Form(attributes.get("action", ""), attributes.get("method", "get").lower())
            )
        elif self._inside and tag in {"input", "select", "textarea", "option"}:
            self._field(tag, attributes)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
        elif tag == "select":
            self._select = None

    def _field(self, tag: str, attributes: dict[str, str]) -> None:
        fields = self.forms[-1].fields
        name = attributes.get("name", "")
        if tag == "select":
            self._select = name
        elif tag == "option":
            chosen = "selected" in attributes or self._select not in fields
            if self._select and chosen:
                fields[self._select] = attributes.get("value", "")
        elif name and attributes.get("type") in {"radio", "checkbox"}:
            if "checked" in attributes:
                fields[name] = attributes.get("value", "on")
        elif name and attributes.get("type") not in {"submit", "button", "image"}:
            fields[name] = attributes.get("value", "")


def forms_of(page: str) -> list[Form]:
    parser = _FormParser()
    parser.feed(page)
    return parser.forms


class Shopper:
    """Uses the shop at `base`. Every answer's region is kept in `regions`."""

    def __init__(self, base: str, *, timeout: float = 20) -> None:
        self.client = httpx.Client(base_url=base, verify=NO_TLS, trust_env=False, timeout=timeout)
        self.base = base
        self.regions: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.client.close()

    def get(self, path: str) -> httpx.Response:
        return self._seen(self.client.get(path))

    def submit(self, page: httpx.Response, form: Form, **changes: str) -> httpx.Response:
        """Send a form as the browser would; follow a redirect with GET."""
        target = urljoin(str(page.url), form.action) if form.action else str(page.url)
        path = urlsplit(target)
        response = self.client.post(
            f"{path.path}?{path.query}" if path.query else path.path,
            data=form.fields | changes,
            headers={"Referer": str(page.url), "Origin": self.base},
        )
        return self._seen(response)

    def follow(self, response: httpx.Response) -> httpx.Response:
        while response.is_redirect:
            response = self.get(urlsplit(response.headers["Location"]).path)
        return response

    def add(self, product: str, sku: str, quantity: int = 1) -> httpx.Response:
        """Put a variant into the cart from its product's page."""
        page = self.get(f"/products/{product}/?variant={sku}")
        form = next(form for form in forms_of(page.text) if form.action.endswith("/cart/items/"))
        return self.follow(self.submit(page, form, sku=sku, quantity=str(quantity)))

    def open_checkout(self) -> tuple[httpx.Response, Form]:
        page = self.get("/checkout/")
        return page, next(form for form in forms_of(page.text) if "key" in form.fields)

    def check_out(self, **changes: str) -> httpx.Response:
        """Order what is in the cart. The answer to the POST: 303 to the order, or a page."""
        page, form = self.open_checkout()
        return self.submit(page, form, **(ADDRESS | changes))

    def _seen(self, response: httpx.Response) -> httpx.Response:
        self.regions.append(response.headers.get("Anyport-Region", ""))
        return response
