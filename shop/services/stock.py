"""Stock: conditional updates that cannot go below zero.

All take `{variant id: units}` and touch rows in primary-key order, so that two orders with the
same variants cannot deadlock. Call them inside the transaction of their effect.
"""

from collections.abc import Mapping

from django.db.models import F

from shop.errors import OutOfStock
from shop.models import StockItem, Variant


def allocate_stock(units: Mapping[int, int]) -> None:
    """Give units to an order. Raises OutOfStock for the first variant that has too few."""
    for variant_id in sorted(units):
        quantity = units[variant_id]
        taken = StockItem.objects.filter(
            variant_id=variant_id, on_hand__gte=F("allocated") + quantity
        ).update(allocated=F("allocated") + quantity)
        if not taken:
            variant = Variant.objects.select_related("product", "stock").get(pk=variant_id)
            stock = getattr(variant, "stock", None)
            raise OutOfStock(variant.sku, variant.product.name, stock.available if stock else 0)


def release_stock(units: Mapping[int, int]) -> None:
    """Take units back from an order that will not be sent."""
    for variant_id in sorted(units):
        StockItem.objects.filter(variant_id=variant_id).update(
            allocated=F("allocated") - units[variant_id]
        )


def ship_stock(units: Mapping[int, int]) -> None:
    """Allocated units leave the building."""
    for variant_id in sorted(units):
        StockItem.objects.filter(variant_id=variant_id).update(
            on_hand=F("on_hand") - units[variant_id],
            allocated=F("allocated") - units[variant_id],
        )
