"""Open AP invoices from Epicor to AvidXchange, for approval and payment: coded lines, PO reference, image.

An invoice goes out once. Posted, open and on no hold, it is translated whole and submitted in a batch; one that is not
that far waits without troubling anybody, and one whose vendor, GL account or PO AvidXchange does not have yet is held
and looked at again as soon as that has been accepted there. One that is closed in Epicor before it was sent is
withdrawn. After submission nothing is ever sent again: a change in Epicor, a payment made there by somebody else, or
an invoice that is open again after it was paid, is a problem for a person. An invoice that came in from AvidXchange
never goes out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from django.db.models import CharField, F, Q
from django.db.models.functions import Cast, Now

from connector.epicor import odata
from connector.epicor import records as epicor
from connector.translate.codebook import Hold
from syncjobs.engine import batches, codebook, images, invoice_rows, problems, reading, submitted
from syncjobs.engine.context import StageContext
from syncjobs.engine.invoice_rows import Key, known, shown_day
from syncjobs.engine.outbox import tally
from syncjobs.engine.outgoing import (
    ACCOUNT_INACTIVE,
    ACCOUNT_NOT_MAPPED,
    PO_NOT_SENT,
    SLICE,
    VENDOR_INACTIVE,
    Desk,
)
from syncjobs.engine.submissions import INVOICE_BOX, key
from syncjobs.models import InvoiceLink, PurchaseOrderLink, VendorMapping
from syncjobs.states import INVOICE_THERE, INVOICE_UNSENT, InvoiceState, MappingState
from tenants import audit

INVOICES = reading.Stream("invoices", epicor.INVOICES, epicor.Invoice, "ChangeDate")
#: Holds that end on our side, so that the invoice itself need not be read to see whether they have.
ACCOUNT_CODES = (ACCOUNT_NOT_MAPPED, ACCOUNT_INACTIVE)
RELEASED = frozenset({"vendor_not_mapped", VENDOR_INACTIVE, *ACCOUNT_CODES, PO_NOT_SENT})
#: Invoices looked for by key in one request; their keys are long, and addresses are not.
KEYS_A_REQUEST = 20


def run(ctx: StageContext) -> None:
    """Bring AvidXchange every invoice that it is to have approved and paid."""
    desk = Desk(ctx)
    # An unposted invoice may still change in every respect, so it is not even read.
    for page in reading.changed(ctx, INVOICES, where="Posted eq true", first=_first(ctx)):
        sorted_page = _sorted(desk, page.rows)
        _work(desk, sorted_page.read)
        watched = submitted.look(desk, sorted_page.there)
        with ctx.commit():
            submitted.store(ctx, watched)
            _keep(ctx, sorted_page)
            page.place()
    for keys in _released(ctx):
        _work(desk, keys)
    if ctx.run.full_read:
        _missing(desk)
    batches.push(ctx, INVOICE_BOX)
    if not ctx.dry_run:
        images.send(ctx)
    tally(ctx, InvoiceLink, OUTCOMES)


def _first(ctx: StageContext) -> str:
    """What a pass over everything asks for; a pass over changes also wants what was closed."""
    since = ctx.options.invoices_since
    return odata.and_("OpenPayable eq true", odata.ge("InvoiceDate", since) if since else "")


@dataclass(slots=True)
class Sorted:
    """A page of headers by what is to be done: read whole, compared with what was sent, withdrawn, or nothing."""

    read: list[Key] = field(default_factory=list)
    there: list[tuple[InvoiceLink, epicor.Invoice]] = field(default_factory=list)
    withdrawn: list[InvoiceLink] = field(default_factory=list)
    seen: list[InvoiceLink] = field(default_factory=list)
    nothing: int = 0


def _sorted(desk: Desk, page: Sequence[epicor.Invoice]) -> Sorted:
    links = known(desk.ctx, [_key(header) for header in page])
    found = Sorted()
    for header in page:
        link = links.get(_key(header))
        if link is None:
            wanted = header.open_payable and not _too_old(desk.ctx, header)
            found.nothing += not wanted
            found.read += [_key(header)] if wanted else []
        elif link.direction == InvoiceLink.IN or link.state in INVOICE_THERE:
            found.there.append((link, header))
        elif link.state not in INVOICE_UNSENT | {InvoiceState.WITHDRAWN}:
            found.nothing += 1  # in a batch: nothing is known of it until there is a verdict
        elif not header.open_payable:
            found.withdrawn.append(link)
        elif _settled(desk, link, header):
            found.seen.append(link)
        else:
            found.read.append(_key(header))
    return found


def _key(header: epicor.Invoice) -> Key:
    return header.vendor_num, header.invoice_num


def _too_old(ctx: StageContext, header: epicor.Invoice) -> bool:
    since, dated = ctx.options.invoices_since, shown_day(header.invoice_date)
    return since is not None and dated is not None and dated < since


def _settled(desk: Desk, link: InvoiceLink, header: epicor.Invoice) -> bool:
    """Whether reading the whole invoice could tell nothing new: it is as it was, and waits for nothing in Epicor."""
    if link.header_hash != desk.hash_of(header) or link.state == InvoiceState.WITHDRAWN:
        return False
    return link.state != InvoiceState.HELD or (link.hold_code in RELEASED and not desk.ctx.run.full_read)


def _work(desk: Desk, keys: Sequence[Key]) -> None:
    """Read invoices whole, translate them, and store what is to be sent or why not, a slice at a time.

    What is stored here may be stored again after a crash: its page is repeated then.
    """
    ctx = desk.ctx
    for answers in desk.documents(keys):
        links = known(ctx, answers)
        documents = {one: answer for one, answer in answers.items() if isinstance(answer, epicor.InvoiceDocument)}
        translated = desk.translate(documents, links)
        # Closed while we looked: one that we never kept is not worth a row.
        kept = [one for one in translated if one.header.open_payable or one.key in links]
        gone = [links[one] for one, answer in answers.items() if answer is None and one in links]
        unreadable = {one: answer for one, answer in answers.items() if isinstance(answer, Hold)}
        with ctx.commit():
            invoice_rows.store(ctx, kept, links)
            invoice_rows.store_unreadable(ctx, unreadable)
            _withdraw(ctx, gone, "It is no longer in Epicor.")
            unknown = sum(answer is None for answer in answers.values()) - len(gone)
            ctx.settle_count("unchanged", unknown + len(translated) - len(kept))


def _keep(ctx: StageContext, page: Sorted) -> None:
    """Store what came of a page's unsent invoices that were not read; call it inside ``ctx.commit()``."""
    _withdraw(ctx, page.withdrawn, "It is closed in Epicor: nothing is left to pay.")
    held = [link.pk for link in page.seen if link.state == InvoiceState.HELD]
    other = [link.pk for link in page.seen if link.state != InvoiceState.HELD]
    INVOICE_BOX.mark(ctx, held, "held")
    INVOICE_BOX.mark(ctx, other, "unchanged")
    ctx.settle_count("unchanged", page.nothing)


