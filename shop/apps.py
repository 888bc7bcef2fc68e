from django.apps import AppConfig


class ShopConfig(AppConfig):
    name = "shop"

    def ready(self) -> None:
        from shop import invalidation, signals  # noqa: F401, PLC0415 (receivers register on import)
