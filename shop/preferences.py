"""A shopper's preferences: in the session, so that every region knows them."""

from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse

SESSION_CURRENCY: Final = "currency"
SESSION_LANGUAGE: Final = "language"


def current_currency(request: HttpRequest) -> str:
    """ISO code the shopper sees prices in."""
    chosen = request.session.get(SESSION_CURRENCY)
    return chosen if chosen in settings.SHOP_CURRENCIES else settings.SHOP_DEFAULT_CURRENCY


def set_currency(request: HttpRequest, currency: str) -> None:
    """Raises ValueError for a currency the shop has no prices in."""
    if currency not in settings.SHOP_CURRENCIES:
        raise ValueError(currency)
    request.session[SESSION_CURRENCY] = currency


def chosen_language(request: HttpRequest) -> str | None:
    """The language that this session chose. None while it chose none."""
    chosen = request.session.get(SESSION_LANGUAGE)
    return chosen if chosen in dict(settings.LANGUAGES) else None


def set_language(request: HttpRequest, language: str) -> None:
    """Raises ValueError for a language the shop does not speak."""
    if language not in dict(settings.LANGUAGES):
        raise ValueError(language)
    request.session[SESSION_LANGUAGE] = language


def set_language_cookie(response: HttpResponse, language: str) -> None:
    """What the session forgets at log-out: its browser goes on in the same language."""
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=settings.LANGUAGE_COOKIE_AGE,
        path=settings.LANGUAGE_COOKIE_PATH,
        domain=settings.LANGUAGE_COOKIE_DOMAIN,
        secure=settings.LANGUAGE_COOKIE_SECURE,
        httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
        samesite=settings.LANGUAGE_COOKIE_SAMESITE,  # type: ignore[arg-type]  # a str in the stubs
    )
