"""Invoice images as AvidXchange takes them (contract 5.4): PDFs only, known by their content, up to a size."""

from __future__ import annotations

from typing import BinaryIO

import msgspec

from connector.transport.errors import Rejected, System

CONTENT_TYPE = "application/pdf"
_MAGIC = b"%PDF-"


def check(file: BinaryIO, *, size: int, size_max: int) -> None:
    """Refuse before sending what would be refused after it. ``size`` and ``size_max`` in bytes.

    Raises ``Rejected``: ``image_too_large``, ``image_rejected``. Leaves the file where it was.
    """
    if size > size_max:
        raise _refused("image_too_large", f"The image has {size} bytes, {size_max} are allowed.")
    place = file.tell()
    begins = file.read(len(_MAGIC))
    file.seek(place)
    if begins != _MAGIC:
        raise _refused("image_rejected", "The image is not a PDF, and AvidXchange takes nothing else.")


def _refused(code: str, message: str) -> Rejected:
    return Rejected(message, system=System.AVIDXCHANGE, code=code, hint="Attach a PDF that is small enough.")


def metadata(*, external_id: str, file_name: str, content_hash: str) -> str:
    """Return the upload's part ``metadata`` as JSON."""
    note = {
        "ExternalId": {"Value": external_id, "SchemeOwner": "Buyer"},
        "FileName": file_name,
        "ContentHash": content_hash,
    }
    return msgspec.json.encode(note).decode()
