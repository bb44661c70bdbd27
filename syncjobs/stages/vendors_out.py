"""Vendors from Epicor to AvidXchange: remit-to and terms with them, matched before any is created, never deleted.

1. AvidXchange's own vendors are mirrored, so that there is something to match against.
2. Epicor's changed vendors are read (by SysRevID: the table has no change date, epicor.md 4.2), after whatever vendor
   a changed remit-to belongs to. Each is translated and stored with its content hash.
3. Vendors without a decision are proposed to the reviewer, or decided where the tenant's options allow it.
4. Approved vendors whose content differs from what AvidXchange last accepted are sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec
from django.db.models import F, Q

from connector.avidxchange.client import BatchKind
from connector.avidxchange.records import VendorItem, Verdict, encode
from connector.epicor import odata
from connector.epicor import records as epicor
from connector.epicor.client import BadRow
from connector.translate import vendors
from connector.translate.codebook import Hold, Rules
from connector.transport.errors import Misconfigured
from syncjobs.engine import batches, codebook, cursors, links, matching, problems, reading, refusals
from syncjobs.engine.context import StageContext
from syncjobs.engine.outbox import Outbox, tally, wanted
from syncjobs.engine.problems import Finding
from syncjobs.engine.storing import LEFT_OUT, report_gone, store_page
from syncjobs.models import AvidVendor, BatchItem, VendorMapping
from syncjobs.states import MappingState

VENDORS = reading.Stream("vendors", epicor.VENDORS, epicor.Vendor, "SysRevID")
REMIT_TOS = reading.Stream("remit_tos", epicor.REMIT_TOS, epicor.RemitTo, "SysRevID")


def run(ctx: StageContext) -> None:
    """Bring AvidXchange's vendors up to Epicor's."""
    listed = mirror_avidxchange(ctx)
    read_epicor(ctx)
    matching.propose(ctx, listed=listed)
    batches.push(ctx, OUTBOX)
    tally(ctx, VendorMapping, OUTCOMES)


def mirror_avidxchange(ctx: StageContext) -> bool:
    """Store AvidXchange's vendors as they are over there; False where its API cannot list them (contract R4)."""
    mark = cursors.get(ctx, "avidxchange_vendors")
    since = None if ctx.run.full_read else cursors.overlap_start(mark, days=1)
    high = mark
    try:
        for page in ctx.avidxchange.vendors(modified_from=since):
            rows = {vendor.id: matching.mirror_row(ctx, vendor) for vendor in page}
            stamps = [vendor.modified_at.date().isoformat() for vendor in page if vendor.modified_at is not None]
            high = cursors.raised(high, "change_date", stamps)
            with ctx.commit():
                links.merge(AvidVendor, list(rows.values()), key=("tenant_id", "avid_id"), changed=MIRRORED)
                bad = {row.key: Finding(code="bad_row", message=BAD_VENDOR.format(row=row)) for row in page.bad}
                problems.report_page(ctx, "avidxchange_vendor", bad)
    except Misconfigured as fault:
        if fault.code != "capability_unavailable":
            raise
        return False
    # Pages come in no promised order, so the mark moves only when all of them are stored.
    with ctx.commit():
        cursors.put(ctx, "avidxchange_vendors", high)
    return True


def read_epicor(ctx: StageContext) -> None:
    """Read changed vendors, and the vendors of changed remit-tos, each page with its cursor in one transaction."""
    rules, terms = codebook.rules_for(ctx.tenant), codebook.terms(ctx)
    # Where all vendors are read, so are their remit-tos, and the remit-tos' own pass only finds its mark. It comes
    # first: a remit-to that changes between the two is in one of them.
    all_vendors = ctx.run.full_read or not reading.read_before(ctx, VENDORS)
    for remits in reading.changed(ctx, REMIT_TOS):
        rows = [] if all_vendors else _vendors_of(ctx, remits.rows, terms=terms, rules=rules)
        with ctx.commit():
            _store(ctx, rows)
            remits.place()
    listed: set[int] = set()
    for page in reading.changed(ctx, VENDORS, where=ctx.options.vendor_filter):
        listed |= {vendor.vendor_num for vendor in page.rows}
        rows = _translated(ctx, page.rows, terms=terms, rules=rules)
        with ctx.commit():
            _store(ctx, rows)
            page.place()
    if ctx.run.full_read:
        _report_gone(ctx, listed)


