"""Writes events of an order, ten a second: `python -m tests.failover.publish NUMBER`.

It ends when its standard input does, and says how many there are.
"""

import select
import sys

import django


def main(number: str) -> None:
    django.setup()
    from django.db import transaction  # noqa: PLC0415 (after the set-up)

    from realtime.publish import publish  # noqa: PLC0415 (after the set-up)

    written = 0
    while not select.select([sys.stdin], [], [], 0.1)[0]:
        with transaction.atomic():
            written = publish(audience=f"order:{number}", kind="note", payload={}).sequence
    print(written)


if __name__ == "__main__":
    main(*sys.argv[1:])
