"""Where each value of a read record is found in AvidXchange's JSON: the alias and line mapping table (contract 5, 6).

A name has one or more dotted paths, tried in order until one holds a value; letters' case does not matter, and an
identifier object stands for its ``Value`` (contract 2.8). A profile may replace the paths of any name, which is how a
tenant whose invoice lines look different is served without code.
"""

from __future__ import annotations

from connector.avidxchange.resources import Tag

#: Name -> how sure the contract is, and the paths.
FIELDS: dict[str, tuple[Tag, tuple[str, ...]]] = {
    # R2, R23
    "accounting_system.id": (Tag.OBSERVED, ("ID",)),
    "accounting_system.name": (Tag.OBSERVED, ("Name",)),
    "bank_account.id": (Tag.ASSUMED, ("ClientId", "BankAccountId", "Id")),
    "bank_account.status": (Tag.KNOWN, ("Status.Description", "Status")),
    # R4
    "vendor.id": (Tag.ASSUMED, ("Id", "VendorId")),
    "vendor.external_id": (Tag.OBSERVED, ("VendorExternalSystemID",)),
    "vendor.name": (Tag.OBSERVED, ("VendorName",)),
    "vendor.tax_id": (Tag.KNOWN, ("TaxId",)),
    "vendor.address": (Tag.KNOWN, ("RemitToAddress", "Address")),
    "vendor.is_active": (Tag.ASSUMED, ("IsActive",)),
    "vendor.modified_at": (Tag.ASSUMED, ("LastModified", "LastChangedDate")),
    "address.line1": (Tag.KNOWN, ("Line1",)),
    "address.city": (Tag.KNOWN, ("City",)),
    "address.state": (Tag.KNOWN, ("State",)),
    "address.postal_code": (Tag.KNOWN, ("PostalCode",)),
    # R14
    "invoice.id": (Tag.ASSUMED, ("Id", "InvoiceId")),
    "invoice.external_id": (Tag.ASSUMED, ("ExternalId",)),
    "invoice.number": (Tag.OBSERVED, ("Number",)),
    "invoice.vendor_external_id": (Tag.OBSERVED, ("VendorExternalSystemID", "BuyerVendor.VendorExternalSystemID")),
    "invoice.gross_amount": (Tag.OBSERVED, ("GrossAmount",)),
    "invoice.approval_status": (Tag.ASSUMED, ("ApprovalStatus.Description", "ApprovalStatus")),
    "invoice.reject_reason": (Tag.ASSUMED, ("RejectReason",)),
    "invoice.changed_at": (Tag.OBSERVED, ("LastChangedDate",)),
    "invoice.images": (Tag.ASSUMED, ("Images",)),
    "invoice.image_count": (Tag.ASSUMED, ("ImageCount",)),
    "invoice.image_hash": (Tag.ASSUMED, ("ContentHash",)),
    "invoice.paid_amount": (Tag.ASSUMED, ("PaidAmount",)),
    # R11
    "batch.guid": (Tag.OBSERVED, ("BatchGUID",)),
    "batch.name": (Tag.OBSERVED, ("BatchName",)),
    "batch.invoice_count": (Tag.OBSERVED, ("InvoiceCount",)),
    "batch.total": (Tag.OBSERVED, ("BatchTotal",)),
    "batch.closed_at": (Tag.OBSERVED, ("DateClosed",)),
    "batch.links": (Tag.OBSERVED, ("Links",)),
    # R12
    "captured.id": (Tag.OBSERVED, ("Id",)),
    "captured.number": (Tag.OBSERVED, ("Number",)),
    "captured.invoice_date": (Tag.OBSERVED, ("InvoiceDate",)),
    "captured.due_date": (Tag.OBSERVED, ("InvoiceDueDate",)),
    "captured.gross_amount": (Tag.OBSERVED, ("GrossAmount",)),
    "captured.currency": (Tag.ASSUMED, ("Currency",)),
    "captured.po_number": (Tag.OBSERVED, ("PONumber",)),
    "captured.memo": (Tag.OBSERVED, ("Memo",)),
    "captured.image_url": (Tag.OBSERVED, ("ImageUrl",)),
    "captured.vendor_name": (Tag.OBSERVED, ("BuyerVendor.VendorName", "VendorName")),
    "captured.vendor_external_id": (Tag.OBSERVED, ("BuyerVendor.VendorExternalSystemID", "VendorExternalSystemID")),
    "captured.term_type_name": (Tag.OBSERVED, ("TermType.termTypeName", "TermTypeName")),
    "captured.changed_at": (Tag.OBSERVED, ("LastChangedDate",)),
    "captured.lines": (Tag.ASSUMED, ("Lines",)),
    "line.line_number": (Tag.ASSUMED, ("LineNumber",)),
    "line.amount": (Tag.ASSUMED, ("Amount",)),
    "line.gl_account": (Tag.ASSUMED, ("GLAccount",)),
    "line.description": (Tag.ASSUMED, ("Description",)),
    "line.quantity": (Tag.ASSUMED, ("Quantity",)),
    "line.unit_price": (Tag.ASSUMED, ("UnitPrice",)),
    "line.po_line_number": (Tag.ASSUMED, ("POLineNumber",)),
    "line.receipt_number": (Tag.ASSUMED, ("ReceiptNumber",)),
    # R19
    "payment.id": (Tag.OBSERVED, ("PaymentId", "Id")),
    "payment.status": (Tag.OBSERVED, ("Status.Description", "Status")),
    "payment.method": (Tag.OBSERVED, ("PaymentMethod.Description", "PaymentMethod")),
    "payment.amount": (Tag.OBSERVED, ("Amount",)),
    "payment.currency": (Tag.ASSUMED, ("Currency",)),
    "payment.batch_id": (Tag.OBSERVED, ("BatchId",)),
    "payment.external_ids": (Tag.OBSERVED, ("ExternalPaymentIds",)),
    "payment.payer_check_number": (Tag.OBSERVED, ("CheckNumber",)),
    "payment.network_check_number": (
        Tag.OBSERVED,
        ("AvidPayChecknumber", "AvidPayCheckNo", "AvidPay_CheckNumber", "AvidCheckNumber"),
    ),
    "payment.ach_trace": (Tag.ASSUMED, ("AchTraceNumber",)),
    "payment.card_last4": (Tag.ASSUMED, ("VirtualCardLast4", "VirtualCardNumber", "CardNumber")),
    "payment.vendor_external_id": (
        Tag.ASSUMED,
        ("VendorExternalSystemID", "BuyerVendor.VendorExternalSystemID", "Payee.ExternalId"),
    ),
    "payment.paid_at": (Tag.ASSUMED, ("PaymentDate", "PaidDate", "IssuedDate")),
    "payment.cleared_at": (Tag.OBSERVED, ("ClearedDate",)),
    "payment.modified_at": (Tag.ASSUMED, ("LastModified",)),
    "payment.voided_at": (Tag.ASSUMED, ("VoidedDate",)),
    "payment.void_reason": (Tag.ASSUMED, ("VoidReason",)),
    "payment.refunded_amount": (Tag.ASSUMED, ("RefundedAmount",)),
    "payment.replaces_id": (Tag.ASSUMED, ("ReplacesPaymentId",)),
    "payment.replaced_by_id": (Tag.ASSUMED, ("ReplacedByPaymentId",)),
    "payment.exceptions": (Tag.OBSERVED, ("Exceptions",)),
    "payment.remittances": (Tag.ASSUMED, ("Remittances",)),
    "exception.code": (Tag.OBSERVED, ("ReasonCode.Id", "ReasonCode")),
    "remittance.number": (Tag.KNOWN, ("Number",)),
    "remittance.external_id": (Tag.KNOWN, ("ExternalId",)),
    "remittance.invoice_id": (Tag.ASSUMED, ("InvoiceId",)),
    "remittance.gross": (Tag.KNOWN, ("Gross",)),
    "remittance.discount": (Tag.KNOWN, ("Discount",)),
    "remittance.net": (Tag.KNOWN, ("Net",)),
    # answers to writes (contract 2.5, 5.1)
    "answer.id": (Tag.ASSUMED, ("Id", "BatchGUID")),
    "answer.external_id": (Tag.ASSUMED, ("BatchId", "ExternalId")),
    "answer.status": (Tag.OBSERVED, ("Status.Description", "Status")),
    "item.id": (Tag.ASSUMED, ("Id",)),
    "item.status": (Tag.ASSUMED, ("Status.Description", "Status")),
    "error.code": (Tag.ASSUMED, ("Code",)),
    "error.message": (Tag.OBSERVED, ("Message",)),
    "error.field": (Tag.ASSUMED, ("Field",)),
}

#: Every name the contract does not back with a public source; documentation must label these *assumed*.
ASSUMED: frozenset[str] = frozenset(name for name, (tag, _paths) in FIELDS.items() if tag is Tag.ASSUMED)
