"""``load_tenant FILE.json``: create or update a tenant with its connections and its schedule, all of it or nothing.

Exit 2 and one line a fault when the document cannot be applied. A secret may be ``{"env": "NAME"}``, so that the file
itself holds none; faults name fields, never values.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import msgspec
from django.core.management.base import BaseCommand
from django.db import transaction

from connector.stages import Stage
from syncjobs.engine import schedule
from syncjobs.models import StageSchedule
from tenants import services
from tenants.audit import Actor
from tenants.models import Tenant


class Command(BaseCommand):
    """See the module's docstring."""

    help = "Create or update a tenant with its connections and schedule from a JSON document."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare what the command line takes."""
        parser.add_argument("file", metavar="FILE.json", help='the document, or "-" for standard input')

    def handle(self, *, file: str, **_options: Any) -> None:
        """Check the whole document first, then apply it in one transaction."""
        try:
            tenant, created = _apply(_read(file))
        except services.Invalid as refusal:
            for line in refusal.faults:
                self.stderr.write(line)
            sys.exit(2)
        enabled = StageSchedule.objects.filter(tenant=tenant, enabled=True).count()
        self.stdout.write(
            f"{tenant.slug}: {'created' if created else 'up to date'}, {tenant.get_status_display().lower()}, "
            f"{enabled} of {len(Stage)} stages switched on"
        )


def _read(file: str) -> dict[str, Any]:
    try:
        text = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise services.Invalid([f"{file}: cannot be read: {error.strerror}"]) from None
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise services.Invalid([f"{file}: is not JSON: {error}"]) from None
    if not isinstance(document, dict):
        raise services.Invalid([f"{file}: must be one JSON object, a tenant's document"])
    return document


def _apply(document: dict[str, Any]) -> tuple[Tenant, bool]:
    """Apply a document and say whether its tenant is new. Raises ``services.Invalid``, nothing changed."""
    actor = Actor.system("load_tenant")
    stages = document.pop("stages", {})
    with transaction.atomic():
        created = not Tenant.objects.filter(slug=str(document.get("slug", ""))).exists()
        wrong = [*services.faults(document), *schedule.faults(stages)]
        if wrong:
            raise services.Invalid(wrong)
        tenant = services.apply(document, actor=actor)
        schedule.apply(tenant, stages, actor=actor)
    return tenant, created
