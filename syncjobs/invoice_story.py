"""One invoice with its whole story: what each system has of it, its lines, and everything that happened, in order.

Epicor stands left and AvidXchange right, whichever way the invoice goes. What is not known yet is said in words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Q
from django.urls import reverse

from syncjobs import stories
from syncjobs.models import BatchItem, GLAccountMapping, InvoiceLink, Posting, Remittance
from syncjobs.pages import Event, Facts, Page, Table
from syncjobs.states import BatchStatus, ImageState, InvoiceState
from syncjobs.stories import AVIDXCHANGE, EPICOR, in_order
from syncjobs.templatetags.shown import NOTHING, badge, day, decoded, link, money, said, state, when


def story(invoice: InvoiceLink) -> Page:
    """Return an invoice's page without its buttons."""
    items = list(
        BatchItem.objects.filter(tenant=invoice.tenant, subject_kind="invoice", subject_id=invoice.pk)
        .select_related("batch")
        .order_by("-pk")[: stories.MOST]
    )
    paid = list(Remittance.objects.filter(invoice=invoice).select_related("payment").order_by("-payment_id"))
    mine = Q(invoice=invoice) | Q(payment__in={one.payment_id for one in paid})
    postings = list(Posting.objects.filter(mine, tenant=invoice.tenant).order_by("-pk")[: stories.MOST])
    outgoing = invoice.direction == InvoiceLink.OUT
    record = decoded(invoice.desired if outgoing else invoice.captured)
    document = next((one for one in postings if one.kind == "ap_invoice"), None)
    draft = decoded(document.draft) if document else {}
    return Page(
        title=f"Invoice {invoice.invoice_num}, {invoice.vendor_name or 'vendor not known'}",
        badges=[
            state(invoice.state, InvoiceState), badge("", invoice.get_direction_display()),
            money(invoice.gross_amount, invoice.currency),
        ],
        notice=_notice(invoice),
        sides=[_epicor(invoice, document), _avidxchange(invoice, items)],
        tables=[
            _lines(invoice, record, draft), _images(invoice), _batches(invoice, items), _payments(invoice, paid),
            _documents(postings),
        ],
        story="The whole story",
        events=_events(invoice, items, postings, paid),
        technical=[
            (name, value)
            for name, value in (
                ("Sent, or to be sent, to AvidXchange", decoded(invoice.desired)),
                ("As AvidXchange captured it", decoded(invoice.captured)),
                ("Written, or to be written, to Epicor", draft),
            )
            if value
        ],
    )  # fmt: skip


def _notice(invoice: InvoiceLink) -> str:
    rejected = f"Rejected: {invoice.reject_reason}" if invoice.reject_reason else ""
    return invoice.hold_message or rejected or invoice.state_reason


def key(invoice: InvoiceLink) -> str:
    """Return the key under which an invoice's problems and audit rows stand."""
    return f"{invoice.company}|{invoice.vendor_num}|{invoice.invoice_num}"


def _epicor(invoice: InvoiceLink, document: Posting | None) -> Facts:
    there = invoice.direction == InvoiceLink.OUT or invoice.state in (InvoiceState.WRITTEN, InvoiceState.PAID)
    if not there and document is None:
        return Facts("Epicor", [], "It is not in Epicor yet. It is written when nothing holds it any more.")
    rows: list[tuple[str, Any]] = [
        ("Invoice", invoice.invoice_num),
        ("Vendor", f"{invoice.vendor_name} (number {invoice.vendor_num})" if invoice.vendor_num else "Not known yet"),
        ("Company", invoice.company),
        ("Kind", "Debit memo" if invoice.debit_memo else "Invoice"),
        ("Amount", money(invoice.gross_amount, invoice.currency)),
        ("Open", _open(invoice, there=there)),
        ("Invoice date", day(invoice.invoice_date)),
        ("Due", day(invoice.due_date)),
        ("Purchase order", invoice.po_number or NOTHING),
    ]
    if document is not None:
        rows += [("Group", document.group_id or NOTHING), ("Document", document.get_state_display())]
    if invoice.approval_marked:
        rows.append(("Approval shown in Epicor", invoice.approval_marked.capitalize()))
    return Facts("Epicor", rows)


def _open(invoice: InvoiceLink, *, there: bool) -> Any:
    """Of an invoice that came in, Epicor is not asked again what is open."""
    if invoice.direction == InvoiceLink.OUT:
        return money(invoice.open_amount, invoice.currency)
    return "See Epicor" if there else "Not in Epicor yet"


