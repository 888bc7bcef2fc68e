"""The report of a drill: one page that needs nothing else, with its timeline drawn in."""

from collections.abc import Iterator
from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import mark_safe

from failover.drills.operations import FRONT, PATIENCE, SUSTAINED, Kind, Outcome
from failover.drills.results import Result
from failover.drills.timeline import draw


def as_html(result: Result) -> str:
    return render_to_string(
        "failover/drill_report.html",
        {
            "result": result,
            "ran": result.ran,
            "kinds": list(Kind),
            "doors": list(_doors(result)),
            "counts": {outcome.value: result.count(outcome) for outcome in Outcome},
            "losses": _losses(result),
            "patience": PATIENCE,
            "sustained": SUSTAINED,
            # Drawn by us; what came from elsewhere is escaped there.
            "timeline": mark_safe(draw(result)) if result.ran else "",  # noqa: S308  # our own SVG
        },
    )


def _doors(result: Result) -> Iterator[dict[str, Any]]:
    """A row for each: seconds by kind, and whether the target was met."""
    for door in result.outages:
        cells = []
        for kind in Kind:
            target = result.targets.get(kind) if door == FRONT else None
            seconds = result.seconds(kind, door)
            cells.append(
                {
                    "seconds": f"{seconds:.2f}",
                    "target": f"{target:g}" if target is not None else "",
                    "missed": target is not None and seconds > target,
                }
            )
        yield {"door": "the front door" if door == FRONT else f"{door}, directly", "cells": cells}


def _losses(result: Result) -> list[tuple[str, int]]:
    account = result.account
    return [
        ("acknowledged orders lost", account.lost),
        ("duplicate orders", account.duplicates),
        ("units oversold", account.oversold),
        ("sessions lost", account.sessions_lost),
        ("orders answered otherwise when sent again", account.replays_differ),
    ]
