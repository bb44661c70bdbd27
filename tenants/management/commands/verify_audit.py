"""``manage.py verify_audit SLUG``: prove that a tenant's audit trail is what was written, or say where it is not."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from tenants import audit
from tenants.commands import tenant_named


class Command(BaseCommand):
    """Exit 0 when the trail is whole, 1 when it was tampered with or there is no such tenant."""

    help = "Check a tenant's audit trail for edits, deletions, insertions, another order and a cut end."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One tenant."""
        parser.add_argument("slug", help="the tenant's short name")

    def handle(self, *args: Any, slug: str, **options: Any) -> None:
        """Verify, and print either the head to keep elsewhere or the faults."""
        verdict = audit.verify(tenant_named(slug))
        if verdict.ok:
            self.stdout.write(f"{slug}: {verdict.events} audit events, none changed.")
            if verdict.last_hash:
                self.stdout.write(f"Head: {verdict.last_hash} (kept elsewhere, it also shows a database put back).")
            return
        self.stdout.write(f"{slug}: {verdict.fault_count} faults in {verdict.events} audit events.")
        for fault in verdict.faults:
            self.stdout.write(f"  event {fault.sequence}: {fault.kind}: {fault.detail}")
        if verdict.fault_count > len(verdict.faults):
            self.stdout.write(f"  and {verdict.fault_count - len(verdict.faults)} more")
        sys.exit(1)
