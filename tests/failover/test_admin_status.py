"""The admin's page of the regions: who may see it, what it tells, what it costs."""

import re
from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest
from django.db import OperationalError, connections
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext

from failover.admin.chart import SIZE, draw
from failover.overview import take
from failover.overview.instances import NEAREST
from storage import control
from storage.leases import try_acquire
from tests.failover.tables import own_tables
from tests.sessions_ext.outage import dynamodb_gone, forget_clients, redis_gone
from tests.sessions_ext.stores import trust_redis
from tests.stack import Stack, wait_until
from tests.staff import boss, clerk, client_of

# The replica's connection is another one: it sees only what is committed.
pytestmark = pytest.mark.django_db(databases=["default", "replica"], transaction=True)

URL: Final = "/admin/failover/status/"
HTMX: Final = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def tables() -> Iterator[None]:
    """This module's own: others leave documents and leases behind."""
    with own_tables():
        yield


@pytest.fixture
def staff(stack: Stack) -> Client:
    return client_of(clerk("view_status"))


def text(client: Client, url: str = URL, **headers: str) -> str:
    """The page's words; those of tags and of the chart's paths do not count."""
    response = client.get(url, headers=headers)
    assert response.status_code == 200
    words = re.sub(r"<title id.*?</title>|<[^>]+>", " ", response.content.decode())
    return " ".join(words.split())


def again(html: str) -> str:
    """What the page asks for when it refreshes."""
    found = re.search(r'hx-get="([^"]+)"', html)
    assert found
    return found[1].replace("&amp;", "&")


# --- Who may see it --------------------------------------------------------------------------


def test_only_who_may_view_it_sees_the_page_and_the_way_there(stack: Stack) -> None:
    may, may_not = client_of(clerk("view_status")), client_of(clerk("view_order"))

    assert Client().get(URL).headers["Location"] == f"/admin/login/?next={URL}"
    assert may_not.get(URL).status_code == 403
    assert may.get(URL).status_code == 200
    assert client_of(boss()).get(URL).status_code == 200
    front = {client: client.get("/admin/").content.decode().count(URL) for client in (may, may_not)}
    assert front[may_not] == 0
    assert front[may] >= 2  # in the side bar, and beside the region that answered


def test_nothing_can_be_changed_there(stack: Stack) -> None:
    client = client_of(boss())

    assert client.post(URL + "add/").status_code == 404
    assert client.get(URL + "1/change/").status_code == 404


# --- What it tells ---------------------------------------------------------------------------


def test_each_region_is_told_with_its_roles(staff: Client, stack: Stack) -> None:
    def tells_all() -> str:
        """On a busy machine one may answer too late."""
        found = text(staff)
        return (
            found if all(re.search(_row(stack, region), found) for region in stack.regions) else ""
        )

    found = wait_until(tells_all, 60, "all answer")

    for region in stack.regions:
        writer = " · writer" if region == stack.roles["postgres"] else ""
        assert f"{region.title()} ready{writer}" in found  # in the chart


def _row(stack: Stack, region: str) -> str:
    """A pattern."""
    role = "writer" if region == stack.roles["postgres"] else r"standby, \d+\.\d s"
    redis = "primary" if region == stack.roles["valkey"] else "replica"
    behind = r"\d\S* k?B behind"
    words = rf"{region.title()} ready {role} timeline \d+(, {behind})? {redis}( {behind})?"
    return words + " – – 0 src-"


def test_the_page_refreshes_a_part_and_tells_requests_a_second(staff: Client, stack: Stack) -> None:
    first = staff.get(URL).content.decode()
    httpx.get(f"{stack.regions['tokyo']['web']}/no-such-page/")
    parts = [first]

    def all_tell() -> bool:
        """A busy machine may miss an instance's answer at one look, and then has no rate."""
        parts.append(staff.get(again(parts[-1]), headers=HTMX).content.decode())
        return len(re.findall(r'data-label="Requests/s"[^>]*>([\d.]+)<', parts[-1])) == 3

    # Of two looks that are nearer to each other no rate is told.
    wait_until(all_tell, 60, "each region tells its rate", interval=2 * NEAREST)

    assert "<html" in first
    assert re.search(r'data-label="Requests/s"[^>]*>–<', first)
    assert parts[1].lstrip().startswith('<div id="regions"')
    assert again(parts[1]) != again(first)


