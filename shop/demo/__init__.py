"""Owns the demo shop: what it sells, and how its pictures are drawn.

Imports shop's models and storage. Never touches orders, carts or customers but the admin's.
"""
