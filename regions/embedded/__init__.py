"""All regions on one machine, from wheels: what `manage.py up` starts, watches and stops.

Imports nothing of ours. Never runs in production, and never holds state that a shopper needs:
what must survive lies in the state directory, in the stores' own files.
"""
