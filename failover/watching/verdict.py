"""What a majority of all regions says: a region that is silent agrees with nobody."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

FRESH: Final = 5.0
"""Seconds for which a view counts that sees no writer. It is written at every look, and one that
waits for a host which was cut off takes more than two seconds."""
FRESH_IF_WELL: Final = 8.0
"""And one that sees a writer, which is written every five."""


@dataclass(frozen=True)
class View:
    """The control document `view|REGION`."""

    region: str
    at: str
    """For people; freshness is judged by whoever reads it, by its own clock."""
    writer: bool
    """Whether a write from there was acknowledged just now."""
    writer_region: str | None = None
    missing_for: float = 0.0
    """Seconds since one was, by that region's own clock."""
    failures: int = 0
    """In a row."""
    problem: str = ""

    def data(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        return cls(**{name: data[name] for name in cls.__dataclass_fields__ if name in data})


@dataclass(frozen=True)
class Policy:
    majority: int
    after: float = 3.0
    """Seconds without a writer before anybody acts."""
    calm: float = 10.0
    """Seconds after a promotion in which there is no other."""

    @classmethod
    def among(cls, regions: int, after: float) -> Self:
        return cls(regions // 2 + 1, after)


@dataclass(frozen=True)
class Verdict:
    promote: bool
    why: str
    """One line; the same as long as nothing changes."""


def judge(
    views: Mapping[str, View | None], policy: Policy, since_promotion: float | None
) -> Verdict:
    """`views` of all regions, None where nothing fresh is known.

    `since_promotion`: seconds since the last one ended; None when there was none.
    """
    missing = {
        region: view
        for region, view in views.items()
        if view and not view.writer and view.failures >= 2 and view.missing_for >= policy.after
    }
    if not any(view and not view.writer for view in views.values()):
        return Verdict(False, "all is well" if all(views.values()) else _tell(views))
    told = _tell(views)
    if len(missing) < policy.majority:
        return Verdict(
            False, f"{told}: {policy.majority} must miss it for {policy.after:.0f} s to act"
        )
    if since_promotion is not None:
        if since_promotion < policy.calm:
            return Verdict(False, f"{told}: but a promotion has only just ended")
        if all(view.missing_for > since_promotion for view in missing.values()):
            return Verdict(
                False, f"{told}: the last promotion did not help, an operator has to look"
            )
    return Verdict(True, f"{told}: promote")


def _tell(views: Mapping[str, View | None]) -> str:
    return ", ".join(f"{region} {_sees(view)}" for region, view in views.items())


def _sees(view: View | None) -> str:
    if view is None:
        return "is silent"
    return "sees the writer" if view.writer else "sees no writer"
