from django.contrib import admin
from django.urls import include, path

from orders.api import api
from regions.views import metrics
from shop.views import preferences

urlpatterns = [
    path("health/", include("regions.urls")),
    path("health/", include("failover.urls")),
    path("metrics", metrics, name="metrics"),
    path("api/", api.urls),
    path("admin/", admin.site.urls),
    path("accounts/", include("shop.account_urls")),
    path("i18n/setlang/", preferences.language, name="set_language"),
    path("", include("orders.urls")),
    path("", include("shop.urls")),
]

handler400 = "shop.views.errors.bad_request"
handler403 = "shop.views.errors.permission_denied"
handler404 = "shop.views.errors.not_found"
handler500 = "shop.views.errors.server_error"
handler429 = "shop.views.throttled.too_many_requests"
