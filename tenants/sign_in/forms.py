"""What people enter to come in, and to prove again who they are."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import SetPasswordForm
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from tenants.sign_in import factors

_CODE = {"autocomplete": "one-time-code", "spellcheck": "false", "autocapitalize": "off"}
#: Longer than any code, however it is spaced.
_LONGEST = 40


class CodeForm(forms.Form):
    """A code of the app, or a recovery code."""

    code = forms.CharField(
        max_length=_LONGEST,
        widget=UnfoldAdminTextInputWidget(attrs={**_CODE, "autofocus": True}),
        help_text="Six digits from your authenticator app, or one of your recovery codes.",
    )


class FirstCodeForm(forms.Form):
    """The code that proves that an app has taken the key."""

    code = forms.CharField(
        max_length=_LONGEST,
        label="Code that the app shows",
        widget=UnfoldAdminTextInputWidget(attrs={**_CODE, "inputmode": "numeric"}),
    )


class ConfirmationForm(forms.Form):
    """Password, and a code from whoever has a second factor."""

    confirm_password = forms.CharField(
        label="Your password",
        strip=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "current-password", "autofocus": True}),
    )
    confirm_code = forms.CharField(
        label="Code",
        max_length=_LONGEST,
        widget=UnfoldAdminTextInputWidget(attrs=_CODE),
        help_text="Six digits from your authenticator app, or one of your recovery codes. Each code works once.",
    )

    def __init__(self, user: AbstractBaseUser | AnonymousUser, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not isinstance(user, User) or factors.authenticator(user) is None:
            del self.fields["confirm_code"]


class WhyForm(forms.Form):
    """Why somebody's way in is changed."""

    reason = forms.CharField(
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text="It is kept in the audit trail.",
    )


class LinkForm(forms.Form):
    """What stands behind the "#" of a password link."""

    code = forms.RegexField(
        r"^[\w-]+\.[\w-]+$",
        max_length=200,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        error_messages={"invalid": "This is not what stands behind the # of a link."},
    )


class NewPasswordForm(SetPasswordForm):  # type: ignore[type-arg]  # generic in the stubs only
    """A new password, twice, in the theme's clothes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget = UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"})
