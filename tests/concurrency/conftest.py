"""Processes that die when they are told to, and journeys for them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client

from shop.models import Customer
from tests.card import Account
from tests.concurrency.killed import Killer
from tests.concurrency.rounds import Rounds
from tests.factories import make_customer, make_product
from tests.stack import Stack
from tests.staff import boss, client_of


@pytest.fixture(scope="package")
def mailbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mail")


@pytest.fixture(scope="package")
def killers(django_db_setup: None, mailbox: Path, stack: Stack) -> Iterator[tuple[Killer, Killer]]:
    """Taiwan's and Tokyo's, each with the stores of its region."""
    database = str(connection.settings_dict["NAME"])
    at_home, abroad = (stack.plan.regional_environment(name) for name in ("taiwan", "tokyo"))
    with (
        Killer.started(database, mailbox, at_home) as taiwan,
        Killer.started(database, mailbox, abroad) as tokyo,
    ):
        yield taiwan, tokyo


@pytest.fixture
def rounds(killers: tuple[Killer, Killer], mailbox: Path, stack: Stack) -> Rounds:
    taiwan, tokyo = killers
    mei = make_customer()
    sku = make_product(stock=1000).variants.get().sku
    rounds = Rounds(
        taiwan,
        tokyo,
        account=Account(stack.plan.stripe, stack.plan.secrets.stripe_key),
        mailbox=mailbox,
        shared={"sku": sku, "staff": cookies_of(boss())},
        customer={"customer": mei.pk, "cookies": cookies_of(mei)},
    )
    rounds.warm_up()
    return rounds


def cookies_of(person: Customer) -> str:
    client: Client = client_of(person)
    return "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
