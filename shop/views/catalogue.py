from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    return render(request, "shop/home.html")


@require_safe
def category(request: HttpRequest, slug: str) -> HttpResponse:
    return HttpResponse(slug)


@require_safe
def product(request: HttpRequest, slug: str) -> HttpResponse:
    return HttpResponse(slug)


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    return HttpResponse("search")
