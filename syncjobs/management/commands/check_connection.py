"""``manage.py check_connection SLUG [--json]``: ping both systems and say what to do about every check that fails.

A connection that the stages leave alone at the moment is one more failed check, whatever the others found.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from syncjobs.engine import outages
from tenants import probe
from tenants.commands import tenant_named


class Command(BaseCommand):
    """Exit 0 when every check passed, 1 when one failed or there is no such tenant."""

    help = "Ping a tenant's Epicor and AvidXchange: every check by name, with what to do about the ones that fail."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One tenant; JSON for scripts."""
        parser.add_argument("slug", help="the tenant's short name")
        parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")

    def handle(self, *args: Any, slug: str, **options: Any) -> None:
        """Run the checks and print them."""
        tenant = tenant_named(slug)
        checks = [*probe.checks(tenant), *outages.checks(tenant)]
        ok = all(check.ok for check in checks)
        if options["json"]:
            shape = {"tenant": slug, "ok": ok, "checks": [asdict(check) for check in checks]}
            self.stdout.write(json.dumps(shape, indent=2))
        else:
            for check in checks:
                self.stdout.write(f"{'ok    ' if check.ok else 'FAILED'} {check.system}: {check.name}. {check.detail}")
                if check.hint and not check.ok:
                    self.stdout.write(f"       {check.hint}")
        if not ok:
            sys.exit(1)
