"""What AvidXchange paid against what Epicor's ledger shows, to the row, read afresh from both systems.

Our own store only says which invoices belong together. A payment that is not due to be recorded yet is no difference,
and one that waits unposted in Epicor counts as recorded; a captured invoice that is held here waits for a person, who
has been told, and is counted apart. Reading changes nothing on either side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Q

from connector.avidxchange.client import AvidXchangeClient
from connector.avidxchange.decode import Records
from connector.avidxchange.records import Payment as PaymentRecord
from connector.epicor import odata
from connector.epicor import records as epicor
from connector.epicor.client import EpicorClient
from connector.epicor.payment_entry import POSTED_PAYMENTS
from connector.translate import payments as translation
from connector.translate.codebook import Rules
from syncjobs.engine import reconcile_invoices, reconcile_scratch
from syncjobs.engine.reconcile_invoices import Difference, plain
from syncjobs.models import InvoiceLink, Payment
from tenants.clients import avidxchange_client, epicor_client
from tenants.models import Tenant
from tenants.rules import rules

#: Beyond both ends of what is asked for: clocks differ, and a day of AvidXchange's is not one of ours.
_MARGIN = timedelta(days=2)
#: Sorts behind every identity; identities end in letters and digits.
_LAST = "zzzz"


@dataclass
class Report:
    """What was found. ``checked`` counts what was looked at, by what it is."""

    tenant: str
    differences: list[Difference] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=dict)

    @property
    def balanced(self) -> bool:
        """Whether the two sides agree."""
        return not self.differences

    def as_json(self) -> dict[str, Any]:
        """Return the report in the shape of design section 7."""
        return {
            "tenant": self.tenant,
            "balanced": self.balanced,
            "differences": [difference.as_json() for difference in self.differences],
            "checked": self.checked,
        }


def reconcile(tenant: Tenant, *, now: datetime | None = None) -> Report:
    """Compare both ledgers of a tenant. Raises the ``ConnectorError`` of a system that cannot be read."""
    here, there = epicor_client(tenant), avidxchange_client(tenant)
    report = Report(tenant.slug)
    try:
        with reconcile_scratch.scratch():
            _read(tenant, here, there, report, now=now or datetime.now(UTC))
            report.differences += _payments(tenant)
            report.differences += _vendors(report)
            invoices, checked = reconcile_invoices.compare(tenant, here, there)
            report.differences += invoices
            report.checked |= checked
    finally:
        here.close()
        there.close()
    return report


def _read(tenant: Tenant, here: EpicorClient, there: AvidXchangeClient, report: Report, *, now: datetime) -> None:
    """Read both sides' payments into the scratch tables."""
    chosen = rules(tenant)
    for rows in _in_epicor(here, chosen):
        _keep_epicor(here, rows, chosen)
    start = (tenant.created_at - _MARGIN).date()
    for page in there.payments_modified(start, max(now.astimezone(UTC).date(), start) + _MARGIN):
        _keep_paid(tenant, page, report)
    # Payments that changed before the tenant came to us, or that AvidXchange has lost.
    for ids in reconcile_scratch.unknown_payments(there.profile.ids_max):
        _keep_paid(tenant, there.payments_by_id(ids), report)
    report.checked["payments"] = reconcile_scratch.count("reconcile_paid")
    report.checked["payments_in_epicor"] = reconcile_scratch.count("reconcile_epicor")


def _in_epicor(here: EpicorClient, chosen: Rules) -> Iterator[list[epicor.Payment]]:
    """Yield every payment that carries our identity, unposted, posted or void, each once."""
    column = translation.identity_field(chosen)
    first = translation.identity("")
    where = odata.and_(odata.ge(column, first), odata.le(column, first + _LAST))
    for page in here.pages(epicor.PAYMENTS, where=where):
        yield [row for row in page.rows if isinstance(row, epicor.Payment)]
    for page in here.pages(POSTED_PAYMENTS, where=where):
        rows = [row for row in page.rows if isinstance(row, epicor.Payment)]
        had = reconcile_scratch.kept([row.head_num for row in rows])
        yield [row for row in rows if row.head_num not in had]


def _keep_epicor(here: EpicorClient, rows: Sequence[epicor.Payment], chosen: Rules) -> None:
    first = translation.identity("").casefold()
    by_reference = translation.identity_field(chosen) == "XRefCheckNum"
    ours = []
    for row in rows:
        carried = epicor.text(row.x_ref_check_num if by_reference else row.description)
        if carried.casefold().startswith(first):
            ours.append(
                (row.head_num, carried[len(first) :], row.vendor_num, row.doc_check_amt, row.posted, row.voided)
            )
    reconcile_scratch.add("reconcile_epicor", ours)
    net = chosen.discount_semantics == "net"
    for found in here.find_by_keys(epicor.ALLOCATIONS, "HeadNum", [row[0] for row in ours]):
        taken = [row for row in found if isinstance(row, epicor.Allocation)]
        reconcile_scratch.add(
            "reconcile_taken",
            [
                (
                    row.head_num,
                    row.invoice_num.strip().casefold(),
                    row.doc_tran_amt + (row.doc_disc_amt if net else Decimal(0)),
                )
                for row in taken
            ],
        )


