"""Devices in words that people recognise: "Firefox on Windows"."""

import re
from typing import Final

from django.utils.translation import gettext as _

SYSTEMS: Final = {"Mac OS X": "macOS", "iOS": "iOS", "Chrome OS": "ChromeOS"}
"""As their makers write them, where the parser does not."""
VARIANT: Final = re.compile(r"\bHeadless ?(?=\w)|\b(Mobile|iOS|WebView|UI/WKWebView)\b")


def device_name(agent: str) -> str:
    """Of a User-Agent header: the browser and the system, as far as they are known.

    The parser brings 7 MB of patterns, so it is imported by those who ask for a name.
    """
    import ua_parser  # noqa: PLC0415 (its tables take memory)

    found = ua_parser.parser(agent, ua_parser.Domain.USER_AGENT | ua_parser.Domain.OS)
    browser = _browser(found.user_agent.family) if found.user_agent else ""
    system = SYSTEMS.get(found.os.family, found.os.family) if found.os else ""
    if browser and system:
        return _("%(browser)s on %(system)s") % {"browser": browser, "system": system}
    return browser or system or _("Unknown device")


def _browser(family: str) -> str:
    """One name for a browser on a desk, on a phone and inside another app."""
    return " ".join(VARIANT.sub("", family).split()) or family
