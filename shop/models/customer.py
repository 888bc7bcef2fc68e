from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from shop.countries import country_name


class CustomerManager(BaseUserManager["Customer"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "Customer":
        customer = self.model(email=self.normalize_email(email).lower(), **fields)
        customer.set_password(password)
        customer.save(using=self._db)
        return customer

    def create_superuser(
        self, email: str, password: str | None = None, **fields: Any
    ) -> "Customer":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class Customer(AbstractBaseUser, PermissionsMixin):
    """Whoever can log in: shoppers by e-mail, and staff."""

    email = models.EmailField(_("e-mail"), max_length=254, unique=True)
    name = models.CharField(_("name"), max_length=150, blank=True)
    is_staff = models.BooleanField(
        _("staff"), default=False, help_text=_("Can log in to the admin.")
    )
    is_active = models.BooleanField(_("active"), default=True)
    date_joined = models.DateTimeField(_("joined"), default=timezone.now)

    objects: ClassVar[CustomerManager] = CustomerManager()

    EMAIL_FIELD = "email"
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        ordering = ("email",)
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        constraints = (
            models.UniqueConstraint(Lower("email"), name="customer_email_any_case_unique"),
        )

    def __str__(self) -> str:
        return self.email

    def get_full_name(self) -> str:
        return self.name or self.email

    def get_short_name(self) -> str:
        return self.name.split(" ")[0] if self.name else self.email.partition("@")[0]


class PostalAddress(models.Model):
    """Where a parcel goes. Orders keep a copy, so a later change does not rewrite history."""

    name = models.CharField(_("name"), max_length=150)
    line1 = models.CharField(_("address"), max_length=200)
    line2 = models.CharField(_("address, second line"), max_length=200, blank=True)
    city = models.CharField(_("city"), max_length=100)
    postcode = models.CharField(_("postcode"), max_length=20)
    country = models.CharField(
        _("country"), max_length=2, help_text=_("ISO 3166 code, such as TW.")
    )

    class Meta:
        abstract = True

    @property
    def address_lines(self) -> list[str]:
        place = f"{self.postcode} {self.city}".strip()
        country = country_name(self.country)
        return [line for line in (self.name, self.line1, self.line2, place, country) if line]


class Address(PostalAddress):
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="addresses",
        verbose_name=_("customer"),
    )
    is_default = models.BooleanField(_("default"), default=False)

    class Meta:
        ordering = ("-is_default", "pk")
        verbose_name = _("address")
        verbose_name_plural = _("addresses")
        constraints = (
            models.UniqueConstraint(
                fields=("customer",),
                condition=models.Q(is_default=True),
                name="address_one_default_a_customer",
            ),
        )

    def __str__(self) -> str:
        return ", ".join(self.address_lines)
