"""Owns the session engine.

Imports storage. Never knows what the shop keeps in a session.
"""
