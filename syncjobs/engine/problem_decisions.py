"""What a person decides about problems: resolve, ignore, open again, take on. Each with an audit row.

Resolving says that it is dealt with; a run that still finds the cause opens it anew. Ignoring says that it may stay as
it is: the same finding about the same subject does not open again until its words change (``problems``).
"""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from syncjobs.models import Problem
from syncjobs.states import ProblemState, advance, may_move
from tenants import audit
from tenants.audit import Actor


def resolve(problem: Problem, *, actor: Actor, reason: str) -> str:
    """Close a problem as dealt with; returns why not, "" when done."""
    return _close(problem, ProblemState.RESOLVED, "problem.resolved", actor=actor, reason=reason)


def ignore(problem: Problem, *, actor: Actor, reason: str) -> str:
    """Close a problem as one that may stay; returns why not, "" when done."""
    return _close(problem, ProblemState.IGNORED, "problem.ignored", actor=actor, reason=reason)


def reopen(problem: Problem, *, actor: Actor, reason: str) -> str:
    """Open a closed problem again; returns why not, "" when done."""
    gone: dict[str, Any] = {"resolved_at": None, "resolved_by": "", "resolution": ""}
    return _move(problem, ProblemState.OPEN, "problem.reopened", actor=actor, reason=reason, values=gone)


def take_on(problem: Problem, *, actor: Actor) -> str:
    """Assign an open problem to the person who asks for it; returns why not, "" when done."""
    before = problem.assigned_to.get_username() if problem.assigned_to else ""
    with transaction.atomic():
        mine = Problem.objects.filter(pk=problem.pk, state=ProblemState.OPEN)
        if not mine.update(assigned_to_id=actor.id, updated_at=timezone.now()):
            return "It is closed already."
        audit.record(
            problem.tenant,
            "problem.assigned",
            actor=actor,
            subject=subject(problem),
            before={"assigned_to": before},
            after={"assigned_to": actor.name, "code": problem.code},
        )
    return ""


def subject(problem: Problem) -> tuple[str, str]:
    """Return the kind and key under which a problem's audit rows stand: those of what it is about."""
    return problem.subject_kind, problem.subject_key


def _close(problem: Problem, to: ProblemState, action: str, *, actor: Actor, reason: str) -> str:
    if not reason.strip():
        return "It needs a reason."
    values = {"resolved_at": timezone.now(), "resolved_by": actor.name[:150], "resolution": reason[:500]}
    return _move(problem, to, action, actor=actor, reason=reason, values=values)


def _move(problem: Problem, to: ProblemState, action: str, *, actor: Actor, reason: str, values: dict[str, Any]) -> str:
    before = problem.state
    if before == to or not may_move(ProblemState, before, to):
        return f"It is {problem.get_state_display().lower()} already."
    try:
        with transaction.atomic():
            if not advance(problem, to, **values):
                return "Somebody else has just decided it."
            audit.record(
                problem.tenant,
                action,
                actor=actor,
                subject=subject(problem),
                before={"state": before, "code": problem.code},
                after={"state": str(to), "code": problem.code},
                reason=reason,
            )
    except IntegrityError:
        problem.refresh_from_db()
        return "The same problem has been found again since and is open."
    return ""
