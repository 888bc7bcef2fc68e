"""Owns the session engine, both stores of it, and the tokens bound to a session.

Imports nothing of ours but, in `checks.py`, regions' registry; its clients come from settings by
dotted name, so that it can be used alone. Never knows what the shop keeps in a session.
"""