def _withdraw(ctx: StageContext, rows: Sequence[InvoiceLink], why: str) -> None:
    """Take invoices that were not sent out of the queue; their problems end with that."""
    if not rows:
        return
    InvoiceLink.objects.filter(pk__in=[row.pk for row in rows]).update(
        state=InvoiceState.WITHDRAWN,
        state_reason=why,
        desired_hash="",
        hold_code="",
        hold_message="",
        seen_run=ctx.run.pk,
        outcome="unchanged",
        updated_at=Now(),
    )
    problems.report_page(ctx, "invoice", {key(row): None for row in rows})
    fresh = [row for row in rows if row.state != InvoiceState.WITHDRAWN]
    entries = [audit.Entry(action=f"{ctx.stage}.withdrawn", subject=("invoice", key(row)), reason=why) for row in fresh]
    audit.record_many(ctx.tenant, entries, actor=ctx.actor, run=ctx.run.pk)


def _released(ctx: StageContext) -> Iterator[list[Key]]:
    """Yield, in slices, invoices whose vendor, account or PO has been accepted since, or that a person wants read."""
    company = {"tenant": ctx.tenant, "company": ctx.company}
    vendors = VendorMapping.objects.filter(**company, state=MappingState.APPROVED).exclude(sent_hash="")
    active = vendors.filter(active=True, sent_hash=F("desired_hash"))
    orders = PurchaseOrderLink.objects.filter(**company).exclude(sent_hash="")
    numbers = orders.annotate(number=Cast("po_num", CharField())).values("number")
    unsent = InvoiceLink.objects.filter(**company, direction=InvoiceLink.OUT, state__in=INVOICE_UNSENT)
    waiting = unsent.filter(state=InvoiceState.HELD, hold_code__in=ACCOUNT_CODES)
    accounts = set(waiting.order_by().values_list("waits_for", flat=True).distinct())
    mapped = codebook.load(ctx, gl_accounts=accounts).accounts.keys() if accounts else set()
    usable = [account for account in accounts if {account, account.rstrip("|")} & mapped]
    ready = unsent.filter(
        Q(state=InvoiceState.HELD, hold_code="vendor_not_mapped", vendor_num__in=vendors.values("vendor_num"))
        | Q(state=InvoiceState.HELD, hold_code=VENDOR_INACTIVE, vendor_num__in=active.values("vendor_num"))
        | Q(state=InvoiceState.HELD, hold_code__in=ACCOUNT_CODES, waits_for__in=usable)
        | Q(state=InvoiceState.HELD, hold_code=PO_NOT_SENT, po_number__in=numbers)
        | Q(header_hash="")
    ).exclude(seen_run=ctx.run.pk, outcome="")
    rows = ready.order_by("pk").values_list("vendor_num", "invoice_num")
    keys = [(vendor_num or 0, number) for vendor_num, number in rows]
    for start in range(0, len(keys), SLICE):
        yield keys[start : start + SLICE]


