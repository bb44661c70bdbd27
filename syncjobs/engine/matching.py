"""Which AvidXchange vendor an Epicor vendor is: certain by external id, otherwise a scored proposal for a person.

The same external id means the vendor was sent before and is certain. Same tax id, name or place to pay only ever
propose. A vendor that nothing over there resembles is proposed as new. What a tenant's options let pass alone is
approved here, in the name of that rule; everything else waits in the review queue.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from django.db.models import Q
from django.utils.crypto import salted_hmac

from connector.avidxchange import records as avid
from connector.translate.vendor_matching import name_key, place_key, score, tax_key
from connector.translate.vendors import MAIN
from syncjobs.engine import links
from syncjobs.engine.codebook import rules_for
from syncjobs.engine.context import StageContext
from syncjobs.models import AvidVendor, VendorMapping
from syncjobs.states import MappingState
from tenants import audit

SLICE = 200
CANDIDATES_SHOWN = 3
SEEN = ("seen_run", "outcome")
#: What changes on a mapping that takes over the external id it already has over there.
IDENTITY = ("external_id", "desired", "desired_hash")
RULE = "ml-connector (tenant's rule)"


def fingerprint(tax_id: str) -> str:
    """Return a keyed hash of a tax id's digits, "" for none: equal ids are found without keeping them."""
    digits = tax_key(tax_id)
    return salted_hmac("syncjobs.tax_id", digits, algorithm="sha256").hexdigest() if digits else ""


def mirror_row(ctx: StageContext, vendor: avid.Vendor) -> dict[str, Any]:
    """Return the stored form of a vendor that AvidXchange holds."""
    return {
        "tenant_id": ctx.tenant.pk,
        "avid_id": vendor.id,
        "external_id": vendor.external_id,
        "name": vendor.name,
        "name_key": name_key(vendor.name),
        "tax_fingerprint": fingerprint(vendor.tax_id),
        "place_key": place_key(vendor.postal_code, vendor.line1),
        "line1": vendor.line1,
        "city": vendor.city,
        "state": vendor.state,
        "postal_code": vendor.postal_code,
        "is_active": vendor.is_active,
    }


def propose(ctx: StageContext, *, listed: bool) -> None:
    """Give every vendor that has no proposal yet one; ``listed`` says whether AvidXchange's vendors could be read.

    Where they could not, nobody can know that a vendor is new, so no creation passes alone. An inactive vendor is only
    recognised; what it resembles is asked when it is active.
    """
    last = 0
    waiting = VendorMapping.objects.filter(tenant=ctx.tenant, state=MappingState.PROPOSED, proposal="")
    waiting = waiting.exclude(desired_hash="").order_by("pk")
    while slice_ := list(waiting.filter(pk__gt=last).values_list("pk", flat=True)[:SLICE]):
        last = slice_[-1]
        with ctx.commit():
            # Locked until the end of the transaction, so that nobody decides what is being decided.
            _propose_slice(ctx, list(waiting.filter(pk__in=slice_).select_for_update()), listed=listed)


def _propose_slice(ctx: StageContext, rows: Sequence[VendorMapping], *, listed: bool) -> None:
    items = {row.pk: msgspec.json.decode(row.desired, type=avid.VendorItem) for row in rows}
    same_id = _by_external_id(ctx, rows)
    alike = _alike(ctx, [items[row.pk] for row in rows if row.pk not in same_id and row.active])
    entries = []
    for row in rows:
        certain = same_id.get(row.pk)
        if certain is not None:
            row.proposal, row.score = "match", 100
            _adopt(row, items[row.pk], certain.external_id)
            row.evidence = [_candidate(certain, 100, ("same external id",))]
            approves = ctx.options.auto_approve_certain
        elif not row.active:
            continue
        else:
            row.evidence = _ranked(items[row.pk], alike)
            row.proposal = "match" if row.evidence else "create"
            row.score = row.evidence[0]["score"] if row.evidence else 0
            approves = row.proposal == "create" and listed and row.active and ctx.options.auto_approve_creations
        # A resumed run also counts what an earlier one has read and it decides.
        row.seen_run, row.outcome = ctx.run.pk, ""
        if approves:
            row.state, row.decided_by, row.decided_at = MappingState.APPROVED, RULE, ctx.now()
            row.avid_id = certain.avid_id if certain is not None else ""
            entries.append(_entry(row))
    links.update(
        rows,
        ["proposal", "score", "evidence", "state", "decided_by", "decided_at", "avid_id", *SEEN, *IDENTITY],
    )
    audit.record_many(ctx.tenant, entries, actor=ctx.actor, run=ctx.run.pk)


