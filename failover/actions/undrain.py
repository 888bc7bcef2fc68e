"""`failover undrain`: lets a region in again."""

from typing import Any, Final, TextIO

from django.core.management.base import CommandError

from failover import traffic
from failover.actions import Action, Options
from failover.actions.drain import add_region, known, tell
from storage import drain
from storage.control import Conflict, ControlUnreachable

_EPILOG: Final = """\
exit codes:
  0  its ready answers 200 again. Also when it was not drained
  1  nothing was changed: no such region, or DynamoDB cannot be asked
  2  the flag is cleared, but its ready did not answer 200 within ten seconds
"""


def _run(options: Options, out: TextIO) -> int:
    region = known(options["region"])
    try:
        report = _look(region) if options["dry_run"] else _undrain(region)
    except (ControlUnreachable, Conflict) as error:
        raise CommandError(f"Nothing was changed: DynamoDB cannot be asked ({error}).") from error
    tell(report, options, out)
    return 2 if report["outcome"] == "not heard" else 0


def _look(region: str) -> dict[str, Any]:
    would = "would serve again" if region in drain.drained_regions() else "is not drained"
    words = [f"{region} {would}. Nothing was changed."]
    return {"region": region, "outcome": "dry run", "words": words}


def _undrain(region: str) -> dict[str, Any]:
    if not drain.undrain(region):
        words = [f"{region} is not drained. Nothing was changed."]
        return {"region": region, "outcome": "was not drained", "words": words}
    heard, detail, seconds = traffic.wait_heard(region, ready=True)
    if heard:
        words = [f"{region} serves again: its ready answers 200, and its workers take tasks."]
    else:
        words = [
            f"The flag is cleared, but {region} is not ready ({detail}).",
            "manage.py failover check says what is wrong with it.",
        ]
    outcome = "serves" if heard else "not heard"
    return {"region": region, "outcome": outcome, "seconds": seconds, "words": words}


action = Action(
    help="let a drained region serve again",
    description="Let a drained region serve again.",
    epilog=_EPILOG,
    add_arguments=add_region,
    run=_run,
)
