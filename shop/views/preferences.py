"""What a shopper prefers, kept in their session."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views import i18n
from django.views.decorators.http import require_POST

from shop.preferences import set_currency, set_language


@require_POST
def currency(request: HttpRequest) -> HttpResponse:
    """Switch the currency and go back to the page the switch stands on."""
    wanted = request.POST.get("currency", "")
    if wanted in settings.SHOP_CURRENCIES:
        set_currency(request, wanted)
    back = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}):
        back = "/"
    return HttpResponseRedirect(back)  # not redirect(): it would look up "0" as a view's name


@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Switch the language, in the session too. Django's view sets the cookie and leads back."""
    wanted = request.POST.get("language", "")
    if wanted in dict(settings.LANGUAGES):
        set_language(request, wanted)
    return i18n.set_language(request)
