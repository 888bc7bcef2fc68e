"""A process that dies when it is told to, and journeys for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from tests.card import Account
from tests.concurrency.killed import Killer
from tests.concurrency.rounds import SHOPPER, Rounds
from tests.factories import make_product
from tests.stack import Stack
from tests.staff import boss, client_of


@pytest.fixture(scope="package")
def killer(django_db_setup: None) -> Iterator[Killer]:
    with Killer.started(str(connection.settings_dict["NAME"])) as killer:
        yield killer


@pytest.fixture
def rounds(killer: Killer, stack: Stack, tmp_path: Path) -> Rounds:
    cookies = client_of(boss()).cookies.items()
    rounds = Rounds(
        killer,
        Account(stack.plan.stripe, stack.plan.secrets.stripe_key),
        sku=make_product(stock=1000).variants.get().sku,
        staff="; ".join(f"{name}={morsel.value}" for name, morsel in cookies),
        mail=tmp_path,
    )
    if not killer.is_warm:
        rounds.go(SHOPPER, at=None)
    return rounds
