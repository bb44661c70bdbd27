"""What must hold of our own rows: counts, leases, companies, problems and the audit trail."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from syncjobs.models import (
    Batch,
    BatchItem,
    GLAccountMapping,
    InvoiceImage,
    InvoiceLink,
    Payment,
    Posting,
    PurchaseOrderLink,
    StageRun,
    VendorMapping,
)
from syncjobs.models.runs import COUNTS
from syncjobs.states import INVOICE_THERE
from tenants import audit
from tests.simulation.books import Books


def counts(books: Books) -> Iterator[str]:
    for run in StageRun.objects.filter(tenant=books.tenant).exclude(status="running"):
        if run.status == "errored":
            yield f"run {run.pk} of {run.stage} met a bug: {run.error_detail[-1500:]}"
        parts = [getattr(run, name) for name in COUNTS[1:]]
        if run.read != sum(parts):
            yield f"run {run.pk} of {run.stage} ({run.status}) read {run.read}, but came to {parts}"


def stuck(books: Books) -> Iterator[str]:
    mine = {"tenant": books.tenant}
    for run in StageRun.objects.filter(**mine, status="running"):
        yield f"run {run.pk} of {run.stage} is still running, its lease until {run.lease_until}"
    for batch in Batch.objects.filter(**mine, state__in=("ready", "sending", "uncertain", "submitted", "reading")):
        yield f"{batch.kind} batch {batch.external_id} is still {batch.state}"
    for item in BatchItem.objects.filter(**mine, state="pending").exclude(batch__state="submitted"):
        yield f"{item.subject_kind} {item.subject_key} is still without a verdict"
    for posting in Posting.objects.filter(**mine, state__in=("ready", "running", "uncertain")):
        yield f"{posting.kind} {posting.natural_key} is still {posting.state}: {posting.message}"
    for link in InvoiceLink.objects.filter(**mine, state__in=("in_batch", "writing", "captured", "ready")):
        yield f"invoice {link.invoice_num} is still {link.state}"
    for payment in Payment.objects.filter(**mine, state__in=("ready", "reversing")):
        if not books.is_told("payment", payment.avid_id):
            yield f"payment {payment.avid_id} is still {payment.state}"
    waiting = InvoiceImage.objects.filter(**mine, state__in=("pending", "uncertain"), invoice__state__in=INVOICE_THERE)
    for image in waiting.select_related("invoice"):
        yield f"the image of invoice {image.invoice.invoice_num} is still {image.state}"


def held_is_told(books: Books) -> Iterator[str]:
    """Whatever is held says so to a person."""
    for link in InvoiceLink.objects.filter(tenant=books.tenant, state__in=("held", "refused")):
        if not books.captured_told(
            {"Id": link.avid_id}, [{"VendorNum": link.vendor_num, "InvoiceNum": link.invoice_num}]
        ):
            yield f"invoice {link.invoice_num} is {link.state} ({link.hold_code}), and nobody was told"
    for payment in Payment.objects.filter(tenant=books.tenant, state="held"):
        if not books.is_told("payment", payment.avid_id):
            yield f"payment {payment.avid_id} is held ({payment.hold_code}), and nobody was told"


def companies(books: Books) -> Iterator[str]:
    for model in (VendorMapping, GLAccountMapping, PurchaseOrderLink, InvoiceLink):
        others = model.objects.filter(tenant=books.tenant).exclude(company=books.company)
        for row in others:
            yield f"{row} is of another company: {row.company}"
    for row in [*books.invoices, *books.vendors]:
        external_id = row.get("ExternalId") or row.get("VendorExternalSystemID") or ""
        if external_id and not external_id.startswith(f"{books.company}|"):
            yield f"AvidXchange has {external_id} of another company"


def unexplained(books: Books) -> Iterator[str]:
    for kind, key, code in sorted(books.open):
        if not books.explained(kind, key, code):
            yield f"an open problem that nothing explains: {code} about {kind} {key}"


def trail(books: Books) -> Iterator[str]:
    verdict = audit.verify(books.tenant)
    for fault in verdict.faults:
        yield f"the audit trail is broken at {fault.sequence}: {fault.detail}"


CHECKS: tuple[Callable[[Books], Iterator[str]], ...] = (counts, stuck, held_is_told, companies, unexplained, trail)
