"""Operators' checks of the statelessness audit, and of who would take over."""

from failover.checks import audit, takeover

__all__ = ["audit", "takeover"]
