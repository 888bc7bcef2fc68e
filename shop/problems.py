"""Errors of the JSON API as RFC 9457 `application/problem+json`.

Every problem says in one sentence what was wrong and what to do. `type` names problems a program
may act on; the others are `about:blank`, which means no more than their status.
"""

from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final, cast

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.serializers.json import DjangoJSONEncoder
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.template.defaultfilters import filesizeformat
from ninja import NinjaAPI, Schema
from ninja.errors import HttpError, Throttled, ValidationError

from sessions_ext.tokens import TokenEnded, TokenForeign, TokenOfNobody, TokenRefused
from shop.errors import UnknownSku

MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:anyport:problem:"


class Problem(Schema):
    """RFC 9457. Some problems have more members, such as `available`."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[dict[str, str]] | None = None


def problem(
    status: HTTPStatus,
    detail: str,
    *,
    kind: str = "",
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> HttpResponse:
    """A problem. `kind` is its stable name (`out-of-stock`); `members` extend the document."""
    document = {
        "type": f"{TYPE_PREFIX}{kind}" if kind else "about:blank",
        "title": kind.replace("-", " ").capitalize() if kind else status.phrase,
        "status": status.value,
        "detail": detail,
        **members,
    }
    return JsonResponse(
        document, DjangoJSONEncoder, status=status, content_type=MEDIA_TYPE, headers=headers
    )


def not_found(request: HttpRequest) -> HttpResponse:
    return problem(
        HTTPStatus.NOT_FOUND,
        "There is nothing here. Check the address; /api/docs lists every endpoint.",
    )


def method_not_allowed(method: str, allowed: Iterable[str]) -> HttpResponse:
    allow = ", ".join(sorted(allowed))
    return problem(
        HTTPStatus.METHOD_NOT_ALLOWED,
        f"{method} is not possible here. Use {allow.replace(', ', ' or ')}.",
        headers={"Allow": allow},
    )


def invalid(*errors: dict[str, str]) -> HttpResponse:
    """422. Each error has `detail` and where: `pointer` (into the body) or `parameter`."""
    first = errors[0]
    where = first.get("parameter") or first.get("pointer", "#")[2:].replace("/", ".")
    more = f" {len(errors) - 1} more in `errors`." if len(errors) > 1 else ""
    return problem(
        HTTPStatus.UNPROCESSABLE_CONTENT,
        f"{where or 'body'}: {first['detail']}{more}",
        kind="invalid-request",
        errors=list(errors),
    )


def no_session() -> HttpResponse:
    """409 for a token without its cookie: there is nowhere to keep a choice."""
    return problem(
        HTTPStatus.CONFLICT,
        "A currency is kept in a session, and a token alone has none. Nothing was changed. Send"
        " the cookie that came with the token along.",
        kind="no-session",
    )


def answer_with[E: Exception](
    api: NinjaAPI, error: type[E], handler: Callable[[HttpRequest, E], HttpResponse]
) -> None:
    """Ninja's own method, whose types would have handlers take a class as well."""
    api.add_exception_handler(error, cast(Any, handler))


def answer_with_problems(api: NinjaAPI) -> None:
    """Let every error that any endpoint may raise be answered with a problem."""
    answer_with(api, Exception, _pass_on)
    answer_with(api, Http404, lambda request, error: not_found(request))
    answer_with(api, ValidationError, _invalid)
    answer_with(api, Throttled, _throttled)
    answer_with(api, HttpError, _http_error)
    answer_with(api, RequestDataTooBig, _too_large)
    answer_with(api, UnreadablePostError, _cut_short)
    answer_with(api, UnknownSku, _unknown_sku)
    answer_with(api, TokenRefused, token_refused)


def _pass_on(request: HttpRequest, error: Exception) -> HttpResponse:
    """To Django, which logs it and answers 500 or 503. Ninja would print a traceback in DEBUG."""
    raise error


def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    return invalid(*(_explain(entry) for entry in error.errors))


