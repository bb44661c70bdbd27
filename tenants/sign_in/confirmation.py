"""Asking again who it is: before a secret is entered, a role is given, a tenant goes live or something is replayed.

Whoever has proven it within ``CONFIRM_FOR_S`` is not asked. A form that was sent too late is not lost: the page that
asks carries it along in hidden fields, back to the same address, and is answered as if it had come that way at once.
Nothing of it is stored here, and secrets are not carried: they are entered again.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.cache import add_never_cache_headers

from tenants.sign_in import factors, lockout, sessions
from tenants.sign_in.forms import ConfirmationForm

View = Callable[..., HttpResponseBase]

#: A hidden field of ours: secrets were in the form and are not any more.
_DROPPED = "confirm_dropped"
_OURS = frozenset({*ConfirmationForm.base_fields, _DROPPED, "csrfmiddlewaretoken"})


def confirm_first(request: HttpRequest, *, before: str) -> HttpResponse | None:
    """Return the page that asks who it is, None when that is proven: lately, or by this very request.

    ``before`` ends the sentence "Confirm that it is you before …". After None the request is as it was without us.
    """
    answered = request.method == "POST" and "confirm_password" in request.POST
    if sessions.confirmed(request):
        if answered:
            return _go_on(request)
        return None
    form = ConfirmationForm(request.user, request.POST if answered else None)
    if answered and _is_right(request, form):
        sessions.confirm(request)
        return _go_on(request)
    posted = [(name, value) for name, values in request.POST.lists() if name not in _OURS for value in values]
    kept = [(name, value) for name, value in posted if not _is_secret(name)]
    context = {
        **admin.site.each_context(request),
        "title": "Is it you?",
        "before": before,
        "form": form,
        "kept": kept,
        "dropped": _DROPPED in request.POST or any(_is_secret(name) and value for name, value in posted),
    }
    answer = TemplateResponse(request, "admin/sign_in/confirm.html", context)
    add_never_cache_headers(answer)
    return answer


def confirmed_posts(before: str) -> Callable[[View], View]:
    """Let a view's POSTs through only from somebody who has confirmed; on a method, use ``method_decorator``."""

    def decorate(view: View) -> View:
        @wraps(view)
        def asked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            page = confirm_first(request, before=before) if request.method == "POST" else None
            return page or view(request, *args, **kwargs)

        return asked

    return decorate


def _is_right(request: HttpRequest, form: forms.Form) -> bool:
    """Whether the answers are; what is wrong is counted, told and shown."""
    user = request.user
    if not isinstance(user, User) or not form.is_valid() or lockout.is_locked(request, user):
        return False
    if not lockout.password_is_right(request, user, form.cleaned_data["confirm_password"]):
        form.add_error("confirm_password", "This is not your password.")
    elif "confirm_code" in form.fields and not factors.take(user, form.cleaned_data["confirm_code"]):
        lockout.count_wrong_code(request, user)
        form.add_error("confirm_code", wrong_code(user, form.cleaned_data["confirm_code"]))
    if form.errors:
        lockout.tell_failure(request, user.get_username(), step="confirmation")
    return not form.errors


def wrong_code(user: User, code: str) -> str:
    """Say that a code was not taken, and when the next one is looked at."""
    wait = factors.seconds_to_wait(user, code)
    again = (
        f"Wait {wait} seconds before you enter the next one." if wait > 1 else "Enter the next one that the app shows."
    )
    return f"This code was not right, or has been used already. {again}"


def _go_on(request: HttpRequest) -> HttpResponse | None:
    """Take our fields out of the request; a form that has lost its secrets is not saved half."""
    if _DROPPED in request.POST:
        messages.warning(request, "Nothing was saved. Enter the secrets again, then save.")
        return HttpResponseRedirect(request.get_full_path())
    posted = request.POST.copy()
    for name in ConfirmationForm.base_fields:
        posted.pop(name, None)
    request.POST = posted  # type: ignore[assignment]  # the stubs want an immutable one
    return None


def _is_secret(name: str) -> bool:
    """Whether a field may hold a secret: those of connections, and new passwords."""
    return "new_" in name or "password" in name
