"""Owns checkout, idempotency, orders and their life, and the JSON API of orders.

Imports shop, storage, regions, jobs and realtime.publish. Never writes stock except through shop.
"""
