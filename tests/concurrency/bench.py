"""Guest checkouts per second, and how they grow with the number of shoppers.

    python -m tests.concurrency.bench [--state DIR] [--direct] [--json]

Boots a three-region stack of its own in a temporary directory, or asks the one that runs in DIR.
Each level fills its carts first, unmeasured; then so many shoppers order at the same time, each
the next cart as soon as the last one is ordered. `distinct`: neighbours want different SKUs.
`hot`: all want the same one. Afterwards the orders are counted and the ledger is summed; a
difference ends with exit code 1.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from operator import attrgetter, itemgetter
from pathlib import Path
from statistics import quantiles
from typing import Final

import psutil
from rich.console import Console
from rich.table import Table

from tests.concurrency.bench_load import Cart, Taken, fill, order
from tests.ledger import allocations, last_movement, ledger, stocked
from tests.stack import Booted, Stack

SHOPPERS: Final = (1, 2, 4, 8, 16, 32)
GENERATORS: Final = 2
"""Processes that play the shoppers."""
SKUS: Final = 64
PLENTY: Final = 100_000
CARTS_EACH: Final = 60
"""Carts a shopper, while they are few: more than they can order in time."""
FILLERS: Final = 8
"""Threads a process that fill carts."""


@dataclass(frozen=True)
class Level:
    """What was measured; times in milliseconds of an order's request."""

    stock: str
    shoppers: int
    orders: int
    per_second: float
    ratio: float
    """To one shopper's rate."""
    p50: float
    p95: float
    asked_again: int
    """Answers 503 and "still running", after which the same was sent again."""
    generator: float
    """Processor time of those who ask, of one core."""
    cpu: dict[str, float]
    """Processor milliseconds an order, by kind of process."""
    load: float
    """Of the machine, in the minute until then."""

    @property
    def processor(self) -> float:
        """Processor milliseconds an order, in all."""
        return sum(self.cpu.values())


class Bench:
    def __init__(self, stack: Stack, pool: ProcessPoolExecutor, wanted: argparse.Namespace) -> None:
        self._stack = stack
        self._pool = pool
        self._wanted = wanted
        self._bases = (
            [addresses["web"] for addresses in stack.regions.values()]
            if wanted.direct
            else [stack.front]
        )
        self.acknowledged: dict[str, str] = {}
        """SKU of each order, by its number."""
        self.emails: list[str] = []

    def levels(self, skus: list[str]) -> Iterator[Level]:
        """Both kinds of stock in turn, so that both meet the same machine."""
        alone: dict[str, float] = {}
        for shoppers in self._wanted.shoppers:
            for stock, sold in (("distinct", skus), ("hot", skus[:1])):
                carts = self._filled(sold, min(self._wanted.checkouts, CARTS_EACH * shoppers))
                before = _processor_seconds(self._stack)
                taken = self._order(carts, shoppers)
                after = _processor_seconds(self._stack)
                spent = {name: seconds - before[name] for name, seconds in after.items()}
                rate = len(taken.numbers) / (taken.ended - taken.began)
                ratio = rate / alone.setdefault(stock, rate)
                yield _level(stock, shoppers, taken, rate, ratio, spent)

    def warm_up(self, skus: list[str]) -> None:
        """Connections, compiled templates and caches: every later level finds them."""
        self._order(self._filled(skus, 60), 12)

    def _filled(self, skus: list[str], count: int) -> list[Cart]:
        wanted = [skus[number % len(skus)] for number in range(count)]
        halves = [
            self._pool.submit(
                fill, self._bases, wanted[start::GENERATORS], FILLERS, self._wanted.seconds
            )
            for start in range(GENERATORS)
        ]
        return [cart for half in halves for cart in half.result()]

    def _order(self, carts: list[Cart], shoppers: int) -> Taken:
        processes = min(GENERATORS, shoppers)
        shares = [
            self._pool.submit(
                order,
                self._bases,
                carts[number::processes],
                shoppers // processes + (number < shoppers % processes),
                self._wanted.seconds,
            )
            for number in range(processes)
        ]
        taken = Taken.joined([share.result() for share in shares])
        self.acknowledged |= taken.numbers
        self.emails += [cart.email for cart in carts]
        return taken

    def differences(self, skus: list[str], since: int) -> list[str]:
        """Where orders and stock are not exactly what was acknowledged."""
        found = []
        with self._stack.writer() as live:
            rows = live.execute(
                "SELECT number FROM orders_order WHERE email = ANY(%s)", [self.emails]
            )
            written = {number for (number,) in rows}
            if written != self.acknowledged.keys():
                found.append(f"{len(written)} orders, {len(self.acknowledged)} acknowledged")
            sold = Counter(self.acknowledged.values())
            for sku in skus:
                on_hand, allocated = ledger(live, sku)
                taken = allocations(live, sku, since)
                if (on_hand, allocated, taken.total()) != (PLENTY, sold[sku], sold[sku]):
                    found.append(f"{sku}: {allocated} of {on_hand} allocated, {sold[sku]} sold")
        return found


