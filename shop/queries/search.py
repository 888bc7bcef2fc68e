"""Search: full text first, then trigrams, so that a typing error still finds."""

import re
from dataclasses import dataclass
from typing import Final

from django.contrib.postgres.search import (
    SearchConfig,
    SearchQuery,
    SearchRank,
    SearchVector,
    SearchVectorField,
    TrigramWordSimilarity,
)
from django.db.models import Exists, F, FloatField, Func, OuterRef, Q, QuerySet, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Concat

from shop.models import Product, Variant
from shop.models.catalogue import TEXT, ProductQuerySet
from shop.queries.tree import Node, category_tree, walk

LONGEST: Final = 100
"""Characters of a query that are read."""
MOST_WORDS: Final = 6
CLOSE: Final = 0.4
"""Word similarity at which a misspelt word counts: `tepaot` is to `teapot` as 0.43."""
OPERATORS: Final = re.compile(r'"|(?:^|\s)-\w|\sor\s', re.IGNORECASE)
"""What websearch understands beyond plain words."""
IGNORED: Final = frozenset(
    ("a", "an", "and", "at", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with")
)
RANKED: Final = SearchVector("name", weight="A", config="english") + SearchVector(
    "description", weight="D", config="english"
)


@dataclass(frozen=True)
class Found:
    products: QuerySet[Product]
    """Best first."""
    exact: bool
    """False when nothing matched and these are what comes closest."""


def clean_query(text: str) -> str:
    """One line of at most LONGEST characters; PostgreSQL has no text with NUL."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", text).split())[:LONGEST].strip()


def search_products(text: str) -> Found:
    """Products on sale for a cleaned query, in one or two small queries more than listing them."""
    exact = _exact(text)
    if exact.exists():
        return Found(exact, exact=True)
    return Found(_closest(text), exact=False)


def _exact(text: str) -> ProductQuerySet:
    """Every word is in the name, the description, the category or a variant's options."""
    query = SearchQuery(text, config="english", search_type="websearch")
    found = Q(document=query)
    words = [] if OPERATORS.search(text) else _words(text)
    if words:
        tree = category_tree()
        every_word = Q()
        for word in words:
            every_word &= _word(word, tree)
        found |= every_word
    return (
        Product.objects.on_sale()
        .alias(document=TEXT)
        .filter(found)
        .alias(named=Q(name__icontains=text), rank=SearchRank(RANKED, query))
        .order_by("-named", "-rank", "name", "pk")
    )


def _word(word: str, tree: list[Node]) -> Q:
    """`icontains` uses the trigram index; it finds beginnings of words, and Chinese and Japanese,
    whose words PostgreSQL's parser does not tell apart."""
    query = SearchQuery(word, config="english")
    options = Variant.objects.alias(
        words=Func(
            SearchConfig("english"),
            F("options"),
            function="to_tsvector",
            output_field=SearchVectorField(),
        )
    ).filter(product=OuterRef("pk"), is_active=True, words=query)
    return (
        Q(document=query)
        | Q(name__icontains=word)
        | Q(category_id__in=_categories_named(word, tree))
        | Q(Exists(options))
    )


def _categories_named(word: str, tree: list[Node]) -> list[int]:
    """Ids of categories called so, with those below them. `bag` finds Bags & Pouches."""
    singular = word.lower().removesuffix("s")
    named = [
        node
        for top in tree
        for node in walk(top)
        if any(
            part.removesuffix("s") == singular for part in re.findall(r"\w+", node["name"].lower())
        )
    ]
    return sorted({below["id"] for node in named for below in walk(node)})


def _closest(text: str) -> ProductQuerySet:
    """By how similar the query's words are, on average, to a stretch of name and category."""
    words = _words(text)
    if not words:
        return Product.objects.none()
    label = Concat("name", Value(" "), "category__name")
    score: Combinable = Value(0.0, output_field=FloatField())
    for word in words:
        score = score + TrigramWordSimilarity(word, label)
    return (
        Product.objects.on_sale()
        .alias(score=score / Value(float(len(words))))
        .filter(score__gte=CLOSE)
        .order_by("-score", "name", "pk")
    )


def _words(text: str) -> list[str]:
    words = re.findall(r"\w+", text.lower())
    return [word for word in words if word not in IGNORED][:MOST_WORDS]