@pytest.mark.parametrize(
    "since", ["", "x", "tokyo~1", "tokyo~nan~inf~1~1", "tokyo~1~1~1~1,,~~", "é" * 2000, "\0"]
)
def test_samples_that_nobody_made_count_as_none(staff: Client, since: str) -> None:
    response = staff.get(URL, {"since": since})

    assert response.status_code == 200
    assert not re.search(r'data-label="Requests/s"[^>]*>[\d.]+<', response.content.decode())


def test_a_reason_is_text_and_no_markup(staff: Client) -> None:
    drain = {"since": "", "by": "<b>mei</b>", "why": "<script>alert(1)</script>"}
    control.change("drained", lambda _: {"tokyo": drain})

    html = staff.get(URL).content.decode()

    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "<script>alert" not in html
    assert "<b>mei" not in html
    assert "manage.py failover undrain tokyo" in html


@pytest.mark.parametrize(("language", "words"), [("ja", "リージョン"), ("zh-TW", "區域")])
def test_the_page_speaks_the_readers_language(staff: Client, language: str, words: str) -> None:
    assert words in text(staff, **{"Accept-Language": language})


# --- What it costs, and outages ----------------------------------------------------------------


def test_the_cost_is_the_same_for_many_leases(staff: Client) -> None:
    staff.get(URL)

    def cost() -> int:
        with CaptureQueriesContext(connections["default"]) as queries:
            assert staff.get(URL).status_code == 200
        return len(queries)

    try_acquire("one", owner="taiwan/host/1")
    before = cost()
    for name in ("two", "three"):
        try_acquire(name, owner="taiwan/host/1")
    after = cost()

    assert after == before <= 5


def test_without_a_writer_the_standby_tells_who_may_see_it(staff: Client) -> None:
    asked = []

    def refuse(*arguments: object) -> Any:
        asked.append(arguments)
        raise OperationalError("no server takes writes")

    with connections["default"].execute_wrapper(refuse):
        response = staff.get(URL)
        stranger = Client().get(URL)
        with pytest.raises(OperationalError):  # the control: a page that does not outlive it
            staff.get("/admin/")

    assert asked
    assert response.status_code == 200
    assert b"Taiwan" in response.content
    assert stranger.headers["Location"] == f"/admin/login/?next={URL}"


@pytest.fixture
def other_clients() -> Iterator[None]:
    forget_clients()
    yield
    forget_clients()


@pytest.mark.usefixtures("other_clients")
def test_without_dynamodb_the_page_says_so(staff: Client) -> None:
    staff.get(URL)
    with dynamodb_gone():
        forget_clients()
        trust_redis()
        found = text(staff)

    assert "DynamoDB does not answer: nobody can say who is drained or leads" in found
    assert "Watch DynamoDB does not answer" in found


@pytest.mark.usefixtures("other_clients")
def test_without_redis_the_page_says_so(staff: Client, stack: Stack) -> None:
    dead = dict.fromkeys(stack.regions, "redis://127.0.0.1:9")
    with redis_gone(), override_settings(REDIS_REGION_URLS=dead):
        forget_clients()
        found = text(staff)

    assert "Redis has no primary" in found
    assert "Sessions Redis does not answer" in found


# --- The chart -------------------------------------------------------------------------------


def regions(**places: str) -> Any:
    return override_settings(
        ANYPORT_REGIONS=places,
        ANYPORT_REGION=next(iter(places)),
        ANYPORT_REGION_URLS={},
        REDIS_REGION_URLS={},
    )


def test_harbours_lie_as_they_do_on_a_map(stack: Stack) -> None:
    marks = {mark.region.name: mark.at for mark in draw(take()).marks}

    assert marks["singapore"].x < marks["taiwan"].x < marks["tokyo"].x
    assert marks["tokyo"].y < marks["taiwan"].y < marks["singapore"].y
    assert all(0 < axis < SIZE for at in marks.values() for axis in (at.x, at.y))


def test_regions_whose_places_nobody_knows_stand_in_a_row(stack: Stack) -> None:
    with regions(north="dc-1", south="dc-2", east="dc-3", west="dc-4"):
        chart = draw(take())

    assert [mark.at.x for mark in chart.marks] == [SIZE * each / 8 for each in (1, 3, 5, 7)]
    assert len({mark.at.y for mark in chart.marks}) == 1
    assert (chart.grid, chart.land) == ("", ())
