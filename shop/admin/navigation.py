"""The admin's side bar: what people do, not which app does it."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from regions.regions import this_region


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Links that this person may follow, in groups. Unfold hides a group without links."""
    home = {"title": _("Today"), "icon": "home", "link": reverse("admin:index")}
    return [
        {"items": [home]},
        {
            "title": _("Selling"),
            "items": [
                _link(_("Orders"), "orders", "order", "receipt_long"),
                _link(_("Customers"), "shop", "customer", "group"),
                _link(_("Carts"), "shop", "cart", "shopping_basket"),
            ],
        },
        {
            "title": _("Catalogue"),
            "items": [
                _link(_("Products"), "shop", "product", "sell"),
                _link(_("Stock"), "shop", "stockitem", "inventory_2"),
                _link(_("Stock movements"), "shop", "stockmovement", "swap_vert"),
                _link(_("Categories"), "shop", "category", "account_tree"),
            ],
        },
        {
            "title": _("Behind the scenes"),
            "items": [
                _link(_("Regions"), "failover", "status", "anchor"),
                _link(_("Job runs"), "jobs", "jobrun", "schedule"),
                _link(_("Events"), "realtime", "event", "bolt"),
                _link(_("Idempotency records"), "orders", "idempotencyrecord", "fingerprint"),
                _link(_("Outgoing messages"), "orders", "outboxmessage", "outbox"),
                _link(_("Drills"), "failover", "drillrun", "emergency"),
                _link(_("Staff groups"), "auth", "group", "shield_person"),
            ],
        },
    ]


def _link(title: str | Promise, app: str, model: str, icon: str) -> dict[str, Any]:
    return {
        "title": title,
        "icon": icon,
        "link": reverse(f"admin:{app}_{model}_changelist"),
        "permission": _may_view(app, model),
    }


def _may_view(app: str, model: str) -> Callable[[HttpRequest], bool]:
    def allowed(request: HttpRequest) -> bool:
        return request.user.has_perm(f"{app}.view_{model}") or request.user.has_perm(
            f"{app}.change_{model}"
        )

    return allowed


def environment(request: HttpRequest) -> list[str]:
    """The label beside the title, and its colour: which region answered."""
    return [str(_("Served from %(region)s") % {"region": this_region().title}), "primary"]


def stylesheet(request: HttpRequest) -> str:
    return static("shop/admin.css")


def icon(request: HttpRequest) -> str:
    return static("shop/mark.svg")
