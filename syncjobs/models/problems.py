"""What needs a person, in plain words."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from syncjobs.models.base import STAGE_CHOICES, TenantRow, amount_column
from syncjobs.states import ProblemState

TURNS = [
    ("finance", "Finance"),
    ("purchasing", "Purchasing"),
    ("implementer", "Implementer"),
    ("operator", "Operator"),
    ("avidxchange", "AvidXchange"),
]


class Problem(TenantRow):
    """One open matter about one subject. While it is open the same subject and code is the same row (``times`` rises);
    it resolves by itself when a later run gets the subject through."""

    stage = models.CharField(max_length=32, choices=STAGE_CHOICES)
    code = models.CharField(max_length=60)
    subject_kind = models.CharField(max_length=30)
    subject_key = models.CharField(max_length=250)
    subject_id = models.BigIntegerField(null=True, blank=True)
    state = models.CharField(max_length=10, choices=ProblemState.choices, default=ProblemState.OPEN)
    message = models.TextField()
    hint = models.TextField(blank=True, default="")
    field = models.CharField(max_length=100, blank=True, default="")
    turn = models.CharField(max_length=12, choices=TURNS, default="finance")
    amount = amount_column(null=True, blank=True)
    currency = models.CharField(max_length=10, blank=True, default="")
    due_date = models.DateField(null=True, blank=True)
    run = models.ForeignKey("syncjobs.StageRun", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    last_seen_at = models.DateTimeField()
    times = models.PositiveIntegerField(default=1)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.CharField(max_length=150, blank=True, default="")
    resolution = models.CharField(max_length=500, blank=True, default="")
    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "subject_kind", "subject_key", "code"],
                condition=Q(state=ProblemState.OPEN),
                name="problem_one_open",
            )
        ]
        indexes = [
            models.Index(fields=["tenant", "state", "code"], name="problem_queue"),
            models.Index(fields=["tenant", "subject_kind", "subject_id"], name="problem_subject"),
        ]

    def __str__(self) -> str:
        return self.message[:80]
