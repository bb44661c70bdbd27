"""AP invoices read whole from Epicor and translated with one codebook a slice: the mechanism behind ``invoices_out``.

Documents are fetched a few at once, as many as the connection allows; mappings and POs are asked for in one query a
slice. Which invoices come here is the stage's policy, and how they are stored is ``invoice_rows``' business.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import cached_property

import msgspec

from connector.avidxchange.records import InvoiceItem
from connector.epicor import records as epicor
from connector.stages import Stage
from connector.translate import invoices
from connector.translate.codebook import Codebook, Hold
from connector.transport.errors import Rejected
from syncjobs.engine import codebook, origins
from syncjobs.engine.context import StageContext
from syncjobs.engine.invoice_rows import Key, Translated
from syncjobs.engine.submissions import external_id
from syncjobs.models import GLAccountMapping, InvoiceLink, PurchaseOrderLink, StageSchedule, VendorMapping

Answer = epicor.InvoiceDocument | Hold | None

#: Documents fetched between two signs of life.
SLICE = 50
PO_NOT_SENT, VENDOR_INACTIVE = "po_not_sent", "vendor_inactive"
ACCOUNT_NOT_MAPPED, ACCOUNT_INACTIVE = "gl_account_not_mapped", "gl_account_inactive"
#: What of a header is not the invoice's content: versions, balances, which payments move, and what we write ourselves.
_MOVING = frozenset(
    "sys_rev_id sys_row_id external_id group_id open_payable doc_invoice_bal doc_unposted_bal change_date".split()
)


class Desk:
    """Where a run's invoices are worked on; what is the same for all of them is asked for once."""

    def __init__(self, ctx: StageContext) -> None:
        self.ctx = ctx
        self.rules = codebook.rules_for(ctx.tenant)
        # A tenant may name any column for the approval; what we write there ourselves is no change of the invoice.
        fields = msgspec.structs.fields(epicor.Invoice)
        written = {item.name for item in fields if item.encode_name == ctx.options.approval_column}
        self._content = [item.name for item in fields if item.name not in _MOVING | written]
        #: Fields of a submitted item that come from such a column.
        self.not_content = frozenset({"memo"} if "description" in written else ())

    @cached_property
    def _terms(self) -> dict[str, str]:
        return codebook.terms(self.ctx)

    @cached_property
    def _sends_orders(self) -> bool:
        """Whether the tenant's POs are brought to AvidXchange, so that an invoice can wait for its own."""
        schedules = StageSchedule.objects.filter(tenant=self.ctx.tenant, stage=Stage.PURCHASE_ORDERS_OUT)
        return schedules.filter(enabled=True).exists()

    def hash_of(self, header: epicor.Invoice) -> str:
        """Return the hash of what counts of a header: an equal one means that the invoice has not changed."""
        digest = hashlib.sha256()
        for name in self._content:
            digest.update(f"{name}={_plain(name, getattr(header, name))}\0".encode())
        return digest.hexdigest()

    def documents(self, keys: Sequence[Key]) -> Iterator[dict[Key, Answer]]:
        """Yield the invoices in slices: each whole, None if Epicor has it no more, a ``Hold`` if it is unreadable."""
        client = self.ctx.epicor

        def fetch(one: Key) -> Answer:
            try:
                return client.invoice(*one)
            except Rejected as fault:
                return Hold(fault.code or "unreadable_document", fault.message, hint=fault.hint)

        workers = max(1, self.ctx.tenant.epicor_connection.max_concurrency)
        with ThreadPoolExecutor(workers) as pool:
            for start in range(0, len(keys), SLICE):
                wanted = keys[start : start + SLICE]
                self.ctx.say(f"Reading invoices whole, {start + len(wanted)} of {len(keys)}")
                yield dict(zip(wanted, pool.map(fetch, wanted), strict=True))

    def translate(
        self, documents: Mapping[Key, epicor.InvoiceDocument], before: Mapping[Key, InvoiceLink]
    ) -> list[Translated]:
        """Translate whole invoices with one state of the mappings; ``before`` are those we have already."""
        book = self.book(documents.values())
        items = {
            one: invoices.to_avidxchange(
                document, external_id=self._external_id(one, before), image=None, codebook=book, rules=self.rules
            )
            for one, document in documents.items()
        }
        absent = self._orders_not_there(items.values())
        vendors = self._vendors({vendor_num for vendor_num, _number in documents})
        missing = {
            one: self._missing_account(document, book)
            for one, document in documents.items()
            if isinstance(item := items[one], Hold) and item.code == ACCOUNT_NOT_MAPPED
        }
        inactive = self._inactive_accounts(missing.values())
        captured = origins.from_avidxchange(self.ctx, documents, before)
        page = []
        for one, document in documents.items():
            item = items[one]
            vendor = vendors.get(one[0])
            if one in captured:
                item = captured[one]
            elif isinstance(item, InvoiceItem) and vendor is not None and not vendor.active:
                item = _inactive(item, vendor)
            elif isinstance(item, InvoiceItem) and item.po_number in absent:
                item = _order_not_there(item)
            elif one in missing and missing[one] in inactive:
                item = _account_inactive(missing[one], document.header[0].invoice_num)
            name = vendor.name if vendor is not None else ""
            page.append(Translated(document, item, name, self.hash_of(document.header[0]), missing.get(one, "")))
        return page

    def book(self, documents: Collection[epicor.InvoiceDocument]) -> Codebook:
        """Return the codebook for these invoices."""
        return codebook.load(
            self.ctx,
            vendor_nums={header.vendor_num for document in documents for header in document.header},
            gl_accounts={account for document in documents for account in self._accounts(document)},
            term_names=self._terms,
        )

    def _accounts(self, document: epicor.InvoiceDocument) -> list[str]:
        """Return the GL accounts an invoice may need, in the order of its lines."""
        named = [epicor.text(row.gl_account) for row in document.expense_accounts]
        named += [epicor.text(row.gl_account) for row in document.expenses]
        named += [epicor.text(row.gl_account) for row in document.charge_expenses]
        named += [self.rules.tax_gl_account, self.rules.receipt_gl_account]
        return [account for account in dict.fromkeys(named) if account.strip("|")]

    def _missing_account(self, document: epicor.InvoiceDocument, book: Codebook) -> str:
        missing = (one for one in self._accounts(document) if not {one, one.rstrip("|")} & book.accounts.keys())
        return next(missing, "")[:200]

    def _external_id(self, one: Key, before: Mapping[Key, InvoiceLink]) -> str:
        version = before[one].version if one in before else 1
        return external_id(self.rules, vendor_num=one[0], invoice_num=one[1], version=version)

    def _vendors(self, numbers: Collection[int]) -> dict[int, VendorMapping]:
        mapped = VendorMapping.objects.filter(tenant=self.ctx.tenant, company=self.ctx.company, vendor_num__in=numbers)
        return {row.vendor_num: row for row in mapped.only("vendor_num", "vendor_code", "name", "active")}

    def _inactive_accounts(self, accounts: Collection[str]) -> set[str]:
        """Return which of these accounts we know, as inactive or not effective: nobody can approve those."""
        if not accounts:
            return set()
        wanted = {*accounts, *(account.rstrip("|") for account in accounts)}
        mapped = GLAccountMapping.objects.filter(
            tenant=self.ctx.tenant, company=self.ctx.company, gl_account__in=wanted, active=False
        )
        known = set(mapped.values_list("gl_account", flat=True))
        return {account for account in accounts if {account, account.rstrip("|")} & known}

    def _orders_not_there(self, items: Collection[InvoiceItem | Hold]) -> set[str]:
        """Return the POs that these invoices name and AvidXchange has not accepted yet."""
        named = {item.po_number for item in items if isinstance(item, InvoiceItem) and item.po_number}
        if not named or not self._sends_orders:
            return set()
        there = PurchaseOrderLink.objects.filter(
            tenant=self.ctx.tenant, company=self.ctx.company, po_num__in=[int(number) for number in named]
        ).exclude(sent_hash="")
        return named - {str(number) for number in there.values_list("po_num", flat=True)}


