"""Purchase orders on their way to AvidXchange, for matching there."""

from __future__ import annotations

from django.db import models

from syncjobs.models.base import Outgoing, amount_column


class PurchaseOrderLink(Outgoing):
    """One Epicor PO and what of it AvidXchange has; receipts travel as an item of their own (contract R7, R8)."""

    company = models.CharField(max_length=20)
    po_num = models.IntegerField()
    vendor_num = models.IntegerField()
    status = models.CharField(max_length=10, blank=True, default="")
    total = amount_column(default=0)
    currency = models.CharField(max_length=10, blank=True, default="")
    order_date = models.DateField(null=True, blank=True)
    avid_id = models.CharField(max_length=100, blank=True, default="")
    receipts_desired = models.TextField(blank=True, default="")
    receipts_desired_hash = models.CharField(max_length=64, blank=True, default="")
    receipts_sent_hash = models.CharField(max_length=64, blank=True, default="")
    receipts_refused_hash = models.CharField(max_length=64, blank=True, default="")

    class Meta:
        verbose_name = "purchase order"
        ordering = ["-po_num"]
        constraints = [models.UniqueConstraint(fields=["tenant", "company", "po_num"], name="polink_once")]

    def __str__(self) -> str:
        return f"PO {self.po_num}"
