"""A person's second factor: an authenticator app, and recovery codes for the day when it is lost.

Built on django-otp's own base classes, which its middleware and its back-off after wrong codes know. Its two plug-ins
keep keys and codes readable in the database; here the key is sealed as every secret is, and of a code only a hash is
kept. A device belongs to a person, not to a tenant: somebody who works for two companies signs in once.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from base64 import b32decode, b32encode
from urllib.parse import quote, urlencode

from django.conf import settings
from django.db import models
from django_otp.models import Device, ThrottlingMixin, TimestampMixin
from django_otp.oath import TOTP

from tenants.fields import Sealed, SecretField

DIGITS = 6
STEP_S = 30
#: A phone whose clock is wrong by up to one step still signs in.
TOLERANCE_STEPS = 1
#: Wrong codes that count: the wait doubles with each, from 1 to 1,024 seconds.
MOST_FAILURES = 11
KEY_BYTES = 20
#: 80 random bits: nobody guesses one, so a plain hash keeps it.
RECOVERY_BYTES = 10
RECOVERY_CODES = 10


class Factor(TimestampMixin, ThrottlingMixin, Device):  # type: ignore[misc]  # the library has no types
    """What both kinds share: after the nth wrong code in a row the next one is not looked at for 2ⁿ⁻¹ seconds.

    Up to 17 minutes: without an end, whoever knows a password could keep its owner out for years.
    """

    class Meta:
        abstract = True

    def get_throttle_factor(self) -> int:
        """Seconds after the first wrong code."""
        return 1

    def throttle_increment(self, commit: bool = True) -> None:
        """Count a wrong code."""
        super().throttle_increment(commit=False)
        counted: int = self.throttling_failure_count  # type: ignore[has-type]  # the library has no types
        self.throttling_failure_count = min(counted, MOST_FAILURES)
        if commit:
            self.save()

    def verify_token(self, token: str) -> bool:
        """Whether the code is right; a right one works once. Call it inside a transaction, the row locked."""
        if not self.verify_is_allowed()[0]:
            return False
        good = self.used_up(token)
        if good:
            self.throttle_reset(commit=False)
            self.set_last_used_timestamp(commit=False)
            self.save()
        else:
            self.throttle_increment()
        return good

    def used_up(self, token: str) -> bool:
        """Whether the code is right; if so, note that it is used. Does not save."""
        raise NotImplementedError


class Authenticator(Factor):
    """An app that shows six digits (TOTP, RFC 6238: SHA-1, 30 seconds), proven by one code before it counts."""

    key = SecretField()
    #: The time step of the last code that was taken: no code is taken twice, and none older than that.
    last_t = models.BigIntegerField(default=-1)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "confirmed"], name="authenticator_one_and_one_to_be"),
        ]

    def used_up(self, token: str) -> bool:
        """Compare with the codes of now, the step before and the step after."""
        if not (token.isascii() and token.isdigit() and len(token) == DIGITS):
            return False
        totp = TOTP(b32decode(self.secret()), step=STEP_S, digits=DIGITS)
        totp.time = time.time()
        good = bool(totp.verify(int(token), tolerance=TOLERANCE_STEPS, min_t=self.last_t + 1))
        if good:
            self.last_t = totp.t()
        return good

    def secret(self) -> str:
        """Return the key in base32, as apps take it. Shown on the page that enrols the app and nowhere else."""
        sealed: Sealed = self.key
        return sealed.reveal()

    def address(self) -> str:
        """Return the address that an app reads from the picture."""
        issuer = settings.OTP_TOTP_ISSUER
        asked = {"secret": self.secret(), "issuer": issuer, "algorithm": "SHA1", "digits": DIGITS, "period": STEP_S}
        label = f"{quote(issuer)}:{quote(self.user.get_username())}"
        return f"otpauth://totp/{label}?{urlencode(asked, quote_via=quote)}"


class RecoveryCodes(Factor):
    """Codes that a person keeps on paper; each opens once."""

    digests = models.JSONField(default=list)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user"], name="recovery_codes_one_set")]

    def used_up(self, token: str) -> bool:
        """Take the code out, whatever way it was typed."""
        wanted = digest(token)
        if wanted not in self.digests:
            return False
        self.digests = [one for one in self.digests if one != wanted]
        return True


def new_key() -> str:
    """Return a random key in base32."""
    return b32encode(secrets.token_bytes(KEY_BYTES)).decode()


def new_codes() -> list[str]:
    """Return recovery codes in groups of four."""
    plain = [b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode().lower() for _place in range(RECOVERY_CODES)]
    return ["-".join(code[start : start + 4] for start in range(0, len(code), 4)) for code in plain]


def digest(code: str) -> str:
    """Return what is kept of a recovery code."""
    plain = "".join(char for char in code.lower() if char.isalnum())
    return hashlib.sha256(plain.encode()).hexdigest()
