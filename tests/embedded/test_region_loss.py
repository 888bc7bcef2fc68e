"""A region is lost whole, its stores too, while shoppers look at real pages."""

from tests.embedded.load import Load
from tests.embedded.test_front import LONGEST_OUTAGE
from tests.stack import APPLICATION, STORES, Stack, wait_until

PAGES = (("GET", "/"), ("GET", "/products/dockside-tote/"), ("GET", "/health/live"))


def test_loss_of_all_of_a_region_is_not_noticed_and_heals(own_stack: Stack) -> None:
    roles = own_stack.roles
    victim = next(region for region in own_stack.regions if region not in roles.values())
    direct = [own_stack.regions[r]["web"] for r in own_stack.regions if r != victim]
    with Load(own_stack.front, *direct, requests=PAGES) as load:
        wait_until(lambda: load.served(own_stack.front) > 20, 120, "requests are served")

        killed = own_stack.kill_region(victim, stores=True)

        # What restarts, restarts; PostgreSQL returns as the standby that it was.
        for name in (*STORES, *APPLICATION):
            own_stack.wait_restarted(name, victim, killed[name], timeout=180)
        served = load.served(own_stack.front)
        wait_until(lambda: load.served(own_stack.front) > served + 50, 180, "requests go on")

    assert load.accounts[own_stack.front].longest_outage() < LONGEST_OUTAGE
    for address in direct:
        assert {status for _, status in load.accounts[address].answers} == {200}
    assert own_stack.roles["postgres"] == roles["postgres"]