def _inactive(item: InvoiceItem, vendor: VendorMapping) -> Hold:
    return Hold(
        VENDOR_INACTIVE,
        f"Invoice {item.number} is of vendor {vendor.vendor_code} {vendor.name}, which is inactive in Epicor and so at "
        "AvidXchange too.",
        field="VendorExternalSystemID",
        hint="Epicor: Vendor Maintenance, make the vendor active again, or pay the invoice in Epicor.",
    )


def _account_inactive(account: str, invoice_num: str) -> Hold:
    return Hold(
        ACCOUNT_INACTIVE,
        f"Invoice {invoice_num} is coded to GL account {account}, which is inactive or not effective in Epicor, and so "
        "AvidXchange does not have it.",
        field="GLAccount",
        hint="Epicor: General Ledger Account, make it active again, or pay the invoice in Epicor.",
    )


def _order_not_there(item: InvoiceItem) -> Hold:
    return Hold(
        PO_NOT_SENT,
        f"Invoice {item.number} is for purchase order {item.po_number}, which AvidXchange does not have yet.",
        field="PONumber",
        hint="It is released when the purchase order is accepted there; look at that one's own problem.",
    )


def _plain(name: str, value: object) -> str:
    """Return a column's value in one spelling, whatever the service that showed it."""
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    written = str(value or "").strip()
    return written[:10] if name.endswith("_date") else written
