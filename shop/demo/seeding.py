"""Puts the demo into the stores: pictures into every region's bucket, rows into PostgreSQL."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import connection, transaction
from django.utils.translation import gettext_noop

from regions.regions import Region, local_first
from shop.demo.catalogue import CATEGORIES, PRODUCTS
from shop.demo.drawing import draw
from shop.demo.items import Picture
from shop.invalidation import forget_catalogue
from shop.models import Category, Customer, Price, Product, ProductImage, Variant
from shop.services.stock import Cause, Mover, open_stock
from storage.buckets import bucket_name
from storage.clients import s3
from storage.files import asset_key

UPLOADERS: Final = 6
DEMO_STOCK: Final = gettext_noop("Demo stock")
SIDE: Final = 800
"""Pixels of a picture's edge."""


@dataclass(frozen=True)
class Shown:
    """A picture in its product's gallery. `sku` is the variant's that it shows, if one."""

    sku: str | None
    position: int
    picture: Picture
    body: bytes
    key: str


type Galleries = dict[str, list[Shown]]
"""Pictures by product slug."""


def draw_galleries() -> Galleries:
    """Every picture of the catalogue. Takes a good second on one slow core, no store."""
    galleries: Galleries = {}
    for product in PRODUCTS:
        pictures = [(variant.sku, variant.picture) for variant in product.variants]
        shown: list[tuple[str | None, Picture]] = [*pictures]
        if product.extra:
            shown.append((None, product.extra))
        galleries[product.slug] = []
        for position, (sku, picture) in enumerate(shown):
            body = draw(picture)
            galleries[product.slug].append(
                Shown(sku, position, picture, body, asset_key(body, ".svg"))
            )
    return galleries


def upload_missing(galleries: Galleries) -> tuple[int, set[str]]:
    """Put pictures where a region's bucket lacks them. Returns how many, and this region's keys.

    Each bucket is listed once instead of asked for every key. Raises BotoCoreError or ClientError
    when this region's bucket cannot be read or written.
    """
    here, *others = local_first()
    stored = _keys(here)
    everywhere = set(stored)
    for other in others:
        try:
            everywhere &= _keys(other)
        except (BotoCoreError, ClientError):
            continue  # It will be best effort for `save` as well.
    missing = [
        shown for shows in galleries.values() for shown in shows if shown.key not in everywhere
    ]
    storage = storages["assets"]
    with ThreadPoolExecutor(UPLOADERS) as pool:
        uploads = [
            pool.submit(storage.save, "demo.svg", ContentFile(shown.body)) for shown in missing
        ]
        for upload in uploads:
            upload.result()
    return len(missing), stored | {shown.key for shown in missing}


def _keys(where: Region) -> set[str]:
    pages = (
        s3(where, patient=True)
        .get_paginator("list_objects_v2")
        .paginate(Bucket=bucket_name("assets", where), Prefix="sha256/")
    )
    return {item["Key"] for page in pages for item in page.get("Contents", [])}


