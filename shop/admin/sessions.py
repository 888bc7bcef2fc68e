"""Where a customer is signed in, on the customer's page, and ending it for them."""

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sessions_ext.directory import sign_out
from sessions_ext.errors import SessionsUnavailable
from shop.admin.base import ModelAdmin
from shop.models import Customer
from shop.queries.sessions import SignIn, sign_ins
from shop.services.sessions import end_former_sessions

if TYPE_CHECKING:
    Base = ModelAdmin[Customer]
else:
    Base = object


class SessionsAdmin(Base):
    """Mix in first. Who may view a customer sees the sessions; who may change them ends some.

    The session that asks is never ended here: for that there is "log out".
    """

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        customer = kwargs.get("obj")
        if customer is not None:
            context |= {
                "sign_ins": _known_sign_ins(request, customer),
                "may_sign_out": self.has_change_permission(request, customer),
            }
        return super().render_change_form(request, context, *args, **kwargs)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> Any:
        response = super().user_change_password(request, id, form_url)  # type: ignore[misc]  # UserAdmin's
        done = isinstance(response, HttpResponseRedirect)
        if done and response.url != request.get_full_path():  # else it was not clear what to do
            end_former_sessions(request, user_id=id)
        return response

    def get_urls(self) -> Any:
        view = self.admin_site.admin_view(self.sign_out_view)
        return [
            path("<int:pk>/sessions/sign-out/", view, name="shop_customer_sign_out_all"),
            path("<int:pk>/sessions/<slug:digest>/sign-out/", view, name="shop_customer_sign_out"),
            *super().get_urls(),
        ]

    def sign_out_view(self, request: HttpRequest, pk: int, digest: str = "") -> HttpResponse:
        """End one session, or all without a digest. Asks first; ends by POST."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        customer = self.get_object(request, str(pk))
        if customer is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(pk))  # type: ignore[attr-defined,no-any-return]  # Django's own, not in its stubs
        if not self.has_change_permission(request, customer):  # a colleague, for instance
            raise PermissionDenied
        found = [
            sign_in
            for sign_in in sign_ins(request, pk)
            if not sign_in.is_current and digest in ("", sign_in.digest)
        ]
        if request.method == "POST":
            self._sign_out(request, customer, found)
            return HttpResponseRedirect(reverse("admin:shop_customer_change", args=[pk]))
        context = {
            **self.admin_site.each_context(request),
            "title": _("Sign out"),
            "opts": self.opts,
            "customer": customer,
            "sign_ins": found,
        }
        return TemplateResponse(request, "admin/shop/customer/sign_out.html", context)

    def _sign_out(self, request: HttpRequest, customer: Customer, found: list[SignIn]) -> None:
        """Each is in the log as soon as it is done: the store may fail before the next."""
        for sign_in in found:
            sign_out(sign_in.digest)
            self.log_change(request, customer, f"Signed out {sign_in.device} ({sign_in.region}).")
        if not found:
            messages.info(request, _("There was nothing to sign out any more."))
            return
        text = ngettext("Signed out %(count)d device.", "Signed out %(count)d devices.", len(found))
        messages.success(request, text % {"count": len(found)})


def _known_sign_ins(request: HttpRequest, customer: Customer) -> list[SignIn] | None:
    """None where nobody could be asked: the rest of the page is of use all the same."""
    try:
        return sign_ins(request, customer.pk)
    except SessionsUnavailable:
        return None
