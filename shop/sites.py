"""The admin site: its own content security policy, log-in form and front page."""

from collections.abc import Callable
from typing import Any, Final

from django.conf import settings
from django.contrib.admin.apps import AdminConfig
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.csp import csp_override
from unfold.sites import UnfoldAdminSite

POLICY: Final[dict[str, list[str]]] = settings.ADMIN_CSP
admin_csp = csp_override(POLICY)


class AnyportAdminSite(UnfoldAdminSite):  # type: ignore[misc]  # its base is untyped
    """Unfold's site. Its pages need a wider policy than the shop's, and only its pages get it."""

    index_template = "admin/anyport/dashboard.html"
    index_title = _("Today")
    login_template = "admin/anyport/login.html"
    enable_nav_sidebar = True

    def admin_view(
        self, view: Callable[..., HttpResponse], cacheable: bool = False
    ) -> Callable[..., HttpResponse]:
        wrapped: Callable[..., HttpResponse] = admin_csp(super().admin_view(view, cacheable))
        return wrapped

    @method_decorator(admin_csp)
    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        # Unfold's form carries no `next`; without one, Django would lead staff to the shop.
        query = request.GET.copy()
        query.setdefault(REDIRECT_FIELD_NAME, reverse(f"{self.name}:index"))
        request.GET = query  # type: ignore[assignment]  # typed as one that cannot be changed
        response: HttpResponse = super().login(request, extra_context)
        return response


class AnyportAdminConfig(AdminConfig):
    default_site = "shop.sites.AnyportAdminSite"
    default = False