def _missing(desk: Desk) -> None:
    """After everything open was read: find out what became of unsent invoices that were not among it."""
    ctx = desk.ctx
    unsent = InvoiceLink.objects.filter(
        tenant=ctx.tenant, company=ctx.company, direction=InvoiceLink.OUT, state__in=INVOICE_UNSENT
    ).exclude(seen_run=ctx.run.pk)
    links = {(row.vendor_num or 0, row.invoice_num): row for row in unsent.defer("desired", "captured")}
    keys = list(links)
    for start in range(0, len(keys), KEYS_A_REQUEST):
        chosen = keys[start : start + KEYS_A_REQUEST]
        clauses = [odata.and_(odata.eq("VendorNum", num), odata.eq("InvoiceNum", number)) for num, number in chosen]
        rows = ctx.epicor.find(epicor.INVOICES, odata.or_(*clauses))
        headers = {_key(row): row for row in rows if isinstance(row, epicor.Invoice)}
        closed = [links[one] for one in chosen if one in headers and not headers[one].open_payable]
        with ctx.commit():
            _withdraw(ctx, closed, "It is closed in Epicor: nothing is left to pay.")
            _withdraw(ctx, [links[one] for one in chosen if one not in headers], "It is no longer in Epicor.")
        _work(desk, [one for one in chosen if one in headers and headers[one].open_payable])


#: What becomes of an invoice that was read but not sent in this run, in this order; one that waits is unchanged.
OUTCOMES = {
    "held": Q(state=InvoiceState.HELD),
    "rejected": Q(state=InvoiceState.REFUSED, refused_hash=F("desired_hash")),
    # Only a rehearsal leaves translated invoices unsent; it counts what it would have done.
    "created": Q(state=InvoiceState.READY),
}
