"""Owns which regions exist, which one this is, health endpoints and replica routing.

Imports nothing of ours. Never touches a shopper's data.
"""
