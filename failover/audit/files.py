"""Uploads, mail and logs that stay on one machine's disk."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.core.files.storage import default_storage
from django.db.models import FileField, Model

from failover.audit.parts import Part, is_kind, kind_of

_ON_DISK: Final = "django.core.files.storage.filesystem.FileSystemStorage"
_IN_MEMORY: Final = "django.core.files.storage.memory.InMemoryStorage"
_BUCKET: Final = (
    "Use object storage that every region reaches, such as storages.backends.s3.S3Storage, and"
    " copy there what MEDIA_ROOT holds."
)
_BUILT: Final = "staticfiles"
"""Not state: collected when an image is built, the same on every machine."""


def storages() -> Iterator[Part]:
    for alias, options in settings.STORAGES.items():
        if alias == _BUILT:
            continue
        found = kind_of(options.get("BACKEND"))
        yield from _local(found, f"STORAGES['{alias}']")


def file_fields(of: Iterable[type[Model]] | None = None) -> Iterator[Part]:
    """Fields that name a storage of their own, past STORAGES; of every model unless given."""
    for model in apps.get_models() if of is None else of:
        for field in model._meta.get_fields():
            if isinstance(field, FileField) and field.storage is not default_storage:
                for part in _local(type(field.storage), f"{model._meta.label}.{field.name}"):
                    yield Part("anyport.E011", part.where, part.problem, part.hint)


def _local(found: type | None, where: str) -> Iterator[Part]:
    if is_kind(found, _ON_DISK):
        problem = (
            "keeps files on the disk of one machine: other instances answer 404 for them, and"
            " they are lost with it."
        )
        yield Part("anyport.E009", where, problem, _BUCKET)
    elif is_kind(found, _IN_MEMORY):
        problem = "keeps files in the memory of one process: they are gone when it ends."
        yield Part("anyport.E010", where, problem, _BUCKET)


_MAIL: Final = "Send it through an SMTP server, or a service's backend."


def mail() -> Iterator[Part]:
    for where, options in _mailers():
        found = kind_of(options.get("BACKEND"))
        if is_kind(found, "django.core.mail.backends.locmem.EmailBackend"):
            yield Part("anyport.W018", where, "keeps mail in memory: nobody gets it.", _MAIL)
        elif "file_path" in options.get("OPTIONS", {}) or is_kind(
            found, "django.core.mail.backends.filebased.EmailBackend"
        ):
            problem = "writes mail to files of one machine: nobody gets it."
            yield Part("anyport.W018", where, problem, _MAIL)


def _mailers() -> Iterator[tuple[str, dict[str, Any]]]:
    """Since Django 6.1 in MAILERS, before in EMAIL_BACKEND."""
    mailers: dict[str, dict[str, Any]] | None = getattr(settings, "MAILERS", None)
    if mailers is not None:
        yield from ((f"MAILERS['{alias}']", options) for alias, options in mailers.items())
    elif settings.is_overridden("EMAIL_BACKEND"):  # type: ignore[misc]  # LazySettings has it
        yield "EMAIL_BACKEND", {"BACKEND": settings.EMAIL_BACKEND}


def logs() -> Iterator[Part]:
    logging: Any = settings.LOGGING or {}
    handlers: dict[str, dict[str, Any]] = logging.get("handlers", {})
    for name, options in handlers.items():
        if is_kind(kind_of(options.get("class")), "logging.FileHandler"):
            yield Part(
                "anyport.W019",
                f"LOGGING['handlers']['{name}']",
                "writes its log to a file of one machine: it is lost with the machine, when it"
                " is needed most.",
                "Write to standard error (logging.StreamHandler) and let the platform collect it.",
            )
