"""What AvidXchange's refusals mean (contract 7): every shape into one ``Fault``, every fault into one of five errors.

The tables are read from the top, first match wins; what matches nothing is ``unexpected`` and loud. Bodies are parsed
by what they look like and never quoted unredacted. Shapes E1 to E6 are the contract's; the codes of single items are
in ``item_faults``.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from connector.avidxchange.item_faults import ITEM_FAULTS, Category, ItemFault, item_fault
from connector.avidxchange.resources import RESOURCES
from connector.avidxchange.wire import Unreadable, as_list, decode, pick, text
from connector.transport.client import Answer
from connector.transport.errors import (
    ConnectorError,
    Misconfigured,
    Rejected,
    Retry,
    System,
    Uncertain,
)
from connector.transport.retry import retry_after

__all__ = ["ITEM_FAULTS", "Category", "Fault", "ItemFault", "classify", "decode_error", "error_of", "item_fault"]

_PARSED_BYTES = 64 * 1024
_TEXT_MAX = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A decoded refusal. ``message`` is redacted; ``wire_code`` is the far side's own word or number;
    ``retry_after_s`` is its wish as it stands, which the client cuts to what the profile allows."""

    category: Category
    code: str
    message: str
    wire_code: str = ""
    field: str = ""
    external_id: str = ""
    http_status: int
    request_id: str = ""
    retry_after_s: float | None = None


# --- whole answers -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table: matches if status, wire code and text do, each where given."""

    category: Category
    code: str
    statuses: frozenset[int] = frozenset()
    wire_code: str = ""
    says: str = ""

    def matches(self, status: int, wire_code: str, said: str) -> bool:
        """Return whether this row is about such an answer."""
        return (
            (not self.statuses or status in self.statuses)
            and (not self.wire_code or re.fullmatch(self.wire_code, wire_code) is not None)
            and (not self.says or re.search(self.says, said, re.IGNORECASE) is not None)
        )


def _on(*statuses: int) -> frozenset[int]:
    return frozenset(statuses)


#: WSO2's gateway codes come first: they mean the same on any status (contract 8; facts 1, S20).
ROWS: tuple[Row, ...] = (
    Row(Category.THROTTLED, "throttled", wire_code=r"9008\d\d"),
    Row(Category.PERMISSION, "not_permitted", wire_code=r"900908|900910"),
    Row(Category.AUTH, "login_refused", wire_code=r"9009\d\d"),
    Row(Category.AUTH, "login_refused", wire_code=r"invalid_client|invalid_grant|invalid_token|unauthorized_client"),
    Row(Category.AUTH, "login_refused", _on(401)),
    Row(Category.PERMISSION, "not_permitted", _on(403)),
    Row(Category.THROTTLED, "throttled", _on(429)),
    Row(Category.TRANSIENT, "unavailable", _on(408, 425, *(set(range(500, 600)) - {501}))),
    Row(Category.NOT_FOUND, "not_found", _on(404, 410)),
    Row(Category.CAPABILITY, "capability_unavailable", _on(405, 501)),
    Row(Category.CONFLICT, "already_received", _on(409)),
    Row(Category.VALIDATION, "too_large", _on(413)),
    Row(Category.VALIDATION, "wrong_file_type", _on(415)),
    Row(Category.DUPLICATE, "duplicate", _on(400, 422), says=r"\bduplicate\b|\balready\b"),
    Row(Category.VALIDATION, "refused", _on(400, 422)),
)


def decode_error(answer: Answer, clean: Callable[[str], str]) -> Fault:
    """Decode any refusal (shapes E1 to E6). ``clean`` redacts text; never raises."""
    wire_code, message, field, external_id = _said(answer)
    row = next((row for row in ROWS if row.matches(answer.status, wire_code, message)), None)
    return Fault(
        category=row.category if row else Category.UNEXPECTED,
        code=row.code if row else "unexpected_answer",
        message=clean(message)[:_TEXT_MAX],
        wire_code=clean(wire_code)[:60],
        field=clean(field)[:100],
        external_id=clean(external_id)[:100],
        http_status=answer.status,
        request_id=answer.request_id,
        retry_after_s=retry_after(answer.headers),
    )


