from django.apps import AppConfig


class OrdersConfig(AppConfig):
    name = "orders"

    def ready(self) -> None:
        from orders import mails, outbox_metrics, payment_metrics, signals  # noqa: F401, PLC0415 (they register)

        outbox_metrics.register()
        payment_metrics.register()
