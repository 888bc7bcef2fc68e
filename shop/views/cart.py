from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST, require_safe


@require_safe
def cart(request: HttpRequest) -> HttpResponse:
    return HttpResponse("cart")


@require_POST
def cart_items(request: HttpRequest) -> HttpResponse:
    return HttpResponse("add")


@require_POST
def cart_item(request: HttpRequest, sku: str) -> HttpResponse:
    return HttpResponse(sku)
