"""The envelopes around AvidXchange's data: lists with paging, and answers to batches with one verdict an item.

A verdict is matched to its item by the echoed external id; by position only if the counts match and nothing that was
echoed contradicts the order (contract 2.7); else the item is *unmatched*, which means its outcome is unknown. A wrong
verdict would be worse than none: it would link an invoice to another one's id.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from connector.avidxchange.item_faults import item_fault
from connector.avidxchange.profile import Profile
from connector.avidxchange.records import BatchAnswer, BatchState, Verdict
from connector.avidxchange.wire import Reader, Unreadable, as_list, decode, flag, pick, text, whole

_TEXT_MAX = 500


@dataclass(frozen=True, slots=True)
class Paging:
    """What a list says of its own extent (contract 2.3); None where it does not say. ``links``: it has any links."""

    pages: int | None = None
    total: int | None = None
    next_href: str = ""
    links: bool = False


@dataclass(frozen=True, slots=True)
class ListReply:
    """One page of a list. ``paging`` is None where the resource has no paging."""

    rows: list[Any]
    paging: Paging | None


def decode_list(body: bytes) -> ListReply:
    """Decode a list reply (contract 2.2, 2.3, 2.6). Raises ``Unreadable`` if it is none."""
    whole_body = decode(body)
    if isinstance(whole_body, list):
        return ListReply(whole_body, None)
    if not isinstance(whole_body, dict):
        raise Unreadable("the answer is not a list")
    paging = pick(whole_body, "Paging")
    items = _member(whole_body, "items")
    if items is _ABSENT:
        raise Unreadable("the answer has no Items")
    return ListReply(as_list(items), _paging(paging) if isinstance(paging, dict) else None)


def decode_single(body: bytes) -> Any:
    """Decode a single record, which may come wrapped in ``Items`` (contract 2.2). Raises ``Unreadable``."""
    found = decode(body)
    if isinstance(found, dict):
        items = _member(found, "items")
        if items is not _ABSENT:
            found = items
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    if not isinstance(found, dict):
        raise Unreadable("the answer is not one record")
    return found


_ABSENT = object()


def _member(row: dict[str, Any], folded: str) -> Any:
    return next((value for name, value in row.items() if name.casefold() == folded), _ABSENT)


def _paging(row: dict[str, Any]) -> Paging:
    links = as_list(pick(row, "Links"))
    onward = (link for link in links if (text(pick(link, "Rel")) or "").casefold() == "next")
    return Paging(
        pages=_count(row, "PageCount", "Pages"),
        total=_count(row, "TotalItems"),
        next_href=next((text(pick(link, "Href")) or "" for link in onward), ""),
        links=bool(links),
    )


def _count(row: dict[str, Any], *names: str) -> int | None:
    """A count that cannot be read counts as not given: paging then goes on until an empty page."""
    for name in names:
        try:
            found = whole(pick(row, name))
        except Unreadable:
            continue
        if found is not None and found >= 0:
            return found
    return None


# --- answers to batches ------------------------------------------------------------------------------------------


def decode_results(
    body: bytes,
    sent: Sequence[str],
    profile: Profile,
    *,
    key_name: str,
    status: int,
    clean: Callable[[str], str],
) -> BatchAnswer:
    """Decode the answer to a batch write or status read (contract 2.5 to 2.7, 5.1).

    ``sent`` are the items' external ids in the order sent, ``key_name`` is the item field that may echo them beside
    ``ExternalId``, ``status`` the HTTP status, ``clean`` redacts free text. Raises ``Unreadable``.
    """
    found = decode(body)
    if isinstance(found, list):
        found = {"Results": found}
    if not isinstance(found, dict):
        raise Unreadable("the answer is not a batch")
    wrapped = _member(found, "items")
    if wrapped is not _ABSENT and _member(found, "results") is _ABSENT:
        inner = as_list(wrapped)
        found = inner[0] if len(inner) == 1 and isinstance(inner[0], dict) else found
    head = Reader(found, "answer", profile.fields, profile.zone)
    results = _results(found)
    verdicts = _match(results, sent, profile, key_name, clean)
    unmatched = tuple(external_id for external_id in sent if external_id not in verdicts)
    in_order = tuple(verdicts[external_id] for external_id in sent if external_id in verdicts)
    return BatchAnswer(
        avid_batch_id=head.text("id"),
        external_id=head.text("external_id"),
        status_text=clean(head.text("status")),
        state=batch_state(in_order, unmatched, accepted_only=status == 202),
        verdicts=in_order,
        unmatched=unmatched,
    )


def _results(row: dict[str, Any]) -> list[Any]:
    found = _member(row, "results")
    if found is not _ABSENT:
        return as_list(found)
    return [row] if _member(row, "successful") is not _ABSENT else []


def batch_state(verdicts: Sequence[Verdict], unmatched: Sequence[str], *, accepted_only: bool) -> BatchState:
    """Return a batch's state from its verdicts (contract 5.1); the status word of the reply is never trusted alone."""
    outcomes = {verdict.successful for verdict in verdicts}
    if accepted_only or unmatched or None in outcomes or not verdicts:
        return BatchState.PROCESSING
    if outcomes == {True}:
        return BatchState.SUCCESS
    return BatchState.FAILED if outcomes == {False} else BatchState.PARTIAL


