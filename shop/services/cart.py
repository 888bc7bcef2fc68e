"""Carts: finding a shopper's, changing lines, joining two."""

from datetime import timedelta
from typing import Final

from django.contrib.sessions.backends.base import SessionBase
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, Sum
from django.db.models.functions import Least, Now
from django.http import HttpRequest
from django.utils import timezone

from regions.routing import outlives_writer
from shop.errors import BadQuantity, CartGone, UnknownSku
from shop.models import Cart, CartLine, Customer, Variant
from shop.models.cart import MAX_QUANTITY
from shop.money import Money

SESSION_CART: Final = "cart"
"""Session: id of a guest's cart."""
SESSION_COUNT: Final = "cart_count"
"""Session: units in the cart as of the last change, so that a page's header asks no database."""
SESSION_SEEN: Final = "cart_seen"
"""Session: amount and currency that the JSON API told last as the cart's total."""

KEEP_GUEST: Final = timedelta(days=30)
"""How long a guest's cart is kept after its last change. Its session ends long before."""
KEEP_EMPTY: Final = timedelta(days=1)
"""The same for one that holds nothing."""
SWEEP: Final = 1000
"""Most carts deleted at once, so that a long backlog holds no lock for long."""


def find_cart(request: HttpRequest) -> Cart | None:
    """The shopper's cart, or None while they have none (or theirs expired)."""
    if isinstance(request.user, Customer):
        return Cart.objects.filter(customer=request.user).first()
    return _guest_cart(request.session)


def get_or_create_cart(request: HttpRequest) -> Cart:
    """The shopper's cart, made and remembered if need be."""
    if isinstance(request.user, Customer):
        return Cart.objects.get_or_create(customer=request.user)[0]
    cart = _guest_cart(request.session)
    if cart is None:
        cart = Cart.objects.create()
        request.session[SESSION_CART] = str(cart.pk)
    return cart


def _guest_cart(session: SessionBase) -> Cart | None:
    cart_id = session.get(SESSION_CART)
    if cart_id is None:
        return None
    try:
        return Cart.objects.filter(pk=cart_id, customer=None).first()
    except ValidationError:  # not a UUID: a session from another version of the shop
        return None


def forget_lost_cart(request: HttpRequest) -> bool:
    """True, once, if the session names a guest's cart that is gone: it expired."""
    if isinstance(request.user, Customer) or _guest_cart(request.session):
        return False
    return request.session.pop(SESSION_CART, None) is not None


def count_units(cart: Cart) -> int:
    units: int = cart.lines.aggregate(units=Sum("quantity", default=0))["units"]
    return units


@outlives_writer
def told_units(request: HttpRequest) -> int:
    """Units in the shopper's cart, for those who are only told: a standby may say it."""
    cart = find_cart(request)
    return count_units(cart) if cart else 0


def remember_count(request: HttpRequest, cart: Cart | None) -> int:
    """Put the number of units into the session, if it changed. Returns it."""
    units = count_units(cart) if cart else 0
    if request.session.get(SESSION_COUNT, 0) != units:
        request.session[SESSION_COUNT] = units
    return units


def remember_total(request: HttpRequest, total: Money) -> None:
    """Put what a client of the API was told its cart costs into the session, if it changed.

    A guest without a session has no cart, and is given none for having asked.
    """
    seen = [total.amount, total.currency]
    session = request.session
    if session.get(SESSION_SEEN) != seen and (session.session_key or session.modified):
        session[SESSION_SEEN] = seen


def total_seen(request: HttpRequest) -> Money | None:
    """What the API told last; None for who has never asked, or has ordered since."""
    seen = request.session.get(SESSION_SEEN)
    return Money(*seen) if seen else None


def forget_total(request: HttpRequest) -> None:
    """The cart it was of is ordered."""
    request.session.pop(SESSION_SEEN, None)


def add_to_cart(request: HttpRequest, *, sku: str, quantity: int) -> Cart:
    """Add units to the shopper's cart, which is made if need be. Returns it.

    Raises UnknownSku, BadQuantity; then no cart was made. A guest's cart that a log-in in
    another tab joins to the customer's at this very moment is not there any more: the units go
    into a new one.
    """
    find_variant(sku)
    try:
        cart = get_or_create_cart(request)
        add_item(cart=cart, sku=sku, quantity=quantity)
    except CartGone:
        cart = get_or_create_cart(request)
        add_item(cart=cart, sku=sku, quantity=quantity)
    return cart


