"""The regions and the drills in the admin."""

from failover.admin import drills, status

__all__ = ["drills", "status"]
