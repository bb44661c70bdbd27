"""Vendors, Epicor to AvidXchange: identity, address and state (avidxchange.md R3 and section 4).

A vendor's external id is Company, VendorNum and remit-to joined by the tenant's separator: VendorNum, because a
VendorID may be renamed (epicor-unknowns C3). The remit-to part says which address a vendor was first sent with; it
does not follow later changes of the address, or the vendor would become a second one over there. So a stage hands in
the external id that a vendor's mapping already has.

The address to pay is the active default remit-to, else the vendor's main address (C1). It must be whole, because
AvidXchange mails checks to it; the main address beside it is a courtesy and stays away unless it is whole and fits.
A vendor inactive in Epicor is inactivated over there, never deleted, and no fault of its address stands in the way:
its item carries who it is and, where whole, where it was paid, and nothing that could be refused besides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from connector.avidxchange.records import Address, VendorItem
from connector.epicor.records import RemitTo, Vendor, text
from connector.translate.codebook import Rules, term_name
from connector.translate.holds import HoldError, fitting, holding, required, same_company
from connector.translate.vendor_matching import Match, name_key, score

__all__ = [
    "MAIN", "Match", "country_code", "default_remit_to", "external_id", "name_key", "parse_external_id", "score",
    "to_avidxchange",
]  # fmt: skip

#: The remit-to part of an external id that means the vendor's main address.
MAIN = "MAIN"

_MAIN_SCREEN = "Epicor: Supplier Entry, Supplier, Detail: {field}."
_REMIT_SCREEN = "Epicor: Supplier Entry, Remit To {remit}: {field}."

#: ISO 3166 codes by the country texts they are sure to mean; any other text sends no code at all.
_COUNTRIES = {
    "us": "US", "usa": "US", "united states": "US", "united states of america": "US", "ca": "CA", "can": "CA",
    "canada": "CA", "mx": "MX", "mex": "MX", "mexico": "MX", "gb": "GB", "gbr": "GB", "uk": "GB",
    "united kingdom": "GB", "great britain": "GB", "ie": "IE", "ireland": "IE", "de": "DE", "deu": "DE",
    "germany": "DE", "fr": "FR", "fra": "FR", "france": "FR", "nl": "NL", "nld": "NL", "netherlands": "NL",
    "the netherlands": "NL", "cn": "CN", "chn": "CN", "china": "CN", "jp": "JP", "jpn": "JP", "japan": "JP",
    "au": "AU", "aus": "AU", "australia": "AU", "in": "IN", "ind": "IN", "india": "IN", "pr": "PR",
    "puerto rico": "PR",
}  # fmt: skip


def external_id(rules: Rules, vendor_num: int, remit_to_seq: int | None) -> str:
    """Return the external id of a vendor: ``EPIC06|104|MAIN``, or ``EPIC06|104|2`` for its remit-to 2."""
    return rules.separator.join((rules.company, str(vendor_num), MAIN if remit_to_seq is None else str(remit_to_seq)))


def parse_external_id(rules: Rules, value: str) -> tuple[str, int, str] | None:
    """Return company, VendorNum and remit-to part of an external id, or None if it is not one of ours in form.

    The company is returned as found: whether it is ours is for the caller to compare.
    """
    company, number, remit = [*value.strip().rsplit(rules.separator, 2), "", ""][:3]
    if not company or not remit or not number.isascii() or not number.isdecimal():
        return None
    return company, int(number), remit


def default_remit_to(remit_tos: Iterable[RemitTo]) -> RemitTo | None:
    """Return the remit-to a vendor is paid at: the active default one (the first, should there be several)."""
    active = [remit_to for remit_to in remit_tos if remit_to.default_remit_to and not remit_to.inactive]
    return min(active, key=lambda remit_to: remit_to.remit_to_seq, default=None)


def country_code(country: str) -> str:
    """Return the ISO code that a country's text surely means, or ""."""
    return _COUNTRIES.get(country.replace(".", "").strip().casefold(), "")


@holding
def to_avidxchange(
    vendor: Vendor,
    remit_to: RemitTo | None,
    *,
    terms: Mapping[str, str],
    rules: Rules,
    known_external_id: str = "",
) -> VendorItem:
    """Return the item that keeps a vendor current over there, or a ``Hold`` naming what is missing or too long.

    ``remit_to`` counts only if it is active and the default; ``terms`` gives a TermsCode its description;
    ``known_external_id`` is the identity the vendor's mapping already has.
    """
    what = f"vendor {vendor.vendor_id}"
    same_company(vendor.company, rules.company, what=what)
    used = _usable(vendor, remit_to, rules=rules)
    item = VendorItem(
        vendor_external_system_id=fitting(
            "VendorExternalSystemID",
            known_external_id or external_id(rules, vendor.vendor_num, used.remit_to_seq if used else None),
            limits=rules.limits,
            what=f"external id of {what}",
        ),
        vendor_name=required(
            "VendorName",
            text(vendor.name),
            limits=rules.limits,
            what=f"name of {what}",
            hint=_MAIN_SCREEN.format(field="Name"),
        ),
        remit_to_address=_if_whole(vendor, used, rules=rules) if vendor.inactive else None,
        is_active=not vendor.inactive,
        operation="Inactivate" if vendor.inactive else "Upsert",
    )
    return item if vendor.inactive else _with_details(item, vendor, used, terms=terms, rules=rules)


