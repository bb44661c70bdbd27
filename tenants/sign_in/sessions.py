"""What a session knows beside who it is: for whom it waits, since when it lasts, and when the person was last asked.

Moments are whole seconds since 1970 by this site's clock. A session ends after a time without any request, and in any
case after a time that no request prolongs.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare
from django_otp import login as remember_device

from tenants.audit import Actor
from tenants.models import RecoveryCodes
from tenants.sign_in.factors import Device
from tenants.sign_in.told import came_from, tell

_WAITS, _BEGAN, _SEEN, _CONFIRMED = "sign_in_waits", "sign_in_began", "sign_in_seen", "sign_in_confirmed"
#: How long the second page may take.
WAIT_S = 10 * 60
#: A request notes its moment only when the last note is this old, so that most requests write nothing.
NOTE_EVERY_S = 60


@dataclass(frozen=True, slots=True)
class Waiting:
    """Somebody whose password was right and whose second factor is still missing."""

    user: User
    backend: str


def wait_for(request: HttpRequest, user: User) -> None:
    """Remember whose password was right, under a new session key: nobody who knows the old one goes on from here."""
    request.session.cycle_key()
    request.session[_WAITS] = {
        "user": user.pk, "backend": user.backend, "hash": user.get_session_auth_hash(), "at": _now(),
    }  # fmt: skip


def waiting(request: HttpRequest) -> Waiting | None:
    """Return for whom the session waits, None when that took too long or the account has changed meanwhile."""
    known = request.session.get(_WAITS)
    if known is None or _now() - known["at"] > WAIT_S:
        return None
    user = User.objects.filter(pk=known["user"], is_active=True).first()
    if user is None or not constant_time_compare(user.get_session_auth_hash(), known["hash"]):
        return None
    return Waiting(user, known["backend"])


def begin(request: HttpRequest, user: User, backend: str, device: Device | None) -> None:
    """Sign a person in; ``device`` is what proved the second factor, None where the site asks for none."""
    request.session.pop(_WAITS, None)
    login(request, user, backend=backend)
    request.session[_BEGAN] = request.session[_SEEN] = request.session[_CONFIRMED] = _now()
    if device is not None:
        remember_device(request, device)
    how = "none" if device is None else "recovery code" if isinstance(device, RecoveryCodes) else "authenticator"
    after = {"second_factor": how, **came_from(request)}
    tell(user, "sign_in.succeeded", actor=Actor.for_user(user), after=after)


def why_over(request: HttpRequest) -> str:
    """Return why a session has ended, "" while it goes on; a session that goes on is noted to be in use."""
    session, now = request.session, _now()
    began, seen = session.setdefault(_BEGAN, now), session.setdefault(_SEEN, now)
    if now - began >= settings.SESSION_COOKIE_AGE:
        hours = settings.SESSION_COOKIE_AGE // 3600
        return f"You have been signed in for {hours} hours. Please sign in again."
    if now - seen >= settings.SESSION_IDLE_S:
        minutes = settings.SESSION_IDLE_S // 60
        return f"You were signed out because nothing happened for {minutes} minutes."
    if now - seen >= NOTE_EVERY_S:
        session[_SEEN] = now
    return ""


def confirm(request: HttpRequest) -> None:
    """Note that the person has just proven to be that person."""
    request.session[_CONFIRMED] = _now()


def prove(request: HttpRequest, device: Device) -> None:
    """Go on with a new second factor, under a new session key."""
    request.session.cycle_key()
    remember_device(request, device)
    confirm(request)


def confirmed(request: HttpRequest) -> bool:
    """Whether the person has proven so a short while ago."""
    return bool(_now() - request.session.get(_CONFIRMED, 0) < settings.CONFIRM_FOR_S)


def _now() -> int:
    return int(time.time())
