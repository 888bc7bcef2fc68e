"""How PostgreSQL and Redis are moved in each environment; `FAILOVER_PROVIDER` names the one."""

from django.conf import settings
from django.utils.module_loading import import_string

from failover.providers.base import Provider
from regions.servers import ProviderError


def provider() -> Provider:
    """Raises ProviderError where none is set."""
    if not settings.FAILOVER_PROVIDER:
        raise ProviderError(
            "FAILOVER_PROVIDER is not set: nobody knows how to move the writer here"
        )
    made: Provider = import_string(settings.FAILOVER_PROVIDER)()
    return made