def _adopt(row: VendorMapping, item: avid.VendorItem, external_id: str) -> None:
    """Take over the external id under which AvidXchange knows the vendor; what is to be sent must say the same."""
    if external_id != row.external_id:
        item = msgspec.structs.replace(item, vendor_external_system_id=external_id)
        row.external_id = external_id
        row.desired, row.desired_hash = avid.encode(item).decode(), avid.content_hash(item)


def _entry(row: VendorMapping) -> audit.Entry:
    after = {"state": row.state, "proposal": row.proposal, "avid_id": row.avid_id, "by": row.decided_by}
    return audit.Entry(action="mapping.approved", subject=("vendor", f"{row.company}|{row.vendor_num}"), after=after)


def _by_external_id(ctx: StageContext, rows: Sequence[VendorMapping]) -> Mapping[int, AvidVendor]:
    """Find vendors that AvidXchange knows by our external id, under this remit-to or under the main address."""
    separator = rules_for(ctx.tenant).separator
    wanted: dict[str, int] = {}
    for row in rows:
        wanted[separator.join((row.company, str(row.vendor_num), MAIN))] = row.pk
        wanted[row.external_id] = row.pk
    taken = VendorMapping.objects.filter(tenant=ctx.tenant, external_id__in=wanted).exclude(
        pk__in=[row.pk for row in rows]
    )
    for known in taken.values_list("external_id", flat=True):
        wanted.pop(known, None)
    found: dict[int, AvidVendor] = {}
    exact = {row.pk: row.external_id for row in rows}
    for vendor in AvidVendor.objects.filter(tenant=ctx.tenant, external_id__in=wanted).order_by("pk"):
        pk = wanted[vendor.external_id]
        if pk not in found or vendor.external_id == exact[pk]:
            found[pk] = vendor
    return found


def _alike(ctx: StageContext, items: Sequence[avid.VendorItem]) -> Mapping[str, list[AvidVendor]]:
    """Fetch, in one query, the vendors over there that share a tax id, a name or an address with any of ``items``;
    keyed by what they share. Vendors that are already someone's are left out.

    A postal code alone is no key: thousands of vendors share one, and comparing them all took most of a first load.
    """
    taxes = {fingerprint(item.tax_id) for item in items} - {""}
    names = {name_key(item.vendor_name) for item in items} - {""}
    places = {place for item in items for place in _places(item)} - {""}
    if not items:
        return {}
    free = AvidVendor.objects.filter(tenant=ctx.tenant).exclude(
        avid_id__in=VendorMapping.objects.filter(tenant=ctx.tenant, state=MappingState.APPROVED)
        .exclude(avid_id="")
        .values("avid_id")
    )
    shared: dict[str, list[AvidVendor]] = defaultdict(list)
    alike = Q(tax_fingerprint__in=taxes) | Q(name_key__in=names) | Q(place_key__in=places)
    for vendor in free.filter(alike):
        for value in {vendor.tax_fingerprint, vendor.name_key, vendor.place_key} - {""}:
            shared[value].append(vendor)
    return shared


def _ranked(item: avid.VendorItem, alike: Mapping[str, list[AvidVendor]]) -> list[dict[str, Any]]:
    own_tax = fingerprint(item.tax_id)
    keys = [own_tax, name_key(item.vendor_name), *_places(item)]
    near = {vendor.pk: vendor for key in keys if key for vendor in alike.get(key, [])}
    ranked = []
    for vendor in near.values():
        both = bool(own_tax and vendor.tax_fingerprint)
        match = score(item, _record(vendor), same_tax_id=own_tax == vendor.tax_fingerprint if both else None)
        if match.resembles:
            ranked.append(_candidate(vendor, match.score, match.reasons))
    ranked.sort(key=lambda candidate: (-candidate["score"], candidate["avid_id"]))
    return ranked[:CANDIDATES_SHOWN]


def _places(item: avid.VendorItem) -> set[str]:
    addresses = [address for address in (item.remit_to_address, item.address) if address is not None]
    return {place_key(address.postal_code, address.line1) for address in addresses}


def _record(vendor: AvidVendor) -> avid.Vendor:
    return avid.Vendor(
        id=vendor.avid_id,
        external_id=vendor.external_id,
        name=vendor.name,
        line1=vendor.line1,
        city=vendor.city,
        state=vendor.state,
        postal_code=vendor.postal_code,
        is_active=vendor.is_active,
    )


def _candidate(vendor: AvidVendor, points: int, reasons: tuple[str, ...]) -> dict[str, Any]:
    return {
        "avid_id": vendor.avid_id,
        "external_id": vendor.external_id,
        "name": vendor.name,
        "address": ", ".join(part for part in (vendor.line1, vendor.city, vendor.state, vendor.postal_code) if part),
        "score": points,
        "reasons": list(reasons),
    }
