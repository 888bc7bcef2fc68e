from django.apps import AppConfig
from django.core.checks import Tags, register


class SessionsExtConfig(AppConfig):
    name = "sessions_ext"

    def ready(self) -> None:
        from sessions_ext.tokens import check_token_age  # noqa: PLC0415 (needs the models' base)

        register(check_token_age, Tags.security)
