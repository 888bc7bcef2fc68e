"""Owns the inventory of state that a Django project keeps in or beside one process.

Works on any project that adds "failover.audit" to INSTALLED_APPS: it imports Django and nothing of
ours, never touches a store, and changes nothing.
"""
