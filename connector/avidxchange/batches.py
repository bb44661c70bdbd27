"""Batches as they are sent: the five kinds, what identifies an item of each, and the request body (contract 4, 5.1).

Items arrive as the bytes that were stored and hashed before the call. They are spliced, not parsed: money goes on the
wire exactly as it was encoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec
from msgspec import Raw

from connector.avidxchange.profile import Profile

_ENCODER = msgspec.json.Encoder()
_ITEM = msgspec.json.Decoder(dict[str, Raw])


class BatchKind(StrEnum):
    """What a batch is made of."""

    VENDORS = "vendors"
    GL_ACCOUNTS = "gl_accounts"
    PURCHASE_ORDERS = "purchase_orders"
    RECEIPTS = "receipts"
    INVOICES = "invoices"

    @property
    def path_name(self) -> str:
        """The name of its path in a profile."""
        return f"{self}_batches"

    @property
    def key_name(self) -> str:
        """The wire field that identifies an item and may echo it; it must hold the item's external id."""
        return _KEYS[self]


_KEYS = {
    BatchKind.VENDORS: "VendorExternalSystemID",
    BatchKind.GL_ACCOUNTS: "AccountNumber",
    BatchKind.PURCHASE_ORDERS: "PONumber",
    BatchKind.RECEIPTS: "PONumber",
    BatchKind.INVOICES: "ExternalId",
}
#: Texts of our items that the wire wants as identifier objects (contract 2.8, 4, 5.1), and whose ids they are.
_IDENTIFIERS: dict[BatchKind, dict[str, dict[str, str]]] = {
    BatchKind.VENDORS: {"TaxId": {}},
    BatchKind.INVOICES: {"ExternalId": {"SchemeOwner": "Buyer"}},
}


def encode_request(
    kind: BatchKind,
    batch_external_id: str,
    items: Sequence[tuple[str, bytes]],
    profile: Profile,
    *,
    accounting_system_id: str = "",
) -> bytes:
    """Return the body of a batch.

    Raises ``ValueError``: no items or too many, an external id twice, or one that is not the item's own key, because
    its verdict could not be found again.
    """
    if not 0 < len(items) <= profile.batch_max_items:
        raise ValueError(f"a batch holds 1 to {profile.batch_max_items} items, not {len(items)}")
    if len({external_id for external_id, _item in items}) != len(items):
        raise ValueError("an external id is in the batch twice")
    if not batch_external_id or len(batch_external_id) > 100:
        raise ValueError("a batch's external id has 1 to 100 characters")
    body: dict[str, object] = {"BatchId": {"Value": batch_external_id, "SchemeOwner": "Buyer"}}
    system = _number_or_text(accounting_system_id)
    if system is not None:
        body["AccountingSystemID"] = system
    body["Items"] = [_item(kind, external_id, encoded, profile) for external_id, encoded in items]
    return _ENCODER.encode(body)


def _item(kind: BatchKind, external_id: str, encoded: bytes, profile: Profile) -> dict[str, Raw]:
    item = _ITEM.decode(encoded)
    key = msgspec.json.decode(item[kind.key_name]) if kind.key_name in item else None
    if key != external_id:
        raise ValueError(f"{kind.key_name} of an item is not its external id {external_id!r}")
    for name, more in _IDENTIFIERS.get(kind, {}).items():
        if name in item:
            value: object = msgspec.json.decode(item[name])
            item[name] = Raw(_ENCODER.encode({"Value": value, **more}))
    if kind is BatchKind.VENDORS and profile.accounting_system_id:
        item["AccountingSystemID"] = Raw(_ENCODER.encode(_number_or_text(profile.accounting_system_id)))
    return item


def _number_or_text(system_id: str) -> int | str | None:
    """An accounting system's id as JSON: AvidXchange's own are numbers, text is allowed (contract 4)."""
    if not system_id:
        return None
    return int(system_id) if system_id.isascii() and system_id.isdecimal() and system_id[0] != "0" else system_id
