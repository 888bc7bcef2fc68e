"""Log in, sign up, log out, passwords: allauth's pages under our templates.

Pages the shop has no use for (several e-mail addresses, confirming them) lead to the account.
"""

from django.urls import include, path
from django.views.generic import RedirectView

to_account = RedirectView.as_view(pattern_name="orders:account")

urlpatterns = [
    path("email/", to_account),
    path("confirm-email/", to_account),
    path("confirm-email/<str:key>/", RedirectView.as_view(url="/account/")),
    path("", include("allauth.account.urls")),
]
