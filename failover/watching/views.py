"""Publishing this region's view, and reading everybody's."""

from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Final

from failover.promotion.record import PROMOTION
from failover.watching.verdict import FRESH, FRESH_IF_WELL, View
from storage import control
from storage.control import Conflict, Document

WATCH: Final = "watch"
"""The control document that pauses everybody."""
WELL_EVERY: Final = 5.0
"""Seconds between two writes of a view in which nothing changes and nothing is wrong."""


def view_name(region: str) -> str:
    return f"view|{region}"


class Publisher:
    """Writes the view of one region: at once when it changes, every second while it is bad."""

    def __init__(self, region: str) -> None:
        self._document = Document(view_name(region))
        self._written_at = 0.0
        self._last: View | None = None

    def publish(self, view: View) -> None:
        """Raises ControlUnreachable."""
        last, now = self._last, monotonic()
        same = last and (last.writer, last.writer_region) == (view.writer, view.writer_region)
        if same and view.writer and now - self._written_at < WELL_EVERY:
            return
        try:
            self._document = control.write(self._document, view.data())
        except Conflict:  # an earlier process of this region, or this one's, unanswered
            self._document = control.read(self._document.name)
            self._document = control.write(self._document, view.data())
        self._written_at, self._last = now, view


@dataclass
class Reader:
    """Judges by its own clock how old a view is: from when it saw that it had changed."""

    regions: list[str]
    _versions: dict[str, int] = field(default_factory=dict)
    _changed_at: dict[str, float] = field(default_factory=dict)

    def read(self) -> tuple[dict[str, View | None], Document, Document]:
        """Fresh views by region, and the documents `promotion` and `watch`.

        Raises ControlUnreachable.
        """
        names = {region: view_name(region) for region in self.regions}
        found = control.read_all([*names.values(), PROMOTION, WATCH])
        views = {region: self._fresh(region, found[name]) for region, name in names.items()}
        return views, found[PROMOTION], found[WATCH]

    def _fresh(self, region: str, document: Document) -> View | None:
        now, known = monotonic(), self._versions.get(region)
        if known is not None and known != document.version:
            self._changed_at[region] = now
        self._versions[region] = document.version
        changed_at = self._changed_at.get(region)
        if changed_at is None or not document.version:
            return None
        view = View.of(document.data)
        age = now - changed_at
        if age > (FRESH_IF_WELL if view.writer else FRESH):
            return None
        return view if view.writer else replace(view, missing_for=view.missing_for + age)
