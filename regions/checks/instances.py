"""Each region's own instances: are they ready, what do they see, do they run the same code."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

from django.conf import settings

from regions import direct
from regions.checkup import (
    Answer,
    Check,
    Degraded,
    Finding,
    Probe,
    State,
    conclusion,
    findings_of,
    patience,
    probes,
)
from regions.whereabouts import stack

NAMED: Final = 4
"""Problems that are named of those which a region sees."""
_ELSEWHERE: Final = "None: the front door asks the other regions."

SERVING: Final = Check(
    "region.serving",
    "at least one region is ready for shoppers",
    impact="The shop is down: every page answers 503.",
    advice="See region.ready: undrain one (manage.py failover undrain REGION), or start its web.",
    rank=0,
    deep=False,
)
ADDRESSES: Final = Check(
    "region.addresses",
    "ANYPORT_REGION_URLS names each region's own address",
    impact="None. But nobody can see whether that region serves, and it cannot be drained.",
    advice="ANYPORT_REGION_URLS=REGION=https://…,… with each region's address past the front door.",
    worst=State.DEGRADED,
    rank=5,
    deep=False,
)
READY: Final = Check(
    "region.ready",
    "each region's web instance answers and takes requests",
    impact=_ELSEWHERE,
    advice="Read the log of web there, and start it again.",
    worst=State.DEGRADED,
    rank=3,
    after=("region.serving", "region.drained"),
    deep=False,
    local=True,
)
SOCKETS: Final = Check(
    "region.sockets",
    "each region's WebSocket instance answers (where a stack runs on this machine)",
    impact="None: pages connect to the other regions.",
    advice="Read the log of ws there, and start it again.",
    worst=State.DEGRADED,
    deep=False,
)
VIEW: Final = Check(
    "region.view",
    "each region reaches the stores itself (GET /health/deep there)",
    impact="Shoppers who are served there meet slow pages or 503, and try again elsewhere.",
    advice="If only this region sees it, its network is cut: manage.py failover drain REGION.",
    worst=State.DEGRADED,
    rank=4,
    after=(
        *("postgres.writer", "postgres.role", "redis.primary", "redis.node", "redis.sentinel"),
        *("s3.round-trip", "dynamodb.write", "region.ready"),
    ),
    deep=False,
)
VERSION: Final = Check(
    "region.version",
    "every region runs the same code",
    impact="None while a deploy is under way; else two shoppers see two shops.",
    advice="Finish the deploy, or take it back, in the regions named.",
    worst=State.DEGRADED,
    rank=6,
    deep=False,
)


@conclusion(ADDRESSES, needs=())
def addresses(findings: Sequence[Finding]) -> Iterator[Finding]:
    unnamed = [
        name for name in settings.ANYPORT_REGIONS if name not in settings.ANYPORT_REGION_URLS
    ]
    if unnamed:
        yield ADDRESSES.problem("settings", f"no address of {', '.join(unnamed)}")
    else:
        yield ADDRESSES.ok("settings", f"of {', '.join(settings.ANYPORT_REGIONS)}")


@probes
def instances() -> Iterator[Probe]:
    for region, address in settings.ANYPORT_REGION_URLS.items():
        yield Probe(READY, address, partial(_ask_ready, address), region)
    for region, addresses in stack().get("regions", {}).items():
        address = addresses["ws"].replace("ws://", "http://", 1)
        yield Probe(SOCKETS, address, partial(_ask_ready, address), region)


def _ask_ready(address: str) -> Answer:
    reply = direct.get(address, "/health/ready", timeout=patience(0.9))
    if reply.status == 200:
        return Answer("ready")
    raise Degraded(f"takes no requests: {_reason(reply)}")


def _reason(reply: direct.Reply) -> str:
    try:
        document = json.loads(reply.body)
    except ValueError:
        return f"HTTP {reply.status}"
    return str(document.get("reason") or f"HTTP {reply.status}")


@conclusion(SERVING, needs=[READY])
def serving(findings: Sequence[Finding]) -> Iterator[Finding]:
    asked = findings_of(READY, findings)
    ready = [finding.region for finding in asked if finding.state is State.OK]
    if ready:
        yield SERVING.ok("all regions", f"{len(ready)} of {len(asked)} are ready")
    elif asked:
        yield SERVING.problem("all regions", "no region takes requests")


@probes
def views() -> Iterator[Probe]:
    for region, address in settings.ANYPORT_REGION_URLS.items():
        yield Probe(VIEW, address, partial(_ask_view, address), region)


def _ask_view(address: str) -> Answer:
    """What that process found. Its facts and its clock are for conclusions."""
    path = f"/health/deep?limit={patience(0.6):g}"
    reply = direct.get(address, path, timeout=patience(0.9))
    if reply.status != 200:
        raise Degraded(f"/health/deep answers {reply.status}: busy, or older code")
    document: dict[str, Any] = json.loads(reply.body)
    took = document["sent"] - document["received"]
    data = {
        "version": document["version"],
        "facts": document["facts"],
        "clock": (
            (document["received"] + document["sent"] - reply.sent - reply.received) / 2,
            max(0.0, reply.received - reply.sent - took) / 2,
        ),
    }
    bad = [found for found in document["checks"] if found["status"] != State.OK]
    if not bad:
        return Answer(f"all {len(document['checks'])} checks are ok from there", data)
    named = "; ".join(f"{found['check']} {found['detail']}" for found in bad[:NAMED])
    more = f"; and {len(bad) - NAMED} more" if len(bad) > NAMED else ""
    raise Degraded(f"sees {len(bad)} of {len(document['checks'])} checks fail: {named}{more}", data)


@conclusion(VERSION, needs=[VIEW])
def versions(findings: Sequence[Finding]) -> Iterator[Finding]:
    regions = defaultdict(list)
    for finding in findings_of(VIEW, findings):
        if "version" in finding.data:
            regions[finding.data["version"]].append(finding.region)
    told = "; ".join(f"{version} in {', '.join(where)}" for version, where in regions.items())
    if len(regions) == 1:
        yield VERSION.ok("all regions", told)
    elif regions:
        yield VERSION.problem("all regions", f"{len(regions)} versions: {told}")
