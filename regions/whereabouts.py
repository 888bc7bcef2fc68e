"""Which region an address is in, as far as settings and the running stack tell."""

import json
from pathlib import Path
from typing import Any

from django.conf import settings

from regions.regions import all_regions


def stack() -> dict[str, Any]:
    """What `manage.py up` says of the stack it runs; empty elsewhere."""
    try:
        description: dict[str, Any] = json.loads(
            (Path(settings.STATE_DIR) / "stack.json").read_text()
        )
    except (AttributeError, OSError, ValueError):  # production has no STATE_DIR
        return {}
    return description


def region_of(address: str) -> str:
    """The region whose `host:port` it is; empty when nothing tells.

    The stack knows its own; elsewhere a host's name has the region's, or that of AWS, in it.
    """
    description = stack()
    for store in description.get("stores", {}).values():
        if isinstance(store, dict):
            for region, known in store.items():
                if known == address:
                    return str(region)
    sentinels = description.get("stores", {}).get("sentinels", [])
    if address in sentinels and len(sentinels) == len(all_regions()):
        return str(list(description["regions"])[sentinels.index(address)])
    for found in all_regions():
        if found.name in address or found.aws_region in address:
            return found.name
    host, _, port = address.rpartition(":")
    if (host, port) == (settings.DATABASE_LOCAL_HOST[0], str(settings.DATABASE_LOCAL_HOST[1])):
        return str(settings.ANYPORT_REGION)
    return ""
