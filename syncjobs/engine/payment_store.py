"""AvidXchange's payments and their remittances as rows: stored a page at a time, resolved to the invoices they pay.

A payment's row is what was last believed of it (``payment_moves``), ``detail`` the record itself as JSON text and
``detail_hash`` its hash; remittances are written anew only when the record changed. R19 names no payee and no currency
(avidxchange.md 6.2), so vendor and currency are those of the invoices that are paid.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from django.db.models import Q
from django.db.models.functions import Lower

from connector.avidxchange import records as avid
from connector.translate import payments as translation
from connector.translate.codebook import Hold, Rules
from connector.translate.vendors import parse_external_id
from syncjobs.engine import codebook, links
from syncjobs.engine.context import StageContext
from syncjobs.engine.payment_moves import FINAL, Decision
from syncjobs.models import InvoiceLink, Payment, Posting, Remittance
from syncjobs.states import PostingState

#: After clearing, a payment is polled by id for so long, because a refund can follow (avidxchange.md 6.3).
TAIL = timedelta(days=120)
#: What an amount column holds; larger ones cannot be stored, and translation holds them long before.
_LARGEST = Decimal(10) ** 15
_MILLE = Decimal("0.001")

Named = Mapping[translation.Key, InvoiceLink]


@dataclass(frozen=True, slots=True)
class Told:
    """One payment of a page: what AvidXchange says and what was made of it."""

    record: avid.Payment
    decision: Decision


def record_of(payment: Payment) -> avid.Payment:
    """Return the payment as AvidXchange last told it and we believed it."""
    return msgspec.json.decode(payment.detail, type=avid.Payment)


def digest(record: avid.Payment) -> str:
    """Return the hash of everything a payment says."""
    return hashlib.sha256(msgspec.json.encode(record, order="deterministic")).hexdigest()


def known(ctx: StageContext, ids: Collection[str]) -> dict[str, Payment]:
    """Return our rows of these payments, by AvidXchange's id."""
    return {row.avid_id: row for row in Payment.objects.filter(tenant=ctx.tenant, avid_id__in=ids)}


def recordings(payments: Collection[Payment], kind: str = "ap_payment") -> dict[int, Posting]:
    """Return the newest posting of a kind of each payment, by the payment's key."""
    rows = Posting.objects.filter(payment__in=[payment.pk for payment in payments], kind=kind)
    return {row.payment_id: row for row in rows.order_by("payment_id", "version") if row.payment_id is not None}


def touched(posting: Posting | None) -> bool:
    """Tell whether Epicor may show something of a recording: it has begun and was not given up."""
    return posting is not None and bool(posting.steps) and posting.state != PostingState.ABANDONED


def resolve(ctx: StageContext, payments: Sequence[avid.Payment], rules: Rules) -> dict[translation.Key, InvoiceLink]:
    """Return the invoices that remittances of these payments may mean, by every key they are known by: one look-up."""
    named = {payment.vendor_external_id.strip() for payment in payments} - {""}
    book = codebook.load(ctx, external_ids=named) if named else codebook.load(ctx)
    keys = {key for payment in payments for key in translation.wanted(payment, codebook=book, rules=rules)}
    external = [key[1] for key in keys if key[0] == "external_id"]
    ids = [key[1] for key in keys if key[0] == "avid_id"]
    numbers = {(int(key[1]), key[2]) for key in keys if key[0] == "number"}
    wanted = Q(external_id__in=external) | Q(avid_id__in=ids)
    rows = InvoiceLink.objects.filter(tenant=ctx.tenant, company=ctx.company).defer("desired", "captured")
    if numbers:
        rows = rows.annotate(lowered=Lower("invoice_num"))
        wanted |= Q(vendor_num__in={vendor for vendor, _ in numbers}, lowered__in={number for _, number in numbers})
    found: dict[translation.Key, InvoiceLink] = {}
    for link in rows.filter(wanted):
        found.update(dict.fromkeys(_names(link) & keys, link))
    return found


def _names(link: InvoiceLink) -> set[translation.Key]:
    names = set()
    if link.external_id:
        names.add(translation.external_key(link.external_id))
    if link.avid_id:
        names.add(translation.avid_key(link.avid_id))
    if link.vendor_num is not None:
        names.add(translation.number_key(link.vendor_num, link.invoice_num))
    return names


def paid_by(record: avid.Payment, remittance: avid.Remittance, named: Named, rules: Rules) -> InvoiceLink | None:
    """Return the invoice a remittance is for: by its ids, else by vendor and number; None if we know none."""
    if remittance.external_id.strip():
        found = named.get(translation.external_key(remittance.external_id))
        if found is not None:
            return found
    if remittance.invoice_id.strip():
        found = named.get(translation.avid_key(remittance.invoice_id))
        if found is not None:
            return found
    parsed = parse_external_id(rules, record.vendor_external_id)
    return named.get(translation.number_key(parsed[1], remittance.number)) if parsed else None


def in_currency(record: avid.Payment, invoices: Collection[InvoiceLink]) -> avid.Payment | Hold:
    """Return the payment in the currency of the invoices it pays; a ``Hold`` where these are several, or another than
    the payment names. Amounts are never converted here."""
    currencies = {link.currency.strip().upper() for link in invoices} - {""}
    if len(currencies) > 1:
        listed = ", ".join(sorted(currencies))
        message = f"Payment {record.id} pays invoices in several currencies ({listed})."
        return Hold("several_currencies", message, "Currency", "Record it in Epicor by hand.")
    own = record.currency.strip().upper()
    theirs = next(iter(currencies), own)
    if own and own != theirs:
        message = f"Payment {record.id} is in {own}, the invoices it pays are in {theirs}."
        return Hold("currency_differs", message, "Currency", "Record it in Epicor by hand.")
    return msgspec.structs.replace(record, currency=theirs)


