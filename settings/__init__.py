"""Wires every app together by dotted name.

Imports nothing of ours; nobody imports it: use `from django.conf import settings`.
Modules: `env` (typed variables), `base` (shared truth), `local`, `production`, `test`.
"""
