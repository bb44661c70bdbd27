"""Counting what was wrong: passwords and codes alike, by name and address, through django-axes.

Five in a row lock that pair for an hour (``connector/settings.py``); axes' middleware then answers instead of us.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from axes.handlers.proxy import AxesProxyHandler
from axes.utils import reset as forget_failures
from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest, QueryDict

from tenants.audit import Actor
from tenants.models import Authenticator, RecoveryCodes
from tenants.sign_in.told import DOOR, came_from, tell


@contextmanager
def _nothing_posted(request: HttpRequest) -> Iterator[None]:
    """Hide what was posted: axes stores it with a failure, and a form that waits for confirmation is none of it."""
    posted, request.POST = request.POST, QueryDict()
    try:
        yield
    finally:
        request.POST = posted


def password_is_right(request: HttpRequest, user: User, password: str) -> bool:
    """Whether it is the person's password; a wrong one counts."""
    with _nothing_posted(request):
        return authenticate(request, username=user.get_username(), password=password) == user


def is_locked(request: HttpRequest, user: User) -> bool:
    """Whether this person may not try from this address now; if so, the answer will be the page that says so."""
    credentials = {"username": user.get_username()}
    if AxesProxyHandler.is_allowed(request, credentials):
        return False
    request.axes_locked_out = True  # type: ignore[attr-defined]  # what axes' middleware looks at
    request.axes_credentials = credentials  # type: ignore[attr-defined]
    return True


def count_wrong_code(request: HttpRequest, user: User) -> None:
    """Count a wrong code as a wrong password is counted."""
    with _nothing_posted(request):
        user_login_failed.send(__name__, credentials={"username": user.get_username()}, request=request)


def tell_failure(request: HttpRequest, username: str, *, step: str) -> None:
    """Audit a failure, and the lock when this was the one too many; of a name that nobody has, nothing is kept."""
    user = User.objects.filter(username=username).first()
    failures = getattr(request, "axes_failures_since_start", None)
    if user is None or not failures:
        return
    tell(user, "sign_in.failed", actor=DOOR, after={"step": step, **came_from(request)}, failed=True)
    if failures >= settings.AXES_FAILURE_LIMIT:
        tell(user, "sign_in.locked", actor=DOOR, after={"failures": failures, **came_from(request)}, failed=True)


def unlock(user: User, *, actor: Actor, reason: str) -> None:
    """Forget what was wrong, so that the person may try again at once."""
    forget_failures(username=user.get_username())
    for kind in (Authenticator, RecoveryCodes):
        kind.objects.filter(user=user).update(throttling_failure_count=0, throttling_failure_timestamp=None)
    tell(user, "sign_in.unlocked", actor=actor, reason=reason)
