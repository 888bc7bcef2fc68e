"""A process that holds a lease and does as it is told: `python -m tests.storage.holder LEASE S`.

It says `held ATTEMPT`. To `check` it answers `held` or `lost`; to `write TABLE guarded` and
`write TABLE careless` how many rows of PostgreSQL it wrote.
"""

import os
import sys

import django
import psycopg
from psycopg.sql import SQL, Identifier


def main(name: str, duration: str) -> None:
    django.setup()
    from storage.leases import LeaseLost, hold  # noqa: PLC0415 (after the set-up)

    owner = f"holder {os.getpid()}"
    with hold(name, owner=owner, duration=float(duration)) as lease:
        print("held", lease.attempt, flush=True)
        for order in sys.stdin:
            match order.split():
                case ["check"]:
                    try:
                        lease.check()
                        print("held", flush=True)
                    except LeaseLost:
                        print("lost", flush=True)
                case ["write", table, how]:
                    print(write(table, owner, lease.attempt, fenced=how == "guarded"), flush=True)


def write(table: str, owner: str, attempt: int, *, fenced: bool = True) -> int:
    """How many rows took it: the table has one, which remembers the highest attempt."""
    query = SQL("UPDATE {} SET owner = %(owner)s, attempt = %(attempt)s").format(Identifier(table))
    if fenced:
        query += SQL(" WHERE attempt <= %(attempt)s")
    with psycopg.connect(os.environ["TEST_DATABASE"], autocommit=True) as connection:
        return connection.execute(query, {"owner": owner, "attempt": attempt}).rowcount


if __name__ == "__main__":
    main(*sys.argv[1:])
