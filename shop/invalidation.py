"""Forgets cached catalogue pages when staff change what they show.

Each receiver waits for the commit: forgetting earlier would let another request cache the old row
again. What is loaded next may come from a standby a moment behind; its time to live bounds that.
Bulk writes send no signals: whoever makes them calls `forget_catalogue`.
"""

from collections.abc import Iterable
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models.signals import post_delete, post_save, pre_save
from django.dispatch import receiver

from shop.models import Category, Price, Product, ProductImage, Variant
from shop.queries.covers import COVERS_KEY
from shop.queries.product import page_key
from shop.queries.tree import TREE_KEY
from storage.cache import invalidate


def forget_catalogue(slugs: Iterable[str] = ()) -> None:
    """The category tree, the covers, and the pages of these products."""
    invalidate(TREE_KEY, COVERS_KEY, *(page_key(slug) for slug in slugs))


@receiver([post_save, post_delete], sender=Category)
def category_changed(sender: Any, **kwargs: Any) -> None:
    transaction.on_commit(forget_catalogue)


@receiver(pre_save, sender=Product)
def product_renamed(sender: Any, instance: Product, **kwargs: Any) -> None:
    """A product under a new slug leaves its page under the old one."""
    if instance.pk:
        _forget_product(instance.pk)


@receiver([post_save, post_delete], sender=Product)
def product_changed(sender: Any, instance: Product, **kwargs: Any) -> None:
    transaction.on_commit(partial(forget_catalogue, [instance.slug]))


@receiver([post_save, post_delete], sender=Variant)
@receiver([post_save, post_delete], sender=ProductImage)
def part_changed(sender: Any, instance: Variant | ProductImage, **kwargs: Any) -> None:
    _forget_product(instance.product_id)


@receiver([post_save, post_delete], sender=Price)
def price_changed(sender: Any, instance: Price, **kwargs: Any) -> None:
    slugs = Product.objects.filter(variants=instance.variant_id).values_list("slug", flat=True)
    transaction.on_commit(partial(forget_catalogue, list(slugs)))


def _forget_product(product_id: int) -> None:
    slugs = Product.objects.filter(pk=product_id).values_list("slug", flat=True)
    transaction.on_commit(partial(forget_catalogue, list(slugs)))
