"""A customer's address book."""

from http import HTTPStatus

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from shop.forms import AddressForm
from shop.models import Address, Customer
from shop.privacy import private_page
from shop.services.addresses import add_address, change_address, delete_address, make_default


def _customer(request: HttpRequest) -> Customer:
    assert isinstance(request.user, Customer)  # noqa: S101 (behind login_required)
    return request.user


def _own_address(request: HttpRequest, pk: int) -> Address:
    """Raises Http404 for another customer's."""
    return get_object_or_404(Address, pk=pk, customer=_customer(request))


def _data(request: HttpRequest) -> QueryDict | None:
    return request.POST if request.method == "POST" else None


def _form_page(request: HttpRequest, form: AddressForm, address: Address | None) -> HttpResponse:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    context = {"form": form, "address": address}
    return render(request, "shop/account/address.html", context, status=status)


@login_required
@require_safe
@private_page
def addresses(request: HttpRequest) -> HttpResponse:
    context = {"addresses": _customer(request).addresses.all()}
    return render(request, "shop/account/addresses.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@private_page
def address_new(request: HttpRequest) -> HttpResponse:
    customer = _customer(request)
    form = AddressForm(_data(request), initial={"name": customer.name, "country": "TW"})
    if not form.is_valid():
        return _form_page(request, form, None)
    default = form.cleaned_data.pop("is_default")
    add_address(customer=customer, fields=form.cleaned_data, make_default=default)
    messages.success(request, _("The address is saved."))
    return redirect("shop:addresses")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@private_page
def address(request: HttpRequest, pk: int) -> HttpResponse:
    found = _own_address(request, pk)
    initial = {name: getattr(found, name) for name in AddressForm.base_fields}
    form = AddressForm(_data(request), initial=initial)
    if not form.is_valid():
        return _form_page(request, form, found)
    default = form.cleaned_data.pop("is_default")
    change_address(address=found, fields=form.cleaned_data, make_default=default)
    messages.success(request, _("The address is saved."))
    return redirect("shop:addresses")


@login_required
@require_POST
@private_page
def address_delete(request: HttpRequest, pk: int) -> HttpResponse:
    delete_address(address=_own_address(request, pk))
    messages.success(request, _("The address is deleted."))
    return redirect("shop:addresses")


@login_required
@require_POST
@private_page
def address_default(request: HttpRequest, pk: int) -> HttpResponse:
    make_default(address=_own_address(request, pk))
    messages.success(request, _("Your next order starts with this address."))
    return redirect("shop:addresses")
