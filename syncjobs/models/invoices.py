"""AP invoices in either direction, each exactly once by (company, vendor, number)."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from syncjobs.models.base import Outgoing, TenantRow, amount_column
from syncjobs.states import ImageState, InvoiceState


class InvoiceLink(Outgoing):
    """One AP invoice and both systems' names for it.

    ``direction`` says where it began: ``out`` is keyed in Epicor and submitted, ``in`` was captured by AvidXchange.
    An ``in`` invoice whose vendor is not known here yet has no ``vendor_num`` and so no claim on the key.
    ``external_id`` is Company|VendorNum|InvoiceNum|version of the last submission; ``version`` rises with a corrected
    resend. ``captured`` is a captured invoice as read, as JSON text.
    """

    OUT, IN = "out", "in"

    direction = models.CharField(max_length=3, choices=[(OUT, "Epicor to AvidXchange"), (IN, "AvidXchange to Epicor")])
    company = models.CharField(max_length=20)
    vendor_num = models.IntegerField(null=True, blank=True)
    vendor_name = models.CharField(max_length=500, blank=True, default="")
    invoice_num = models.CharField(max_length=100)
    state = models.CharField(max_length=12, choices=InvoiceState.choices, default=InvoiceState.WAITING)
    state_reason = models.CharField(max_length=500, blank=True, default="")
    version = models.PositiveIntegerField(default=1)
    external_id = models.CharField(max_length=200, blank=True, default="")
    avid_id = models.CharField(max_length=100, blank=True, default="")
    approval = models.CharField(max_length=12, blank=True, default="")
    approval_changed_at = models.DateTimeField(null=True, blank=True)
    reject_reason = models.TextField(blank=True, default="")
    approval_marked = models.CharField(max_length=12, blank=True, default="", help_text="Last state told to Epicor.")
    debit_memo = models.BooleanField(default=False)
    currency = models.CharField(max_length=10, blank=True, default="")
    gross_amount = amount_column(default=0)
    open_amount = amount_column(default=0)
    paid_amount = amount_column(default=0)
    invoice_date = models.DateField(null=True, blank=True)
    due_date = models.DateField(null=True, blank=True)
    po_number = models.CharField(max_length=60, blank=True, default="")
    header_hash = models.CharField(max_length=64, blank=True, default="", help_text="Epicor header as last read.")
    waits_for = models.CharField(
        max_length=200, blank=True, default="", help_text="The GL account whose mapping would release it."
    )
    captured_batch = models.ForeignKey(
        "syncjobs.Batch", null=True, blank=True, on_delete=models.PROTECT, related_name="captured_invoices"
    )
    captured = models.TextField(blank=True, default="")
    captured_hash = models.CharField(max_length=64, blank=True, default="")

    class Meta:
        verbose_name = "invoice"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "company", "vendor_num", "invoice_num"], name="invoicelink_epicor_once"
            ),
            models.UniqueConstraint(
                fields=["tenant", "avid_id"], condition=~Q(avid_id=""), name="invoicelink_avid_once"
            ),
            models.UniqueConstraint(
                fields=["tenant", "external_id"], condition=~Q(external_id=""), name="invoicelink_external_once"
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "state", "id"], name="invoicelink_queue"),
            models.Index(fields=["tenant", "invoice_num"], name="invoicelink_number"),
            models.Index(fields=["tenant", "-id"], name="invoicelink_latest"),
        ]

    def __str__(self) -> str:
        return f"Invoice {self.invoice_num}"


class InvoiceImage(TenantRow):
    """An invoice's image: which attachment it is in Epicor, what its content hashes to, and whether it arrived."""

    invoice = models.ForeignKey(InvoiceLink, on_delete=models.PROTECT, related_name="images")
    file_ref = models.BigIntegerField(null=True, blank=True, help_text="Epicor's XFileRefNum.")
    file_name = models.CharField(max_length=255)
    content_hash = models.CharField(max_length=80, blank=True, default="")
    size = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=10, choices=ImageState.choices, default=ImageState.PENDING)
    message = models.TextField(blank=True, default="")
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "invoice", "file_ref"], name="invoiceimage_once"),
        ]

    def __str__(self) -> str:
        return self.file_name
