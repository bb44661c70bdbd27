"""What every row of this app has in common: its tenant and its two times (UTC)."""

from __future__ import annotations

from typing import Any

from django.db import models

from connector.stages import LABELS, Stage
from tenants.models import Tenant

STAGE_CHOICES = [(str(stage), LABELS[stage]) for stage in Stage]


def amount_column(**options: Any) -> models.DecimalField[Any, Any]:
    """Return a column for money: three decimals, so that currencies such as KWD fit; two are the rule."""
    return models.DecimalField(max_digits=18, decimal_places=3, **options)


class TenantRow(models.Model):
    """Base of every table: unique constraints of its children begin with ``tenant``."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True


class Outgoing(TenantRow):
    """Columns of a record that is upserted into AvidXchange whenever its content changes.

    ``desired`` is the encoded item as it should be over there (JSON text, money with every digit) and ``desired_hash``
    its content hash; ``sent_hash`` is the hash AvidXchange last accepted and ``refused_hash`` the one it last refused,
    so a row is due exactly when ``desired_hash`` is neither. A record that cannot be translated has an empty
    ``desired_hash`` and says why in the ``hold_*`` columns.
    """

    desired = models.TextField(blank=True, default="")
    desired_hash = models.CharField(max_length=64, blank=True, default="")
    sent_hash = models.CharField(max_length=64, blank=True, default="")
    refused_hash = models.CharField(max_length=64, blank=True, default="")
    sent_at = models.DateTimeField(null=True, blank=True)
    hold_code = models.CharField(max_length=60, blank=True, default="")
    hold_message = models.TextField(blank=True, default="")
    row_rev = models.BigIntegerField(default=0, help_text="The Epicor row's SysRevID when it was last read.")
    seen_run = models.BigIntegerField(null=True, blank=True, help_text="The run that last had to do with the row.")
    outcome = models.CharField(max_length=10, blank=True, default="", help_text="What came of it in that run.")

    class Meta:
        abstract = True