def _keep_paid(tenant: Tenant, page: Records[PaymentRecord], report: Report) -> None:
    for bad in page.bad:
        hint = "AvidXchange sent a payment that cannot be read; ask it to correct the record."
        report.differences.append(Difference("payment_unreadable", bad.key or "no id", "", bad.reason, hint))
    latest = {payment.id: payment for payment in page}
    named = _links(tenant, list(latest.values()))
    record_on = tenant.typed_options.record_on
    paid, remitted = [], []
    for payment in latest.values():
        found = [named.get(("e", row.external_id.strip())) or named.get(("i", row.invoice_id.strip()))
                 for row in payment.remittances]  # fmt: skip
        vendors = {link.vendor_num for link in found if link is not None}
        due, gone = translation.recordable(payment.status, record_on), translation.reverses(payment.status)
        vendor = next(iter(vendors)) if len(vendors) == 1 else None
        status = payment.status_text or payment.status.value
        paid.append((payment.id, due, gone, status, payment.amount, vendor))
        for row, link in zip(payment.remittances, found, strict=True):
            number = link.invoice_num if link is not None else row.number
            remitted.append((payment.id, number.strip().casefold(), link.pk if link is not None else None, row.gross))
    reconcile_scratch.forget_payments(list(latest))
    reconcile_scratch.add("reconcile_paid", paid)
    reconcile_scratch.add("reconcile_remitted", remitted)


def _links(tenant: Tenant, page: Sequence[PaymentRecord]) -> dict[tuple[str, str], InvoiceLink]:
    """Return the invoices that a page's remittances name, by external id ("e") and AvidXchange's id ("i")."""
    external = {row.external_id.strip() for payment in page for row in payment.remittances} - {""}
    ids = {row.invoice_id.strip() for payment in page for row in payment.remittances} - {""}
    rows = InvoiceLink.objects.filter(Q(external_id__in=external) | Q(avid_id__in=ids), tenant=tenant)
    found: dict[tuple[str, str], InvoiceLink] = {}
    for link in rows.only("pk", "vendor_num", "invoice_num", "external_id", "avid_id"):
        if link.external_id:
            found["e", link.external_id] = link
        if link.avid_id:
            found["i", link.avid_id] = link
    return found


def _payments(tenant: Tenant) -> Iterator[Difference]:
    for row in reconcile_scratch.payments():
        yield _payment(tenant, row)
    for payment_id, invoice, off, gross in reconcile_scratch.allocations():
        key = f"{payment_id}|{invoice}"
        hint = "Compare the payment's allocations in Epicor with its remittances at AvidXchange."
        yield Difference("allocation_differs", key, plain(off), plain(gross), hint)
    for payment_id, head_num, cash in reconcile_scratch.orphans():
        hint = f"Epicor has it as payment {head_num}. Ask AvidXchange what became of it; void it if nothing was paid."
        yield Difference("payment_missing_in_avidxchange", payment_id, plain(cash), "", hint)


def _payment(tenant: Tenant, row: reconcile_scratch.PaymentRow) -> Difference:
    key, amount = row.payment_id, plain(row.amount)
    if row.due and not row.heads:
        return Difference("payment_missing_in_epicor", key, "", amount, _why_missing(tenant, row.payment_id))
    if row.gone:
        hint = f"AvidXchange took it back ({row.status}). Void payment {row.head_num} in Epicor, or delete it there."
        return Difference("not_voided_in_epicor", key, plain(row.cash), row.status, hint)
    if row.heads > 1:
        hint = f"Epicor has it {row.heads} times, first as payment {row.head_num}. Void all but one."
        return Difference("payment_twice_in_epicor", key, plain(row.cash), amount, hint)
    hint = f"Correct payment {row.head_num} in Epicor, or void it and let it be recorded again."
    return Difference("amount_differs", key, plain(row.cash), amount, hint)


def _why_missing(tenant: Tenant, payment_id: str) -> str:
    """Say why a payment is not in Epicor, as far as we know."""
    ours = Payment.objects.filter(tenant=tenant, avid_id=payment_id).first()
    if ours is None:
        return "It has not been read yet: run payments_in."
    if ours.hold_message:
        return ours.hold_message
    if ours.state == "recorded":
        return "It was recorded, and somebody has deleted or voided it in Epicor since. Replay the payment."
    return f"It is {ours.get_state_display().lower()}: run payments_in."


def _vendors(report: Report) -> Iterator[Difference]:
    number = 0
    for vendor, here, there in reconcile_scratch.vendor_totals():
        number += 1
        if here != there:
            key = str(vendor) if vendor is not None else "unknown vendor"
            hint = "The sum over this vendor's payments; the rows that make it up are listed by themselves."
            yield Difference("vendor_total_differs", key, plain(here), plain(there), hint)
    report.checked["vendors"] = number
