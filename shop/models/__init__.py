from shop.models.cart import Cart, CartLine
from shop.models.catalogue import Category, Price, Product, ProductImage, StockItem, Variant
from shop.models.customer import Address, Customer

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
    "Variant",
]
