"""Owns `manage.py failover`: what operators type.

Imports every app's registered checks. Nothing imports it.
"""
