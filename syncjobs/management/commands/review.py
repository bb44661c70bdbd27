"""``review SLUG``: what waits for a person, mappings and problems; ``--approve-all`` accepts every proposed mapping.

The flag is for demos and scripts. It decides one mapping at a time through ``engine.review``, as a person's click
does, and is audited as this command; what cannot be approved is listed with the reason and stays in the queue.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from decimal import Decimal
from typing import Any

import msgspec
from django.core.management.base import BaseCommand

from syncjobs.engine import review
from syncjobs.models import GLAccountMapping, VendorMapping
from syncjobs.selectors import ProblemGroup, open_problems
from tenants.audit import Actor
from tenants.models import Tenant


class Command(BaseCommand):
    """See the module's docstring."""

    help = "List what waits for a person; with --approve-all, approve every proposed mapping."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare what the command line takes."""
        parser.add_argument("slug", metavar="SLUG", help="the tenant's short name")
        parser.add_argument("--approve-all", action="store_true", help="approve every proposed mapping as it is")
        parser.add_argument("--json", action="store_true", help="answer in JSON")

    def handle(self, *, slug: str, approve_all: bool, json: bool, **_options: Any) -> None:
        """Decide if asked to, then list what is left."""
        tenant = Tenant.objects.filter(slug=slug).first()
        if tenant is None:
            self.stderr.write(f"There is no tenant {slug!r}.")
            sys.exit(2)
        decisions = _approve_all(tenant) if approve_all else []
        report = {
            "tenant": tenant.slug,
            "approved": sum(decision.done for decision in decisions),
            "refused": [
                {**_plain(decision.mapping), "why": decision.why_not} for decision in decisions if not decision.done
            ],
            "mappings": [_plain(mapping) for mapping in review.waiting(tenant)],
            "problems": [_group(group) for group in open_problems([tenant])],
        }
        if json:
            self.stdout.write(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
            return
        for line in _lines(report, approve_all=approve_all):
            self.stdout.write(line)


def _approve_all(tenant: Tenant) -> list[review.Decision]:
    actor = Actor.system("review --approve-all")
    return [review.approve(mapping, actor=actor) for mapping in list(review.waiting(tenant))]


def _plain(mapping: VendorMapping | GLAccountMapping) -> dict[str, Any]:
    """Return a mapping as JSON: what it is, what is proposed, how sure the machine is and why."""
    kind, key = review.subject(mapping)
    best = mapping.evidence[0] if mapping.proposal == "match" and mapping.evidence else {}
    return {
        "kind": kind,
        "key": key,
        "name": str(mapping),
        "proposal": mapping.proposal,
        "avidxchange": best.get("name", ""),
        "score": mapping.score,
        "reasons": best.get("reasons", []),
    }


def _group(group: ProblemGroup) -> dict[str, Any]:
    return {
        "code": group.code,
        "turn": group.turn,
        "count": group.count,
        "amounts": {currency: _money(amount) for currency, amount in group.amounts.items()},
        "example": group.example,
        "hint": group.hint,
    }


def _money(amount: Decimal) -> str:
    """Return an amount with its cents; the third stored decimal only where a currency uses it."""
    return f"{amount:.3f}".removesuffix("0")


def _lines(report: dict[str, Any], *, approve_all: bool) -> list[str]:
    lines = []
    if approve_all:
        lines.append(f"Approved: {report['approved']}")
        lines += [f"  not approved: {one['key']} {one['name']}: {one['why']}" for one in report["refused"]]
    lines.append(f"Mappings that wait for a decision: {len(report['mappings'])}")
    for one in report["mappings"]:
        to = f"= {one['avidxchange']}, score {one['score']}" if one["proposal"] == "match" else "new in AvidXchange"
        reasons = f" ({', '.join(one['reasons'])})" if one["reasons"] else ""
        lines.append(f"  {one['key']} {one['name']}: {to}{reasons}")
    lines.append(f"Open problems: {sum(one['count'] for one in report['problems'])}")
    for one in report["problems"]:
        money = ", ".join(f"{amount} {currency}".strip() for currency, amount in one["amounts"].items())
        stake = f", {money} at stake" if money else ""
        lines.append(f"  {one['code']}: {one['count']}{stake}, turn: {one['turn']}. For example: {one['example']}")
        if one["hint"]:
            lines.append(f"    {one['hint']}")
    return lines
