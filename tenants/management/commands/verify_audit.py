"""``manage.py verify_audit SLUG``: prove that a tenant's audit trail is what was written, or say where it is not.

``--head FILE`` writes the trail's signed end, to be kept elsewhere; ``--against FILE`` proves that the trail still
holds an end that was kept. Both together are what a weekly job runs: check against the last one, keep a new one.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import msgspec
from django.core.management.base import BaseCommand

from tenants import heads
from tenants.audit import Verdict, verify
from tenants.commands import kept_head, tenant_named, write_new

AFTER_A_RESTORE = (
    "After a restore this is as it should be for heads that were kept after the backup was made; those that were kept "
    "before it must still be held."
)


class Command(BaseCommand):
    """Exit 0 when the trail is whole and holds the head that was kept, 1 when not or when there is no such tenant."""

    help = "Check a tenant's audit trail for edits, deletions, insertions, another order and a cut end."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One tenant, and files for heads."""
        parser.add_argument("slug", help="the tenant's short name")
        parser.add_argument("--head", metavar="FILE", type=Path, help="write the signed head to a new file")
        parser.add_argument("--against", metavar="FILE", type=Path, help="prove that a head kept earlier is still held")

    def handle(self, *args: Any, slug: str, head: Path | None, against: Path | None, **options: Any) -> None:
        """Verify, compare, and write a head only if nothing is wrong."""
        tenant = tenant_named(slug)
        kept, note = kept_head(against, tenant) if against is not None else (None, "")
        verdict, present = heads.read_trail(tenant) if head is not None else (verify(tenant), None)
        self._tell(slug, verdict)
        differs = heads.difference(tenant, kept, verdict) if kept is not None else ""
        if kept is not None:
            held = f"the trail still holds the head of {kept.shown_at()}, event {kept.sequence}."
            told = [f"{against}: {differs or held}", AFTER_A_RESTORE if differs else "", note]
            self.stdout.write("\n".join(filter(None, told)))
        if differs or not verdict.ok:
            sys.exit(1)
        if head is not None and present is not None:
            self._keep(head, present)
        elif verdict.events:
            self.stdout.write(
                f"Head: {verdict.last_hash} (event {verdict.last_sequence}). With --head FILE a signed one is written; "
                "kept elsewhere, it also shows a database put back."
            )

    def _keep(self, path: Path, present: heads.Head) -> None:
        document = heads.to_file(present)
        write_new(path, msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
        self.stdout.write(
            f"The signed head is in {path}. Keep it where nobody who administers this site can change it.\n"
            f"It is signed with the key whose public part is {document['public_key']}."
        )

    def _tell(self, slug: str, verdict: Verdict) -> None:
        if verdict.ok:
            self.stdout.write(f"{slug}: {verdict.events} audit events, none changed.")
            return
        self.stdout.write(f"{slug}: {verdict.fault_count} faults in {verdict.events} audit events.")
        for fault in verdict.faults:
            self.stdout.write(f"  event {fault.sequence}: {fault.kind}: {fault.detail}")
        if verdict.fault_count > len(verdict.faults):
            self.stdout.write(f"  and {verdict.fault_count - len(verdict.faults)} more")
