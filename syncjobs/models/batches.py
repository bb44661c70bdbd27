"""Submissions to AvidXchange and closed batches captured there, with one verdict an item."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from syncjobs.models.base import STAGE_CHOICES, TenantRow, amount_column
from syncjobs.states import BatchStatus, ItemState

BATCH_KINDS = [
    ("vendors", "Vendors"),
    ("gl_accounts", "GL accounts"),
    ("purchase_orders", "Purchase orders"),
    ("receipts", "Receipts"),
    ("invoices", "Invoices"),
    ("captured_invoices", "Captured invoices"),
]


class Batch(TenantRow):
    """One submission. The row, with its items, is committed before the call (design section 5.1).

    ``external_id`` is derived from what is in it, so the same content is the same batch; ``fence`` and ``lease_until``
    say who may send it. For a captured batch ``avid_batch_id`` is its GUID and the control columns are what
    AvidXchange says is in it.
    """

    stage = models.CharField(max_length=32, choices=STAGE_CHOICES)
    kind = models.CharField(max_length=20, choices=BATCH_KINDS)
    external_id = models.CharField(max_length=100)
    avid_batch_id = models.CharField(max_length=100, blank=True, default="")
    state = models.CharField(max_length=14, choices=BatchStatus.choices, default=BatchStatus.READY)
    run = models.ForeignKey("syncjobs.StageRun", null=True, on_delete=models.SET_NULL, related_name="batches")
    replay_of = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="replays")
    fence = models.BigIntegerField(default=0)
    owner = models.CharField(max_length=120, blank=True, default="")
    lease_until = models.DateTimeField(null=True, blank=True)
    item_count = models.PositiveIntegerField(default=0)
    total = amount_column(default=0)
    status_text = models.CharField(max_length=200, blank=True, default="")
    message = models.TextField(blank=True, default="")
    sends = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True, blank=True)
    polls = models.PositiveIntegerField(default=0)
    look_ups = models.PositiveSmallIntegerField(default=0)
    next_poll_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    details_href = models.TextField(blank=True, default="")

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "batches"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "kind", "external_id"], name="batch_external_once"),
            models.UniqueConstraint(
                fields=["tenant", "kind", "avid_batch_id"], condition=~Q(avid_batch_id=""), name="batch_avid_once"
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "kind", "state"], name="batch_queue"),
            models.Index(fields=["tenant", "-id"], name="batch_latest"),
        ]

    def __str__(self) -> str:
        return self.external_id


class BatchItem(models.Model):
    """One item of a submission and its own verdict. At most one item of a subject is without a verdict at any time:
    that constraint is what keeps two workers from sending one record twice."""

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.PROTECT, related_name="+")
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="items")
    external_id = models.CharField(max_length=200)
    subject_kind = models.CharField(max_length=30)
    subject_id = models.BigIntegerField()
    subject_key = models.CharField(max_length=200)
    payload = models.TextField()
    payload_hash = models.CharField(max_length=64)
    creates = models.BooleanField(default=True, help_text="Whether it was new over there when it was planned.")
    state = models.CharField(max_length=10, choices=ItemState.choices, default=ItemState.PENDING)
    avid_id = models.CharField(max_length=100, blank=True, default="")
    status_text = models.CharField(max_length=200, blank=True, default="")
    code = models.CharField(max_length=80, blank=True, default="")
    message = models.TextField(blank=True, default="")
    field = models.CharField(max_length=100, blank=True, default="")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "batch", "external_id"], name="batchitem_once"),
            models.UniqueConstraint(
                fields=["tenant", "subject_kind", "subject_id"],
                condition=Q(state=ItemState.PENDING),
                name="batchitem_one_in_flight",
            ),
        ]
        indexes = [models.Index(fields=["tenant", "subject_kind", "subject_id"], name="batchitem_subject")]

    def __str__(self) -> str:
        return self.external_id
