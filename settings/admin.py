"""The admin's looks: Unfold's settings. `base` imports them; values do not depend on variables."""

from typing import Any

from django.utils.translation import gettext_lazy as _

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Anyport",
    "SITE_HEADER": "Anyport",
    "SITE_SUBHEADER": _("any port in a storm"),
    "SITE_SYMBOL": "anchor",
    "SITE_URL": "/",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": "shop.admin.navigation.icon"}
    ],
    "ENVIRONMENT": "shop.admin.navigation.environment",
    "DASHBOARD_CALLBACK": "orders.admin.dashboard.dashboard",
    "STYLES": ["shop.admin.navigation.stylesheet"],
    "LOGIN": {"form": "shop.staff_login.StaffLoginForm"},
    "SIDEBAR": {"show_search": False, "navigation": "shop.admin.navigation.sidebar"},
    "BORDER_RADIUS": "4px",
    "COLORS": {
        "base": {  # warm paper by day, the harbour by night (800-950)
            "50": "#faf8f4",
            "100": "#f2eee6",
            "200": "#e4ded2",
            "300": "#cdc6b8",
            "400": "#a59e91",
            "500": "#6c685f",
            "600": "#46504f",
            "700": "#2f4048",
            "800": "#22333c",
            "900": "#0d171d",
            "950": "#081014",
        },
        "primary": {  # harbour green
            "50": "#eff6f5",
            "100": "#d8eae8",
            "200": "#b1d5d1",
            "300": "#84bdb7",
            "400": "#5aa9a2",
            "500": "#43a39b",
            "600": "#0f4c4a",
            "700": "#0c3f3d",
            "800": "#0a3332",
            "900": "#082827",
            "950": "#041717",
        },
        "font": {
            "important-light": "#14222b",
            "important-dark": "#e8e4da",
        },
    },
}
