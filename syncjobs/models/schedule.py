"""When a tenant's stage is due."""

from __future__ import annotations

from django.db import models
from django_celery_beat.models import CrontabSchedule, IntervalSchedule

from syncjobs.models.base import STAGE_CHOICES, TenantRow


class StageSchedule(TenantRow):
    """One stage's cadence for one tenant, by interval or crontab. ``next_due`` is the queue that the tick reads."""

    stage = models.CharField(max_length=32, choices=STAGE_CHOICES)
    enabled = models.BooleanField(default=True)
    interval = models.ForeignKey(IntervalSchedule, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    crontab = models.ForeignKey(CrontabSchedule, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    next_due = models.DateTimeField(null=True, blank=True)
    next_sweep = models.DateTimeField(null=True, blank=True)
    paused_reason = models.CharField(
        max_length=500, blank=True, default="", help_text="Why the stage paused itself; empty when it has not."
    )
    paused_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["tenant", "id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "stage"], name="stageschedule_once"),
            models.CheckConstraint(
                condition=models.Q(interval__isnull=True) | models.Q(crontab__isnull=True),
                name="stageschedule_one_cadence",
            ),
        ]
        indexes = [models.Index(fields=["next_due"], condition=models.Q(enabled=True), name="stageschedule_due")]

    def __str__(self) -> str:
        return self.get_stage_display()
