"""Top categories with a picture each, for the home page. Cached: both queries see many rows."""

from typing import Final, TypedDict

from shop.models import Product
from shop.queries.catalogue import Picture
from shop.queries.tree import category_tree, walk
from storage.cache import cache_key, read_through

COVERS_KEY: Final = cache_key("category", "covers", "all")


class CoverData(TypedDict):
    slug: str
    name: str
    description: str
    file: str
    width: int
    height: int


class Cover(TypedDict):
    slug: str
    name: str
    description: str
    picture: Picture | None


def category_covers() -> list[Cover]:
    """The picture is of the category's first product that the home page does not feature anyway."""
    return [
        {
            "slug": data["slug"],
            "name": data["name"],
            "description": data["description"],
            "picture": Picture(data["file"], "", data["width"], data["height"])
            if data["file"]
            else None,
        }
        for data in read_through(COVERS_KEY, _load_covers)
    ]


def _load_covers() -> list[CoverData]:
    shown = (
        Product.objects.on_sale()
        .filter(images__isnull=False)
        .order_by("category_id", "is_featured", "pk")
        .distinct("category_id")
        .prefetch_related("images")
    )
    first = {product.category_id: product for product in shown}
    covers: list[CoverData] = []
    for top in category_tree():
        candidates = [first[node["id"]] for node in walk(top) if node["id"] in first]
        candidates.sort(key=lambda product: product.is_featured)
        image = next(iter(candidates[0].images.all()), None) if candidates else None
        covers.append(
            {
                "slug": top["slug"],
                "name": top["name"],
                "description": top["description"],
                "file": (image.file.name or "") if image else "",
                "width": image.width if image else 0,
                "height": image.height if image else 0,
            }
        )
    return covers
