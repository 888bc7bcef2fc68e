"""allauth's forms with our labels; a placeholder that repeats the label only confuses."""

from typing import Any

from allauth.account import forms
from django.utils.translation import gettext_lazy as _


class Plain:
    """Mixin for a form of allauth's."""

    fields: dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.widget.attrs.pop("placeholder", None)
            if name in {"login", "email"}:
                field.label = _("E-mail")
            if name == "password1":  # one short rule in place of a list
                field.help_text = _("At least 8 characters, and nothing that is easily guessed.")
            elif name in {"oldpassword", "password2"}:
                field.help_text = ""


class LoginForm(Plain, forms.LoginForm):  # type: ignore[misc]  # allauth is untyped
    pass


class SignupForm(Plain, forms.SignupForm):  # type: ignore[misc]  # its base is untyped
    pass


class ResetPasswordForm(Plain, forms.ResetPasswordForm):  # type: ignore[misc]  # its base is untyped
    pass


class ResetPasswordKeyForm(Plain, forms.ResetPasswordKeyForm):  # type: ignore[misc]  # its base is untyped
    pass


class ChangePasswordForm(Plain, forms.ChangePasswordForm):  # type: ignore[misc]  # its base is untyped
    pass


class SetPasswordForm(Plain, forms.SetPasswordForm):  # type: ignore[misc]  # its base is untyped
    pass
