"""Which invoices a payment pays, and how much it takes off each (avidxchange.md 6.2, epicor.md 6.1).

A remittance is resolved by what names an invoice safely: our external id, AvidXchange's invoice id, or the number
together with the vendor; a number alone is two vendors' invoice sooner or later. Two names for different invoices are
held. Gross is net plus discount; AvidXchange may leave the gross out, then it is made from the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from connector.avidxchange.records import Payment, Remittance
from connector.epicor.drafts import AllocationDraft
from connector.translate.codebook import Codebook, Rules
from connector.translate.holds import HoldError, amount
from connector.translate.money import ZERO, same_sign, total
from connector.translate.vendor_lookup import vendor_by_external_id

#: Names an invoice: ("external_id", id), ("avid_id", id) or ("number", "VendorNum", InvoiceNum).
Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InvoiceRef:
    """An invoice of Epicor by its key. ``balance`` is what is left to pay (DocUnpostedBal), if it was looked up."""

    vendor_num: int
    invoice_num: str
    balance: Decimal | None = None


def external_key(external_id: str) -> Key:
    """Return the key of an invoice that we submitted under this external id."""
    return ("external_id", external_id.strip())


def avid_key(invoice_id: str) -> Key:
    """Return the key of an invoice by AvidXchange's id."""
    return ("avid_id", invoice_id.strip())


def number_key(vendor_num: int, invoice_num: str) -> Key:
    """Return the key of a vendor's invoice by its number; case does not tell numbers apart in Epicor."""
    return ("number", str(vendor_num), invoice_num.strip().casefold())


def wanted(payment: Payment, *, codebook: Codebook, rules: Rules) -> frozenset[Key]:
    """Return every key that could name an invoice of a payment, for one look-up of all of them.

    A vendor that is not mapped gives no keys by number; the translation itself says so.
    """
    try:
        vendor_num = _named_vendor(payment, codebook=codebook, rules=rules)
    except HoldError:
        vendor_num = None
    return frozenset(key for remittance in payment.remittances for key in _keys(remittance, vendor_num))


def allocate(
    payment: Payment, invoices: Mapping[Key, InvoiceRef], *, cash: Decimal, codebook: Codebook, rules: Rules
) -> tuple[int, tuple[AllocationDraft, ...]]:
    """Return the one vendor that is paid and what comes off each invoice, in order of first mention.

    Raises ``HoldError`` unless every remittance is resolved, allowed, and all of them sum to ``cash``. Remittances of
    one invoice are one allocation, because Epicor has one row an invoice and payment; what cancels out is left out.
    """
    nets = [amount(row.net, what=f"net of remittance {row.number}", field="Net") for row in payment.remittances]
    if not nets:
        raise HoldError("no_remittances", f"Payment {payment.id} does not say which invoices it pays.", field="Net")
    if total(nets) != cash:
        message = f"The remittances of payment {payment.id} sum to {total(nets)}, the payment is {cash}."
        raise HoldError("remittances_do_not_sum", message, field="Net")
    named = _named_vendor(payment, codebook=codebook, rules=rules)
    taken: dict[tuple[int, str], tuple[InvoiceRef, Decimal, Decimal]] = {}
    for row, net in zip(payment.remittances, nets, strict=True):
        invoice = _resolve(row, named, invoices)
        gross, discount = _amounts(row, net, rules=rules)
        known, before, off = taken.get((invoice.vendor_num, invoice.invoice_num), (invoice, ZERO, ZERO))
        invoice = _surest((known, invoice))
        taken[invoice.vendor_num, invoice.invoice_num] = invoice, total((before, gross)), total((off, discount))
    vendors = {vendor_num for vendor_num, _ in taken}
    if len(vendors) > 1:
        message = f"Payment {payment.id} pays invoices of several vendors ({', '.join(map(str, sorted(vendors)))})."
        raise HoldError("several_vendors", message, field="VendorNum")
    drafts = (
        _allocation(invoice, gross, discount, rules=rules)
        for invoice, gross, discount in taken.values()
        if gross or discount
    )
    return vendors.pop(), tuple(drafts)


