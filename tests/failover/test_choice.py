"""Which standby is promoted, and when nobody may be."""

from dataclasses import replace

import pytest

from failover.promotion.choice import Choice, choose, old_writer
from failover.promotion.errors import Refused
from regions.servers import Fence, Server

GONE = Server("taiwan", answers=False, problem="refused")
TOKYO = Server("tokyo", True, timeline=3, position=500)
SINGAPORE = Server("singapore", True, timeline=3, position=700, age=4.2)
DEAD = Fence(stopped=True)


def chosen(
    *standbys: Server,
    fence: Fence = DEAD,
    detached: str = "tokyo singapore",
    wanted: str | None = None,
    allow_data_loss: bool = False,
) -> Choice:
    return choose(
        {server.region: server for server in (GONE, *standbys)},
        old="taiwan",
        fence=fence,
        detached=detached.split(),
        wanted=wanted,
        allow_data_loss=allow_data_loss,
    )


def test_the_furthest_of_all_standbys_is_chosen() -> None:
    choice = chosen(TOKYO, SINGAPORE)

    assert (choice.region, choice.source, choice.loss) == ("singapore", None, "")


def test_one_that_is_behind_gets_the_rest_first() -> None:
    choice = chosen(TOKYO, SINGAPORE, wanted="tokyo")

    assert (choice.region, choice.source, choice.position) == ("tokyo", "singapore", 700)
    assert choice.why == "it is 200 bytes behind singapore, and gets them first"


def test_a_later_history_beats_a_longer_log() -> None:
    later = replace(TOKYO, timeline=4)

    assert chosen(later, SINGAPORE).region == "tokyo"
    with pytest.raises(Refused, match=r"older history than tokyo\. Promote tokyo instead"):
        chosen(later, SINGAPORE, wanted="singapore")


@pytest.mark.parametrize(
    ("standbys", "detached"),
    [
        ((TOKYO, Server("singapore", answers=False)), "tokyo"),
        ((TOKYO, SINGAPORE), "tokyo"),  # it answers, but still confirms commits
    ],
)
def test_nobody_is_when_one_standby_is_unknown(
    standbys: tuple[Server, Server], detached: str
) -> None:
    with pytest.raises(Refused, match="singapore cannot be asked, and may have acknowledged"):
        chosen(*standbys, detached=detached)

    choice = chosen(*standbys, detached=detached, allow_data_loss=True)
    assert choice.region == "tokyo"
    assert choice.loss.startswith("singapore cannot be asked")


def test_one_standby_is_enough_when_the_old_writer_told_where_its_log_ends() -> None:
    away = Server("singapore", answers=False)

    choice = chosen(TOKYO, away, fence=Fence(True, end=500), detached="tokyo")
    assert (choice.region, choice.loss) == ("tokyo", "")
    with pytest.raises(Refused, match="it lacks 100 bytes of the log"):
        chosen(TOKYO, away, fence=Fence(True, end=600), detached="tokyo")


def test_the_loss_is_told_in_bytes_and_seconds() -> None:
    choice = chosen(
        Server("tokyo", answers=False),
        SINGAPORE,
        fence=Fence(True, end=1000),
        detached="singapore",
        allow_data_loss=True,
    )

    assert choice.loss == (
        "tokyo cannot be asked, and may have acknowledged orders that singapore has not: "
        "it lacks 300 bytes of the log; "
        "the last transaction it has was committed 4 s ago."
    )


def test_a_named_region_that_is_away_is_refused_with_who_is_not() -> None:
    away = Server("tokyo", answers=False)

    with pytest.raises(Refused, match=r"tokyo does not answer\. Promote singapore instead"):
        chosen(away, SINGAPORE, wanted="tokyo", allow_data_loss=True)


def test_without_any_standby_there_is_nobody_to_promote() -> None:
    with pytest.raises(Refused, match="No standby answers"):
        chosen(Server("tokyo", False), Server("singapore", False), allow_data_loss=True)


def test_the_old_writer_is_who_writes_or_wrote_or_is_silent() -> None:
    def found(*servers: Server, last_known: str | None = None) -> str | None:
        return old_writer({server.region: server for server in servers}, last_known)

    assert found(replace(TOKYO, takes_writes=True), GONE, SINGAPORE, last_known="taiwan") == "tokyo"
    assert found(Server("tokyo", False), GONE, SINGAPORE, last_known="taiwan") == "taiwan"
    assert found(TOKYO, GONE, SINGAPORE, last_known="tokyo") == "taiwan"
    assert found(Server("tokyo", False), GONE, SINGAPORE) is None
    # Cut off, and then back: the one of the later history.
    both = replace(TOKYO, takes_writes=True), replace(SINGAPORE, timeline=4, takes_writes=True)
    assert found(*both, GONE) == "singapore"
