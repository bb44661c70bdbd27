"""What a translation may know besides the record: the tenant's approved mappings and rules, handed in as plain values.

A translation never queries (style rule 17). The engine loads a ``Codebook`` for the records of a page and a ``Rules``
for the tenant; both are frozen, so a page is translated with one state of the mappings from its first row to its last.
Every knob of ``Rules`` answers a row of epicor-unknowns.md, named beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from connector.avidxchange.records import PaymentMethod
from connector.translate.holds import LIMITS, Hold, HoldError

__all__ = ["AccountEntry", "Codebook", "Hold", "PoMatchMode", "Rules", "VendorEntry"]

PoMatchMode = Literal["receipts_only", "allow_unreceived", "none"]


@dataclass(frozen=True, slots=True)
class VendorEntry:
    """An approved vendor mapping. ``external_id`` is what AvidXchange knows the vendor by (VendorExternalSystemID)."""

    vendor_num: int
    vendor_id: str
    external_id: str
    avid_id: str
    name: str
    currency: str
    terms_code: str


@dataclass(frozen=True, slots=True)
class AccountEntry:
    """An approved GL account mapping: Epicor's internal string and the account number AvidXchange shows."""

    coa_code: str
    gl_account: str
    avid_account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Codebook:
    """The approved mappings a page of records needs.

    ``vendors`` is keyed by VendorNum, ``vendors_by_external`` by external id, ``accounts`` by Epicor's internal string,
    ``accounts_by_avid`` by AvidXchange's account number, ``terms`` gives a TermsCode its description.
    """

    company: str
    vendors: Mapping[int, VendorEntry] = field(default_factory=dict)
    vendors_by_external: Mapping[str, VendorEntry] = field(default_factory=dict)
    accounts: Mapping[str, AccountEntry] = field(default_factory=dict)
    accounts_by_avid: Mapping[str, AccountEntry] = field(default_factory=dict)
    terms: Mapping[str, str] = field(default_factory=dict)

    def vendor(self, vendor_num: int) -> VendorEntry:
        """Return the mapping of a vendor; raise ``HoldError`` (vendor_not_mapped) without one."""
        entry = self.vendors.get(vendor_num)
        if entry is None or not entry.external_id:
            raise vendor_not_mapped(f"Vendor {vendor_num} of Epicor is not mapped to an AvidXchange vendor.")
        return entry

    def account(self, gl_account: str) -> AccountEntry:
        """Return the mapping of an Epicor account; raise ``HoldError`` (gl_account_not_mapped) without one.

        Empty trailing segments are written by some calls and not by others, so they do not count.
        """
        entry = self.accounts.get(gl_account) or self.accounts.get(gl_account.rstrip("|"))
        if entry is None or not entry.avid_account:
            raise account_not_mapped(f"GL account {gl_account} of Epicor is not mapped to an AvidXchange account.")
        return entry

    def account_by_avid(self, avid_account: str) -> AccountEntry:
        """Return the mapping of an AvidXchange account number; raise ``HoldError`` without one."""
        entry = self.accounts_by_avid.get(avid_account)
        if entry is None or not entry.gl_account:
            raise account_not_mapped(f"AvidXchange account {avid_account} is not mapped to a GL account of Epicor.")
        return entry

    def term_name(self, terms_code: str) -> str:
        """Return the description of a terms code, "" for no code; raise ``HoldError`` for a code nobody described.

        An unknown code is never replaced by a default (epicor-unknowns C9).
        """
        return term_name(self.terms, terms_code)


def term_name(terms: Mapping[str, str], terms_code: str) -> str:
    """Return what AvidXchange calls a terms code: its description (avidxchange.md 4, TermTypeName)."""
    if not terms_code:
        return ""
    name = terms.get(terms_code, "").strip()
    if not name:
        raise HoldError(
            "terms_not_known",
            f"Payment terms {terms_code} have no description, and AvidXchange knows terms by description only.",
            field="TermTypeName",
            hint=f"Epicor: Purchase Terms, give {terms_code} a description.",
        )
    return name


def vendor_not_mapped(message: str) -> HoldError:
    """Make the hold of a record whose vendor is not mapped; approving the mapping releases it."""
    hint = "Approve or create the vendor's mapping; records that wait for it are released by that."
    return HoldError("vendor_not_mapped", message, field="VendorExternalSystemID", hint=hint)


def account_not_mapped(message: str) -> HoldError:
    """Make the hold of a record whose GL account is not mapped; approving the mapping releases it."""
    hint = "Approve the GL account's mapping; records that wait for it are released by that."
    return HoldError("gl_account_not_mapped", message, field="GLAccount", hint=hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How a tenant wants its records translated. Raises ``ValueError`` for values that could not work.

    ``currencies`` are payable, others are held (E12); ``limits`` overrides the contract's ``LIMITS`` (C10);
    ``po_match_mode`` says which captured lines are written against receipts (D9); ``tax_gl_account`` takes tax that no
    line carries (D7) and ``receipt_gl_account`` receipt lines without a distribution, each as Epicor's internal string;
    ``country_codes`` gives the tenant's own country numbers their ISO codes; ``time_zone`` is where a payment's day is
    read. ``bank_accounts`` is keyed by currency, ``payment_methods`` (to PMUID) by "check", "ach", "card" (E6).
    """

    company: str
    base_currency: str = "USD"
    currencies: frozenset[str] = frozenset({"USD"})
    separator: str = "|"
    tax_gl_account: str = ""
    receipt_gl_account: str = ""
    limits: Mapping[str, int] = field(default_factory=dict)
    po_match_mode: PoMatchMode = "none"
    default_line_description: str = "Invoice line"
    discounts: bool = False
    discount_semantics: Literal["gross", "net"] = "gross"
    allow_credit_rows: bool = True
    payment_ref_field: str = "XRefCheckNum"
    external_ref_field: str = "ExternalID"
    apply_date_rule: Literal["invoice", "today"] = "invoice"
    check_num_source: Literal["avid_number", "payment_id"] = "avid_number"
    bank_accounts: Mapping[str, str] = field(default_factory=dict)
    payment_methods: Mapping[str, int] = field(default_factory=dict)
    country_codes: Mapping[int, str] = field(default_factory=dict)
    time_zone: str = "UTC"

    def __post_init__(self) -> None:
        object.__setattr__(self, "limits", {**LIMITS, **self.limits})
        if not self.company.strip():
            raise ValueError("rules need a company")
        if not self.separator or any(char.isalnum() or char.isspace() for char in self.separator):
            raise ValueError(f"separator {self.separator!r} must be neither empty nor letters, digits or blanks")
        unknown = sorted(set(self.payment_methods) - {PaymentMethod.CHECK, PaymentMethod.ACH, PaymentMethod.CARD})
        if unknown:
            raise ValueError(f"unknown payment methods {', '.join(unknown)}; known: check, ach, card")

    def payable(self, currency: str) -> str:
        """Return the currency, the base currency for none; raise ``HoldError`` if it is not payable."""
        code = currency.strip().upper() or self.base_currency
        if code not in self.currencies:
            payable = ", ".join(sorted(self.currencies))
            raise HoldError(
                "currency_not_payable",
                f"Currency {code} is not one that AvidXchange pays for this tenant ({payable}).",
                field="Currency",
                hint="Pay it outside AvidXchange, or add the currency to the tenant once a bank account pays it.",
            )
        return code