def _report_gone(ctx: StageContext, listed: set[int]) -> None:
    """Tell about vendors over there that Epicor does not have any more; one that a filter leaves out is only left."""
    there = VendorMapping.objects.filter(tenant=ctx.tenant, company=ctx.company, active=True).exclude(sent_hash="")
    missing = {number: pk for number, pk in there.values_list("vendor_num", "pk") if number not in listed}
    found, bad = reading.belonging(ctx, epicor.VENDORS, epicor.Vendor, "VendorNum", sorted(missing))
    known = {vendor.vendor_num for vendor in found} | reading.owners(bad, list(missing)).keys()
    gone = {f"{ctx.company}|{number}": pk for number, pk in missing.items() if number not in known}
    report_gone(ctx, "vendor", gone, words="Vendor")


def _vendors_of(
    ctx: StageContext, remit_tos: Sequence[epicor.RemitTo], *, terms: Mapping[str, str], rules: Rules
) -> list[dict[str, Any]]:
    numbers = sorted({remit_to.vendor_num for remit_to in remit_tos})
    # A vendor that cannot be read is told about when it is read for its own sake.
    found, _bad = reading.belonging(
        ctx, epicor.VENDORS, epicor.Vendor, "VendorNum", numbers, where=ctx.options.vendor_filter
    )
    return _translated(ctx, found, terms=terms, rules=rules)


def _remit_tos_of(
    ctx: StageContext, page: Sequence[epicor.Vendor]
) -> tuple[dict[int, epicor.RemitTo], dict[int, BadRow]]:
    """Fetch the default remit-tos of a page's vendors, and whose cannot be read: by range where the page is dense, by
    number where it is not."""
    numbers = [vendor.vendor_num for vendor in page]
    if not numbers:
        return {}, {}
    usable = "DefaultRemitTo eq true and Inactive eq false"
    low, high = min(numbers), max(numbers)
    found: list[epicor.RemitTo] = []
    bad: list[BadRow] = []
    if high - low < 4 * len(numbers):
        span = odata.and_(odata.ge("VendorNum", low), odata.le("VendorNum", high), usable)
        for answer in ctx.epicor.pages(epicor.REMIT_TOS, where=span):
            found += [row for row in answer.rows if isinstance(row, epicor.RemitTo)]
            bad += answer.bad
    else:
        found, bad = reading.belonging(ctx, epicor.REMIT_TOS, epicor.RemitTo, "VendorNum", numbers, where=usable)
    by_vendor: dict[int, list[epicor.RemitTo]] = {}
    for row in found:
        by_vendor.setdefault(row.vendor_num, []).append(row)
    defaults = {number: vendors.default_remit_to(rows) for number, rows in by_vendor.items()}
    usable_ones = {number: row for number, row in defaults.items() if row is not None}
    return usable_ones, reading.owners(bad, numbers)


def _translated(
    ctx: StageContext,
    page: Sequence[epicor.Vendor],
    *,
    terms: Mapping[str, str],
    rules: Rules,
) -> list[dict[str, Any]]:
    remit_tos, unreadable = _remit_tos_of(ctx, page)
    numbers = [vendor.vendor_num for vendor in page]
    mapped = VendorMapping.objects.filter(tenant=ctx.tenant, company=ctx.company, vendor_num__in=numbers)
    identities = dict(mapped.values_list("vendor_num", "external_id"))
    rows = []
    for vendor in page:
        remit_to = remit_tos.get(vendor.vendor_num)
        known = identities.get(vendor.vendor_num) or vendors.external_id(
            rules, vendor.vendor_num, remit_to.remit_to_seq if remit_to else None
        )
        item = vendors.to_avidxchange(vendor, remit_to, terms=terms, rules=rules, known_external_id=known)
        if vendor.vendor_num in unreadable and not vendor.inactive:
            item = _where_to(vendor, unreadable[vendor.vendor_num])
        rows.append(_row(ctx, vendor, item, external_id=known))
    return rows


