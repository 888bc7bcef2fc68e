"""Error pages: our own, and drawn without any store."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, NoReturn

import psycopg
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InternalError, OperationalError, connections
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import include, path
from django_redis.exceptions import ConnectionInterrupted
from redis.exceptions import ConnectionError as RedisConnectionError

from sessions_ext.engine import SessionStore
from storage.redis import redis_primary

ERRORS: dict[str, Exception] = {
    "400": SuspiciousOperation("odd"),
    "413": RequestDataTooBig("large"),
    "403": PermissionDenied(),
    "404": Http404(),
    "500": RuntimeError("secret detail"),
    "database": OperationalError("gone"),
    "redis": RedisConnectionError("gone"),
    "cache": ConnectionInterrupted(connection=None),
    "aws": EndpointConnectionError(endpoint_url="http://nowhere"),
    "aws-answers": ClientError({"Error": {"Code": "SlowDown"}}, "HeadObject"),
    "demoted": InternalError("read-only"),
}
ERRORS["demoted"].__cause__ = psycopg.errors.ReadOnlySqlTransaction()
PAGES = [
    ("400", HTTPStatus.BAD_REQUEST, "We could not read that request"),
    ("413", HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "It was larger than we accept"),
    ("403", HTTPStatus.FORBIDDEN, "This page is not open to you"),
    ("404", HTTPStatus.NOT_FOUND, "There is nothing at this address"),
    ("500", HTTPStatus.INTERNAL_SERVER_ERROR, "Something broke on our side"),
    ("database", HTTPStatus.SERVICE_UNAVAILABLE, "A part of the shop is out of reach"),
    ("redis", HTTPStatus.SERVICE_UNAVAILABLE, "A part of the shop is out of reach"),
    ("cache", HTTPStatus.SERVICE_UNAVAILABLE, "A part of the shop is out of reach"),
    ("aws", HTTPStatus.SERVICE_UNAVAILABLE, "A part of the shop is out of reach"),
    ("aws-answers", HTTPStatus.SERVICE_UNAVAILABLE, "A part of the shop is out of reach"),
    ("demoted", HTTPStatus.SERVICE_UNAVAILABLE, "A part of the shop is out of reach"),
]


def fail(request: HttpRequest, name: str) -> NoReturn:
    raise ERRORS[name]


def post_only(request: HttpRequest) -> HttpResponse:
    return HttpResponse("done")


def sign_out_meanwhile(request: HttpRequest) -> HttpResponse:
    """As another tab's log-out would, between this request's load and its save."""
    request.session["currency"] = "JPY"
    SessionStore().delete(request.session.session_key)
    return HttpResponse("done")


urlpatterns = [
    path("fail/<str:name>/", fail),
    path("api/fail/<str:name>/", fail),
    path("post/", post_only),
    path("ended/", sign_out_meanwhile),
    path("api/ended/", sign_out_meanwhile),
    path("", include("settings.urls")),
]
handler400 = "shop.views.errors.bad_request"
handler403 = "shop.views.errors.permission_denied"
handler404 = "shop.views.errors.not_found"
handler500 = "shop.views.errors.server_error"

pytestmark = pytest.mark.urls(__name__)


@pytest.fixture
def browser() -> Client:
    return Client(raise_request_exception=False)


@pytest.mark.parametrize(("name", "status", "sentence"), PAGES)
def test_error_page_says_what_happened(
    browser: Client, name: str, status: HTTPStatus, sentence: str
) -> None:
    response = browser.get(f"/fail/{name}/")

    assert response.status_code == status
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert sentence in response.content.decode()
    assert "Served from Taiwan" in response.content.decode()
    assert "secret detail" not in response.content.decode()


@pytest.mark.parametrize(("name", "status", "sentence"), PAGES)
def test_api_gets_a_problem_instead(
    browser: Client, name: str, status: HTTPStatus, sentence: str
) -> None:
    response = browser.get(f"/api/fail/{name}/")

    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert problem["status"] == status
    assert problem["title"] == status.phrase
    assert problem["detail"]


# --- A session that ended meanwhile ---------------------------------------------------------------


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_session_that_another_tab_ended_is_told_of(browser: Client, method: str) -> None:
    keep_something(browser)

    response = getattr(browser, method)("/ended/?a=1")

    html = response.content.decode()
    assert response.status_code == HTTPStatus.BAD_REQUEST
    assert "You were signed out meanwhile" in html
    assert "Your account and your orders are safe" in html
    assert "/accounts/login/" in html
    assert ('href="/ended/?a=1"' in html) == (method == "get")
    assert response.headers["Cache-Control"] == "no-store"
    assert browser.get("/ended/").content == b"done"  # a guest by now, who goes on


def test_a_session_that_another_tab_ended_is_a_problem_of_its_own(browser: Client) -> None:
    keep_something(browser)

    problem = browser.get("/api/ended/").json()

    assert (problem["status"], problem["type"]) == (400, "urn:anyport:problem:session-ended")
    assert problem["title"] == "Session ended"
    assert "Log in" in problem["detail"]
    assert "could not be read" not in problem["detail"]


def keep_something(browser: Client) -> None:
    session = browser.session
    session["language"] = "en"
    session.save()


@pytest.mark.parametrize("prefix", ["", "/api"])
@pytest.mark.parametrize("name", ["database", "redis", "cache", "aws", "demoted"])
def test_a_lost_store_says_when_to_try_again(browser: Client, prefix: str, name: str) -> None:
    response = browser.get(f"{prefix}/fail/{name}/")

    assert response.headers["Retry-After"] == "5"
    assert response.headers["Cache-Control"] == "no-store"


def test_only_a_page_that_was_read_offers_to_be_read_again(browser: Client) -> None:
    read = browser.get("/fail/500/?a=1")
    sent = browser.post("/fail/500/")

    assert 'href="/fail/500/?a=1"' in read.content.decode()
    assert "Try again" not in sent.content.decode()


def test_a_form_without_its_token_is_refused_kindly() -> None:
    response = Client(enforce_csrf_checks=True).post("/post/")

    assert response.status_code == HTTPStatus.FORBIDDEN
    assert "That form was no longer valid" in response.content.decode()


@pytest.mark.django_db(databases=["default", "replica"])
@pytest.mark.parametrize(("name", "status", "sentence"), PAGES)
def test_error_pages_ask_no_database(
    browser: Client, name: str, status: HTTPStatus, sentence: str
) -> None:
    browser.cookies["SESSION"] = "a-session-that-is-not-there"

    with (
        CaptureQueriesContext(connections["default"]) as writer,
        CaptureQueriesContext(connections["replica"]) as replica,
    ):
        browser.get(f"/fail/{name}/")

    assert (len(writer), len(replica)) == (0, 0)


@pytest.fixture
def no_redis(settings: Any) -> Iterator[None]:
    """Nobody listens where Redis should be. Setting CACHES makes Django drop its clients."""
    settings.REDIS_URL = "redis://127.0.0.1:1"
    settings.REDIS_SENTINELS = []
    settings.CACHES = dict(settings.CACHES)
    redis_primary.cache_clear()
    yield
    redis_primary.cache_clear()


@pytest.mark.usefixtures("no_redis")
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/fail/404/", HTTPStatus.NOT_FOUND),
        ("/fail/500/", HTTPStatus.INTERNAL_SERVER_ERROR),
        ("/nowhere/", HTTPStatus.NOT_FOUND),
        ("/fail/redis/", HTTPStatus.SERVICE_UNAVAILABLE),
    ],
)
def test_error_pages_need_no_redis(browser: Client, path: str, status: HTTPStatus) -> None:
    browser.cookies["SESSION"] = "a" * 32

    response = browser.get(path)

    assert response.status_code == status
    assert "Go to the shop" in response.content.decode()
