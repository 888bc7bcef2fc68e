"""Owns customers, catalogue, prices, stock, carts and the storefront's pages.

Imports storage, regions, jobs and realtime.publish. Never imports orders.
"""
