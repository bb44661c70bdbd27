"""``reconcile SLUG``: compare both ledgers to the row, read afresh from both systems.

Exit 0 when they agree, 1 on any difference or when a system cannot be read, 2 when the question itself was wrong.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

import msgspec
from django.core.management.base import BaseCommand

from connector.transport.errors import ConnectorError
from syncjobs.engine.reconcile import Report, reconcile
from tenants.models import Tenant


class Command(BaseCommand):
    """See the module's docstring."""

    help = "Compare what AvidXchange paid with what Epicor's ledger shows, and open balances on both sides."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare what the command line takes."""
        parser.add_argument("slug", metavar="SLUG", help="the tenant's short name")
        parser.add_argument("--json", action="store_true", help="answer in JSON")

    def handle(self, *, slug: str, json: bool, **_options: Any) -> None:
        """Compare and report."""
        tenant = Tenant.objects.filter(slug=slug).first()
        if tenant is None:
            self.stderr.write(f"There is no tenant {slug!r}.")
            sys.exit(2)
        try:
            report = reconcile(tenant)
        except ConnectorError as fault:
            self.stderr.write(f"{fault.system}: {fault.message} {fault.hint}".strip())
            sys.exit(1)
        if json:
            self.stdout.write(msgspec.json.format(msgspec.json.encode(report.as_json()), indent=2).decode())
        else:
            self.stdout.write("\n".join(_lines(report)))
        if not report.balanced:
            sys.exit(1)


def _lines(report: Report) -> list[str]:
    """Return what was compared, and a block of lines for each difference."""
    counted = ", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in report.checked.items())
    lines = [f"Compared {counted}."]
    for one in report.differences:
        lines += [
            "",
            f"{one.kind.replace('_', ' ')}: {one.key}",
            f"  Epicor       {one.epicor or '-'}",
            f"  AvidXchange  {one.avidxchange or '-'}",
            f"  {one.hint}",
        ]
    number = len(report.differences)
    return [*lines, "", "Both sides agree." if report.balanced else f"{number:,} difference{'s' * (number != 1)}."]
