"""Reads that several pages share."""

from shop.queries.cart import PricedCart, PricedLine, price_cart

__all__ = ["PricedCart", "PricedLine", "price_cart"]
