from shop.models.cart import Cart, CartLine
from shop.models.catalogue import Category, Price, Product, ProductImage, Variant
from shop.models.customer import Address, Customer
from shop.models.stock import StockItem, StockMovement

__all__ = [
    "Address",
    "Cart",
    "CartLine",
    "Category",
    "Customer",
    "Price",
    "Product",
    "ProductImage",
    "StockItem",
    "StockMovement",
    "Variant",
]
