"""The category tree: small, on every page, and therefore cached whole as plain JSON."""

from collections.abc import Iterator
from typing import Final, TypedDict

from regions.routing import replica_reads
from shop.models import Category
from storage.cache import cache_key, read_through

TREE_KEY: Final = cache_key("category", "tree", "all")


class Node(TypedDict):
    id: int
    slug: str
    name: str
    description: str
    children: list["Node"]


def category_tree() -> list[Node]:
    """Top categories with their children, in shop order. One cache read."""
    return read_through(TREE_KEY, _load_tree)


def find_path(tree: list[Node], slug: str) -> list[Node]:
    """From the top category down to this one; empty where there is none."""
    for node in tree:
        if node["slug"] == slug:
            return [node]
        if below := find_path(node["children"], slug):
            return [node, *below]
    return []


def find_path_to_id(tree: list[Node], category_id: int) -> list[Node]:
    for top in tree:
        for node in walk(top):
            if node["id"] == category_id:
                return find_path([top], node["slug"])
    return []


def walk(node: Node) -> Iterator[Node]:
    """The category and everything below it."""
    yield node
    for child in node["children"]:
        yield from walk(child)


def _load_tree() -> list[Node]:
    with replica_reads():
        rows = list(Category.objects.order_by("position", "name", "pk"))
    nodes: dict[int, Node] = {
        row.pk: {
            "id": row.pk,
            "slug": row.slug,
            "name": row.name,
            "description": row.description,
            "children": [],
        }
        for row in rows
    }
    tops: list[Node] = []
    for row in rows:
        siblings = nodes[row.parent_id]["children"] if row.parent_id in nodes else tops
        siblings.append(nodes[row.pk])
    return tops
