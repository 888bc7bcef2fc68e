from django.urls import path

from orders.views import account, checkout, order, pay_link, payment, wishes

app_name = "orders"

urlpatterns = [
    path("checkout/", checkout.checkout, name="checkout"),
    path("orders/", order.order_lookup, name="order_lookup"),
    path("orders/<str:number>/", order.order, name="order"),
    path("orders/<str:number>/mail/<str:ticket>/", order.mail_link, name="mail_link"),
    path("orders/<str:number>/pay/", payment.pay, name="pay"),
    path("orders/<str:number>/paid/", payment.paid, name="paid"),
    path("orders/<str:number>/cancel/", wishes.cancel, name="cancel"),
    path("orders/<str:number>/return/", wishes.send_back, name="return"),
    path("orders/<str:number>/invoice/", order.invoice, name="invoice"),
    path("orders/<str:number>/payments/<uuid:payment_id>/", pay_link.pay_link, name="pay_link"),
    path("webhooks/stripe/", payment.stripe_webhook, name="stripe_webhook"),
    path("account/", account.account, name="account"),
]
