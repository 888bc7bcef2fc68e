from typing import Final

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.postgres.search import SearchVector
from django.core.files.storage import storages
from django.core.files.storage.base import Storage
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Upper
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from shop.money import Money

CURRENCIES: Final = [("TWD", "TWD"), ("JPY", "JPY"), ("SGD", "SGD"), ("USD", "USD")]


TEXT: Final = SearchVector("name", "description", config="english")
"""What full-text search looks through. A query must use this very expression to use the index."""


class CatalogueModel(models.Model):
    """What everyone may see: a view may read it from the local standby."""

    replica_reads = True

    class Meta:
        abstract = True


class Category(CatalogueModel):
    parent = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="children",
        verbose_name=_("parent"),
    )
    name = models.CharField(_("name"), max_length=100)
    slug = models.SlugField(_("slug"), max_length=100, unique=True)
    description = models.TextField(_("description"), blank=True)
    position = models.PositiveIntegerField(_("position"), default=0)

    class Meta:
        ordering = ("position", "name")
        verbose_name = _("category")
        verbose_name_plural = _("categories")
        constraints = (
            models.CheckConstraint(
                condition=~Q(parent=F("id")), name="category_not_its_own_parent"
            ),
        )

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("shop:category", args=[self.slug])


class ProductQuerySet(models.QuerySet["Product"]):
    def on_sale(self) -> "ProductQuerySet":
        return self.filter(is_active=True)


class Product(CatalogueModel):
    category = models.ForeignKey(
        Category, models.PROTECT, related_name="products", verbose_name=_("category")
    )
    name = models.CharField(_("name"), max_length=200)
    slug = models.SlugField(_("slug"), max_length=200, unique=True)
    description = models.TextField(_("description"), blank=True)
    is_active = models.BooleanField(_("on sale"), default=True, db_default=True)
    is_featured = models.BooleanField(_("on the home page"), default=False, db_default=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    objects = ProductQuerySet.as_manager()

    class Meta:
        ordering = ("name",)
        verbose_name = _("product")
        verbose_name_plural = _("products")
        indexes = (
            GinIndex(TEXT, name="product_text"),
            # Trigrams find what was typed wrong.
            GinIndex(OpClass(Upper("name"), "gin_trgm_ops"), name="product_name_trigrams"),
        )

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("shop:product", args=[self.slug])


class Variant(CatalogueModel):
    """What is sold: one product in one size and colour, under a SKU of its own."""

    product = models.ForeignKey(
        Product, models.CASCADE, related_name="variants", verbose_name=_("product")
    )
    sku = models.CharField(_("SKU"), max_length=40, unique=True)
    options = models.JSONField(
        _("options"),
        default=dict,
        blank=True,
        help_text=_('What tells it from its siblings: {"Colour": "Sand", "Size": "M"}.'),
    )
    position = models.PositiveIntegerField(_("position"), default=0)
    is_active = models.BooleanField(_("on sale"), default=True, db_default=True)

    class Meta:
        ordering = ("position", "pk")
        verbose_name = _("variant")
        verbose_name_plural = _("variants")
        indexes = (GinIndex(fields=["options"], name="variant_options"),)
        constraints = (models.CheckConstraint(condition=~Q(sku=""), name="variant_sku_not_empty"),)

    def __str__(self) -> str:
        return f"{self.sku} · {self.title}"

    @property
    def title(self) -> str:
        """The options in words: `Sand, M`. Empty for a product with one variant."""
        return ", ".join(str(value) for value in self.options.values())


class Price(CatalogueModel):
    variant = models.ForeignKey(
        Variant, models.CASCADE, related_name="prices", verbose_name=_("variant")
    )
    currency = models.CharField(_("currency"), max_length=3, choices=CURRENCIES)
    amount = models.PositiveBigIntegerField(
        _("amount"), help_text=_("In minor units: 1290 is 12.90 USD, but 1290 JPY.")
    )

    class Meta:
        ordering = ("currency",)
        verbose_name = _("price")
        verbose_name_plural = _("prices")
        constraints = (
            models.UniqueConstraint(fields=("variant", "currency"), name="price_one_a_currency"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="price_positive"),
        )

    def __str__(self) -> str:
        return str(self.money)

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)


def assets_storage() -> Storage:
    return storages["assets"]


class ProductImage(CatalogueModel):
    product = models.ForeignKey(
        Product, models.CASCADE, related_name="images", verbose_name=_("product")
    )
    variant = models.ForeignKey(
        Variant,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="images",
        verbose_name=_("variant"),
        help_text=_("Shown when this variant is chosen."),
    )
    # No ImageField: it would fetch the picture from S3 to measure it each time a row is loaded.
    file = models.FileField(_("file"), storage=assets_storage, max_length=120)
    alt = models.CharField(_("description for those who cannot see it"), max_length=200, blank=True)
    width = models.PositiveIntegerField(_("width"), default=800)
    height = models.PositiveIntegerField(_("height"), default=800)
    position = models.PositiveIntegerField(_("position"), default=0)

    class Meta:
        ordering = ("position", "pk")
        verbose_name = _("image")
        verbose_name_plural = _("images")

    def __str__(self) -> str:
        return self.alt or str(self.file)

    @property
    def url(self) -> str:
        return self.file.url
