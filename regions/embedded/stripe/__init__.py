"""Stripe on one machine: the part of its API that the shop uses, with state, over the wire.

Follows https://docs.stripe.com/api. Why it is ours: docs/decisions/0012-local-stripe.md. Imports
the standard library alone, so that it starts in a tenth of a second and idles for nothing.
"""