def _avidxchange(invoice: InvoiceLink, items: Sequence[BatchItem]) -> Facts:
    if not invoice.avid_id and not items:
        return Facts("AvidXchange", [], "It is not at AvidXchange yet. It is sent when nothing holds it any more.")
    captured = decoded(invoice.captured)
    rows: list[tuple[str, Any]] = [
        ("AvidXchange id", invoice.avid_id or "Not given yet"),
        ("Our id over there", invoice.external_id or NOTHING),
    ]
    if invoice.direction == InvoiceLink.OUT:
        rows += [
            ("Approval", invoice.approval.capitalize() or "Not decided yet"),
            ("Decided", when(invoice.approval_changed_at, invoice.tenant)),
            ("Paid so far", money(invoice.paid_amount, invoice.currency)),
        ]
    if captured:
        rows = [
            ("Vendor over there", captured.get("vendor_name") or NOTHING),
            ("Number", captured.get("number") or NOTHING),
            ("Amount", money(_amount(captured.get("gross_amount")), invoice.currency)),
            ("Invoice date", day(_date(captured.get("invoice_date")))),
            *rows,
        ]
    elif items:
        rows.insert(0, ("Last verdict", items[0].get_state_display()))
        rows.append(("Version sent", invoice.version))
    if invoice.reject_reason:
        rows.append(("Why rejected", invoice.reject_reason))
    return Facts("AvidXchange", rows)


def _lines(invoice: InvoiceLink, record: Mapping[str, Any], draft: Mapping[str, Any]) -> Table:
    """Lines with both systems' accounts; of an incoming invoice what is, or will be, in Epicor comes from its draft."""
    lines = record.get("Lines") or record.get("lines") or []
    written = {line.get("line_number"): line for line in draft.get("lines", [])}
    numbers = [str(_value(line, "GLAccount", "gl_account") or "") for line in lines]
    known = dict(
        GLAccountMapping.objects.filter(tenant=invoice.tenant, avid_account__in=set(numbers) - {""}).values_list(
            "avid_account", "gl_account"
        )
    )
    rows = []
    for line, number in zip(lines, numbers, strict=True):
        place = _value(line, "LineNumber", "line_number")
        epicor = written.get(place, {}).get("gl_account") or known.get(number, "Not mapped")
        rows.append(
            (
                place,
                _value(line, "Description", "description") or NOTHING,
                epicor,
                number or NOTHING,
                _value(line, "POLineNumber", "po_line_number") or NOTHING,
                money(_amount(_value(line, "Amount", "amount")), invoice.currency),
            )
        )
    headers = ("Line", "Description", "Account in Epicor", "Account in AvidXchange", "PO line", "Amount")
    total = sum((_amount(_value(line, "Amount", "amount")) or Decimal(0) for line in lines), Decimal(0))
    more = ""
    if lines and total != invoice.gross_amount:
        more = f"The lines come to {total:,} and the invoice to {invoice.gross_amount:,} {invoice.currency}."
    return Table("Lines", headers, rows, "Its lines have not been translated yet.", frozenset({5}), more)


def _images(invoice: InvoiceLink) -> Table:
    rows = [
        (image.file_name, f"{image.size:,} bytes" if image.size else NOTHING, state(image.state, ImageState),
         said(image.message), when(image.sent_at, invoice.tenant))
        for image in invoice.images.all()
    ]  # fmt: skip
    return Table("Images", ("File", "Size", "State", "Said of it", "Sent"), rows, "No image belongs to it.")


def _batches(invoice: InvoiceLink, items: Sequence[BatchItem]) -> Table:
    rows = [
        (_to("batch", item.batch_id, item.batch.external_id), state(item.batch.state, BatchStatus), item.external_id,
         badge(item.state, item.get_state_display()), said(item.message),
         when(item.batch.sent_at, invoice.tenant))
        for item in items
    ]  # fmt: skip
    captured = invoice.captured_batch
    if captured is not None:
        rows.append(
            (_to("batch", captured.pk, captured.external_id), state(captured.state, BatchStatus), invoice.avid_id,
             badge("", "Captured there"), NOTHING, when(captured.closed_at, invoice.tenant))
        )  # fmt: skip
    headers = ("Batch", "Its state", "Sent as", "Verdict", "Said of it", "When")
    return Table("Batches and verdicts", headers, rows, "It has not been in a batch yet.")


