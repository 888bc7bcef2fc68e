"""The shop in Japanese and in Traditional Chinese: catalogues, and pages made with them.

The .po files are read here without gettext tools, which need not be installed.
"""

import ast
import gettext
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import pytest
from django.conf import settings
from django.test import Client
from django.utils.translation.template import templatize

from tests.factories import make_order

LOCALES: Final = ("ja", "zh_Hant")
PLACEHOLDER: Final = re.compile(r"%\(\w+\)[sd]|<[^>]+>")
APPS: Final = ("failover", "jobs", "orders", "realtime", "regions", "settings", "shop", "storage")
LITERAL: Final = r"""u?('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
CALL: Final = re.compile(rf"\b(?:_|n?(p?)gettext)\({LITERAL}(?:, {LITERAL})?")
MARKS: Final = {"_", "gettext", "gettext_lazy", "gettext_noop", "ngettext"}
CART: Final = {"en": "Nothing in here yet", "ja": "まだ何も入っていません"}


@dataclass
class Entry:
    """A message of a .po file."""

    fuzzy: bool = False
    parts: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """As it stands in the compiled catalogue."""
        context = self.parts.get("msgctxt")
        return f"{context}\x04{self.parts['msgid']}" if context else self.parts["msgid"]

    @property
    def plural(self) -> str:
        return self.parts.get("msgid_plural", "")

    @property
    def text(self) -> str:
        return self.parts["msgstr[0]" if self.plural else "msgstr"]


def parse(path: Path) -> Iterator[Entry]:
    for block in path.read_text().split("\n\n"):
        entry, part = Entry(), ""
        for line in block.splitlines():
            if line.startswith("#"):
                entry.fuzzy |= line.startswith("#,") and "fuzzy" in line
                continue
            name, _space, quoted = line.rpartition(' "') if line[0] != '"' else ("", "", line[1:])
            part = name or part
            entry.parts[part] = entry.parts.get(part, "") + ast.literal_eval(f'"{quoted}')
        yield entry


def marked_in_python(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        texts = [part.value for part in node.args if isinstance(part, ast.Constant)]
        if node.func.id in MARKS:
            yield str(texts[0])
        elif node.func.id == "pgettext_lazy":
            yield "\x04".join(map(str, texts))


def marked_in_template(path: Path) -> Iterator[str]:
    """By Django's own reading of a template for gettext."""
    for with_context, first, second in CALL.findall(templatize(path.read_text())):
        texts = [ast.literal_eval(text) for text in ([first, second] if with_context else [first])]
        yield "\x04".join(texts)


def marked() -> Iterator[str]:
    for app in APPS:
        for path in (Path(settings.BASE_DIR) / app).rglob("*"):
            if path.suffix == ".py":
                yield from marked_in_python(path)
            elif path.suffix in {".html", ".txt"} and "templates" in path.parts:
                yield from marked_in_template(path)


def folder(locale: str) -> Path:
    return Path(settings.LOCALE_PATHS[0]) / locale / "LC_MESSAGES"


@cache
def messages(locale: str) -> list[Entry]:
    """Every message, without the header."""
    return [entry for entry in parse(folder(locale) / "django.po") if entry.parts["msgid"]]


def page(client: Client, path: str, **extra: Any) -> str:
    response = client.get(path, **extra)
    assert response.status_code == HTTPStatus.OK
    return response.content.decode()


@pytest.mark.parametrize("locale", LOCALES)
def test_a_catalogue_is_complete_and_sure(locale: str) -> None:
    entries = messages(locale)

    assert len(entries) > 400
    assert [entry.key for entry in entries if not entry.text.strip()] == []
    assert [entry.key for entry in entries if entry.fuzzy] == []


@pytest.mark.parametrize("locale", LOCALES)
def test_a_catalogue_holds_what_the_code_marks_and_no_more(locale: str) -> None:
    """Run `make messages` after a change, and translate what is new."""
    assert {entry.key for entry in messages(locale)} == set(marked())