def _said(answer: Answer) -> tuple[str, str, str, str]:
    """Return code, message, field and external id of an answer's body, "" each where it has none."""
    body = answer.body[:_PARSED_BYTES].strip()
    if body[:1] in (b"{", b"["):
        try:
            return _from_json(decode(body))
        except Unreadable:
            return "", "", "", ""
    written = body.decode("utf-8", "replace")
    if re.search(r"<(\w+:)?fault\b", written):
        return _tag(written, "code"), _both(_tag(written, "message"), _tag(written, "description")), "", ""
    # HTML and anything else (E6) is a proxy's own page: its text says nothing of our request.
    return "", "", "", ""


def _tag(written: str, name: str) -> str:
    # A pattern and no XML parser: the document is small, from outside, and an entity in it must not be expanded.
    found = re.search(rf"<(?:\w+:)?{name}>([^<]*)<", written)
    return html.unescape(found.group(1)).strip() if found else ""


def _both(message: str, detail: str) -> str:
    if not detail or detail == message:
        return message
    return detail if not message or detail.startswith(message) else f"{message}: {detail}"


def _from_json(body: Any) -> tuple[str, str, str, str]:
    def at(row: object, *paths: str) -> str:
        return next((found for path in paths if (found := text(pick(row, path)))), "")

    if isinstance(body, list):  # E5
        first = body[0] if body else {}
        return at(first, "code"), at(first, "message"), at(first, "field"), ""
    for result in as_list(pick(body, "Results")):  # E1
        for error in as_list(pick(result, "Errors")):
            return at(error, "Code"), at(error, "Message"), at(error, "Field"), at(result, "Item.ExternalId")
    if isinstance(pick(body, "exception"), dict):  # E3
        return "", _both(at(body, "exception.reason"), at(body, "exception.detail")), "", ""
    if isinstance(pick(body, "fault"), dict):  # E4, wrapped
        body = pick(body, "fault")
    for error in as_list(pick(body, "Errors")):
        if isinstance(error, dict):
            return at(error, "Code"), at(error, "Message"), at(error, "Field"), ""
    if isinstance(pick(body, "error"), str):  # E2
        return at(body, "error"), at(body, "error_description"), "", ""
    return at(body, "code"), _both(at(body, "message"), at(body, "description")), at(body, "field"), ""


# --- what to do about it -------------------------------------------------------------------------------------------

#: Calls that change something over there.
WRITES = frozenset(name for name, row in RESOURCES.items() if row.method == "POST" and name != "token")
BATCHES = frozenset(name for name in WRITES if name.endswith("_batches"))
#: Calls about one record by its id: a 404 is about the record. For images the body must say so, see ``_not_there``.
_BY_ID = frozenset({"batch", "captured_invoices", "download"})
_NOT_THERE = {"download": "image_missing"}


def classify(answer: Answer, operation: str, clean: Callable[[str], str]) -> ConnectorError | None:
    """Return the error an answer is, or None. ``operation`` is a name of ``RESOURCES``, or ``captured_invoices`` (R12)
    or ``download`` (R16)."""
    if 200 <= answer.status < 300:
        return _good_status(answer, operation, clean)
    return error_of(decode_error(answer, clean), operation)