def _match(
    results: Sequence[Any], sent: Sequence[str], profile: Profile, key_name: str, clean: Callable[[str], str]
) -> dict[str, Verdict]:
    places = {external_id: place for place, external_id in enumerate(sent)}
    echoes = [_echo(result, places, key_name) for result in results]
    by_echo: dict[str, list[int]] = {}
    for at, echo in enumerate(echoes):
        if echo:
            by_echo.setdefault(echo, []).append(at)
    found = {echo: at[0] for echo, at in by_echo.items() if echo in places and _agree([results[i] for i in at])}
    silent = [at for at, echo in enumerate(echoes) if not echo]
    if len(results) == len(sent) and silent:
        orderly = all(not echo or places.get(echo) == at for at, echo in enumerate(echoes))
        lonely = len(silent) == 1 and len(by_echo) == len(sent) - 1 and by_echo.keys() <= places.keys()
        if orderly:
            found |= {sent[at]: at for at in silent}
        elif lonely:
            left = next(external_id for external_id in sent if external_id not in by_echo)
            found[left] = silent[0]
    return {external_id: _verdict(external_id, results[at], profile, clean) for external_id, at in found.items()}


def _echo(result: Any, known: dict[str, int], key_name: str) -> str:
    """Return the external id a result names, "" if it names none. One that we did not send is returned as it is."""
    named = [text(pick(result, path)) for path in ("Item.ExternalId", f"Item.{key_name}", "ExternalId")]
    there = [name for name in named if name]
    return next((name for name in there if name in known), there[0] if there else "")


def _agree(results: Sequence[Any]) -> bool:
    """Two results for one item count only if they say the same."""
    return len({(_outcome(result), text(pick(result, "Item.Id"))) for result in results}) == 1


def _errors(result: Any) -> list[Any]:
    """Errors as a list; an empty object or text is no error."""
    return [error for error in as_list(pick(result, "Errors")) if error not in ({}, "", None)]


def _outcome(result: Any) -> bool | None:
    said, errors = flag(pick(result, "Successful")), bool(_errors(result))
    if said is None:
        return False if errors else None
    # Success with errors is a contradiction; whoever believes either half may be wrong.
    return None if said and errors else said


def _verdict(external_id: str, result: Any, profile: Profile, clean: Callable[[str], str]) -> Verdict:
    item = Reader(pick(result, "Item"), "item", profile.fields, profile.zone)
    errors = _errors(result)
    readers = [Reader(error, "error", profile.fields, profile.zone) for error in errors]
    messages = [read.text("message") or text(error) or "" for read, error in zip(readers, errors, strict=True)]
    message = clean("; ".join(dict.fromkeys(filter(None, messages))))[:_TEXT_MAX]
    code = next((found for read in readers if (found := read.text("code"))), "")
    return Verdict(
        external_id=external_id,
        successful=_outcome(result),
        avid_id=item.text("id"),
        status=clean(item.text("status")),
        code=item_fault(code, message).code if errors else "",
        message=message,
        field=clean(next((found for read in readers if (found := read.text("field"))), "")),
    )


def refusal(body: bytes, profile: Profile, *, clean: Callable[[str], str]) -> Verdict | None:
    """Return why a write of one thing was refused although the status was good (E1), or None if it was not.

    An empty answer is no refusal. Raises ``Unreadable`` for one that cannot be read.
    """
    found = decode(body) if body.strip() else {}
    results = _results(found) if isinstance(found, dict) else []
    verdicts = (_verdict("", result, profile, clean) for result in results)
    return next((verdict for verdict in verdicts if verdict.successful is False), None)
