"""People who work in the admin, for tests."""

from django.contrib.auth.models import Permission
from django.test import Client

from shop.models import Customer
from tests.factories import make_customer


def boss() -> Customer:
    """Somebody who may do everything."""
    return make_customer(email="boss@example.com", is_staff=True, is_superuser=True)


def clerk(*permissions: str) -> Customer:
    """Somebody on the staff with just these permissions: `view_order`."""
    person = make_customer(is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return person


def client_of(person: Customer) -> Client:
    client = Client()
    client.force_login(person)
    return client
