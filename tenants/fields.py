"""Secrets at rest: the one module that encrypts and decrypts, wrapping django-fernet-fields-v2.

A column of this kind never hands out plain text. Reading a row gives a ``Sealed`` value, which holds the ciphertext
and prints as "set"; assigning text to a model's attribute seals it at once. Only ``Sealed.reveal()`` decrypts, and only
``tenants/clients.py`` calls it (a test looks), so a page, a log line, a traceback or a repr that meets a connection
meets no secret. ``None`` means "not set"; an empty text is stored as ``None``.

Traps of the wrapped library (0.9) that this module covers: ``bulk_update()`` hands the field a CASE expression, which
the library encrypts as if it were the secret (silent loss); keys are cached on the field, so a rotated key would not
be seen; every read decrypts.
"""

from __future__ import annotations

import hmac
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.db.models.query_utils import DeferredAttribute
from fernet_fields import EncryptedTextField


@lru_cache(maxsize=8)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def current_fernet() -> MultiFernet:
    """Return the cipher of the keys in force: encrypts with the newest, decrypts with any."""
    return _fernet(tuple(settings.FERNET_KEYS))


class Sealed:
    """An encrypted secret: shows nothing of its content, not even its length. Equal where the ciphertext is."""

    __slots__ = ("_ciphertext",)

    def __init__(self, ciphertext: bytes) -> None:
        self._ciphertext = bytes(ciphertext)

    @classmethod
    def seal(cls, text: str) -> Sealed | None:
        """Encrypt ``text`` with the newest key; an empty text is no secret and gives None."""
        return cls(current_fernet().encrypt(text.encode())) if text else None

    @property
    def ciphertext(self) -> bytes:
        """What is stored."""
        return self._ciphertext

    def reveal(self) -> str:
        """Return the secret in plain text. Raises ``ImproperlyConfigured`` when no key of this site opens it."""
        try:
            return current_fernet().decrypt(self._ciphertext).decode()
        except InvalidToken:
            raise _no_key() from None

    def holds(self, text: str) -> bool:
        """Whether this is the secret ``text``: lets a form see that nothing changed without seeing the secret.

        A secret whose key is lost is no text at all, so that it can be entered again.
        """
        try:
            held = current_fernet().decrypt(self._ciphertext)
        except InvalidToken:
            return False
        return hmac.compare_digest(held, text.encode())

    def opens_with_newest(self) -> bool:
        """Whether the newest key alone opens it, so that the older ones are not needed for it."""
        try:
            Fernet(settings.FERNET_KEYS[0]).decrypt(self._ciphertext)
        except InvalidToken:
            return False
        return True

    def rotated(self) -> Sealed:
        """Return the same secret under the newest key, without handing the plain text to the caller."""
        try:
            return Sealed(current_fernet().rotate(self._ciphertext))
        except InvalidToken:
            raise _no_key() from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sealed) and self._ciphertext == other._ciphertext

    def __hash__(self) -> int:
        return hash(self._ciphertext)

    def __repr__(self) -> str:
        return "<set>"

    __str__ = __repr__


def _no_key() -> ImproperlyConfigured:
    return ImproperlyConfigured(
        "A stored secret opens with none of the keys in FERNET_KEYS: put the key that it was written with back at the "
        "end of the list, or enter the secret again."
    )


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

    @property
    def fernet(self) -> MultiFernet:
        """The library's hook for its cipher; asked for each time, so that rotated keys are seen."""
        return current_fernet()

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
