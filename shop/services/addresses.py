"""A customer's address book. One address is the default as long as there is any."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from shop.models import Address, Customer


@transaction.atomic
def add_address(
    *, customer: Customer, fields: Mapping[str, Any], make_default: bool = False
) -> Address:
    """Keep an address. The first one is the default; one that is there already is not doubled."""
    _lock(customer)
    address = customer.addresses.filter(**fields).first()
    if address is None:
        address = Address.objects.create(customer=customer, **fields)
    if make_default or not customer.addresses.filter(is_default=True).exists():
        _set_default(address)
    return address


@transaction.atomic
def change_address(
    *, address: Address, fields: Mapping[str, Any], make_default: bool = False
) -> None:
    _lock(address.customer)
    Address.objects.filter(pk=address.pk).update(**fields)
    if make_default:
        _set_default(address)


@transaction.atomic
def make_default(*, address: Address) -> None:
    _lock(address.customer)
    _set_default(address)


@transaction.atomic
def delete_address(*, address: Address) -> None:
    """Forget an address. If it was the default, the oldest of the others takes its place."""
    _lock(address.customer)
    Address.objects.filter(pk=address.pk).delete()
    others = Address.objects.filter(customer=address.customer)
    oldest = others.order_by("pk").first()
    if oldest and not others.filter(is_default=True).exists():
        _set_default(oldest)


def _lock(customer: Customer) -> None:
    """One change of an address book at a time: at most one default is a constraint."""
    Customer.objects.select_for_update().filter(pk=customer.pk).first()


def _set_default(address: Address) -> None:
    others = Address.objects.filter(customer=address.customer_id, is_default=True)
    others.exclude(pk=address.pk).update(is_default=False)
    Address.objects.filter(pk=address.pk).update(is_default=True)