def _named_vendor(payment: Payment, *, codebook: Codebook, rules: Rules) -> int | None:
    written = payment.vendor_external_id
    return vendor_by_external_id(written, codebook=codebook, rules=rules).vendor_num if written.strip() else None


def _keys(remittance: Remittance, vendor_num: int | None) -> list[Key]:
    keys = []
    if remittance.external_id.strip():
        keys.append(external_key(remittance.external_id))
    if remittance.invoice_id.strip():
        keys.append(avid_key(remittance.invoice_id))
    if remittance.number.strip() and vendor_num is not None:
        keys.append(number_key(vendor_num, remittance.number))
    return keys


def _resolve(remittance: Remittance, vendor_num: int | None, invoices: Mapping[Key, InvoiceRef]) -> InvoiceRef:
    """Return the invoice a remittance names: by its ids, and only without an answer there by its number."""
    keys = _keys(remittance, vendor_num)
    by_id = {invoices[key] for key in keys if key[0] != "number" and key in invoices}
    found = by_id or {invoices[key] for key in keys if key in invoices}
    named = remittance.number or remittance.external_id or remittance.invoice_id
    if not found:
        message = f"Remittance {named} is not an invoice that this connector sent, wrote or knows in Epicor."
        hint = "Find the invoice in Epicor; if it exists there, link it to this remittance."
        raise HoldError("invoice_not_found", message, field="Number", hint=hint)
    if len({(invoice.vendor_num, invoice.invoice_num) for invoice in found}) > 1:
        message = f"The external id and the AvidXchange id of remittance {named} name two different invoices."
        raise HoldError("remittance_ambiguous", message, field="Number")
    return _surest(found)


def _surest(refs: Iterable[InvoiceRef]) -> InvoiceRef:
    """Return the one of several references to an invoice that leaves the least to pay; one without balance is last."""
    return min(refs, key=lambda ref: (ref.balance is None, abs(ref.balance or ZERO)))


def _amounts(remittance: Remittance, net: Decimal, *, rules: Rules) -> tuple[Decimal, Decimal]:
    """Return gross and discount of a remittance, checked against each other and the tenant's rules (E4, E5)."""
    discount = amount(remittance.discount, what=f"discount of remittance {remittance.number}", field="Discount")
    made = total((net, discount))
    gross = amount(remittance.gross, what=f"gross of remittance {remittance.number}", field="Gross") or made
    if gross != made:
        message = f"Remittance {remittance.number}: gross {gross} is not net {net} plus discount {discount}."
        raise HoldError("remittance_does_not_add_up", message, field="Gross")
    if discount and not rules.discounts:
        hint = "Test how Epicor takes a discount (docs), then allow discounts for the tenant; or record it by hand."
        message = f"Remittance {remittance.number} takes a discount of {discount}; discounts are not enabled."
        raise HoldError("discount_not_enabled", message, field="Discount", hint=hint)
    if gross < 0 and not rules.allow_credit_rows:
        message = f"Remittance {remittance.number} is a credit of {gross}; credits in payments are not enabled."
        raise HoldError("credit_not_enabled", message, field="Gross", hint="Apply the credit in Epicor by hand.")
    return gross, discount


def _allocation(invoice: InvoiceRef, gross: Decimal, discount: Decimal, *, rules: Rules) -> AllocationDraft:
    """Return the allocation. ``amount`` is the gross off the balance, or the net where the tenant's Epicor adds the
    discount to it by itself (``discount_semantics``, epicor-unknowns E4). Never more than is left to pay (E5)."""
    left = invoice.balance
    if left is not None and not (same_sign(gross, left) and abs(gross) <= abs(left)):
        message = f"Invoice {invoice.invoice_num} has {invoice.balance} left to pay, the payment takes {gross} off it."
        raise HoldError("over_payment", message, field="Gross", hint="See in Epicor what else has paid this invoice.")
    off = gross if rules.discount_semantics == "gross" else total((gross, -discount))
    return AllocationDraft(invoice_num=invoice.invoice_num, amount=off, discount=discount)
