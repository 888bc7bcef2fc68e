from django.urls import path

from regions import views

app_name = "regions"

urlpatterns = [
    path("live", views.live, name="live"),
    path("ready", views.ready, name="ready"),
]
