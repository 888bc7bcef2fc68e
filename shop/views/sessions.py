"""Where a customer is signed in, and how they end it."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate

from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from sessions_ext.directory import sign_out, sign_out_all
from shop.privacy import private_page
from shop.queries.sessions import current_digest, find_sign_in, sign_ins

type View[**P] = Callable[Concatenate[HttpRequest, P], HttpResponse]


def _customers_only[**P](view: View[P]) -> View[P]:
    """`login_required`, but htmx is told to go to the log-in page instead of drawing it."""
    guarded = login_required(view)

    @wraps(view)
    def wrapper(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if request.htmx and not request.user.is_authenticated:  # type: ignore[attr-defined]  # set by django-htmx
            log_in = redirect_to_login(reverse("shop:sessions"))
            return HttpResponseClientRedirect(log_in.url)
        return guarded(request, *args, **kwargs)

    return wrapper


def _changed(request: HttpRequest, message: str) -> HttpResponse:
    """Say so, and show what is left."""
    messages.success(request, message)
    if request.htmx:  # type: ignore[attr-defined]  # set by django-htmx
        found = sign_ins(request, request.user.pk)
        return render(request, "shop/account/sessions.html#update", {"sign_ins": found})
    return redirect("shop:sessions")


@_customers_only
@require_safe
@private_page
def sessions(request: HttpRequest) -> HttpResponse:
    found = sign_ins(request, request.user.pk)
    return render(request, "shop/account/sessions.html", {"sign_ins": found})


@_customers_only
@require_POST
@private_page
def session_sign_out(request: HttpRequest, digest: str) -> HttpResponse:
    """End one. This browser's own is a log-out."""
    found = find_sign_in(request, request.user.pk, digest)
    if found is None:
        raise Http404
    if found.is_current:
        logout(request)
        messages.success(request, _("You are logged out."))
        return redirect("shop:home")
    sign_out(digest)
    return _changed(request, _("Signed out: %(device)s.") % {"device": found.device})


@_customers_only
@require_POST
@private_page
def sessions_sign_out(request: HttpRequest) -> HttpResponse:
    """End all but this browser's."""
    ended = sign_out_all(request.user.pk, keep=current_digest(request))
    text = ngettext("Signed out %(count)d device.", "Signed out %(count)d devices.", ended)
    return _changed(request, text % {"count": ended} if ended else _("There was no other."))
