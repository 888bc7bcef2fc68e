"""Where the shop sends parcels."""

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

COUNTRIES: Final[list[tuple[str, Promise]]] = [
    ("TW", _("Taiwan")),
    ("JP", _("Japan")),
    ("SG", _("Singapore")),
    ("AU", _("Australia")),
    ("CA", _("Canada")),
    ("FR", _("France")),
    ("DE", _("Germany")),
    ("KR", _("Korea")),
    ("MY", _("Malaysia")),
    ("TH", _("Thailand")),
    ("GB", _("United Kingdom")),
    ("US", _("United States")),
]
"""ISO 3166 codes with names: the three harbours first, then by name."""


def country_name(code: str) -> str:
    """The code itself for a country we do not name (an order made through the API)."""
    return str(dict(COUNTRIES).get(code, code))