@pytest.mark.parametrize("locale", LOCALES)
def test_placeholders_and_markup_survive_translation(locale: str) -> None:
    """A plural has one form here, which may use whatever the English plural uses."""
    wrong = {
        entry.key: entry.text
        for entry in messages(locale)
        if sorted(PLACEHOLDER.findall(entry.plural or entry.parts["msgid"]))
        != sorted(PLACEHOLDER.findall(entry.text))
    }

    assert wrong == {}


@pytest.mark.parametrize("locale", LOCALES)
def test_the_compiled_catalogue_matches_its_source(locale: str) -> None:
    """Run `make messages` after a change."""
    with (folder(locale) / "django.mo").open("rb") as file:
        compiled: dict[Any, str] = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]  # not public, and all there is

    expected = {
        (entry.key, 0) if entry.plural else entry.key: entry.text for entry in messages(locale)
    }
    assert {key: text for key, text in compiled.items() if key != ""} == expected


@pytest.mark.django_db(databases=["default", "replica"])
@pytest.mark.parametrize(
    ("header", "lang", "words"),
    [
        ("ja", "ja", "旅する毎日に、きちんと作られた道具を"),
        ("ja-JP,ja;q=0.9,en;q=0.8", "ja", "旅する毎日に、きちんと作られた道具を"),
        ("zh-TW,zh;q=0.9", "zh-hant", "用心製作的好物，陪您走四方"),
        ("de,fr;q=0.5", "en", "Well-made things for people on the move"),
    ],
)
def test_home_speaks_the_browsers_language(
    client: Client, header: str, lang: str, words: str
) -> None:
    response = client.get("/", headers={"Accept-Language": header})
    html = response.content.decode()

    assert f'<html lang="{lang}">' in html
    assert f"<h1>{words}</h1>" in html
    assert response.headers["Content-Language"] == lang
    assert {"Accept-Language", "Cookie"} <= set(response.headers["Vary"].split(", "))


@pytest.mark.django_db(databases=["default", "replica"])
def test_the_switch_outweighs_the_browser(client: Client) -> None:
    before = page(client, "/cart/", headers={"Accept-Language": "zh-TW"})

    answer = client.post("/i18n/setlang/", {"language": "ja", "next": "/cart/"})
    after = client.get("/cart/", headers={"Accept-Language": "zh-TW"})

    assert "購物車裡還沒有商品" in before
    assert (answer.status_code, answer.headers["Location"]) == (HTTPStatus.FOUND, "/cart/")
    assert answer.cookies["django_language"].value == "ja"
    assert '<html lang="ja">' in after.content.decode()
    assert CART["ja"] in after.content.decode()
    assert after.headers["Content-Language"] == "ja"


@pytest.mark.django_db(databases=["default", "replica"])
def test_a_language_we_do_not_speak_changes_nothing(client: Client) -> None:
    client.post("/i18n/setlang/", {"language": "tlh", "next": "/cart/"})

    assert CART["en"] in page(client, "/cart/")


@pytest.mark.django_db(databases=["default", "replica"])
def test_an_error_page_speaks_the_shoppers_language(client: Client) -> None:
    response = client.get("/nowhere/", headers={"Accept-Language": "ja"})

    assert response.status_code == HTTPStatus.NOT_FOUND
    assert '<html lang="ja">' in response.content.decode()
    assert "お探しのページが見つかりません" in response.content.decode()


@pytest.mark.django_db(databases=["default", "replica"])
def test_an_orders_words_and_dates_are_in_the_shoppers_language(client: Client) -> None:
    order = make_order()
    client.post("/orders/", {"number": order.number, "email": order.email})
    path = order.get_absolute_url()
    at = order.placed_at

    ja = page(client, path, headers={"Accept-Language": "ja"})
    zh = page(client, path, headers={"Accept-Language": "zh-TW"})
    en = page(client, path)

    assert "銀行振込" in ja
    assert f"{at.year}年{at.month}月{at.day}日 {at.hour}:{at.minute:02} UTC" in ja
    assert "銀行轉帳" in zh
    assert f"{at.year}年{at.month}月{at.day}日 {at:%H:%M} UTC" in zh
    assert "Invoice" in en
    assert f"{at.day} {at:%B %Y, %H:%M} UTC" in en