def _throttled(request: HttpRequest, error: Throttled) -> HttpResponse:
    seconds = error.wait or 1
    return problem(
        HTTPStatus.TOO_MANY_REQUESTS,
        f"Too many requests. Nothing was changed. Try again in {seconds} s.",
        headers={"Retry-After": str(seconds)},
    )


def _http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    """Ninja's own 400 (a body that cannot be read), and those that an endpoint raises."""
    if error.status_code == HTTPStatus.BAD_REQUEST:
        return problem(
            HTTPStatus.BAD_REQUEST,
            "The body is not valid JSON in UTF-8. Nothing was changed. Mend it and send it again.",
            kind="malformed-json",
        )
    return problem(HTTPStatus(error.status_code), error.message)


def _too_large(request: HttpRequest, error: Exception) -> HttpResponse:
    limit = filesizeformat(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    return problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"The body is larger than {limit}. Nothing was changed. Send less.",
    )


def _cut_short(request: HttpRequest, error: Exception) -> HttpResponse:
    return problem(
        HTTPStatus.BAD_REQUEST, "The body ended too early. Nothing was changed. Send it again."
    )


REFUSALS: Final[dict[type[TokenRefused], tuple[str, str]]] = {
    TokenEnded: ("token-ended", "This token has ended. Get a new one from POST /api/auth/token."),
    TokenForeign: (
        "token-invalid",
        "This is no token of ours, or it was altered. Get one from POST /api/auth/token.",
    ),
    TokenOfNobody: (
        "token-revoked",
        "The account of this token is closed, or its password was changed. Log in again with"
        " POST /api/auth/token.",
    ),
}


def token_refused(request: HttpRequest, error: TokenRefused) -> HttpResponse:
    """As RFC 6750 has it."""
    kind, detail = REFUSALS[type(error)]
    return problem(
        HTTPStatus.UNAUTHORIZED,
        f"{detail} Nothing was changed.",
        kind=kind,
        headers={"WWW-Authenticate": f'Bearer error="invalid_token", error_description="{detail}"'},
    )


def _unknown_sku(request: HttpRequest, error: UnknownSku) -> HttpResponse:
    return problem(
        HTTPStatus.NOT_FOUND,
        "No such SKU is on sale here or in this cart. Take one from a product's `variants`.",
        kind="unknown-sku",
        sku=error.sku,
    )


SENTENCES: Final = {
    "missing": "This is required.",
    "int_type": "Send a whole number, such as 2.",
    "int_parsing": "Send a whole number, such as 2.",
    "int_parsing_size": "The number is too large.",
    "int_from_float": "Send a whole number, such as 2.",
    "finite_number": "Send a whole number, such as 2.",
    "string_type": "Send a text in quotes.",
    "string_unicode": "Send text in valid Unicode.",
    "string_too_short": "Send at least {min_length} characters.",
    "string_too_long": "Send at most {max_length} characters.",
    "too_short": "Send at least {min_length} characters.",
    "too_long": "Send at most {max_length} characters.",
    "greater_than_equal": "Send at least {ge}.",
    "less_than_equal": "Send at most {le}.",
    "literal_error": "Send one of {expected}.",
    "enum": "Send one of {expected}.",
    "model_type": "Send a JSON object.",
    "model_attributes_type": "Send a JSON object.",
    "value_error": "{error}",
}
"""By pydantic's error type; the braces are filled from its context."""


def _explain(error: Mapping[str, Any]) -> dict[str, str]:
    source, *path = (str(part) for part in error["loc"])
    if source == "body":
        path = path[1:]  # the first is the name of the endpoint's argument
        place = {"pointer": "/".join(["#", *(_escaped(part) for part in path)])}
    else:
        place = {"parameter": path[-1] if path else source}
    kind = "model_type" if source == "body" and not path else error["type"]
    sentence = SENTENCES.get(kind, error["msg"]).format_map(error.get("ctx", {}))
    return {"detail": sentence, **place}


def _escaped(part: str) -> str:
    """As RFC 6901 writes it in a JSON Pointer."""
    return part.replace("~", "~0").replace("/", "~1")
