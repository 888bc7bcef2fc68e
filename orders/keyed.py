"""Idempotency for endpoints of the JSON API.

def create_order(request: HttpRequest, wanted: OrderIn, key: IdempotencyKey = "") -> HttpResponse:
    with keyed(request, key, wanted) as attempt:
        if not attempt.answer:
            attempt.answer = …
    return attempt.response()
"""

from contextlib import AbstractContextManager
from typing import Annotated, Final

from django.http import HttpRequest
from ninja import Header, Schema

from orders.idempotency import Attempt, idempotent, owners_of, read_key
from orders.problems import decline

HELP: Final = (
    "A UUID v4, new for each thing to be done, the same whenever it is sent again. Sent again"
    " within 24 hours, it is answered as before, byte for byte, with `Idempotency-Replayed:"
    " true`; refusals (409) too, except `still-running`."
)
IdempotencyKey = Annotated[str, Header(alias="Idempotency-Key", description=HELP)]


def keyed(request: HttpRequest, key: str, wanted: Schema) -> AbstractContextManager[Attempt]:
    """`idempotent` for this request. Raises BadKey; inside, what `idempotent` raises."""
    return idempotent(
        key=read_key(key),
        owners=owners_of(request),
        content={
            "request": f"{request.method} {request.path}",
            "body": wanted.model_dump(mode="json", exclude_none=True),
        },
        decline=decline,
    )
