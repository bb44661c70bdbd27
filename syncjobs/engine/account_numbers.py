"""Account numbers that AvidXchange has from us: who each was accepted for, and which of them are out of date.

AvidXchange knows a GL account by its number alone, so an account that is renumbered in Epicor is a new one over there
and its old number would stay open to coders for ever. Once the new number has been accepted, the old one is
inactivated, unless another account has it now. What was coded with it meanwhile still means its account.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from connector.avidxchange.client import BatchKind
from connector.avidxchange.records import GLAccountItem
from syncjobs.engine import links, refusals
from syncjobs.engine.context import StageContext
from syncjobs.engine.outbox import Outbox, wanted
from syncjobs.models import AvidAccount, BatchItem, GLAccountMapping
from syncjobs.states import ItemState


def accepted(ctx: StageContext, items: Sequence[BatchItem]) -> None:
    """Note for whom AvidXchange has accepted each number; call it inside ``ctx.commit()``."""
    rows: list[dict[str, Any]] = [
        {
            "tenant_id": ctx.tenant.pk,
            "company": ctx.company,
            "number": item.external_id,
            "mapping_id": item.subject_id,
            # Accepted anew, it would have to be inactivated anew.
            "sent_hash": "",
            **wanted(_inactivation(item.external_id)),
        }
        for item in items
        if item.state == ItemState.ACCEPTED
    ]
    links.merge(AvidAccount, rows, key=("tenant_id", "number"), changed=("mapping_id", "sent_hash"))


def outdated(ctx: StageContext, numbers: Collection[str]) -> QuerySet[AvidAccount]:
    """Return which of ``numbers`` no account has any more, with the approved account each was last accepted for."""
    return AvidAccount.objects.filter(~_OWNED, tenant=ctx.tenant, number__in=numbers).select_related("mapping")


def _inactivation(number: str) -> GLAccountItem:
    return GLAccountItem(account_number=number, is_active=False, operation="Inactivate")


_OWNED = Exists(
    GLAccountMapping.objects.filter(tenant=OuterRef("tenant"), avid_account=OuterRef("number")).exclude(sent_hash="")
)

OLD_NUMBERS = Outbox(
    kind=BatchKind.GL_ACCOUNTS,
    model=AvidAccount,
    subject_kind="gl_number",
    # Only once the account's present number has been accepted: until then the old one is all that coders have.
    may_send=~Q(mapping__avid_account=F("number"))
    & ~Q(mapping__desired_hash="")
    & Q(mapping__sent_hash=F("mapping__desired_hash"))
    & Q(~_OWNED),
    external_id=lambda row: row.number,
    key=lambda row: f"{row.company}|{row.number}",
    decided=refusals.tell("gl_number", "inactivation of an old account number"),
)
