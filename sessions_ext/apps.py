import logging

from django.apps import AppConfig
from django.core.checks import Tags, register

from sessions_ext.errors import SessionsUnavailable


def briefly(record: logging.LogRecord) -> bool:
    """While both stores are gone a line says so for each request; where it was raised tells
    nothing more."""
    if record.exc_info and isinstance(record.exc_info[1], SessionsUnavailable):
        record.exc_info = None
    return True


class SessionsExtConfig(AppConfig):
    name = "sessions_ext"

    def ready(self) -> None:
        # Both need the models' base, which is not there when this module is imported.
        from sessions_ext.misconfiguration import check_settings  # noqa: PLC0415 (see above)
        from sessions_ext.tokens import check_token_age  # noqa: PLC0415 (see above)

        register(check_settings, Tags.security)
        register(check_token_age, Tags.security)
        logging.getLogger("django.request").addFilter(briefly)
