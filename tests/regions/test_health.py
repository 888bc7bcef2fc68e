from django.conf import settings
from django.test import Client


def test_live_and_ready_answer_without_any_store(client: Client) -> None:
    # No database mark: pytest-django would fail the test on a query.
    for name in ("live", "ready"):
        response = client.get(f"/health/{name}")

        assert response.status_code == 200
        assert response.json() == {"status": name, "region": "taiwan"}
        assert "no-store" in response.headers["Cache-Control"]


def test_health_takes_only_safe_methods(client: Client) -> None:
    assert client.post("/health/live").status_code == 405


def test_every_response_names_its_region_also_an_error(client: Client) -> None:
    for path in ("/health/live", "/no-such-page/", "/static/none.css"):
        response = client.get(path)

        assert response.headers["Anyport-Region"] == settings.ANYPORT_REGION