def store(ctx: StageContext, page: Sequence[Told], old: Mapping[str, Payment], named: Named, rules: Rules) -> None:
    """Merge a page of payments, and the remittances of those that changed; call it inside ``ctx.commit()``."""
    rows, changed, same = [], [], []
    for told in page:
        before = old.get(told.record.id)
        news = before is None or (told.decision.believed and before.detail_hash != digest(told.record))
        values = _state(told, before)
        if news:
            values |= _facts(told.record, named, rules, before)
            changed.append(told.record)
        elif before is not None and all(getattr(before, column) == value for column, value in values.items()):
            same.append(before.pk)
            continue
        else:
            values |= {column: getattr(before, column) for column in _FACTS}
        rows.append({"tenant_id": ctx.tenant.pk, "avid_id": told.record.id, "seen_run": ctx.run.pk, **values})
    links.merge(Payment, rows, key=("tenant_id", "avid_id"))
    Payment.objects.filter(pk__in=same).update(seen_run=ctx.run.pk)
    _write_remittances(ctx, changed, named, rules)


_FACTS = (
    "status", "status_text", "method", "method_text", "amount", "currency", "check_number", "ach_trace", "card_last4",
    "vendor_external_id", "vendor_num", "vendor_name", "paid_at", "cleared_at", "modified_at", "final", "tail_until",
    "replaces_id", "replaced_by_id", "detail", "detail_hash",
)  # fmt: skip


def _state(told: Told, before: Payment | None) -> dict[str, Any]:
    """Return state and hold columns: a reason that recording found stays until recording looks again."""
    decision = told.decision
    finding = decision.finding
    same = before is not None and before.state == decision.state
    if finding is not None and decision.state == "held":
        words = {"hold_code": finding.code, "hold_message": f"{finding.message} {finding.hint}".strip()}
    elif before is not None and same:
        words = {"hold_code": before.hold_code, "hold_message": before.hold_message}
    else:
        words = {"hold_code": "", "hold_message": ""}
    return {"state": decision.state, **words}


def _facts(record: avid.Payment, named: Named, rules: Rules, before: Payment | None) -> dict[str, Any]:
    invoices = [link for row in record.remittances if (link := paid_by(record, row, named, rules)) is not None]
    vendors = {link.vendor_num for link in invoices if link.vendor_num is not None}
    priced = in_currency(record, invoices)
    final = record.status in FINAL
    return {
        "status": str(record.status),
        "status_text": record.status_text[:120],
        "method": str(record.method),
        "method_text": record.method_text[:120],
        "amount": _column(record.amount),
        "currency": record.currency[:10] if isinstance(priced, Hold) else priced.currency[:10],
        "check_number": (record.network_check_number or record.payer_check_number)[:60],
        "ach_trace": record.ach_trace[:60],
        "card_last4": record.card_last4[:4],
        "vendor_external_id": record.vendor_external_id[:100],
        "vendor_num": next(iter(vendors)) if len(vendors) == 1 else None,
        "vendor_name": next((link.vendor_name for link in invoices if link.vendor_name), ""),
        "paid_at": record.paid_at,
        "cleared_at": record.cleared_at,
        "modified_at": record.modified_at,
        "final": final,
        "tail_until": _tail(record, before),
        "replaces_id": record.replaces_id[:100],
        "replaced_by_id": record.replaced_by_id[:100],
        "detail": msgspec.json.encode(record).decode(),
        "detail_hash": digest(record),
    }


def _tail(record: avid.Payment, before: Payment | None) -> datetime | None:
    """Return until when a cleared payment is polled: counted from the day it cleared, as AvidXchange tells it."""
    if record.status is not avid.PaymentStatus.CLEARED:
        return None
    if before is not None and before.tail_until is not None:
        return before.tail_until
    cleared = record.cleared_at or record.modified_at
    return cleared + TAIL if cleared is not None else None


def _write_remittances(ctx: StageContext, records: Sequence[avid.Payment], named: Named, rules: Rules) -> None:
    if not records:
        return
    pks = dict(
        Payment.objects.filter(tenant=ctx.tenant, avid_id__in=[record.id for record in records]).values_list(
            "avid_id", "pk"
        )
    )
    Remittance.objects.filter(tenant=ctx.tenant, payment__in=pks.values()).delete()
    rows = []
    for record in records:
        for position, row in enumerate(record.remittances, 1):
            link = paid_by(record, row, named, rules)
            rows.append(
                Remittance(
                    tenant=ctx.tenant,
                    payment_id=pks[record.id],
                    position=position,
                    number=row.number[:100],
                    external_id=row.external_id[:200],
                    avid_invoice_id=row.invoice_id[:100],
                    gross=_column(row.gross),
                    discount=_column(row.discount),
                    net=_column(row.net),
                    invoice_id=link.pk if link is not None else None,
                )
            )
    Remittance.objects.bulk_create(rows, batch_size=500)


def attach(ctx: StageContext, records: Mapping[int, avid.Payment], named: Named, rules: Rules) -> None:
    """Give remittances the invoices that were found meanwhile, ``records`` by payment key; inside ``ctx.commit()``."""
    rows = Remittance.objects.filter(tenant=ctx.tenant, payment__in=records, invoice__isnull=True)
    found = []
    for row in rows:
        record = records[row.payment_id]
        if 0 < row.position <= len(record.remittances):
            row.invoice = paid_by(record, record.remittances[row.position - 1], named, rules)
            if row.invoice is not None:
                found.append(row)
    Remittance.objects.bulk_update(found, ["invoice"], batch_size=500)


def _column(amount: Decimal) -> Decimal:
    return amount.quantize(_MILLE) if abs(amount) < _LARGEST else Decimal(0)
