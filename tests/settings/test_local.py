"""The settings of the stack on this machine."""

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("host", ["localhost:8123", "127.0.0.1:8123"])
def test_forms_can_be_posted_from_either_name_of_this_machine_and_any_port(host: str) -> None:
    client = Client(enforce_csrf_checks=True, headers={"Host": host})
    token = client.get("/accounts/login/").cookies["csrftoken"].value
    form = {"csrfmiddlewaretoken": token, "login": "", "password": ""}

    own = client.post("/accounts/login/", form, headers={"Origin": f"http://{host}"})
    foreign = client.post("/accounts/login/", form, headers={"Origin": "http://other.example"})

    assert (own.status_code, foreign.status_code) == (200, 403)
