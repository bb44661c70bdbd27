"""The audit trail's tables: append-only here, in the admin, and by triggers in the database.

Rows are written by ``tenants/audit.py`` alone, which numbers and chains them; see there for what the chain proves.
Actor and run are plain values, not foreign keys, so that deleting a user or pruning runs never touches a row.
"""

from __future__ import annotations

from typing import Any, NoReturn

from django.db import models

from tenants.models.tenant import Tenant


class AppendOnly(Exception):
    """Somebody tried to change or delete an audit row."""

    def __init__(self) -> None:
        super().__init__("The audit trail is append-only: its rows are never changed or deleted.")


class AuditHead(models.Model):
    """The end of one tenant's chain: last sequence, last hash, and signatures that a database user cannot make.

    ``signature`` holds one for each key that the site had when the row was written, separated by blanks.
    """

    tenant = models.OneToOneField(Tenant, on_delete=models.PROTECT, related_name="audit_head")
    sequence = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=64, default="")
    signature = models.TextField(default="")

    def __str__(self) -> str:
        return f"{self.tenant_id} at {self.sequence}"


class AuditEventQuerySet(models.QuerySet["AuditEvent"]):
    """Reads only; ``bulk_update`` and ``update_or_create`` end in ``update`` or ``save`` and are refused there."""

    def update(self, **kwargs: Any) -> NoReturn:
        """Refuse."""
        raise AppendOnly

    def delete(self) -> NoReturn:
        """Refuse."""
        raise AppendOnly

    def _raw_delete(self, using: str | None) -> NoReturn:
        raise AppendOnly


class AuditEvent(models.Model):
    """One thing that somebody or something did. ``before`` and ``after`` are masked."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="audit_events")
    sequence = models.BigIntegerField()
    at = models.DateTimeField()
    actor_id = models.BigIntegerField(null=True, blank=True)
    actor_name = models.CharField("who", max_length=150)
    action = models.CharField(max_length=80)
    subject_kind = models.CharField(max_length=60)
    subject_key = models.CharField(max_length=255)
    run = models.CharField(max_length=36, blank=True, default="")
    before = models.JSONField(null=True, blank=True)
    after = models.JSONField(null=True, blank=True)
    reason = models.TextField(blank=True, default="")
    prev_hash = models.CharField(max_length=64, blank=True, default="")
    hash = models.CharField(max_length=64)

    objects = AuditEventQuerySet.as_manager()

    class Meta:
        ordering = ["tenant", "-sequence"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "sequence"], name="audit_event_once"),
        ]
        indexes = [
            models.Index(fields=["tenant", "subject_kind", "subject_key"], name="audit_event_subject"),
            models.Index(fields=["tenant", "run"], name="audit_event_run", condition=~models.Q(run="")),
            models.Index(fields=["tenant", "action", "-sequence"], name="audit_event_action"),
            models.Index(fields=["tenant", "-at"], name="audit_event_at"),
        ]

    def __str__(self) -> str:
        return f"{self.sequence} {self.action} {self.subject_kind} {self.subject_key}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert; a row that exists is never saved again."""
        if not self._state.adding:
            raise AppendOnly
        kwargs["force_insert"] = True
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse."""
        raise AppendOnly
