"""What is true of all regions together, each in one line: shown in the terminal and the admin."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from failover.overview.control import moment
from failover.overview.model import Overview
from failover.overview.words import age, ago


@dataclass(frozen=True)
class Fact:
    label: str
    text: str


def facts(overview: Overview) -> list[Fact]:
    return [
        Fact(_("Writer"), _writer(overview)),
        Fact(_("Sessions"), _sessions(overview.sessions)),
        *(
            Fact(label, _("DynamoDB does not answer") if overview.control.problem else text)
            for label, text in (
                (_("Promotion"), _promotion(overview)),
                (_("Watch"), _watch(overview)),
                (_("Last drill"), _drill(overview)),
            )
        ),
    ]


def _writer(overview: Overview) -> str:
    names = ", ".join(one.title for one in overview.writers)
    agreed = overview.document("writer")
    if not agreed:
        return names or _("none")
    since = ago(moment(agreed.get("since")), overview.at)
    told = {"region": names, "generation": agreed.get("generation", "?"), "since": since}
    if not names:
        told["region"] = str(agreed.get("region", "?")).title()
        return _("none; last it was %(region)s, generation %(generation)s") % told
    return _("%(region)s, generation %(generation)s, made so %(since)s") % told


def _sessions(count: int | None) -> str:
    if count is None:
        return _("Redis does not answer")
    text = ngettext(
        "%(count)s live session of all regions", "%(count)s live sessions of all regions", count
    )
    return text % {"count": f"{count:,}"}


def _promotion(overview: Overview) -> str:
    told = overview.document("promotion")
    if not told:
        return _("none so far")
    target = str(told.get("target") or told.get("wanted") or "?").title()
    if not told.get("finished"):
        step = told.get("step") or "?"
        return _("of %(region)s, under way: %(step)s") % {"region": target, "step": step}
    words = {"region": target, "ago": ago(moment(told["finished"]), overview.at)}
    if told.get("problem"):
        return _("of %(region)s failed %(ago)s") % words
    words["time"] = _took(told)
    return _("of %(region)s %(ago)s, took %(time)s") % words


def _took(told: Mapping[str, Any]) -> str:
    began, ended = moment(told.get("started")), moment(told.get("finished"))
    return f"{(ended - began).total_seconds():.1f} s" if began and ended else "?"


def _watch(overview: Overview) -> str:
    told = overview.document("watch")
    if told.get("paused"):
        words = {"by": told.get("by") or "?", "why": told.get("why") or "–"}
        return _("paused by %(by)s: %(why)s") % words
    leader = next((each for each in overview.control.leases if each.name == "watch"), None)
    if leader is None or leader.released:
        return _("nobody watches: a writer that is lost is promoted by hand")
    if leader.is_silent:
        words = {"owner": leader.owner, "age": age(leader.age)}
        return _("%(owner)s led, silent for %(age)s") % words
    return _("led by %(owner)s") % {"owner": leader.owner}


def _drill(overview: Overview) -> str:
    told = overview.document("drill")
    if not told:
        return _("none so far")
    words = {"scenario": told.get("scenario", "?"), "ago": ago(moment(told.get("at")), overview.at)}
    if told.get("passed"):
        return _("%(scenario)s passed %(ago)s") % words
    return _("%(scenario)s did not pass, %(ago)s") % words
