"""Short words for figures, in the terminal and in the admin."""

from datetime import datetime

from django.utils.translation import gettext as _

from failover.overview.model import Database, Lease, Overview, Redis, RegionView


def region_state(one: RegionView) -> str:
    if one.web.problem:
        return _("no answer")
    if one.drain:
        return _("drained")
    return _("ready") if one.web.ready else _("not ready")


def database_state(database: Database | None) -> str:
    """`standby, 0.3 s behind`."""
    if database is None:
        return "–"
    if database.problem:
        return _("no answer")
    if database.writer:
        return _("writer")
    if not database.receives:
        return _("standby, cut off")
    return _("standby, %(seconds).1f s") % {"seconds": database.lag_seconds or 0}


def redis_state(redis: Redis | None) -> str:
    if redis is None:
        return "–"
    if redis.problem:
        return _("no answer")
    if redis.primary:
        return _("primary")
    return _("replica") if redis.receives else _("replica, cut off")


def behind(lag: int | None) -> str:
    """`1.5 MB`, `0 B`; empty where there is nothing to compare with."""
    if lag is None:
        return ""
    size = float(lag)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 10 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def age(seconds: float) -> str:
    """`4 s`, `3 min`, `5 h`, `2 d`."""
    if seconds < 60:
        return _("%(count)d s") % {"count": max(0.0, seconds)}
    if seconds < 3600:
        return _("%(count)d min") % {"count": seconds // 60}
    if seconds < 86400:
        return _("%(count)d h") % {"count": seconds // 3600}
    return _("%(count)d d") % {"count": seconds // 86400}


def ago(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return _("at an unknown time")
    return _("%(time)s ago") % {"time": age((now - moment).total_seconds())}


def lease_state(lease: Lease) -> str:
    if lease.released:
        return _("free")
    told = {"age": age(lease.age)}
    return _("silent for %(age)s") % told if lease.is_silent else _("renewed %(age)s ago") % told


def verdict(overview: Overview) -> str:
    if not overview.notes:
        return _("All is well.")
    failing = overview.notes[0].state == "failing"
    return _("Something does not work.") if failing else _("Shoppers are served; have a look.")
