"""A customer's orders."""

from typing import Final

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from orders.queries import order_history
from shop.models import Customer
from shop.privacy import private_page

PAGE_SIZE: Final = 10


@login_required
@require_safe
@private_page
def account(request: HttpRequest) -> HttpResponse:
    assert isinstance(request.user, Customer)  # noqa: S101 (behind login_required)
    page = Paginator(order_history(request.user), PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "orders/account.html", {"page": page})
