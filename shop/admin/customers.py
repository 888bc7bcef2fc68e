"""Customers and staff: people who log in by e-mail."""

from typing import TYPE_CHECKING, Any

import allauth.account.admin
from allauth.account.models import EmailAddress
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import BooleanRadioFilter
from unfold.forms import (
    AdminPasswordChangeForm,
    UserChangeForm,
    UserCreationForm,
)

from shop.admin.base import ModelAdmin, SaveChanged, TabularInline
from shop.admin.sessions import SessionsAdmin
from shop.models import Address, Customer

if TYPE_CHECKING:
    BaseUserAdmin = UserAdmin[Customer]
else:
    BaseUserAdmin = UserAdmin


class LowercaseEmail:
    """Two accounts that differ by case only are one person's mistake."""

    cleaned_data: dict[str, Any]

    def clean_email(self) -> str:
        return str(self.cleaned_data["email"]).lower()


class CustomerCreationForm(LowercaseEmail, UserCreationForm):  # type: ignore[misc]  # its base is untyped
    class Meta:
        model = Customer
        fields = ("email", "name")


class CustomerChangeForm(LowercaseEmail, UserChangeForm):  # type: ignore[misc]  # its base is untyped
    class Meta:
        model = Customer
        fields = "__all__"


class AddressInline(TabularInline[Address, Customer]):
    model = Address
    extra = 0
    fields = ("name", "line1", "line2", "city", "postcode", "country", "is_default")


class CustomerAdmin(SaveChanged, SessionsAdmin, BaseUserAdmin, ModelAdmin[Customer]):
    """Registered by orders/admin.py, which adds each customer's orders."""

    form = CustomerChangeForm
    add_form = CustomerCreationForm
    change_password_form = AdminPasswordChangeForm
    list_filter = (
        ("is_staff", BooleanRadioFilter),
        ("is_active", BooleanRadioFilter),
    )
    list_per_page = 50
    ordering = ("-date_joined", "-pk")
    search_fields = ("email", "name", "addresses__name", "addresses__city")
    search_help_text = _("Search by e-mail, name or city")
    readonly_fields = ("last_login", "date_joined")
    filter_horizontal = ("groups", "user_permissions")
    inlines = (AddressInline,)
    fieldsets = (
        (None, {"fields": ("email", "name", "password")}),
        (_("Log-in"), {"fields": ("is_active", "date_joined", "last_login")}),
        (
            _("Staff"),
            {
                "fields": ("is_staff", "is_superuser", "groups", "user_permissions"),
                "classes": ("collapse",),
            },
        ),
    )
    add_fieldsets = (
        (None, {"fields": ("email", "name", "usable_password", "password1", "password2")}),
    )

    def get_inlines(self, request: HttpRequest, obj: Customer | None = None) -> Any:
        return self.inlines if obj else ()

    def get_readonly_fields(self, request: HttpRequest, obj: Customer | None = None) -> Any:
        """Only superusers hand out power: whoever may edit customers must not raise themselves."""
        fields = tuple(super().get_readonly_fields(request, obj))
        if request.user.is_superuser:
            return fields
        return (*fields, "is_staff", "is_superuser", "groups", "user_permissions")

    def has_change_permission(self, request: HttpRequest, obj: Customer | None = None) -> bool:
        return super().has_change_permission(request, obj) and _may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Customer | None = None) -> bool:
        return super().has_delete_permission(request, obj) and _may_touch(request, obj)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and "email" in form.changed_data:
            # The former address must stop opening the account.
            EmailAddress.objects.filter(user=obj).exclude(email__iexact=obj.email).delete()


def _may_touch(request: HttpRequest, customer: Customer | None) -> bool:
    """Whoever may set a colleague's password holds the colleague's permissions too."""
    if customer is None or request.user.is_superuser:
        return True
    return not customer.is_staff and not customer.is_superuser


class StaffGroupAdmin(GroupAdmin, ModelAdmin[Group]):
    """Django's, in Unfold's clothes."""


admin.site.unregister(Group)
admin.site.register(Group, StaffGroupAdmin)
# Addresses are edited with their customer. Imported, because it must have registered before.
admin.site.unregister(allauth.account.admin.EmailAddress)
