"""Whose invoice or payment it is: from AvidXchange's vendor external id to the mapped vendor.

The company inside the id is compared before anything else, so a record of another company of the same customer can
never be booked in ours, however its vendor numbers collide. The remit-to part does not matter: it says where a vendor
is paid, not who it is (see ``vendors``).
"""

from __future__ import annotations

from connector.translate.codebook import Codebook, Rules, VendorEntry, vendor_not_mapped
from connector.translate.holds import same_company
from connector.translate.vendors import parse_external_id


def vendor_by_external_id(value: str, *, codebook: Codebook, rules: Rules, name: str = "") -> VendorEntry:
    """Return the mapped vendor of an external id.

    Raises ``HoldError``: other_company if the id says another company, vendor_not_mapped if the id is empty or no
    approved mapping has it. ``name`` is what AvidXchange calls the vendor, for the message only.
    """
    written = value.strip()
    called = f" ({name.strip()})" if name.strip() else ""
    if not written:
        raise vendor_not_mapped(f"AvidXchange names a vendor{called} without an external id.")
    parsed = parse_external_id(rules, written)
    if parsed is not None:
        same_company(parsed[0], rules.company, what=f"vendor {written}{called}")
    entry = codebook.vendors_by_external.get(written)
    if entry is None and parsed is not None:
        entry = codebook.vendors.get(parsed[1])
    if entry is None:
        raise vendor_not_mapped(f"AvidXchange's vendor {written}{called} is not mapped to a vendor of Epicor.")
    return entry
