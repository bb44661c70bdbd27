"""What waits for a mapping: the held invoices that approving it lets go, how many and how much money. Two queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from django.db.models import Count, QuerySet, Sum

from syncjobs.models import GLAccountMapping, InvoiceLink, VendorMapping
from syncjobs.states import InvoiceState

#: Why an invoice is held when its vendor's mapping is what it waits for.
VENDOR_CODES = ("vendor_not_mapped",)


@dataclass(slots=True)
class Waiting:
    """Invoices that wait for one mapping."""

    number: int = 0
    amounts: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))

    def add(self, number: int, currency: str, amount: Decimal | None) -> None:
        """Add a group of invoices in one currency."""
        self.number += number
        self.amounts[currency] += amount or Decimal(0)


def invoices_waiting_for(mapping: VendorMapping | GLAccountMapping) -> QuerySet[InvoiceLink]:
    """Return the held invoices that wait for one mapping."""
    held = InvoiceLink.objects.filter(tenant=mapping.tenant, company=mapping.company, state=InvoiceState.HELD)
    if isinstance(mapping, VendorMapping):
        return held.filter(vendor_num=mapping.vendor_num, hold_code__in=VENDOR_CODES)
    return held.filter(waits_for__in=_spellings(mapping.gl_account))


def waiting_for(mappings: Sequence[VendorMapping] | Sequence[GLAccountMapping]) -> dict[int, Waiting]:
    """Return what waits for each of one kind of mappings, by the mapping's key; empty ones are left out."""
    found: dict[int, Waiting] = defaultdict(Waiting)
    for tenant_id in {mapping.tenant_id for mapping in mappings}:
        mine = [mapping for mapping in mappings if mapping.tenant_id == tenant_id]
        held = InvoiceLink.objects.filter(tenant_id=tenant_id, state=InvoiceState.HELD)
        if isinstance(mine[0], VendorMapping):
            held, column = held.filter(hold_code__in=VENDOR_CODES), "vendor_num"
            owners: dict[tuple[str, int | str], int] = {
                (one.company, one.vendor_num): one.pk for one in mine if isinstance(one, VendorMapping)
            }
        else:
            column = "waits_for"
            owners = {
                (one.company, text): one.pk
                for one in mine
                if isinstance(one, GLAccountMapping)
                for text in _spellings(one.gl_account)
            }
        values = {key[1] for key in owners}
        rows = held.filter(**{f"{column}__in": values}).order_by().values("company", column, "currency")
        for row in rows.annotate(number=Count("pk"), money=Sum("gross_amount")):
            owner = owners.get((row["company"], row[column]))
            if owner is not None:
                found[owner].add(row["number"], row["currency"], row["money"])
    return dict(found)


def _spellings(gl_account: str) -> set[str]:
    """Epicor writes an account with trailing separators in one place and without in another."""
    return {gl_account, gl_account.rstrip("|")}
