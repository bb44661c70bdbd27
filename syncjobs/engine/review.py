"""What a person decides about mappings: approve, reject, ignore, create new, take back.

One function a decision, used alike by the admin, the ``review`` command and (later) the keyboard queue. Approving
releases what waits for the mapping: the stages that hold such records are made due at once, and nobody has to re-run
anything (design section 4).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from connector.stages import Stage
from syncjobs.models import AvidVendor, GLAccountMapping, StageSchedule, VendorMapping
from syncjobs.states import MappingState, advance
from tenants import audit
from tenants.audit import Actor
from tenants.models import Tenant

AnyMapping = VendorMapping | GLAccountMapping

#: Stages that may have records waiting for a mapping of the kind.
WAITING_FOR: dict[type[AnyMapping], tuple[Stage, ...]] = {
    VendorMapping: (Stage.VENDORS_OUT, Stage.PURCHASE_ORDERS_OUT, Stage.INVOICES_OUT, Stage.INVOICES_IN),
    GLAccountMapping: (Stage.GL_CODES_OUT, Stage.INVOICES_OUT, Stage.INVOICES_IN),
}


@dataclass(frozen=True, slots=True)
class Decision:
    """What came of deciding one mapping: ``done``, or a sentence saying why not."""

    mapping: AnyMapping
    done: bool
    why_not: str = ""


def waiting(tenant: Tenant) -> Iterable[AnyMapping]:
    """Yield the mappings that wait for a person, vendors first, best score first."""
    vendors = VendorMapping.objects.filter(tenant=tenant, state=MappingState.PROPOSED, active=True)
    accounts = GLAccountMapping.objects.filter(tenant=tenant, state=MappingState.PROPOSED, active=True)
    yield from vendors.exclude(desired_hash="").exclude(proposal="").order_by("-score", "vendor_num")
    yield from accounts.exclude(desired_hash="").exclude(proposal="").order_by("gl_account")


def approve(mapping: AnyMapping, *, actor: Actor, avid_id: str | None = None, reason: str = "") -> Decision:
    """Approve a mapping as proposed, or to the AvidXchange vendor ``avid_id``; "" creates a new one over there."""
    changes: dict[str, Any] = {}
    if isinstance(mapping, VendorMapping):
        chosen = _proposed_id(mapping) if avid_id is None else avid_id
        if chosen:
            other = VendorMapping.objects.filter(tenant=mapping.tenant, avid_id=chosen).exclude(pk=mapping.pk).first()
            if other is not None:
                return Decision(mapping, False, f"That AvidXchange vendor already belongs to {other}.")
            known = AvidVendor.objects.filter(tenant=mapping.tenant, avid_id=chosen).first()
            if known is None:
                return Decision(mapping, False, "AvidXchange no longer has that vendor.")
        changes["avid_id"] = chosen
    return _decide(mapping, MappingState.APPROVED, "mapping.approved", actor=actor, reason=reason, changes=changes)


def reject(mapping: AnyMapping, *, actor: Actor, reason: str) -> Decision:
    """Refuse the proposal: nothing is sent, and what needs the mapping stays held."""
    return _decide(mapping, MappingState.REJECTED, "mapping.rejected", actor=actor, reason=reason)


def ignore(mapping: AnyMapping, *, actor: Actor, reason: str) -> Decision:
    """Leave the vendor or account out of AvidXchange for good."""
    return _decide(mapping, MappingState.IGNORED, "mapping.ignored", actor=actor, reason=reason)


def take_back(mapping: AnyMapping, *, actor: Actor, reason: str) -> Decision:
    """Put a decided mapping back into the queue. What was already sent stays sent."""
    return _decide(mapping, MappingState.PROPOSED, "mapping.taken_back", actor=actor, reason=reason)


def _proposed_id(mapping: VendorMapping) -> str:
    if mapping.proposal == "match" and mapping.evidence:
        return str(mapping.evidence[0]["avid_id"])
    return ""


def _decide(
    mapping: AnyMapping,
    to: MappingState,
    action: str,
    *,
    actor: Actor,
    reason: str,
    changes: dict[str, Any] | None = None,
) -> Decision:
    before = {"state": mapping.state, "avid_id": getattr(mapping, "avid_id", "")}
    if mapping.state == to:
        return Decision(mapping, False, f"It is {mapping.get_state_display().lower()} already.")
    try:
        with transaction.atomic():
            values: dict[str, Any] = {"decided_by": actor.name, "decided_at": timezone.now(), **(changes or {})}
            if not advance(mapping, to, **values):
                return Decision(mapping, False, "Somebody else has just decided it.")
            audit.record(
                mapping.tenant,
                action,
                actor=actor,
                subject=subject(mapping),
                before=before,
                after={"state": str(to), "avid_id": getattr(mapping, "avid_id", "")},
                reason=reason,
            )
            StageSchedule.objects.filter(tenant=mapping.tenant, stage__in=WAITING_FOR[type(mapping)]).update(
                next_due=None
            )
    except IntegrityError:
        mapping.refresh_from_db()
        return Decision(mapping, False, "That AvidXchange vendor has just been given to another mapping.")
    return Decision(mapping, True)


def subject(mapping: AnyMapping) -> tuple[str, str]:
    """Return the kind and key under which a mapping's audit rows and problems stand."""
    if isinstance(mapping, VendorMapping):
        return "vendor", f"{mapping.company}|{mapping.vendor_num}"
    return "gl_account", f"{mapping.company}|{mapping.coa_code}|{mapping.gl_account}"
