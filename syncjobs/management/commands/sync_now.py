"""``sync_now SLUG [STAGE…]``: run stages here and now, in the order of a cycle, and say what moved.

Exit 0 when every run ended well, 1 when one failed, 2 when the question itself was wrong. Stages that are switched off,
or that a person has paused, run only when they are named; a paused tenant does not run at all.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Sequence
from typing import Any

import msgspec
from django.core.management.base import BaseCommand

from connector.stages import Stage, in_order
from syncjobs.engine import schedule
from syncjobs.management.cycles import Cycle
from tenants.audit import Actor
from tenants.models import Tenant, TenantStatus


class Command(BaseCommand):
    """See the module's docstring."""

    help = "Run a tenant's stages now, in order, and report what moved."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare what the command line takes."""
        parser.add_argument("slug", metavar="SLUG", help="the tenant's short name")
        parser.add_argument("stages", metavar="STAGE", nargs="*", help=f"any of {', '.join(Stage)}; default: all")
        parser.add_argument("--json", action="store_true", help="answer in JSON")
        parser.add_argument("--dry-run", action="store_true", help="a rehearsal: write to neither system")
        parser.add_argument("--full", action="store_true", help="read everything again, not only what changed")
        parser.add_argument(
            "--wait",
            type=_seconds,
            metavar="SECONDS",
            help="wait at most so long for verdicts, approvals and payments that the cycle set in motion",
        )

    def handle(
        self,
        *,
        slug: str,
        stages: Sequence[str],
        json: bool,
        dry_run: bool,
        full: bool,
        wait: float | None,
        **_options: Any,
    ) -> None:
        """Run the cycle, progress to standard error and the report to standard output."""
        try:
            tenant, wanted = _asked(slug, stages)
        except ValueError as fault:
            self.stderr.write(str(fault))
            sys.exit(2)
        cycle = Cycle(tenant, wanted, Actor.system("sync_now"), say=self._say, dry_run=dry_run)
        cycle.run(full_read=full)
        if wait is not None:
            cycle.settle(wait)
        runs = [entry.as_json(with_passes=wait is not None) for entry in cycle.entries.values()]
        if json:
            report = {"tenant": tenant.slug, "runs": runs}
            self.stdout.write(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
        else:
            self.stdout.write("\n".join(_table(runs)))
        if any(entry.failed for entry in cycle.entries.values()):
            sys.exit(1)

    def _say(self, progress: str) -> None:
        self.stderr.write(progress, self.style.NOTICE)
        self.stderr.flush()


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 86_400:
        raise ArgumentTypeError("must be a number of seconds, at most a day")
    return seconds


def _asked(slug: str, names: Sequence[str]) -> tuple[Tenant, list[Stage]]:
    """Return whom and what to run. Raises ``ValueError`` with a sentence for the person at the terminal."""
    tenant = Tenant.objects.filter(slug=slug).first()
    if tenant is None:
        raise ValueError(f"There is no tenant {slug!r}.")
    if tenant.status == TenantStatus.PAUSED:
        raise ValueError(f"{tenant.slug} is paused; set it live again before running anything for it.")
    if names:
        return tenant, in_order(names)
    wanted = schedule.switched_on(tenant)
    if not wanted:
        raise ValueError(f"Every stage of {tenant.slug} is switched off or paused; name the ones to run.")
    return tenant, wanted


def _table(runs: Sequence[dict[str, Any]]) -> list[str]:
    """Return one aligned line a stage: its counts, requests, seconds and how it ended."""
    names = list(runs[0]["counts"])
    rows = [["stage", *names, "requests", "seconds", "status"]]
    for run in runs:
        numbers = [f"{run['counts'][name]:,}" for name in names]
        status = run["status"].replace("_", " ") + (f": {run['error']}" if run["error"] else "")
        rows.append([run["stage"], *numbers, f"{run['requests']:,}", f"{run['seconds']:.1f}", status])
    widths = [max(len(row[place]) for row in rows) for place in range(len(names) + 3)]
    return [
        "  ".join(
            [row[0].ljust(widths[0])]
            + [cell.rjust(width) for cell, width in zip(row[1:-1], widths[1:], strict=True)]
            + [row[-1]]
        )
        for row in rows
    ]
