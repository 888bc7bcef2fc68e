"""Clocks: of each region's database, Redis and processes, against this machine's."""

from collections.abc import Iterator, Sequence
from typing import Final

from django.conf import settings

from regions.checks.instances import VIEW
from regions.checks.postgres import ROLE
from regions.checkup import Check, Finding, State, conclusion
from storage.checks.redis import NODE

APART: Final = 1.0
"""Seconds. Tokens live for minutes, and leases compare no clocks; reports and logs suffer first."""

SKEW: Final = Check(
    "clock.skew",
    f"the clocks of all regions are less than {APART:.0f} s apart",
    impact="None at first; from minutes on, tokens and card webhooks are refused.",
    advice="On the machine named: chronyc tracking; start chronyd or systemd-timesyncd again.",
    worst=State.DEGRADED,
    rank=6,
    deep=False,
)


@conclusion(SKEW, needs=[ROLE, NODE, VIEW])
def skew(findings: Sequence[Finding]) -> Iterator[Finding]:
    """Findings tell a clock in `data["clock"]`: seconds ahead of ours, give or take."""
    clocks = [(*found.data["clock"], found) for found in findings if "clock" in found.data]
    by_region = {region: [c for c in clocks if c[2].region == region] for region in _regions()}
    for region, told in by_region.items():
        if not told:
            continue
        ahead, error, found = max(told, key=lambda clock: abs(clock[0]) - clock[1])
        detail = f"{ahead * 1000:+.0f} ms ±{error * 1000:.0f} by {found.check.id}"
        if abs(ahead) - error > APART:
            yield SKEW.problem(found.where, f"{detail} against this machine", region=region)
        else:
            count = f"{len(told)} clock{'s' * (len(told) != 1)}"
            yield SKEW.ok(count, f"at most {detail}", region=region)


def _regions() -> list[str]:
    return [*settings.ANYPORT_REGIONS, ""]
