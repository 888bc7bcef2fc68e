"""`manage.py sessions …`: moving in from another engine, and rotating keys."""

import json
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from sessions_ext.conf import conf
from sessions_ext.errors import SessionsUnavailable
from sessions_ext.former import FormerUnavailable, NotListable
from sessions_ext.health import AWAY
from sessions_ext.management.progress import Bar
from sessions_ext.migrate import Counts, Fate, migrate
from sessions_ext.rotation import Rotated, Store, Usage, newest, rotate, usage

BATCH: Final = 200
STOPPED: Final = 3  # exit code
_ROTATE: Final = """\
Without --check: seal every session under the first key of SESSION_KEYS, in Redis and in DynamoDB,
while instances serve. It may be stopped anywhere and run again. Then, and with --check alone: say
which keys are in use, and what to do next.

exit codes, of both forms:
  0  everything is under the first key: every other key may be removed
  1  an older key is still in use: run `sessions rotate-keys` (again)
  2  sessions cannot be opened: their key is not in SESSION_KEYS, or a value is damaged
  3  stopped: a store does not answer, or SESSION_KEYS is empty
"""
_MIGRATE: Final = """\
Copy the live sessions of another engine, each under its id and with its expiry. It may be stopped
anywhere and run again: what is there is not copied twice, what was changed or deleted here since
stays so. sessions_ext/MOVING.md has the whole procedure.

exit codes:
  0  every live session is here
  1  so are all but those that cannot be read, whose owners will have to sign in again
  3  stopped: a store does not answer, or the engine cannot be copied from
"""


class Command(BaseCommand):
    help = "Move sessions in from another engine; rotate the keys that seal them."
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        keys = actions.add_parser(
            "rotate-keys",
            help="seal every session under the newest key, or say which keys are in use",
            description=_ROTATE,
            formatter_class=RawDescriptionHelpFormatter,
        )
        keys.add_argument("--check", action="store_true", help="change nothing, only count")
        moving = actions.add_parser(
            "migrate",
            help="copy the live sessions of another engine",
            description=_MIGRATE,
            formatter_class=RawDescriptionHelpFormatter,
        )
        moving.add_argument(
            "--from",
            dest="engine",
            required=True,
            metavar="ENGINE",
            help="such as django.contrib.sessions.backends.db, .cache or .cached_db",
        )
        for action in (keys, moving):
            action.add_argument("--dry-run", action="store_true", help="say what would be done")
            action.add_argument(
                "--batch",
                type=_positive,
                default=BATCH,
                metavar="N",
                help="sessions at a time (%(default)s)",
            )
            action.add_argument("--json", action="store_true", help="for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        actions = {"rotate-keys": self.rotate_keys, "migrate": self.migrate}
        try:
            sys.exit(actions[options["action"]](options))
        except KeyboardInterrupt:
            raise CommandError("Stopped. Run it again to go on.", returncode=STOPPED) from None
        except (NotListable, ImproperlyConfigured) as error:
            raise CommandError(str(error), returncode=STOPPED) from error
        except (FormerUnavailable, SessionsUnavailable, *AWAY) as error:
            raise CommandError(
                f"Stopped, a store does not answer: {error}. What was done stays done; run the"
                " same command again.",
                returncode=STOPPED,
            ) from error

    # --- Keys ------------------------------------------------------------------------------------

    def rotate_keys(self, options: dict[str, Any]) -> int:
        if not conf.keys:
            raise ImproperlyConfigured("SESSION_KEYS is empty: there is no key to seal with.")
        rotated, batch = None, options["batch"]
        with Bar(quiet=options["json"]) as bar:
            if not options["check"]:
                rotated = rotate(batch=batch, dry_run=options["dry_run"], tell=bar)
            used = usage(batch=batch, tell=bar)
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(used, rotated), indent=2))
        else:
            _show(used, rotated, dry_run=options["dry_run"])
        damaged = used.redis.malformed + (used.dynamodb.malformed if used.dynamodb else 0)
        if used.unknown or damaged or (rotated and rotated.refused):
            return 2
        return 1 if used.older else 0

    # --- Moving in -------------------------------------------------------------------------------

    def migrate(self, options: dict[str, Any]) -> int:
        with Bar(quiet=options["json"]) as bar:

            def moved(counts: Counts, total: int | None) -> None:
                bar("looking" if options["dry_run"] else "copying", _live(counts), total)

            counts = migrate(
                options["engine"],
                batch=options["batch"],
                dry_run=options["dry_run"],
                moved=moved,
            )
        if options["json"]:
            self.stdout.write(json.dumps({fate.value: counts[fate] for fate in Fate}))
        else:
            self.stdout.write(_sentence(counts, dry_run=options["dry_run"]))
        return 1 if counts[Fate.UNREADABLE] else 0


def _live(counts: Counts) -> int:
    return counts.total() - counts[Fate.EXPIRED]


def _sentence(counts: Counts, *, dry_run: bool) -> str:
    said = ", ".join(f"{counts[fate]} {fate.value}" for fate in Fate)
    return f"{'It would be' if dry_run else 'Done'}: {said}."


def _as_json(used: Usage, rotated: Rotated | None) -> dict[str, Any]:
    return {
        "newest": newest(),
        "keys": [
            {
                "key": key,
                "in_ring": key in conf.keys,
                "redis": used.redis.by_key[key],
                "dynamodb": used.dynamodb.by_key[key] if used.dynamodb else None,
            }
            for key in [*conf.keys, *used.unknown]
        ],
        "sessions": {
            "redis": used.redis.sessions,
            "dynamodb": used.dynamodb.sessions if used.dynamodb else None,
        },
        "advice": used.advice(),
        "rotated": vars(rotated) if rotated else None,
    }


def _show(used: Usage, rotated: Rotated | None, *, dry_run: bool) -> None:
    console = Console(file=sys.stdout)
    if rotated:
        console.print(
            f"{'Would seal' if dry_run else 'Sealed'} {rotated.resealed} copies of sessions under"
            f" {newest()}; {rotated.current} were, {rotated.refused} do not open,"
            f" {rotated.overtaken} were saved meanwhile.",
            soft_wrap=True,
            highlight=False,
        )
    table = Table("key", "", "sessions in Redis", "sessions in DynamoDB")
    for key in [*conf.keys, *used.unknown]:
        state = "newest" if key == newest() else "older" if key in conf.keys else "[red]unknown[/]"
        table.add_row(key, state, *_cells(used, key))
    console.print(table)
    for store, name in ((used.redis, "Redis"), (used.dynamodb, "DynamoDB")):
        if store and store.malformed:
            console.print(f"{store.malformed} sessions in {name} hold a damaged value.")
    for line in used.advice():
        console.print(line, soft_wrap=True, markup=False, highlight=False)


def _cells(used: Usage, key: str) -> tuple[str, str]:
    def cell(store: Store | None) -> str:
        return "-" if store is None else f"{store.by_key[key]} of {store.sessions}"

    return cell(used.redis), cell(used.dynamodb)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number
