"""`manage.py stock …`: compare stock with its ledger, and set right what differs."""

import json
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from dataclasses import asdict
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from shop.errors import StockTooLow, UnknownSku
from shop.queries.stock import Difference, Unclaimed, find_differences, find_unclaimed
from shop.services.stock import follow_ledger

DIFFERS: Final = 1  # exit codes
STOPPED: Final = 3
_VERIFY: Final = """\
Compare every stock item with the sum of its movements, and what is allocated with the units that
open orders wait for, while orders go on.

exit codes:
  0  every item equals its ledger, and holds what open orders wait for
  1  the items named differ: somebody went around the guard in the database, or a restore lost
     rows. Count the units, run `stock follow-ledger SKU`, then enter the count in the admin.
     Where the ledger is right and the orders differ, the orders named have the answer
  3  stopped: the database does not answer
"""
_FOLLOW: Final = """\
Set a stock item that differs back to what its ledger says. Enter what was counted in the admin
afterwards, as an adjustment with its reason.

exit codes:
  0  the item equals its ledger
  1  it cannot: no such SKU, or the ledger itself is broken and needs a backup
  3  stopped: the database does not answer
"""


class Command(BaseCommand):
    help = "Compare stock with its ledger, and set right what differs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        verify = actions.add_parser(
            "verify",
            help="name every SKU whose units differ from its movements",
            description=_VERIFY,
            formatter_class=RawDescriptionHelpFormatter,
        )
        verify.add_argument("--json", action="store_true", help="for a program to read")
        follow = actions.add_parser(
            "follow-ledger",
            help="set a SKU's units back to what its movements say",
            description=_FOLLOW,
            formatter_class=RawDescriptionHelpFormatter,
        )
        follow.add_argument("sku", metavar="SKU")
        follow.add_argument("--dry-run", action="store_true", help="say what would be done")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        try:
            if action == "verify":
                self._verify(as_json=options["json"])
            else:
                self._follow(options["sku"], dry_run=options["dry_run"])
        except DatabaseError as error:
            line = str(error).strip().partition("\n")[0]
            raise CommandError(
                f"The database did not answer: {line}", returncode=STOPPED
            ) from error

    def _verify(self, *, as_json: bool) -> None:
        items, found = find_differences()
        unclaimed = find_unclaimed()
        if as_json:
            document = {
                "items": items,
                "differences": [asdict(each) for each in found],
                "unclaimed": [asdict(each) for each in unclaimed],
            }
            self.stdout.write(json.dumps(document, indent=2))
        else:
            lines = [*map(_sentence, found), *map(_claim, unclaimed)]
            well = f"{items} stock items, each the sum of its movements and held by open orders"
            self.stdout.write("\n".join(lines) or well)
        if found or unclaimed:
            sys.exit(DIFFERS)

    def _follow(self, sku: str, *, dry_run: bool) -> None:
        _items, found = find_differences()
        difference = next((each for each in found if each.sku == sku), None)
        if difference and not difference.whole:
            raise CommandError(_sentence(difference))
        if difference and dry_run:
            self.stdout.write(_sentence(difference))
            return
        try:
            changed = not dry_run and follow_ledger(sku)
        except UnknownSku:
            raise CommandError(f"There is no stock item of {sku}.") from None
        except StockTooLow as error:
            raise CommandError(
                f"The ledger of {sku} has {error.on_hand} on hand and {error.allocated} allocated,"
                " which only a variant on back-order may have. Allow that in the admin first."
            ) from None
        self.stdout.write(f"{sku} follows its ledger{' again' if changed else ' already'}")


def _claim(each: Unclaimed) -> str:
    found = f"{each.sku}: {each.allocated} allocated, but open orders wait for {each.open}."
    if not each.orders:
        return f"{found} No order of the ledger differs: the units were allocated by hand."
    return (
        f"{found} Look at {', '.join(each.orders)}: their movements are not what is open of them."
    )


def _sentence(each: Difference) -> str:
    found = (
        f"{each.sku}: {each.on_hand} on hand and {each.allocated} allocated, but its ledger says"
        f" {each.ledger_on_hand} and {each.ledger_allocated}."
    )
    if not each.whole:
        return f"{found} The ledger lacks rows or was altered: restore it from a backup."
    return (
        f"{found} Count the units, run `manage.py stock follow-ledger {each.sku}`, then enter what"
        " you counted in the admin."
    )
