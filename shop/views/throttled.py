"""The answer to asking too often."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def too_many_requests(request: HttpRequest, retry_after: int = 60) -> HttpResponse:
    """`retry_after` in seconds. Also allauth's answer, as `handler429` of the URL configuration."""
    context = {"minutes": -(-retry_after // 60)}
    response = render(request, "429.html", context, status=HTTPStatus.TOO_MANY_REQUESTS)
    response.headers["Retry-After"] = str(retry_after)
    return response
