"""What happened to a record, in time order, gathered from every table that knows: submissions and verdicts, documents
and their steps, problems, the audit trail, and each remote call.

Reads only, a fixed number of queries a story, each bounded: a page shows the newest ``MOST`` of a kind.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from django.db.models import Q
from django.urls import reverse

from connector.stages import LABELS, Stage
from syncjobs.models import Attempt, BatchItem, Posting, Problem
from syncjobs.pages import Event
from syncjobs.states import ItemState, ProblemState
from syncjobs.templatetags.shown import said, tone
from tenants.models import AuditEvent, Tenant

MOST = 100
HERE, EPICOR, AVIDXCHANGE = "ml-connector", "Epicor", "AvidXchange"
SYSTEMS = {"epicor": EPICOR, "avidxchange": AVIDXCHANGE}

#: Audit actions in a person's words; others are taken apart by ``action_words``.
_ACTIONS = {
    "mapping.approved": "Mapping approved",
    "mapping.rejected": "Mapping rejected",
    "mapping.ignored": "Mapping ignored",
    "mapping.taken_back": "Mapping put back into the queue",
    "replay.requested": "Replay asked for",
    "replay.planned": "Planned by a replay",
    "problem.resolved": "Problem resolved",
    "problem.ignored": "Problem ignored",
    "problem.reopened": "Problem opened again",
    "problem.assigned": "Problem taken on",
    "schedule.paused": "Stage paused",
    "schedule.resumed": "Stage resumed",
    "schedule.changed": "Schedule changed",
    "run.cancelled": "Run cancelled",
    "run.asked": "Run asked for",
    "connection.opened": "A system became unavailable",
    "connection.closed": "It is available again",
    "connection.tried_again": "Asked to be tried again",
}


def in_order(*parts: Iterable[Event]) -> list[Event]:
    """Return all events, the oldest first, with good remote calls in a row folded into one."""
    events = sorted((event for part in parts for event in part), key=lambda event: event.at)
    told: list[Event] = []
    for (quiet, where), group in groupby(events, key=lambda event: (event.quiet_call, event.where)):
        several = list(group)
        told += [_folded(several, where)] if quiet and len(several) > 1 else several
    return told


def _folded(several: Sequence[Event], where: str) -> Event:
    """Tell several calls in a row as one; each is still there to look at."""
    return Event(at=several[0].at, where=where, title=f"{len(several)} calls, all answered", parts=several)


def of_subject(tenant: Tenant, kind: str, key: str, pk: int, *, also: Collection[str] = ()) -> list[Event]:
    """Return the story of one record that is sent to AvidXchange; ``also`` are further kinds of the same row."""
    kinds = [kind, *also]
    items = list(
        BatchItem.objects.filter(tenant=tenant, subject_kind__in=kinds, subject_id=pk)
        .select_related("batch")
        .order_by("-pk")[:MOST]
    )
    batches = {item.batch_id for item in items}
    return in_order(
        submissions(items), problems(tenant, kinds, pk), trail(tenant, kinds, key), calls(Q(batch__in=batches), tenant)
    )


def submissions(items: Iterable[BatchItem]) -> Iterator[Event]:
    """Tell of each submission of a record and of AvidXchange's verdict on it."""
    for item in items:
        batch = item.batch
        href = reverse("admin:syncjobs_batch_change", args=[batch.pk])
        at = batch.sent_at or batch.created_at
        what = "Sent" if batch.sent_at else "Put into a batch to be sent"
        yield Event(
            at=at, where=HERE, title=f"{what} in {batch.external_id}", detail=f"As {item.external_id}.", href=href,
            technical={"payload": item.payload},
        )  # fmt: skip
        if item.state != ItemState.PENDING:
            verdict = f"{item.get_state_display()} by AvidXchange" if item.state != ItemState.DROPPED else "Not sent"
            yield Event(
                at=batch.settled_at or batch.updated_at,
                where=AVIDXCHANGE,
                title=verdict,
                detail=said(f"{item.message} ({item.field})" if item.field else item.message) if item.message else "",
                tone=tone(item.state),
                href=href,
                technical={"code": item.code, "status": item.status_text} if item.code or item.status_text else None,
            )