def _payments(invoice: InvoiceLink, paid: Sequence[Remittance]) -> Table:
    rows = [
        (_to("payment", one.payment_id, one.payment.avid_id), one.payment.get_state_display(),
         payment_reference(one.payment), money(one.gross, one.payment.currency),
         money(one.discount, one.payment.currency), money(one.net, one.payment.currency),
         when(one.payment.paid_at, invoice.tenant))
        for one in paid
    ]  # fmt: skip
    headers = ("Payment", "In Epicor", "How", "Off the invoice", "Discount", "Cash", "Paid")
    return Table("Payments", headers, rows, "Nothing has been paid yet.", frozenset({3, 4, 5}))


def _documents(postings: Sequence[Posting]) -> Table:
    rows = [
        (_to("posting", one.pk, one), badge(one.state, one.get_state_display()), one.head_num or NOTHING,
         ", ".join(dict.fromkeys(str(step.get("step", "")).replace("_", " ") for step in one.steps)) or "None yet",
         said(one.message))
        for one in postings
    ]  # fmt: skip
    headers = ("Document", "State", "Number in Epicor", "Steps taken", "Said of it")
    return Table("Documents written to Epicor", headers, rows, "Nothing has been written to Epicor for it.")


def _events(
    invoice: InvoiceLink, items: Sequence[BatchItem], postings: Sequence[Posting], paid: Sequence[Remittance]
) -> list[Event]:
    batches, written = {item.batch_id for item in items}, {one.pk for one in postings}
    outgoing = invoice.direction == InvoiceLink.OUT
    own = [
        Event(at=invoice.created_at, where=EPICOR if outgoing else AVIDXCHANGE,
              title="Found in Epicor" if outgoing else "Captured by AvidXchange and read")
    ]  # fmt: skip
    if invoice.approval_changed_at is not None and invoice.approval:
        tone = {"approved": "success", "rejected": "danger"}.get(invoice.approval.lower(), "")
        own.append(
            Event(at=invoice.approval_changed_at, where=AVIDXCHANGE, title=invoice.approval.capitalize(),
                  detail=invoice.reject_reason, tone=tone)
        )  # fmt: skip
    own += [
        Event(at=image.sent_at, where=AVIDXCHANGE, title=f"Image {image.file_name} sent", tone="success")
        for image in invoice.images.all()
        if image.sent_at is not None
    ]
    return in_order(
        own,
        stories.submissions(items),
        stories.documents(postings),
        _paid(paid),
        stories.problems(invoice.tenant, ["invoice"], invoice.pk),
        stories.trail(invoice.tenant, ["invoice"], key(invoice)),
        *(stories.trail(invoice.tenant, [one.kind], one.natural_key) for one in postings[:1]),
        stories.calls(Q(batch__in=batches) | Q(posting__in=written), invoice.tenant),
    )


def _paid(paid: Sequence[Remittance]) -> list[Event]:
    events = []
    for one in paid:
        href = reverse("admin:syncjobs_payment_change", args=[one.payment_id])
        how = payment_reference(one.payment)
        cash = f"{one.net:,.2f} {one.payment.currency}"
        for at, words in ((one.payment.paid_at, "Paid"), (one.payment.cleared_at, "Payment cleared")):
            if at is not None:
                events.append(
                    Event(at=at, where=AVIDXCHANGE, title=f"{words}: {cash}", detail=how, tone="success", href=href)
                )
    return events


def payment_reference(payment: Any) -> str:
    """Return how a payment was made, as people name it."""
    if payment.card_last4:
        return f"Virtual card ending in {payment.card_last4}"
    if payment.ach_trace:
        return f"ACH, trace {payment.ach_trace}"
    if payment.check_number:
        return f"Check {payment.check_number}"
    return {"check": "Check", "ach": "ACH", "card": "Virtual card"}.get(payment.method, payment.method_text or NOTHING)


def _to(model: str, pk: int | None, words: object) -> Any:
    return link(reverse(f"admin:syncjobs_{model}_change", args=[pk]), words)


def _value(line: Mapping[str, Any], *names: str) -> Any:
    return next((line[name] for name in names if line.get(name) is not None), None)


def _amount(value: Any) -> Decimal | None:
    return Decimal(str(value)) if value is not None else None


def _date(value: Any) -> date | None:
    return date.fromisoformat(str(value)[:10]) if value else None
