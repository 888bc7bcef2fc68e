from django.apps import AppConfig


class OrdersConfig(AppConfig):
    name = "orders"

    def ready(self) -> None:
        from orders import mails, signals  # noqa: F401, PLC0415 (handlers register on import)
