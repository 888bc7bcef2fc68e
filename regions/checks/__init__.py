"""Operators' checks of PostgreSQL, of each region's instances, their secrets."""

from regions.checks import instances, postgres, secrets

__all__ = ["instances", "postgres", "secrets"]
