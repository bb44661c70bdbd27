"""``replay SLUG``: say what doing something again would come to, and do it with ``--yes`` and a reason.

Nothing is sent without ``--yes``. Exit 0 when the preview was given or every run ended well, 1 when a run failed,
2 when there is nothing of that name, the tenant is paused or the question itself was wrong.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from datetime import date
from typing import Any

import msgspec
from django.core.management.base import BaseCommand

from syncjobs.engine import replay
from syncjobs.engine.replay_targets import KINDS, NoSuchTarget, Target
from syncjobs.management.cycles import Cycle
from tenants.audit import Actor
from tenants.models import Tenant, TenantStatus

#: Lines of a preview that a person is shown; all of them are in the JSON.
SHOWN = 50


class Command(BaseCommand):
    """See the module's docstring."""

    help = "Preview doing a record, batch, posting, run or some days again; --yes does it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare what the command line takes."""
        parser.add_argument("slug", metavar="SLUG", help="the tenant's short name")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--record", nargs=2, metavar=("KIND", "KEY"), help=f"one record; KIND is {', '.join(KINDS)}")
        what.add_argument("--batch", type=int, metavar="ID", help="the records of a batch")
        what.add_argument("--posting", type=int, metavar="ID", help="a document written to Epicor")
        what.add_argument("--run", type=int, metavar="ID", help="the batches and documents of a run, and the stage")
        what.add_argument("--since", type=date.fromisoformat, metavar="YYYY-MM-DD", help="everything since a day")
        parser.add_argument("--until", type=date.fromisoformat, metavar="YYYY-MM-DD", help="the last day of --since")
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--stored", action="store_true", help="as it was translated last (default)")
        how.add_argument("--fresh", action="store_true", help="read everything of the stage again first")
        parser.add_argument("--yes", action="store_true", help="do it; without it nothing is sent")
        parser.add_argument("--reason", default="", metavar="TEXT", help="why, for the audit trail; needed with --yes")
        parser.add_argument("--json", action="store_true", help="answer in JSON")

    def handle(self, *, slug: str, fresh: bool, yes: bool, reason: str, json: bool, **options: Any) -> None:
        """Preview, and carry out if asked to."""
        try:
            tenant = _tenant(slug)
            preview = replay.plan(tenant, _target(options), fresh=fresh)
            if yes:
                preview = replay.execute(preview, actor=Actor.system("replay"), reason=reason)
        except (NoSuchTarget, ValueError) as fault:
            self.stderr.write(str(fault))
            sys.exit(2)
        cycle = self._run(preview, reason) if yes else None
        runs = [entry.as_json(with_passes=False) for entry in cycle.entries.values()] if cycle else []
        if json:
            report = {**_plain(preview), "done": yes, "runs": runs}
            self.stdout.write(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
        else:
            self.stdout.write("\n".join(_lines(preview, done=yes)))
        if cycle and any(entry.failed for entry in cycle.entries.values()):
            sys.exit(1)

    def _run(self, preview: replay.Preview, reason: str) -> Cycle:
        cycle = Cycle(
            preview.tenant,
            preview.stages,
            Actor.system("replay"),
            say=self.stderr.write,
            trigger="replay",
            reason=reason,
            replay_of=preview.run,
        )
        for stage in preview.stages:
            cycle.one(stage, full_read=preview.reads_everything(stage))
        return cycle


def _tenant(slug: str) -> Tenant:
    tenant = Tenant.objects.filter(slug=slug).first()
    if tenant is None:
        raise ValueError(f"There is no tenant {slug!r}.")
    if tenant.status == TenantStatus.PAUSED:
        raise ValueError(f"{tenant.slug} is paused; set it live again before replaying anything for it.")
    return tenant


def _target(options: dict[str, Any]) -> Target:
    if (options["since"] is None) != (options["until"] is None):
        raise ValueError("--since and --until belong together: name a first and a last day.")
    record = tuple(options["record"]) if options["record"] else None
    return Target(record=record, **{name: options[name] for name in ("batch", "posting", "run", "since", "until")})


def _plain(preview: replay.Preview) -> dict[str, Any]:
    return {
        "tenant": preview.tenant.slug,
        "fresh": preview.fresh,
        "counts": preview.counts,
        "stages": [str(stage) for stage in preview.stages],
        "effects": [
            {"action": str(effect.action), "kind": effect.kind, "key": effect.key, "why": effect.why}
            for effect in preview.effects
        ],
    }


def _lines(preview: replay.Preview, *, done: bool) -> Sequence[str]:
    counts = preview.counts
    tense = "Done" if done else "This would"
    words = {"create": "create", "update": "update", "none": "leave alone", "refuse": "refuse"}
    numbers = ", ".join(f"{words[action]} {number:,}" for action, number in counts.items())
    lines = [f"{tense}: {numbers}; stages: {', '.join(preview.stages) or 'none'}"]
    lines += [f"  {words[one.action]} {one.kind} {one.key}: {one.why}" for one in preview.effects[:SHOWN]]
    if len(preview.effects) > SHOWN:
        lines.append(f"  and {len(preview.effects) - SHOWN:,} more; --json lists them all")
    if not done:
        lines.append('Nothing was sent. Add --yes --reason "…" to do it.')
    return lines
