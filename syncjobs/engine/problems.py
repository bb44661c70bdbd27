"""What needs a person: opened once, seen again, and closed by itself when the record gets through.

Everything is set-based, a page at a time: ``report_page`` is told about every subject of a page, with its finding or
None, opens or refreshes what was found and resolves what no longer is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models.functions import Now

from connector.translate.codebook import Hold
from syncjobs.engine.context import StageContext
from syncjobs.models import Problem
from syncjobs.states import ProblemState

#: Whose turn a code is, where it is not finance's (design section 1, People).
TURN = {
    "misconfigured": "implementer",
    "wrong_company": "implementer",
    "company_missing": "implementer",
    "capability_unavailable": "implementer",
    "bad_row": "operator",
    "outcome_unknown": "operator",
    "connection_down": "operator",
    "missing_address": "purchasing",
    "po_not_approved": "purchasing",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing found about a subject; ``amount`` is the money at stake, in ``currency``."""

    code: str
    message: str
    hint: str = ""
    field: str = ""
    subject_id: int | None = None
    amount: Decimal | None = None
    currency: str = ""
    due_date: date | None = None

    @classmethod
    def of(cls, hold: Hold, **facts: Any) -> Finding:
        """Make a finding of a translation's reason to hold, with whatever more is known of the subject."""
        return cls(code=hold.code, message=hold.message, hint=hold.hint, field=hold.field, **facts)


_OPEN = """
INSERT INTO syncjobs_problem
    (tenant_id, stage, code, subject_kind, subject_key, subject_id, state, message, hint, field, turn, amount, currency,
     due_date, run_id, last_seen_at, times, resolved_by, resolution, created_at, updated_at)
SELECT %s, %s, %s, %s, %s, %s, 'open', %s, %s, %s, %s, %s, %s, %s, %s, now(), 1, '', '', now(), now()
-- What a person ignores stays ignored until its words change (field lesson 23).
WHERE NOT EXISTS (
    SELECT 1 FROM syncjobs_problem ignored
    WHERE ignored.tenant_id = %s AND ignored.state = 'ignored' AND ignored.code = %s AND ignored.subject_kind = %s
        AND ignored.subject_key = %s AND ignored.message = %s
)
ON CONFLICT (tenant_id, subject_kind, subject_key, code) WHERE state = 'open' DO UPDATE SET
    message = EXCLUDED.message, hint = EXCLUDED.hint, field = EXCLUDED.field, subject_id = EXCLUDED.subject_id,
    amount = EXCLUDED.amount, currency = EXCLUDED.currency, due_date = EXCLUDED.due_date, stage = EXCLUDED.stage,
    run_id = EXCLUDED.run_id, last_seen_at = now(), updated_at = now(),
    times = syncjobs_problem.times
        + CASE WHEN syncjobs_problem.run_id IS DISTINCT FROM EXCLUDED.run_id THEN 1 ELSE 0 END
"""


def report_page(
    ctx: StageContext,
    subject_kind: str,
    found: Mapping[str, Finding | None],
    *,
    codes: Collection[str] = (),
    keep: Collection[str] = (),
) -> None:
    """Tell about the subjects of a page, by their keys; call it inside ``ctx.commit()``.

    A subject with a finding has it opened or refreshed; any other open problem of a told subject is resolved, or only
    those of ``codes`` where the teller knows of no others. Those of ``keep`` are a person's to close.
    """
    if not found:
        return
    findings = [(key, finding) for key, finding in found.items() if finding is not None]
    if findings:
        with connection.cursor() as cursor:
            cursor.executemany(_OPEN, [_row(ctx, subject_kind, key, finding) for key, finding in findings])
    current = {(key, finding.code) for key, finding in findings}
    stale = [
        pk
        for pk, key, code in Problem.objects.filter(
            tenant=ctx.tenant, subject_kind=subject_kind, subject_key__in=list(found), state=ProblemState.OPEN
        ).values_list("pk", "subject_key", "code")
        if (key, code) not in current and (not codes or code in codes) and code not in keep
    ]
    _resolve(stale, f"Gone when {ctx.run.get_stage_display()} ran again.")


def report(ctx: StageContext, subject_kind: str, key: str, finding: Finding) -> None:
    """Open or refresh one problem without touching the subject's others; call it inside ``ctx.commit()``."""
    with connection.cursor() as cursor:
        cursor.execute(_OPEN, _row(ctx, subject_kind, key, finding))


def resolve(ctx: StageContext, subject_kind: str, key: str, *, codes: tuple[str, ...], why: str) -> None:
    """Resolve named problems of one subject, because what they were about has come right."""
    open_ones = Problem.objects.filter(
        tenant=ctx.tenant, subject_kind=subject_kind, subject_key=key, code__in=codes, state=ProblemState.OPEN
    )
    _resolve(list(open_ones.values_list("pk", flat=True)), why)


def report_run(ctx: StageContext, *, code: str, message: str, hint: str) -> None:
    """Open the problem that the stage itself cannot run; whoever looks after connections has the turn."""
    report(ctx, "stage", ctx.stage, Finding(code=code, message=message, hint=hint))


def resolve_run(ctx: StageContext) -> None:
    """Resolve whatever kept the stage from running: it has just run."""
    blocked = Problem.objects.filter(
        tenant=ctx.tenant, subject_kind="stage", subject_key=ctx.stage, state=ProblemState.OPEN
    )
    _resolve(list(blocked.values_list("pk", flat=True)), "The stage ran again.")


def _resolve(pks: list[int], why: str) -> None:
    if pks:
        Problem.objects.filter(pk__in=pks, state=ProblemState.OPEN).update(
            state=ProblemState.RESOLVED,
            resolved_at=Now(),
            updated_at=Now(),
            resolved_by="ml-connector",
            resolution=why[:500],
        )


def _row(ctx: StageContext, subject_kind: str, key: str, finding: Finding) -> tuple[Any, ...]:
    turn = "implementer" if subject_kind == "stage" else TURN.get(finding.code, "finance")
    return (
        ctx.tenant.pk,
        str(ctx.stage),
        finding.code[:60],
        subject_kind,
        key[:250],
        finding.subject_id,
        finding.message,
        finding.hint,
        finding.field[:100],
        turn,
        finding.amount,
        finding.currency,
        finding.due_date,
        ctx.run.pk,
        *(ctx.tenant.pk, finding.code[:60], subject_kind, key[:250], finding.message),
    )
