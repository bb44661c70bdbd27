"""Secrets at rest: the one module that encrypts and decrypts, wrapping django-fernet-fields-v2.

A column of this kind never hands out plain text. Reading a row gives a ``Sealed`` value, which holds the ciphertext
and prints as "set"; assigning text to a model's attribute seals it at once. Only ``Sealed.reveal()`` decrypts, and only
``tenants/clients.py`` and, for the key of a person's authenticator app, ``tenants/models/devices.py`` call it (a test
looks), so a page, a log line, a traceback or a repr that meets a connection meets no secret. ``None`` means "not set";
an empty text is stored as ``None``.

A secret is sealed under every one of ``FERNET_KEYS``, not only under the newest, so that while keys are rotated a
process that was started with the old list and one that was started with the new list open whatever the other sealed.
``rotate_keys`` seals anew what is not sealed under exactly the present list, and so also takes away what a key that has
left the list could still open.

Traps of the wrapped library (0.9) that this module covers: ``bulk_update()`` hands the field a CASE expression, which
the library encrypts as if it were the secret (silent loss); keys are cached on the field, so a rotated key would not
be seen; every read decrypts; only the newest key encrypts.
"""

from __future__ import annotations

import hmac
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.db.models.query_utils import DeferredAttribute
from fernet_fields import EncryptedTextField

#: Between the parts of a ciphertext; Fernet's tokens hold no blanks.
_BETWEEN = b" "


@lru_cache(maxsize=8)
def _ciphers(keys: tuple[str, ...]) -> tuple[Fernet, ...]:
    return tuple(Fernet(key) for key in keys)


def _in_force() -> tuple[Fernet, ...]:
    """Return a cipher for each of the site's keys, newest first; asked each time, so that a changed list is seen."""
    return _ciphers(tuple(settings.FERNET_KEYS))


class Sealed:
    """An encrypted secret: shows nothing of its content, not even its length. Equal where the ciphertext is."""

    __slots__ = ("_ciphertext",)

    def __init__(self, ciphertext: bytes) -> None:
        self._ciphertext = bytes(ciphertext)

    @classmethod
    def seal(cls, text: str) -> Sealed | None:
        """Encrypt ``text`` under every key in force; an empty text is no secret and gives None."""
        return cls(_BETWEEN.join(cipher.encrypt(text.encode()) for cipher in _in_force())) if text else None

    @property
    def ciphertext(self) -> bytes:
        """What is stored."""
        return self._ciphertext

    def reveal(self) -> str:
        """Return the secret in plain text. Raises ``ImproperlyConfigured`` when no key of this site opens it."""
        plain = self._opened()
        if plain is None:
            raise ImproperlyConfigured(
                "A stored secret opens with none of the keys in FERNET_KEYS: put the key that it was written with back "
                "at the end of the list, or enter the secret again."
            )
        return plain.decode()

    def opens(self) -> bool:
        """Whether a key of this site opens it."""
        return self._opened() is not None

    def holds(self, text: str) -> bool:
        """Whether this is the secret ``text``: lets a form see that nothing changed without seeing the secret.

        A secret whose key is lost is no text at all, so that it can be entered again.
        """
        held = self._opened()
        return held is not None and hmac.compare_digest(held, text.encode())

    def is_current(self) -> bool:
        """Whether it is sealed under exactly the keys in force, so that any one of them suffices and no other does."""
        parts, ciphers = self._ciphertext.split(_BETWEEN), _in_force()
        return len(parts) == len(ciphers) and all(
            _open(cipher, part) is not None for cipher, part in zip(ciphers, parts, strict=True)
        )

    def sealed_anew(self) -> Sealed:
        """Return the same secret under the keys in force, without handing the plain text to the caller.

        Raises ``ImproperlyConfigured`` when no key of this site opens it.
        """
        return Sealed.seal(self.reveal()) or self

    def _opened(self) -> bytes | None:
        for part in self._ciphertext.split(_BETWEEN):
            for cipher in _in_force():
                plain = _open(cipher, part)
                if plain is not None:
                    return plain
        return None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sealed) and self._ciphertext == other._ciphertext

    def __hash__(self) -> int:
        return hash(self._ciphertext)

    def __repr__(self) -> str:
        return "<set>"

    __str__ = __repr__


def _open(cipher: Fernet, token: bytes) -> bytes | None:
    try:
        return cipher.decrypt(token)
    except InvalidToken:
        return None


class _SealingAttribute(DeferredAttribute):
    """Seals on assignment, so that an instance never holds plain text."""

    def __set__(self, instance: models.Model, value: object) -> None:
        instance.__dict__[self.field.attname] = Sealed.seal(value) if isinstance(value, str) else value


class SecretField(EncryptedTextField):  # type: ignore[misc]  # the library has no types
    """A text that is written and never shown. Takes text, ``Sealed`` or None (and expressions); holds ``Sealed``."""

    descriptor_class = _SealingAttribute

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.update(null=True, blank=True, default=None, editable=False)
        super().__init__(*args, **kwargs)

    def to_python(self, value: object) -> object:
        """Seal text; everything else stays."""
        return Sealed.seal(value) if isinstance(value, str) else value

    def from_db_value(self, value: Any, expression: object, connection: object, *args: object) -> Sealed | None:
        """Hand out the ciphertext, sealed."""
        return None if value is None else Sealed(bytes(value))

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        """Store ciphertext. An expression (``bulk_update`` builds a CASE) passes through; its parts come here again."""
        if hasattr(value, "as_sql") or value is None:
            return value
        sealed = Sealed.seal(value) if isinstance(value, str) else value
        if sealed is None:
            return None
        if not isinstance(sealed, Sealed):
            raise TypeError(f"{self.name}: a secret is a text, not {type(value).__name__}")
        return connection.Database.Binary(sealed.ciphertext)

    def value_to_string(self, obj: models.Model) -> str:
        """Refuse serialisation: ``dumpdata`` must not write secrets, not even encrypted ones."""
        raise TypeError(f"{self.name} is a secret and is never serialised; leave {obj._meta.label} out of the dump.")