def seed(galleries: Galleries, *, stored: set[str], refresh: bool) -> dict[str, int]:
    """Create the demo's rows that are missing, by slug and SKU. Returns how many of each.

    What exists is left as staff made it; with `refresh`, texts, prices and pictures are set back.
    Stock is only ever created. `stored` are this region's keys: a picture whose file is gone is
    drawn anew in either case.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            # Two first starts at once would both find nothing and both create everything.
            cursor.execute(f'LOCK TABLE "{Category._meta.db_table}" IN SHARE ROW EXCLUSIVE MODE')
        created = {"categories": _seed_categories(refresh)}
        products, created["products"] = _seed_products(refresh)
        variants, created["variants"] = _seed_variants(products, refresh)
        created["prices"] = _seed_prices(variants, refresh)
        created["stock items"] = _seed_stock(variants)
        created["pictures"] = _seed_images(products, variants, galleries, stored, refresh)
        # Rows written in bulk send no signals.
        transaction.on_commit(partial(forget_catalogue, list(products)))
    return created


def _seed_categories(refresh: bool) -> int:
    made = 0
    known = {category.slug: category for category in Category.objects.all()}
    for position, demo in enumerate(CATEGORIES):
        if demo.slug in known and not refresh:
            continue
        parent = known[demo.parent] if demo.parent else None
        known[demo.slug], new = Category.objects.update_or_create(
            slug=demo.slug,
            defaults={
                "name": demo.name,
                "description": demo.description,
                "position": position,
                "parent": parent,
            },
        )
        made += new
    return made


def _seed_products(refresh: bool) -> tuple[dict[str, Product], int]:
    categories = dict(Category.objects.values_list("slug", "pk"))
    slugs = [demo.slug for demo in PRODUCTS]
    known = set(Product.objects.filter(slug__in=slugs).values_list("slug", flat=True))
    rows = [
        Product(
            slug=demo.slug,
            name=demo.name,
            category_id=categories[demo.category],
            description=demo.description,
            is_featured=demo.featured,
        )
        for demo in PRODUCTS
        if refresh or demo.slug not in known
    ]
    Product.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["slug"],
        update_fields=["name", "category", "description", "is_featured", "updated_at"],
    )
    found = {product.slug: product for product in Product.objects.filter(slug__in=slugs)}
    return found, len(slugs) - len(known)


def _seed_variants(products: dict[str, Product], refresh: bool) -> tuple[dict[str, int], int]:
    demos = [(demo.slug, at, v) for demo in PRODUCTS for at, v in enumerate(demo.variants)]
    skus = [variant.sku for _, _, variant in demos]
    known = set(Variant.objects.filter(sku__in=skus).values_list("sku", flat=True))
    rows = [
        Variant(product=products[slug], sku=variant.sku, options=variant.options, position=at)
        for slug, at, variant in demos
        if refresh or variant.sku not in known
    ]
    Variant.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["sku"],
        update_fields=["product", "options", "position"],
    )
    found = dict(Variant.objects.filter(sku__in=skus).values_list("sku", "pk"))
    return found, len(skus) - len(known)


def _seed_prices(variants: dict[str, int], refresh: bool) -> int:
    known = set(
        Price.objects.filter(variant__in=variants.values()).values_list("variant_id", "currency")
    )
    rows = [
        Price(variant_id=variants[variant.sku], currency=currency, amount=amount)
        for demo in PRODUCTS
        for variant in demo.variants
        for currency, amount in variant.prices.items()
        if refresh or (variants[variant.sku], currency) not in known
    ]
    Price.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["variant", "currency"],
        update_fields=["amount"],
    )
    return sum((row.variant_id, row.currency) not in known for row in rows)


def _seed_stock(variants: dict[str, int]) -> int:
    units = {variants[variant.sku]: variant.stock for demo in PRODUCTS for variant in demo.variants}
    return open_stock(units, Cause(Mover.SYSTEM, reason=DEMO_STOCK))


def _seed_images(
    products: dict[str, Product],
    variants: dict[str, int],
    galleries: Galleries,
    stored: set[str],
    refresh: bool,
) -> int:
    known = {
        (image.product_id, image.position): image
        for image in ProductImage.objects.filter(product__in=products.values())
    }
    new: list[ProductImage] = []
    changed: list[ProductImage] = []
    for slug, shown in _each(galleries):
        row = known.get((products[slug].pk, shown.position))
        if row and row.file.name == shown.key and not refresh:
            continue
        if row and row.file.name in stored and not refresh:
            continue  # Staff put another picture there.
        image = ProductImage(
            pk=row.pk if row else None,
            product=products[slug],
            variant_id=variants[shown.sku] if shown.sku else None,
            file=shown.key,
            alt=shown.picture.alt,
            width=SIDE,
            height=SIDE,
            position=shown.position,
        )
        (changed if row else new).append(image)
    ProductImage.objects.bulk_create(new)
    ProductImage.objects.bulk_update(changed, ["variant", "file", "alt", "width", "height"])
    return len(new)


def _each(galleries: Galleries) -> Iterable[tuple[str, Shown]]:
    for slug, shows in galleries.items():
        for shown in shows:
            yield slug, shown


def ensure_admin(*, email: str, password: str) -> bool:
    """Make sure that this superuser exists and has this password. Returns whether it was made."""
    email = Customer.objects.normalize_email(email).lower()
    admin = Customer.objects.filter(email=email).first()
    if admin is None:
        Customer.objects.create_superuser(email, password)
        return True
    if not (admin.is_staff and admin.is_superuser and admin.is_active):
        admin.is_staff = admin.is_superuser = admin.is_active = True
        admin.save(update_fields=["is_staff", "is_superuser", "is_active"])
    if not admin.check_password(password):
        admin.set_password(password)
        admin.save(update_fields=["password"])
    return False