def _where_to(vendor: epicor.Vendor, bad: BadRow) -> Hold:
    """A check must not go to the main address because the remit-to could not be read."""
    return Hold(
        "bad_row",
        f"A remit-to of vendor {vendor.vendor_id} cannot be read ({bad.key}): {bad.reason}.",
        field="RemitToAddress",
        hint="Epicor: Supplier Entry, Remit To, correct the value.",
    )


def _row(ctx: StageContext, vendor: epicor.Vendor, item: VendorItem | Hold, *, external_id: str) -> dict[str, Any]:
    return {
        "tenant_id": ctx.tenant.pk,
        "company": vendor.company,
        "vendor_num": vendor.vendor_num,
        "vendor_code": vendor.vendor_id,
        "name": epicor.text(vendor.name),
        "active": not vendor.inactive,
        "external_id": external_id,
        "currency": epicor.text(vendor.currency_code),
        "terms_code": epicor.text(vendor.terms_code),
        **wanted(item),
        "row_rev": vendor.sys_rev_id,
        "seen_run": ctx.run.pk,
        "outcome": "",
        "_hold": Finding.of(item, currency=epicor.text(vendor.currency_code)) if isinstance(item, Hold) else None,
    }


def _store(ctx: StageContext, rows: Sequence[dict[str, Any]]) -> None:
    store_page(
        ctx,
        VendorMapping,
        rows,
        subject_kind="vendor",
        key=("company", "vendor_num"),
        changed=("vendor_code", "name", "active", "currency", "terms_code", "desired_hash", "hold_code"),
    )


def _payload(row: VendorMapping) -> str:
    """Return the item to send; the first one to an existing vendor names it, which gives it our external id."""
    if not row.avid_id or row.sent_hash:
        return row.desired
    item = msgspec.json.decode(row.desired, type=VendorItem)
    return encode(msgspec.structs.replace(item, id=row.avid_id)).decode()


def _look_up(ctx: StageContext, items: Sequence[BatchItem]) -> dict[str, Verdict]:
    """Find new vendors by external id among those modified since just before the oldest intent (contract R4).

    A vendor that was there before tells nothing about its update, and where AvidXchange cannot list its vendors
    nothing can be told: such items are sent again, which is safe because they are upserts under our own id.
    """
    wanted = {item.external_id: msgspec.json.decode(item.payload, type=VendorItem) for item in items if item.creates}
    since = min(item.batch.created_at for item in items).date() - timedelta(days=1)
    found: dict[str, Verdict] = {}
    try:
        for page in ctx.avidxchange.vendors(modified_from=since) if wanted else ():
            for vendor in page:
                if vendor.external_id in wanted and vendor.name == wanted[vendor.external_id].vendor_name:
                    found[vendor.external_id] = Verdict(
                        external_id=vendor.external_id, successful=True, avid_id=vendor.id, status="found over there"
                    )
    except Misconfigured as fault:
        if fault.code != "capability_unavailable":
            raise
    return found


#: An inactive vendor is inactivated where it is over there, and never brought there.
KNOWN_THERE = ~Q(sent_hash="") | ~Q(avid_id="")
BAD_VENDOR = "AvidXchange sent a vendor that cannot be read ({row.key}): {row.reason}"
MIRRORED = ("external_id", "name", "tax_fingerprint", "line1", "city", "state", "postal_code", "is_active")

OUTBOX = Outbox(
    kind=BatchKind.VENDORS,
    model=VendorMapping,
    subject_kind="vendor",
    may_send=Q(state=MappingState.APPROVED) & (Q(active=True) | KNOWN_THERE),
    external_id=lambda row: row.external_id,
    key=lambda row: f"{row.company}|{row.vendor_num}",
    payload=_payload,
    look_up=_look_up,
    decided=refusals.tell("vendor", "vendor"),
)

#: What becomes of a vendor that was read but not sent in this run, in this order.
OUTCOMES = {
    "held": (~Q(hold_code="") & ~Q(state__in=LEFT_OUT)) | Q(state=MappingState.PROPOSED, active=True),
    "rejected": Q(state=MappingState.APPROVED, refused_hash=F("desired_hash")),
    # Only a rehearsal leaves approved vendors unsent; it counts what it would have done.
    "created": Q(state=MappingState.APPROVED, active=True) & ~KNOWN_THERE,
    "updated": Q(state=MappingState.APPROVED) & ~Q(sent_hash=F("desired_hash")) & KNOWN_THERE,
}
