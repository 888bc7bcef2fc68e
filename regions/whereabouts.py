"""Which region an address is in, as far as settings and the running stack tell."""

import json
from pathlib import Path
from typing import Any

from django.conf import settings

from regions.regions import all_regions, this_region


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


def database_hosts() -> dict[str, tuple[str, int]]:
    """By region, as the hosts' names tell it, or else the order of ANYPORT_REGIONS."""
    names = [region.name for region in all_regions()]
    hosts = {region_of(f"{host}:{port}"): (host, port) for host, port in settings.DATABASE_HOSTS}
    if hosts.keys() == set(names):
        return {name: hosts[name] for name in names}
    if len(names) == len(settings.DATABASE_HOSTS):
        return dict(zip(names, settings.DATABASE_HOSTS, strict=True))
    return {this_region().name: settings.DATABASE_LOCAL_HOST}


def region_of_database(host: str, port: int) -> str:
    """Empty when nothing tells."""
    known = (name for name, address in database_hosts().items() if address == (host, port))
    return next(known, "") or region_of(f"{host}:{port}")
