"""What AvidXchange paid, how, and for which invoices."""

from __future__ import annotations

from django.db import models

from syncjobs.models.base import TenantRow, amount_column
from syncjobs.states import PaymentState


class Payment(TenantRow):
    """One AvidXchange payment. ``status`` and ``method`` are canonical (contract 6.3), ``*_text`` as they came;
    of a card only the last four digits exist here. ``detail`` is the record as read, as JSON text."""

    avid_id = models.CharField(max_length=100)
    state = models.CharField(max_length=12, choices=PaymentState.choices, default=PaymentState.SEEN)
    status = models.CharField(max_length=12)
    status_text = models.CharField(max_length=120, blank=True, default="")
    method = models.CharField(max_length=10)
    method_text = models.CharField(max_length=120, blank=True, default="")
    amount = amount_column()
    currency = models.CharField(max_length=10, blank=True, default="")
    check_number = models.CharField(max_length=60, blank=True, default="")
    ach_trace = models.CharField(max_length=60, blank=True, default="")
    card_last4 = models.CharField(max_length=4, blank=True, default="")
    vendor_external_id = models.CharField(max_length=100, blank=True, default="")
    vendor_num = models.IntegerField(null=True, blank=True)
    vendor_name = models.CharField(max_length=500, blank=True, default="")
    paid_at = models.DateTimeField(null=True, blank=True)
    cleared_at = models.DateTimeField(null=True, blank=True)
    modified_at = models.DateTimeField(null=True, blank=True)
    final = models.BooleanField(default=False)
    tail_until = models.DateTimeField(null=True, blank=True, help_text="Polled by id until then, after clearing.")
    replaces_id = models.CharField(max_length=100, blank=True, default="")
    replaced_by_id = models.CharField(max_length=100, blank=True, default="")
    hold_code = models.CharField(max_length=60, blank=True, default="")
    hold_message = models.TextField(blank=True, default="")
    detail = models.TextField(blank=True, default="")
    detail_hash = models.CharField(max_length=64, blank=True, default="")
    seen_run = models.BigIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["tenant", "avid_id"], name="payment_once")]
        indexes = [
            models.Index(fields=["tenant", "state", "id"], name="payment_queue"),
            models.Index(fields=["tenant", "final", "id"], name="payment_open"),
            models.Index(fields=["tenant", "-id"], name="payment_latest"),
        ]

    def __str__(self) -> str:
        return f"Payment {self.avid_id}"


class Remittance(models.Model):
    """What of a payment is for one invoice: gross off its balance, discount, and net in cash."""

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.PROTECT, related_name="+")
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="remittances")
    position = models.PositiveSmallIntegerField()
    number = models.CharField(max_length=100)
    external_id = models.CharField(max_length=200, blank=True, default="")
    avid_invoice_id = models.CharField(max_length=100, blank=True, default="")
    gross = amount_column()
    discount = amount_column()
    net = amount_column()
    invoice = models.ForeignKey(
        "syncjobs.InvoiceLink", null=True, blank=True, on_delete=models.PROTECT, related_name="remittances"
    )

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["tenant", "payment", "position"], name="remittance_once")]

    def __str__(self) -> str:
        return self.number
