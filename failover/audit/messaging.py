"""Channel layers and Celery: what is sent, and when, kept by one process or machine."""

import sys
from collections.abc import Iterator
from typing import Any, Final

from django.conf import settings

from failover.audit.parts import Part, is_kind, kind_of


def channel_layers() -> Iterator[Part]:
    layers: dict[str, dict[str, Any]] = getattr(settings, "CHANNEL_LAYERS", {})
    for alias, options in layers.items():
        if is_kind(kind_of(options.get("BACKEND")), "channels.layers.InMemoryChannelLayer"):
            yield Part(
                "anyport.E012",
                f"CHANNEL_LAYERS['{alias}']",
                "keeps its messages in the memory of one process: a socket hears only what"
                " happens in the process that holds it.",
                "Use channels_redis.pubsub.RedisPubSubChannelLayer.",
            )


_PERSISTENT: Final = "celery.beat.PersistentScheduler"
_OF_ONE_BEAT: Final = {
    "redbeat.schedulers.RedBeatScheduler": (
        "keeps the schedule in Redis under a lock: of two beats after a failover both may send,"
        " or neither."
    ),
    "django_celery_beat.schedulers.DatabaseScheduler": (
        "keeps the schedule in the database, without knowing of other beats: two of them send"
        " everything twice, so only one region can run one."
    ),
}
_SLOTS: Final = (
    "Claim each slot, (job, scheduled time), by a conditional write that all regions share, as"
    " jobs.scheduler:Scheduler does; then every region runs a beat."
)
_LOCAL_TRANSPORTS: Final = ("memory", "filesystem", "sqla", "sqlalchemy")
_LOCAL_RESULTS: Final = ("file", "cache+memory", "db+sqlite")
_BROKER: Final = "Use a broker that all instances reach: Redis or SQS."


def celery() -> Iterator[Part]:
    found = _Configuration()
    yield from _beat(found)
    broker = str(found["broker_url"] or "")
    if broker.partition("://")[0] in _LOCAL_TRANSPORTS:
        problem = "is a broker in one process or on one machine: no other worker gets its tasks."
        yield Part("anyport.E015", found.name("broker_url"), problem, _BROKER)
    results = str(found["result_backend"] or "")
    if results.startswith(_LOCAL_RESULTS):
        problem = "keeps results in one process or on one machine: others wait for them in vain."
        hint = "Keep results in Redis or the database, or none (task_ignore_result)."
        yield Part("anyport.E016", found.name("result_backend"), problem, hint)


def _beat(found: "_Configuration") -> Iterator[Part]:
    scheduler = str(found["beat_scheduler"] or "").replace(":", ".")
    for path, problem in _OF_ONE_BEAT.items():
        if scheduler == path or is_kind(kind_of(scheduler), path):
            yield Part("anyport.W014", found.name("beat_scheduler"), problem, _SLOTS)
            return
    if not found["beat_schedule"]:
        return
    if not scheduler or is_kind(kind_of(scheduler), _PERSISTENT):
        where = found.name("beat_scheduler" if scheduler else "beat_schedule")
        problem = (
            "keeps when each job ran last in a file of one machine (celerybeat-schedule): a beat"
            " elsewhere knows nothing of it, and skips or repeats jobs."
        )
        yield Part("anyport.E013", where, problem, _SLOTS)


class _Configuration:
    """Celery's, by today's names: of Django's settings in the usual ways, else of the app."""

    _OLD: Final = {
        "beat_schedule": "CELERYBEAT_SCHEDULE",
        "beat_scheduler": "CELERYBEAT_SCHEDULER",
        "broker_url": "BROKER_URL",
    }

    def __getitem__(self, option: str) -> Any:
        name = self._setting(option)
        if name:
            return getattr(settings, name)
        return next((app.conf.get(option) for app in _apps()), None)

    def name(self, option: str) -> str:
        """What to look for."""
        return self._setting(option) or f"celery: {option}"

    def _setting(self, option: str) -> str | None:
        names = (f"CELERY_{option.upper()}", self._OLD.get(option, ""))
        return next((name for name in names if name and hasattr(settings, name)), None)


def _apps() -> Iterator[Any]:
    """The project's Celery app, if it made one; nothing is made by asking."""
    state = sys.modules.get("celery._state")
    for app in state._get_active_apps() if state else ():
        if app.main != "default":  # made by Celery itself, for whoever has none
            yield app
