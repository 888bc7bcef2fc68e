"""Below /health/: for operators, beside what regions answers there for front doors."""

from django.urls import path

from failover import views

app_name = "failover"

urlpatterns = [
    path("deep", views.deep, name="deep"),
    path("deep/object/<of>/<uuid:name>", views.deep_object, name="deep_object"),
]