def _good_status(answer: Answer, operation: str, clean: Callable[[str], str]) -> ConnectorError | None:
    """A 200 is not yet success: a gateway's fault or a proxy's page may hide in it (contract 8, E6)."""
    body = answer.body.lstrip()[:1]
    kind = next((value for name, value in answer.headers.items() if name.lower() == "content-type"), "")
    if operation == "download":
        return unreadable("a web page came instead of the file", operation, answer) if "html" in kind else None
    fault = decode_error(answer, clean) if len(answer.body) <= _PARSED_BYTES and b"9008" in answer.body else None
    if fault is not None and fault.category is Category.THROTTLED:
        return error_of(fault, operation)
    if body == b"<" or "html" in kind:
        return unreadable("a web page came instead of data", operation, answer)
    if body and body not in b"{[\xef":
        return unreadable("the answer is not JSON", operation, answer)
    return None


def unreadable(reason: str, operation: str, answer: Answer | None) -> ConnectorError:
    """Return the error for a good status with an unusable body: read again later; for a write, look first."""
    kind: type[Retry | Uncertain] = Uncertain if operation in WRITES else Retry
    return kind(
        f"{operation}: AvidXchange answered{f' {answer.status}' if answer else ''}, but {reason}.",
        system=System.AVIDXCHANGE,
        code="unreadable_answer",
        status=answer.status if answer else None,
        request_id=answer.request_id if answer else "",
        hint="If this stays, the address of the connection may lead to something else than AvidXchange.",
    )


_HINTS = {
    Category.AUTH: "Check the tokens, or the client id and secret, of the AvidXchange connection.",
    Category.PERMISSION: "Ask AvidXchange which rights and which company these credentials are for.",
    Category.CONFLICT: "Look the batch up in AvidXchange before anything else.",
    Category.CAPABILITY: "This AvidXchange does not offer it at the path in the profile. Ask AvidXchange for the path.",
}


def error_of(fault: Fault, operation: str) -> ConnectorError:
    """Return what to do about a fault of a call (design section 5)."""
    fault = _in_context(fault, operation)
    said = f": {fault.message}" if fault.message else ""
    message = f"{operation}: AvidXchange answered {fault.http_status}{said}"
    if fault.category in (Category.THROTTLED, Category.TRANSIENT):
        return Retry(
            message,
            system=System.AVIDXCHANGE,
            code=fault.code,
            status=fault.http_status,
            request_id=fault.request_id,
            delay_s=fault.retry_after_s,
        )
    return _kind(fault, operation)(
        message,
        system=System.AVIDXCHANGE,
        code=fault.code,
        status=fault.http_status,
        request_id=fault.request_id,
        hint=_HINTS.get(fault.category, ""),
    )


def _kind(fault: Fault, operation: str) -> type[Misconfigured | Rejected | Uncertain]:
    if fault.category is Category.CONFLICT:
        return Uncertain if operation in WRITES else Misconfigured
    if fault.category in (Category.VALIDATION, Category.DUPLICATE, Category.NOT_FOUND):
        # A read has no record that could be refused: asked like this, it would be refused every time.
        return Rejected if operation in WRITES | _BY_ID and fault.code != "batch_too_large" else Misconfigured
    return Misconfigured


def _in_context(fault: Fault, operation: str) -> Fault:
    """Return the fault as it is to be read for this call: whose 404 it is, what was too large, a code of an item."""
    category, code = fault.category, fault.code
    if category is Category.NOT_FOUND and not _about_record(fault, operation):
        category, code = Category.CAPABILITY, "capability_unavailable"
    elif category is Category.NOT_FOUND:
        code = _NOT_THERE.get(operation, code)
    elif fault.http_status == 413:
        code = "image_too_large" if operation == "images" else "batch_too_large"
    elif category is Category.VALIDATION and fault.wire_code.lower() in ITEM_FAULTS and operation in WRITES:
        code = fault.wire_code.lower()
    return replace(fault, category=category, code=code)


def _about_record(fault: Fault, operation: str) -> bool:
    """A 404 is about the record where the call names one; for an assumed path only if the body names the record."""
    if operation == "images":
        return re.search(r"\binvoice\b", fault.message, re.IGNORECASE) is not None
    return operation in _BY_ID
