"""Runs of stages, where the next poll starts, and every remote call that was made."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from syncjobs.models.base import STAGE_CHOICES, TenantRow
from syncjobs.states import RunStatus


class StageRun(TenantRow):
    """One run of one stage for one tenant. The row is the claim: only one may be running (constraint below).

    ``fence`` rises with every claim of the same stage; a worker that lost its lease cannot write under an old one.
    """

    stage = models.CharField(max_length=32, choices=STAGE_CHOICES)
    trigger = models.CharField(
        max_length=16,
        choices=[
            ("schedule", "Schedule"),
            ("person", "Person"),
            ("command", "Command"),
            ("sweep", "Sweep"),
            ("poll", "Poll for verdicts"),
            ("replay", "Replay"),
        ],
    )
    asked_by = models.CharField(max_length=150, blank=True, default="")
    reason = models.CharField(max_length=500, blank=True, default="")
    dry_run = models.BooleanField(default=False)
    full_read = models.BooleanField(default=False)
    replay_of = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="replays")
    status = models.CharField(max_length=24, choices=RunStatus.choices, default=RunStatus.RUNNING)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    owner = models.CharField(max_length=120, blank=True, default="")
    fence = models.BigIntegerField(default=1)
    lease_until = models.DateTimeField()
    deadline = models.DateTimeField()
    read = models.PositiveIntegerField(default=0)
    created = models.PositiveIntegerField(default=0)
    updated = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    held = models.PositiveIntegerField(default=0)
    rejected = models.PositiveIntegerField(default=0)
    uncertain = models.PositiveIntegerField(default=0)
    requests = models.PositiveIntegerField(default=0)
    progress = models.CharField(max_length=200, blank=True, default="")
    error_code = models.CharField(max_length=60, blank=True, default="")
    error = models.TextField(blank=True, default="")
    error_detail = models.TextField(blank=True, default="", help_text="For IT: a redacted traceback of our own bug.")

    class Meta:
        verbose_name = "run"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "stage"], condition=Q(status=RunStatus.RUNNING), name="stagerun_one_running"
            )
        ]
        indexes = [
            models.Index(fields=["tenant", "stage", "-id"], name="stagerun_latest"),
            models.Index(fields=["lease_until"], condition=Q(status=RunStatus.RUNNING), name="stagerun_leases"),
        ]

    def __str__(self) -> str:
        return f"{self.get_stage_display()} #{self.pk}"

    @property
    def counts(self) -> dict[str, int]:
        """The seven counts of design section 7; the last six add up to ``read``."""
        return {name: getattr(self, name) for name in COUNTS}


#: The names of a run's counts, in the order of design section 7.
COUNTS = ("read", "created", "updated", "unchanged", "held", "rejected", "uncertain")


class Cursor(TenantRow):
    """Where the next poll of one stream starts. It moves in the same transaction as the rows it covers."""

    stream = models.CharField(max_length=60)
    mark = models.JSONField(default=dict)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "stream"], name="cursor_once")]

    def __str__(self) -> str:
        return self.stream


class Attempt(models.Model):
    """One remote call: when, what, how long, status, request id and a redacted, bounded shape of it."""

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.PROTECT, related_name="+")
    run = models.ForeignKey(StageRun, null=True, blank=True, on_delete=models.SET_NULL, related_name="attempts")
    batch = models.ForeignKey(
        "syncjobs.Batch", null=True, blank=True, on_delete=models.SET_NULL, related_name="attempts"
    )
    posting = models.ForeignKey(
        "syncjobs.Posting", null=True, blank=True, on_delete=models.SET_NULL, related_name="attempts"
    )
    system = models.CharField(max_length=16)
    operation = models.CharField(max_length=120)
    method = models.CharField(max_length=8)
    url = models.TextField()
    started_at = models.DateTimeField()
    seconds = models.FloatField()
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    request_id = models.CharField(max_length=120, blank=True, default="")
    error = models.TextField(blank=True, default="")
    request_bytes = models.PositiveIntegerField(default=0)
    response_bytes = models.PositiveIntegerField(default=0)
    request_shape = models.JSONField(null=True, blank=True)
    response_shape = models.JSONField(null=True, blank=True)

    class Meta:
        verbose_name = "remote call"
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["tenant", "-id"], name="attempt_latest"),
            models.Index(fields=["started_at"], name="attempt_age"),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.operation}"
