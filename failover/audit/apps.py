from django.apps import AppConfig
from django.core.checks import Tags, register


class AuditConfig(AppConfig):
    name = "failover.audit"
    label = "failover_audit"
    verbose_name = "Statelessness audit"

    def ready(self) -> None:
        # They look at models, which are there only now.
        from failover.audit import inventory  # noqa: PLC0415 (see above)

        register(inventory.check_settings, inventory.TAG, Tags.caches, Tags.files)
        register(inventory.check_code, inventory.TAG)
