"""The shop's part of the admin. Orders, jobs and events have an `admin.py` of their own."""

from shop.admin import carts, categories, customers, movements, products, stock

__all__ = ["carts", "categories", "customers", "movements", "products", "stock"]