def documents(postings: Iterable[Posting]) -> Iterator[Event]:
    """Tell of each document written to Epicor and of its steps."""
    for posting in postings:
        href = reverse("admin:syncjobs_posting_change", args=[posting.pk])
        again = " again, by a replay" if posting.replay_of_id else ""
        yield Event(
            at=posting.created_at, where=HERE, title=f"{posting.get_kind_display()} to be written{again}", href=href
        )
        for step in posting.steps:
            at = moment(step.get("at"))
            if at is not None:
                done = step.get("state") == "done"
                name = str(step.get("step", "")).replace("_", " ")
                yield Event(
                    at=at, where=EPICOR, title=f"{name.capitalize()} {'done' if done else 'begun'}",
                    tone="success" if done else "", href=href, technical=step,
                )  # fmt: skip
        if posting.message and posting.done_at is None:
            yield Event(
                at=posting.updated_at, where=EPICOR, title=str(posting.get_state_display()),
                detail=said(posting.message), tone=tone(posting.state), href=href,
            )  # fmt: skip
        if posting.done_at is not None:
            number = f" as number {posting.head_num}" if posting.head_num else ""
            yield Event(
                at=posting.done_at, where=EPICOR, title=f"{posting.get_kind_display()} is in Epicor{number}",
                tone="success", href=href,
            )  # fmt: skip


def problems(tenant: Tenant, kinds: Collection[str], pk: int) -> Iterator[Event]:
    """Tell of what needed a person, and how it ended."""
    for problem in Problem.objects.filter(tenant=tenant, subject_kind__in=kinds, subject_id=pk).order_by("-pk")[:MOST]:
        href = reverse("admin:syncjobs_problem_change", args=[problem.pk])
        yield Event(
            at=problem.created_at, where=HERE, title=problem.message, detail=problem.hint, tone="warning", href=href
        )
        if problem.resolved_at is not None and problem.state != ProblemState.OPEN:
            yield Event(
                at=problem.resolved_at, where=HERE,
                title=f"{problem.get_state_display()} by {problem.resolved_by}: {problem.message}",
                detail=problem.resolution, tone="success", href=href,
            )  # fmt: skip


def trail(tenant: Tenant, kinds: Collection[str], key: str) -> Iterator[Event]:
    """Tell what the audit trail has of a record."""
    rows = AuditEvent.objects.filter(tenant=tenant, subject_kind__in=kinds, subject_key=key[:255])
    for event in rows.order_by("-sequence")[:MOST]:
        yield audited(event)


def audited(event: AuditEvent) -> Event:
    """Tell of one row of the audit trail."""
    facts = {"before": event.before, "after": event.after, "run": event.run}
    return Event(
        at=event.at,
        where=HERE,
        title=f"{action_words(event.action)} ({event.actor_name})",
        detail=event.reason,
        href=reverse("admin:tenants_auditevent_change", args=[event.pk]),
        technical={name: value for name, value in facts.items() if value},
    )


def action_words(action: str) -> str:
    """Return a dotted audit action in words: the stage's own name where it begins with one."""
    if action in _ACTIONS:
        return _ACTIONS[action]
    first, _, rest = action.partition(".")
    begins = LABELS[Stage(first)] if first in set(Stage) else first.replace("_", " ").capitalize()
    return f"{begins}: {rest.replace('_', ' ').replace('.', ' ')}" if rest else begins


def calls(condition: Q, tenant: Tenant) -> Iterator[Event]:
    """Tell of remote calls, with what went over the wire, masked when it was stored and again when shown."""
    for call in Attempt.objects.filter(condition, tenant=tenant).order_by("-pk")[:MOST]:
        yield called(call)


def called(call: Attempt) -> Event:
    """Tell of one remote call."""
    system = SYSTEMS.get(call.system, call.system)
    # Looking for something that is not there is how we make sure, not a failure.
    good = call.status is not None and (call.status < 400 or call.status == 404)
    return Event(
        at=call.started_at,
        where=system,
        title=f"{operation_words(call.operation)}: {answer_words(call.status)}",
        tone="" if good else "danger",
        quiet_call=good,
        href=reverse("admin:syncjobs_attempt_change", args=[call.pk]),
        technical={
            "call": f"{call.method} {call.url}",
            "status": call.status,
            "seconds": round(call.seconds, 3),
            "request id": call.request_id,
            "error": call.error,
            "sent": call.request_shape,
            "answered": call.response_shape,
        },
    )


def operation_words(operation: str) -> str:
    """Return the name of a call in words: ``Erp.BO.APInvoiceSvc/GetByID`` is "APInvoice: Get By ID"."""
    bare = re.sub(r"^Erp\.BO\.(\w+?)Svc/", r"\1: ", operation)
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", bare.replace("_", " ").replace(".", " "))
    return spaced[:1].upper() + spaced[1:] if spaced else "Call"


def answer_words(status: int | None) -> str:
    """Return what kind of answer a status is, for people who do not read numbers."""
    if status is None:
        return "no answer came"
    if status < 400:
        return "answered"
    if status in (401, 403):
        return "did not let us in"
    if status == 404:
        return "not found"
    if status == 429:
        return "asked us to slow down"
    return "refused" if status < 500 else "had a fault of its own"


def moment(text: Any) -> datetime | None:
    """Return a stored moment (ISO 8601) as one, None for anything else."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
