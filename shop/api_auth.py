"""The endpoint of the JSON API that gives tokens (mounted at /api/auth by orders.api)."""

from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

from allauth.account.adapter import get_adapter
from allauth.core import ratelimit
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from ninja import Field, Router, Schema
from ninja.errors import Throttled
from pydantic import AfterValidator, SecretStr

from sessions_ext.tokens import current_token
from shop.api import Text
from shop.gate import TOKEN_VIEW
from shop.models import Customer
from shop.problems import Problem, problem

auth_router = Router(tags=["Auth"])

MINUTE: Final = 60
FAILED_TRIES: Final = 300
"""Seconds after which allauth has forgotten the failed tries at one account."""


def _is_unicode(password: SecretStr) -> SecretStr:
    """JSON can spell half of a character, which no hash takes."""
    try:
        password.get_secret_value().encode()
    except UnicodeEncodeError:
        raise ValueError("Send text that is valid Unicode.") from None
    return password


class LogIn(Schema):
    email: Annotated[Text, Field(min_length=1, max_length=254)]
    password: Annotated[
        SecretStr, Field(min_length=1, max_length=4096), AfterValidator(_is_unicode)
    ]


class TokenOut(Schema):
    """Send it as `Authorization: Bearer …`, to any region."""

    token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 (RFC 6750)
    expires_in: int = Field(description="Seconds.")


@auth_router.post(
    "/token",
    response={200: TokenOut, frozenset({400, 401, 403, 413, 415, 422, 429}): Problem},
    summary="Log in and get a token, or get the session's",
    url_name=TOKEN_VIEW,
)
def create_token(
    request: HttpRequest, credentials: LogIn | None = None
) -> dict[str, Any] | HttpResponse:
    """With e-mail and password this logs in: the session's cookie comes with the token.

    Without a body it gives a signed-in session its token, another one shortly before it ends. A
    token gets no other token: this endpoint takes none. After the log-out the session gets no
    more of them, and the last one ends by itself, at most five minutes later.
    """
    if credentials is not None:
        if refusal := _log_in(request, credentials):
            return refusal
    elif not request.user.is_authenticated:
        return _unauthorised(
            "Nobody is signed in here. Send `email` and `password`, or the cookie of a session"
            " that is signed in."
        )
    token = current_token(request.session)
    return {"token": token.text, "expires_in": int(token.seconds_left)}


def _log_in(request: HttpRequest, credentials: LogIn) -> HttpResponse | None:
    """Log in as the shop's page does, under the same limits. Why not, if not; raises Throttled."""
    if not ratelimit.consume(request, action="login"):
        raise Throttled(MINUTE)
    adapter = get_adapter(request)
    password = credentials.password.get_secret_value()
    try:
        user = adapter.authenticate(request, email=credentials.email, password=password)
    except ValidationError:  # its one reason: too many failed tries
        raise Throttled(FAILED_TRIES) from None
    if not isinstance(user, Customer):
        return _unauthorised(
            "This e-mail and password do not belong together. Nobody was logged in. Try again.",
            kind="wrong-credentials",
        )
    if not user.is_active:  # only whoever knows the password reads this
        return problem(
            HTTPStatus.FORBIDDEN,
            "This account is switched off. Nobody was logged in. Write to us to have it back.",
            kind="account-inactive",
        )
    adapter.login(request, user)
    return None


def _unauthorised(detail: str, *, kind: str = "") -> HttpResponse:
    return problem(
        HTTPStatus.UNAUTHORIZED, detail, kind=kind, headers={"WWW-Authenticate": "Bearer"}
    )
