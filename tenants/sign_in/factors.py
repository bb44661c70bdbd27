"""Second factors of a person: enrolled, asked for, renewed and taken away. Each change is one transaction, audited."""

from __future__ import annotations

import math

import segno
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django_otp import verify_token

from tenants.audit import Actor
from tenants.models import Authenticator, RecoveryCodes
from tenants.models.devices import DIGITS, digest, new_codes, new_key
from tenants.sign_in.told import tell

Device = Authenticator | RecoveryCodes


def authenticator(user: User) -> Authenticator | None:
    """Return the app that the person signs in with, None before one is enrolled."""
    found: Authenticator | None = Authenticator.objects.filter(user=user, confirmed=True).first()
    return found


def codes_left(user: User) -> int:
    """Return how many recovery codes the person still has."""
    held = RecoveryCodes.objects.filter(user=user).first()
    return len(held.digests) if held else 0


def take(user: User, code: str) -> Device | None:
    """Return the device whose code this is, and use the code up; None when it is wrong or comes too soon."""
    plain, held = _asked(user, code)
    taken: Device | None = verify_token(user, held.persistent_id, plain) if held else None
    return taken


def seconds_to_wait(user: User, code: str) -> int:
    """Return how long no code of this kind is looked at, because of those that were wrong; 0 if the next one is."""
    _plain, held = _asked(user, code)
    allowed, why = held.verify_is_allowed() if held else (True, None)
    return 0 if allowed or why is None else math.ceil((why["locked_until"] - timezone.now()).total_seconds())


def _asked(user: User, code: str) -> tuple[str, Device | None]:
    """Tell the two kinds of codes apart by their look, so that a slip with one does not delay the other."""
    plain = "".join(code.split())
    kind = Authenticator if plain.isdigit() and len(plain) == DIGITS else RecoveryCodes
    return plain, kind.objects.filter(user=user, confirmed=True).first()


def begun(user: User, *, anew: bool = False) -> Authenticator:
    """Return the app that is being enrolled: the key stays until it is proven, unless ``anew``."""
    if anew:
        Authenticator.objects.filter(user=user, confirmed=False).delete()
    device: Authenticator = Authenticator.objects.get_or_create(
        user=user, confirmed=False, defaults={"key": new_key(), "name": "Authenticator app"}
    )[0]
    return device


@transaction.atomic
def enrol(user: User, code: str, *, replace: bool = False) -> tuple[Authenticator, list[str]] | None:
    """Make the app that is being enrolled the person's only one, if ``code`` proves it.

    Returns it with new recovery codes, which are shown once and cannot be had again; None when the code is wrong, or
    when there is an app already and ``replace`` does not say that its owner wants that.
    """
    User.objects.select_for_update().get(pk=user.pk)  # two who enrol at the same time: the first one counts
    if not replace and authenticator(user) is not None:
        return None
    device = Authenticator.objects.select_for_update().filter(user=user, confirmed=False).first()
    if device is None or not device.verify_token("".join(code.split())):
        return None
    replaced, _by_kind = Authenticator.objects.filter(user=user, confirmed=True).delete()
    device.confirmed = True
    device.save(update_fields=["confirmed"])
    codes = _new_codes(user)
    action = "second_factor.replaced" if replaced else "second_factor.enrolled"
    tell(user, action, actor=Actor.for_user(user))
    return device, codes


@transaction.atomic
def renew_codes(user: User) -> list[str]:
    """Return new recovery codes; the ones there were open nothing any more."""
    codes = _new_codes(user)
    tell(user, "recovery_codes.renewed", actor=Actor.for_user(user))
    return codes


@transaction.atomic
def reset(user: User, *, actor: Actor, reason: str) -> None:
    """Take a person's second factor away: whoever is signed in as that person is out, and sets an app up next time."""
    for kind in (Authenticator, RecoveryCodes):
        kind.objects.filter(user=user).delete()
    tell(user, "second_factor.reset", actor=actor, reason=reason)


def _new_codes(user: User) -> list[str]:
    codes = new_codes()
    RecoveryCodes.objects.update_or_create(
        user=user,
        defaults={
            "digests": [digest(code) for code in codes], "name": "Recovery codes", "throttling_failure_count": 0,
            "throttling_failure_timestamp": None,
        },
    )  # fmt: skip
    return codes


def picture(address: str) -> SafeString:
    """Return a QR code as SVG to stand inside a page, dark on white in either theme: phones read no other."""
    drawn = segno.make(address, error="m", micro=False).svg_inline(
        border=4, dark="#000", light="#fff", omitsize=True, title="QR code for your authenticator app"
    )
    return mark_safe(drawn)  # noqa: S308  (drawn from the address; its text is not part of the picture)
