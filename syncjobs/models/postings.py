"""Documents written to Epicor in several calls, step by step."""

from __future__ import annotations

from django.db import models

from syncjobs.models.base import STAGE_CHOICES, TenantRow
from syncjobs.states import PostingState

POSTING_KINDS = [
    ("ap_invoice", "AP invoice"),
    ("ap_invoice_group", "Posting of an AP invoice group"),
    ("ap_payment", "AP payment"),
    ("ap_payment_void", "Void of an AP payment"),
    ("approval_mark", "Approval state in Epicor"),
]


class Posting(TenantRow):
    """One document. ``draft`` is all that will be written, as JSON text, fixed before the first call.

    ``steps`` is what happened, oldest first: ``[{"step", "state": "started" | "done", "at", ...keys}]``. A step that
    was started and not done is looked up in Epicor before it is made again; memory is never trusted (design 5.7).
    """

    stage = models.CharField(max_length=32, choices=STAGE_CHOICES)
    kind = models.CharField(max_length=20, choices=POSTING_KINDS)
    natural_key = models.CharField(max_length=250)
    version = models.PositiveIntegerField(default=1)
    state = models.CharField(max_length=12, choices=PostingState.choices, default=PostingState.READY)
    run = models.ForeignKey("syncjobs.StageRun", null=True, on_delete=models.SET_NULL, related_name="postings")
    replay_of = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="replays")
    invoice = models.ForeignKey(
        "syncjobs.InvoiceLink", null=True, blank=True, on_delete=models.PROTECT, related_name="postings"
    )
    payment = models.ForeignKey(
        "syncjobs.Payment", null=True, blank=True, on_delete=models.PROTECT, related_name="postings"
    )
    draft = models.TextField()
    draft_hash = models.CharField(max_length=64)
    group_id = models.CharField(max_length=20, blank=True, default="")
    head_num = models.IntegerField(null=True, blank=True)
    steps = models.JSONField(default=list)
    fence = models.BigIntegerField(default=0)
    owner = models.CharField(max_length=120, blank=True, default="")
    lease_until = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, blank=True)
    code = models.CharField(max_length=60, blank=True, default="")
    message = models.TextField(blank=True, default="")
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "document in Epicor"
        verbose_name_plural = "documents in Epicor"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "kind", "natural_key", "version"], name="posting_once")
        ]
        indexes = [
            models.Index(fields=["tenant", "state", "kind"], name="posting_queue"),
            models.Index(fields=["tenant", "-id"], name="posting_latest"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.natural_key}"
