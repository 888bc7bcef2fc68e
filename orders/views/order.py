from django.http import HttpRequest, HttpResponse


def order_lookup(request: HttpRequest) -> HttpResponse:
    return HttpResponse("order_lookup")


def order(request: HttpRequest, number: str) -> HttpResponse:
    return HttpResponse(number)