def _with_details(
    item: VendorItem, vendor: Vendor, remit_to: RemitTo | None, *, terms: Mapping[str, str], rules: Rules
) -> VendorItem:
    main = _MAIN_SCREEN
    contact = remit_to if remit_to is not None and (text(remit_to.email) or text(remit_to.phone_num)) else None
    email, phone = (contact.email, contact.phone_num) if contact else (vendor.email, vendor.phone_num)
    screen = _REMIT_SCREEN.format(remit=contact.remit_to_seq, field="{field}") if contact else main

    def optional(field: str, value: str | None, name: str, hint: str) -> str:
        what = f"{name} of vendor {vendor.vendor_id}"
        return fitting(field, text(value), limits=rules.limits, what=what, hint=hint.format(field=name))

    paid_at = _paid_at(vendor, remit_to, rules=rules)
    return VendorItem(
        vendor_external_system_id=item.vendor_external_system_id,
        vendor_name=item.vendor_name,
        tax_id=text(vendor.tax_payer_id),
        address=_if_whole(vendor, None, rules=rules) if remit_to else paid_at,
        remit_to_address=paid_at,
        email_address=optional("EmailAddress", email, "Email", screen),
        phone_number=optional("PhoneNumber", phone, "Phone", screen),
        term_type_name=term_name(terms, text(vendor.terms_code)),
        account_no=optional("AccountNo", vendor.account_ref, "Account Reference", main),
        is_active=True,
        operation="Upsert",
    )


def _usable(vendor: Vendor, remit_to: RemitTo | None, *, rules: Rules) -> RemitTo | None:
    if remit_to is None or remit_to.inactive or not remit_to.default_remit_to:
        return None
    same_company(remit_to.company, rules.company, what=f"remit-to of vendor {vendor.vendor_id}")
    if remit_to.vendor_num != vendor.vendor_num:
        raise ValueError(f"remit-to of vendor {remit_to.vendor_num} handed in with vendor {vendor.vendor_num}")
    return remit_to


def _paid_at(vendor: Vendor, remit_to: RemitTo | None, *, rules: Rules) -> Address:
    """Return the whole address of a remit-to, or of the vendor itself without one."""
    if remit_to is None:
        return _address(
            (vendor.address1, vendor.address2, vendor.address3),
            (vendor.city, vendor.state, vendor.zip),
            country_code(text(vendor.country)),
            rules=rules,
            whose=f"vendor {vendor.vendor_id}",
            screen=_MAIN_SCREEN,
        )
    return _address(
        (remit_to.address1, remit_to.address2, remit_to.address3),
        (remit_to.city, remit_to.state, remit_to.zip),
        rules.country_codes.get(remit_to.country_num or 0, ""),
        rules=rules,
        whose=f"remit-to {remit_to.remit_to_seq} of vendor {vendor.vendor_id}",
        screen=_REMIT_SCREEN.format(remit=remit_to.remit_to_seq, field="{field}"),
    )


def _if_whole(vendor: Vendor, remit_to: RemitTo | None, *, rules: Rules) -> Address | None:
    try:
        return _paid_at(vendor, remit_to, rules=rules)
    except HoldError:  # no check is mailed to this address: absent beats half, see the module's docstring
        return None


def _address(
    lines: tuple[str | None, str | None, str | None],
    place: tuple[str | None, str | None, str | None],
    country: str,
    *,
    rules: Rules,
    whose: str,
    screen: str,
) -> Address:
    """Return a whole address, or raise ``HoldError`` naming the part at fault and the screen to mend it on."""

    def part(check: str, value: str | None, name: str) -> str:
        must = fitting if check in {"Line2", "Line3"} else required
        hint = screen.format(field=name)
        return must(check, text(value), limits=rules.limits, what=f"{name} of {whose}", hint=hint)

    return Address(
        line1=part("Line1", lines[0], "Address line 1"),
        line2=part("Line2", lines[1], "Address line 2"),
        line3=part("Line3", lines[2], "Address line 3"),
        city=part("City", place[0], "City"),
        state=part("State", place[1], "State/Province"),
        postal_code=part("PostalCode", place[2], "Postal Code"),
        country_code=country,
    )
