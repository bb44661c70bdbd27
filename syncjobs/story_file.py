"""One invoice's story as a file: which rows of the audit trail are its own, and what the file says it is of.

Its own are those about the invoice under every key it has had, about the documents that were written to Epicor for it,
and about the payments that paid it. How the file proves itself is ``tenants/story.py``'s business.
"""

from __future__ import annotations

import re
from typing import Any

from django.db.models import Q

from syncjobs.engine.reconcile_invoices import plain
from syncjobs.invoice_story import key
from syncjobs.models import InvoiceLink, Posting, Remittance
from tenants import heads, story

Subject = tuple[str, str]


def document(invoice: InvoiceLink, *, head: heads.Head | None = None) -> dict[str, Any]:
    """Return the signed story of an invoice, proven against the trail's present head or against one that was kept.

    Reads the tenant's whole trail. Raises ``story.NotProvable``.
    """
    about = {
        "invoice": invoice.invoice_num,
        "vendor": invoice.vendor_name,
        "vendor_number": invoice.vendor_num,
        "company": invoice.company,
        "amount": plain(invoice.gross_amount),
        "currency": invoice.currency,
        "avidxchange_id": invoice.avid_id,
    }
    return story.export(invoice.tenant, about=about, subjects=subjects(invoice), head=head)


def subjects(invoice: InvoiceLink) -> set[Subject]:
    """Return the (kind, key) of everything in the audit trail that belongs to an invoice."""
    paid = Remittance.objects.filter(tenant=invoice.tenant, invoice=invoice)
    payments = dict(paid.values_list("payment_id", "payment__avid_id"))
    mine = Q(invoice=invoice) | Q(payment__in=payments)
    documents = Posting.objects.filter(mine, tenant=invoice.tenant).values_list("kind", "natural_key")
    own = {("invoice", key(invoice)), *documents, *(("payment", avid_id) for avid_id in payments.values())}
    if invoice.direction == InvoiceLink.IN and invoice.avid_id:
        # Until its vendor was known it had no key in Epicor.
        own.add(("invoice", f"{invoice.company}|AvidXchange {invoice.avid_id}"))
    return {(kind, name[:255]) for kind, name in own}


def file_name(invoice: InvoiceLink) -> str:
    """Return a name for the file that any computer takes."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", invoice.invoice_num)
    return f"story-{invoice.tenant.slug}-{invoice.vendor_num or 0}-{plain}.json"
