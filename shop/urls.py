from django.urls import path

from shop.views import addresses, cart, catalogue, preferences, sessions

app_name = "shop"

urlpatterns = [
    path("", catalogue.home, name="home"),
    path("categories/<slug:slug>/", catalogue.category, name="category"),
    path("products/<slug:slug>/", catalogue.product, name="product"),
    path("search/", catalogue.search, name="search"),
    path("cart/", cart.cart, name="cart"),
    path("cart/items/", cart.cart_items, name="cart_items"),
    path("cart/items/<str:sku>/", cart.cart_item, name="cart_item"),
    path("account/addresses/", addresses.addresses, name="addresses"),
    path("account/addresses/new/", addresses.address_new, name="address_new"),
    path("account/addresses/<int:pk>/", addresses.address, name="address"),
    path("account/addresses/<int:pk>/delete/", addresses.address_delete, name="address_delete"),
    path("account/addresses/<int:pk>/default/", addresses.address_default, name="address_default"),
    path("account/sessions/", sessions.sessions, name="sessions"),
    path("account/sessions/sign-out/", sessions.sessions_sign_out, name="sessions_sign_out"),
    path(
        "account/sessions/<slug:digest>/sign-out/",
        sessions.session_sign_out,
        name="session_sign_out",
    ),
    path("currency/", preferences.currency, name="currency"),
]
