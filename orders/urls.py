from django.urls import path

from orders.views import account, checkout, order

app_name = "orders"

urlpatterns = [
    path("checkout/", checkout.checkout, name="checkout"),
    path("orders/", order.order_lookup, name="order_lookup"),
    path("orders/<str:number>/", order.order, name="order"),
    path("account/", account.account, name="account"),
]