def find_variant(sku: str) -> Variant:
    """A variant on sale. Raises UnknownSku."""
    variant = (
        Variant.objects.select_related("product")
        .filter(sku=sku.replace("\x00", ""), is_active=True, product__is_active=True)
        .first()
    )
    if variant is None:
        raise UnknownSku(sku)
    return variant


@transaction.atomic
def add_item(*, cart: Cart, sku: str, quantity: int) -> CartLine:
    """Add units to what the cart holds, up to MAX_QUANTITY. Stock is taken at checkout.

    Raises UnknownSku, BadQuantity, CartGone.
    """
    if not 1 <= quantity <= MAX_QUANTITY:
        raise BadQuantity(quantity)
    return _put(cart, find_variant(sku), quantity)


def _put(cart: Cart, variant: Variant, quantity: int) -> CartLine:
    """Add units, up to MAX_QUANTITY, whether or not they are on sale. Raises CartGone."""
    _touch(cart)
    line, created = CartLine.objects.get_or_create(
        cart=cart, variant=variant, defaults={"quantity": quantity}
    )
    if not created:
        CartLine.objects.filter(pk=line.pk).update(
            quantity=Least(F("quantity") + quantity, MAX_QUANTITY)
        )
        line.refresh_from_db()
    return line


@transaction.atomic
def set_quantity(*, cart: Cart, sku: str, quantity: int) -> None:
    """Make the line hold this many units; 0 removes it.

    Raises UnknownSku, also where another tab has just joined the cart to a customer's;
    BadQuantity.
    """
    if not 0 <= quantity <= MAX_QUANTITY:
        raise BadQuantity(quantity)
    try:
        _touch(cart)
    except CartGone:
        raise UnknownSku(sku) from None
    lines = CartLine.objects.filter(cart=cart, variant__sku=sku.replace("\x00", ""))
    changed = lines.update(quantity=quantity) if quantity else lines.delete()[0]
    if not changed:
        raise UnknownSku(sku)


def merge_guest_cart(*, session: SessionBase, customer: Customer) -> Cart | None:
    """Join the session's guest cart to the customer's: quantities add up, nothing is dropped.

    What was withdrawn comes along too: the cart's page says so. If the database fails, the
    session still names the guest's cart.
    """
    guest = _guest_cart(session)
    if guest is None:
        cart = Cart.objects.filter(customer=customer).first()
    else:
        cart = _join(guest, customer)
    session.pop(SESSION_CART, None)
    return cart


@transaction.atomic
def _join(guest: Cart, customer: Customer) -> Cart:
    """The guest cart is gone with the same commit, so a repeated log-in adds nothing twice."""
    locked = Cart.objects.select_for_update().filter(pk=guest.pk).first()
    cart, _ = Cart.objects.get_or_create(customer=customer)
    if locked is None:  # another request of this browser joined it a moment ago
        return cart
    for line in locked.lines.select_related("variant"):
        _put(cart, line.variant, line.quantity)
    locked.delete()
    return cart


@transaction.atomic
def delete_stale_carts(*, limit: int = SWEEP) -> int:
    """Delete guests' carts that nobody comes back to. Returns how many.

    Every change of a cart moves `updated_at` under the row's lock: a cart in use is skipped, and
    one that was changed a moment ago is looked at again, so no fresh line is lost.
    """
    now = timezone.now()
    has_lines = Exists(CartLine.objects.filter(cart=OuterRef("pk")))
    stale = Q(updated_at__lt=now - KEEP_GUEST) | Q(~has_lines, updated_at__lt=now - KEEP_EMPTY)
    carts = Cart.objects.select_for_update(skip_locked=True).filter(stale, customer=None)
    found = list(carts.order_by("updated_at").values_list("pk", flat=True)[:limit])
    Cart.objects.filter(pk__in=found).delete()
    return len(found)


def _touch(cart: Cart) -> None:
    """Count the change. The update also locks the row, so changes to one cart queue up."""
    if not Cart.objects.filter(pk=cart.pk).update(version=F("version") + 1, updated_at=Now()):
        raise CartGone
    cart.version += 1
