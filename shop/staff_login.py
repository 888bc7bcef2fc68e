"""The admin's log-in form. The admin site loads it before any admin is registered."""

from typing import Any

from allauth.account.adapter import get_adapter
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from unfold.forms import AuthenticationForm


class StaffLoginForm(AuthenticationForm):  # type: ignore[misc]  # its base is untyped
    """E-mail and password; says plainly when the account is right but is no staff account."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = _("E-mail")
        self.fields["username"].widget.input_type = "email"
        self.fields["username"].widget.attrs["autocomplete"] = "email"

    error_messages = {
        "invalid_login": _("This e-mail and password do not belong together. Please try again."),
        "inactive": _("This account is switched off."),
    }

    def clean(self) -> dict[str, Any]:
        """Authenticate as the shop's log-in does, under the same limit of failed attempts."""
        email, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if email and password:
            self.user_cache = get_adapter(self.request).authenticate(
                self.request, email=email, password=password
            )
            if self.user_cache is None:
                raise self.get_invalid_login_error()
            self.confirm_login_allowed(self.user_cache)
        cleaned: dict[str, Any] = self.cleaned_data
        return cleaned

    def confirm_login_allowed(self, user: Any) -> None:
        if not user.is_active:
            raise ValidationError(self.error_messages["inactive"], code="inactive")
        if not user.is_staff:
            # Only whoever knows the password reads this, so it gives nothing away.
            raise ValidationError(
                _(
                    "You are welcome in the shop, but this account may not use the admin. "
                    "Ask a colleague who manages staff."
                ),
                code="not_staff",
            )
