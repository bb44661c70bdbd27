"""Somebody who is signed in as production asks for it: with a second factor, and having proven it just now."""

from __future__ import annotations

import time
from base64 import b32decode
from typing import Any

from django.contrib.auth.models import User
from django.test import Client
from django_otp.oath import TOTP

from tenants.models import Authenticator

BACKEND = "django.contrib.auth.backends.ModelBackend"
KEY = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


def authenticator(user: User, key: str = KEY) -> Authenticator:
    """Return the person's app, set up if there is none."""
    device, _created = Authenticator.objects.get_or_create(
        user=user, confirmed=True, defaults={"key": key, "name": "Authenticator app"}
    )
    return device


def signed_in(user: User, *, second_factor: bool = True, confirmed: bool = True, **how: Any) -> Client:
    """Return a browser in which the person is signed in."""
    client = Client(**how)
    client.force_login(user, backend=BACKEND)
    session = client.session
    if second_factor:
        session["otp_device_id"] = authenticator(user).persistent_id
    if confirmed:
        session["sign_in_confirmed"] = int(time.time())
    session.save()
    return client


def code(key: str = KEY, *, steps: int = 0) -> str:
    """Return what an app with this key shows now, or shows some steps of 30 seconds later."""
    return f"{TOTP(b32decode(key), drift=steps).token():06}"


def wrong_code(key: str = KEY) -> str:
    """Return six digits that are none of those taken now."""
    taken = {code(key, steps=steps) for steps in range(-2, 3)}
    return next(text for number in range(10) if (text := f"{number:06}") not in taken)


def rested(user: User) -> None:
    """Let the wait after a wrong code be over, and the last right one be long ago."""
    Authenticator.objects.filter(user=user).update(throttling_failure_count=0, last_t=-1)
