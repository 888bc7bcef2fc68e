"""A visitor of a site that is nothing but an engine, its middleware and a view."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from asgiref.sync import async_to_sync, sync_to_async
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from tests.sessions_ext.behaviour.twin import MIDDLEWARE, Engine, Session

type View = Callable[[Session], int | None]

COOKIE = "SESSION"


class Browser:
    """One visitor, who keeps the cookies."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.cookies: dict[str, str] = {}

    def get(self, view: View) -> HttpResponse:
        """Visit; the view may return a status other than 200. Keeps the cookies as browsers do."""
        request = RequestFactory().get("/")
        request.COOKIES.update(self.cookies)
        response = self._serve(view, request)
        for name, morsel in response.cookies.items():
            if morsel["max-age"] == 0:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = morsel.value
        return response

    def _serve(self, view: View, request: HttpRequest) -> HttpResponse:
        module, _, name = MIDDLEWARE[self.engine.name].rpartition(".")
        middleware: Any = getattr(import_module(module), name)

        def answer(request: HttpRequest) -> HttpResponse:
            return HttpResponse(status=view(Session(request.session, self.engine.form)) or 200)

        if self.engine.form == "async":
            response: HttpResponse = async_to_sync(middleware(sync_to_async(answer)))(request)
        else:
            response = middleware(answer)(request)
        return response
