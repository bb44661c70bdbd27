"""Files that leave the site, signed so that anybody can check them: JSON objects with a public key and a signature.

The signature is Ed25519 over the rest of the object, written without blanks and with its keys in order. Its private key
is made from the newest of ``FERNET_KEYS``, so there is nothing else to keep; rotating those keys changes it. Whoever
checks such a file must know the public key of the time, which the command prints that writes the file. The end of a
trail in the database is signed otherwise (``tenants/chain.py``), because nobody but the site ever checks that.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings

_PURPOSE = b"ml-connector files that leave the site"
_ENCODER = msgspec.json.Encoder(order="sorted")


def signed(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document with the site's public key and its signature."""
    key = _private_key(settings.FERNET_KEYS[0])
    whole = {**document, "public_key": _public_key(key)}
    return {**whole, "signature": key.sign(_ENCODER.encode(whole)).hex()}


def is_whole(document: Mapping[str, Any]) -> bool:
    """Whether the signature of a document fits it and the public key in it, whosever that is."""
    rest = {name: value for name, value in document.items() if name != "signature"}
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(str(document.get("public_key"))))
        key.verify(bytes.fromhex(str(document.get("signature"))), _ENCODER.encode(rest))
    except (ValueError, InvalidSignature):
        return False
    return True


def is_ours(document: Mapping[str, Any]) -> bool:
    """Whether the public key in a document is one that this site has now; a key that was rotated away is not."""
    return document.get("public_key") in {_public_key(_private_key(key)) for key in settings.FERNET_KEYS}


def _private_key(fernet_key: str) -> Ed25519PrivateKey:
    seed = hmac.digest(base64.urlsafe_b64decode(fernet_key), _PURPOSE, "sha256")
    return Ed25519PrivateKey.from_private_bytes(seed)


def _public_key(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes_raw().hex()
