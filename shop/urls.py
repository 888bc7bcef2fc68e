from django.urls import path

from shop.views import cart, catalogue, preferences

app_name = "shop"

urlpatterns = [
    path("", catalogue.home, name="home"),
    path("categories/<slug:slug>/", catalogue.category, name="category"),
    path("products/<slug:slug>/", catalogue.product, name="product"),
    path("search/", catalogue.search, name="search"),
    path("cart/", cart.cart, name="cart"),
    path("cart/items/", cart.cart_items, name="cart_items"),
    path("cart/items/<str:sku>/", cart.cart_item, name="cart_item"),
    path("currency/", preferences.currency, name="currency"),
]
