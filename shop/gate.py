"""What every request to the JSON API passes before its endpoint runs.

Ninja's views are exempt from Django's CSRF check, because most API clients are no browsers. But
a browser adds the session cookie by itself, so whatever a browser sends is checked here. A bearer
token it never adds by itself: whoever shows one is asked for nothing else.
"""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any, Final, cast

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed
from django.middleware.csrf import CsrfViewMiddleware
from django.utils.cache import add_never_cache_headers
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema

from sessions_ext.bearer import bearer_of, signed_in_by
from sessions_ext.tokens import TokenRefused, verify
from shop.problems import MEDIA_TYPE as PROBLEM
from shop.problems import method_not_allowed, not_found, problem, token_refused

type View = Callable[..., HttpResponseBase]

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
BROWSER_HEADERS: Final = ("Origin", "Sec-Fetch-Site", "Referer")
"""A page cannot make a browser leave all of these out of an unsafe request."""
TOKEN_VIEW: Final = "create_token"  # noqa: S105 (a name)
"""URL name of the endpoint that gives tokens. A token gets no other: only its session does."""


class GatedAPI(NinjaAPI):
    """A NinjaAPI whose every view stands behind `gated` and whose errors are problems."""

    @property
    def urls(self) -> tuple[list[Any], str, str]:
        patterns, app_name, namespace = super().urls
        for pattern in patterns:
            view = cast(View, pattern.callback)
            name = getattr(pattern, "name", None)  # a resolver has none
            enter = by_cookie if name == TOKEN_VIEW else by_token_or_cookie
            pattern.callback = gated(enter(view))
        return patterns, app_name, namespace

    def get_openapi_schema(self, **kwargs: Any) -> OpenAPISchema:
        schema = super().get_openapi_schema(**kwargs)
        for operations in schema["paths"].values():
            for operation in operations.values():
                for status, response in operation["responses"].items():
                    if int(status) >= HTTPStatus.BAD_REQUEST:
                        response["content"] = {PROBLEM: response["content"]["application/json"]}
        return _with_security(schema)


def _with_security(schema: OpenAPISchema) -> OpenAPISchema:
    """Say what identifies a client: a token, the session's cookie, or, for a guest, nothing."""
    cookie = {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}
    bearer = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    schema["components"]["securitySchemes"] = {"session": cookie, "bearer": bearer}
    refusal = {
        "description": "The bearer token is not one of ours, or has ended",
        "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for operations in schema["paths"].values():
        for operation in operations.values():
            takes_token = not operation["operationId"].endswith(TOKEN_VIEW)
            operation["security"] = [{}, {"session": []}, *([{"bearer": []}] * takes_token)]
            operation["responses"].setdefault(HTTPStatus.UNAUTHORIZED.value, refusal)
    return schema


def gated(view: View) -> View:
    """Refuse what is not JSON; complete the answer."""

    @wraps(view)
    def gate(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        method = str(request.method)
        if method == "HEAD":
            request.method = "GET"  # endpoints know no other; the server drops the body
        response = _not_json(request) or view(request, *args, **kwargs)
        request.method = method
        if isinstance(response, HttpResponseNotAllowed):
            allowed = set(response.headers["Allow"].split(", "))
            allowed |= {"HEAD"} if "GET" in allowed else set()
            response = method_not_allowed(method, allowed)
        if not response.has_header("Cache-Control"):
            add_never_cache_headers(response)
        return response

    gate.csrf_exempt = True  # type: ignore[attr-defined]  # `by_cookie` checks instead
    return gate


def by_cookie(view: View) -> View:
    """Refuse what another site made a browser send."""

    @wraps(view)
    def entrance(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return _forged(request) or view(request, *args, **kwargs)

    return entrance


def by_token_or_cookie(view: View) -> View:
    """Let a request with a token in as that token's user; its cookie then tells nothing of it."""
    without = by_cookie(view)

    @wraps(view)
    def entrance(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        text = bearer_of(request.headers.get("Authorization", ""))
        if text is None:
            return without(request, *args, **kwargs)
        try:
            token = verify(text)
        except TokenRefused as error:
            return token_refused(request, error)
        with signed_in_by(request, token):
            return view(request, *args, **kwargs)

    return entrance


def _not_json(request: HttpRequest) -> HttpResponse | None:
    if request.method not in WITH_BODY or request.content_type == "application/json":
        return None
    empty = request.META.get("CONTENT_LENGTH", "") in ("", "0")
    if empty and "Transfer-Encoding" not in request.headers:
        return None  # the endpoint says what is missing, or that there is no such method
    return problem(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "Send the body as JSON, with the header Content-Type: application/json.",
        headers={"Accept": "application/json"},
    )


def _forged(request: HttpRequest) -> HttpResponse | None:
    """Django's own CSRF check, for requests that come from a browser.

    A guest without a browser sends none of BROWSER_HEADERS and keeps its cookies itself: there
    is nobody to trick into sending them.
    """
    from_browser = any(header in request.headers for header in BROWSER_HEADERS)
    if request.method in SAFE or not from_browser:
        return None
    check = _CsrfCheck(_unused)
    check.process_request(request)
    reason = check.process_view(request, _unused, (), {})
    if reason is None:
        return None
    return problem(
        HTTPStatus.FORBIDDEN,
        f"{reason} Send the value of the cookie csrftoken, which GET /api/session sets, in the"
        " header X-CSRFToken, from a page of this site. Nothing was changed.",
        kind="csrf-failed",
    )


class _CsrfCheck(CsrfViewMiddleware):
    """Tells the reason of a refusal instead of answering with a page."""

    def _reject(self, request: HttpRequest, reason: str) -> str:
        return reason


def _unused(request: HttpRequest) -> HttpResponse:
    return not_found(request)