def _level(
    stock: str, shoppers: int, taken: Taken, rate: float, ratio: float, spent: dict[str, float]
) -> Level:
    twentieths = quantiles(taken.milliseconds, n=20)
    return Level(
        stock=stock,
        shoppers=shoppers,
        orders=len(taken.numbers),
        per_second=round(rate, 1),
        ratio=round(ratio, 2),
        p50=round(twentieths[9], 1),
        p95=round(twentieths[18], 1),
        asked_again=len(taken.asked_again),
        generator=round(taken.processor_seconds / (taken.ended - taken.began), 2),
        cpu={
            name: round(1000 * seconds / len(taken.numbers), 1)
            for name, seconds in sorted(spent.items(), key=itemgetter(1), reverse=True)
        },
        load=round(psutil.getloadavg()[0], 1),
    )


def _processor_seconds(stack: Stack) -> dict[str, float]:
    """So far, by kind of process, of those that live."""
    seconds: dict[str, float] = defaultdict(float)
    for part in stack.description["processes"]:
        parent = psutil.Process(part["pid"])
        for process in [parent, *parent.children(recursive=True)]:
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            seconds[part["name"]] += times.user + times.system
    return seconds


# --- The command ---------------------------------------------------------------------------------


HEADINGS: Final = (
    *("stock", "shoppers", "orders/s", "× 1", "p50 ms", "p95 ms"),
    *("again", "asking", "cpu ms", "load"),
)
NOTES: Final = """\
× 1: to one shopper's. again: 503 or 409, sent again with its key. asking: of one core, taken by
those who play the shoppers. cpu: the shop's, an order. load: the machine's, whoever causes it."""


def show(levels: list[Level], console: Console) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading == "stock" else "right")
    for level in sorted(levels, key=attrgetter("stock", "shoppers")):
        table.add_row(
            level.stock,
            str(level.shoppers),
            f"{level.per_second:.1f}",
            f"{level.ratio:.2f}",
            f"{level.p50:.0f}",
            f"{level.p95:.0f}",
            str(level.asked_again),
            f"{100 * level.generator:.0f} %",
            f"{level.processor:.0f}",
            f"{level.load:.1f}",
        )
    console.print(table)
    console.print(NOTES)
    parts = [f"{name} {spent:.1f}" for name, spent in levels[-1].cpu.items() if spent >= 1]
    console.print(f"The last level's processor ms an order: {', '.join(parts)}.")


def run(stack: Stack, wanted: argparse.Namespace, console: Console) -> bool:
    """Whether everything is as it was acknowledged."""
    context = get_context("spawn")
    with (
        stocked(stack.writer, *([PLENTY] * SKUS)) as skus,
        ProcessPoolExecutor(GENERATORS, mp_context=context) as pool,
    ):
        with stack.writer() as live:
            since = last_movement(live)
        bench = Bench(stack, pool, wanted)
        bench.warm_up(skus)
        levels = []
        for level in bench.levels(skus):
            console.print(f"{level.stock} {level.shoppers}: {level.per_second} orders/s")
            levels.append(level)
        differences = bench.differences(skus, since)
    if wanted.json:
        found = {"levels": [asdict(level) for level in levels], "differences": differences}
        print(json.dumps(found, indent=1))
    else:
        show(levels, console)
    console.print(*differences or ["Orders and stock are exactly as acknowledged."], sep="\n")
    return not differences


@contextmanager
def booted() -> Iterator[Stack]:
    with tempfile.TemporaryDirectory() as directory:
        own = Booted(Path(directory) / "stack")
        try:
            yield own.wait_ready()
        finally:
            own.stop()


def main() -> int:
    first, _, rest = str(__doc__).partition("\n")
    parser = argparse.ArgumentParser(
        "python -m tests.concurrency.bench",
        description=first,
        epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--state", type=Path, help="ask the stack that runs here")
    parser.add_argument("--direct", action="store_true", help="regions in turn, no front door")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--checkouts", type=int, default=200, help="most a level (%(default)s)")
    parser.add_argument("--seconds", type=float, default=7, help="to fill, then to order (7)")
    parser.add_argument("--shoppers", type=int, nargs="+", default=SHOPPERS, help="1 2 4 8 16 32")
    wanted = parser.parse_args()
    console = Console(
        stderr=wanted.json, highlight=False, width=None if sys.stdout.isatty() else 130
    )
    began = time.monotonic()
    if wanted.state:
        whole = run(Stack(wanted.state.resolve()), wanted, console)
    else:
        with booted() as stack:
            whole = run(stack, wanted, console)
    console.print(f"{time.monotonic() - began:.0f} s in all")
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
