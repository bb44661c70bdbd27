"""What Epicor's refusals mean: one table, closed by default, unknown is loud.

A row names what must be seen (status, exception type, words of the message) and what it amounts to. The first row that
fits wins, so the particular stand before the general. Each row has a test from a real-shaped body. Sources: epicor.md
2.4, 5.5, 6.1 and 8; the words are matched loosely because releases and languages differ, the types exactly.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from connector.transport.errors import ConnectorError, Held, Misconfigured, Rejected, Retry, System
from connector.transport.redact import Redactor
from connector.transport.sender import Answer, header

SOURCE = System.EPICOR
#: How a body begins that is an error whatever its status says; data begins with ``@odata.context`` or ``returnObj``.
_ERROR_INSIDE = re.compile(rb'\s*\{\s*"(HttpStatus|ReasonPhrase|ErrorMessage|ErrorType|error)"\s*:')


@dataclass(frozen=True, slots=True)
class Fault:
    """One quirk. Empty ``statuses`` fit any refusal; empty patterns fit any text. Patterns ignore case."""

    code: str
    error: type[ConnectorError]
    statuses: frozenset[int] = frozenset()
    kind: str = ""
    text: str = ""
    hint: str = ""

    def fits(self, status: int, kind: str, text: str) -> bool:
        """Tell whether an answer's status, exception type and message are this quirk."""
        return (
            (not self.statuses or status in self.statuses)
            and (not self.kind or re.search(self.kind, kind, re.IGNORECASE) is not None)
            and (not self.text or re.search(self.text, text, re.IGNORECASE | re.DOTALL) is not None)
        )


def _at(*statuses: int) -> frozenset[int]:
    return frozenset(statuses)


_LOGIN = "Check the user, password or client of this Epicor connection, and that the account is not locked."
_KEY = "Check the API key: each environment has its own, and a refreshed copy of the database may have lost it."

FAULTS: tuple[Fault, ...] = (
    # Capacity and state: nothing was done, later may work.
    Fault("licenses_used_up", Retry, text=r"maximum users exceeded|licen[cs]e.{0,40}(exceeded|exhausted|unavailable)",
          hint="All Epicor licences are in use. A Web Service licence for the integration avoids this."),
    Fault("session_expired", Retry, kind=r"InvalidSessionException"),
    Fault("session_expired", Retry, text=r"session is invalid or has been deleted"),
    Fault("session_expired", Retry, _at(410)),
    Fault("maintenance", Retry, kind=r"ConversionsPendingException",
          hint="Epicor is being upgraded; work goes on when it is back."),
    Fault("throttled", Retry, _at(429)),
    # The causes that share 401 (and 403 on some versions); told apart by their words only.
    Fault("scope_excluded", Misconfigured, _at(401, 403), text=r"access scope",
          hint="Add the service and method to the API key's Access Scope."),
    Fault("method_denied", Misconfigured, _at(401, 403), text=r"access denied|not authorized to (run|access|use)",
          hint="Give the integration user's security group access to this method."),
    Fault("api_key_missing", Misconfigured, _at(400, 401, 403), hint=_KEY,
          text=r"api[- ]?key.{0,30}(missing|required|not provided)"),
    Fault("api_key_missing", Misconfigured, _at(400, 401, 403), hint=_KEY,
          text=r"\b(missing|requires?|no)\b.{0,20}api[- ]?key"),
    Fault("api_key_refused", Misconfigured, _at(400, 401, 403), text=r"api[- ]?key", hint=_KEY),
    Fault("token_refused", Misconfigured, _at(401, 403), hint=_LOGIN,
          text=r"token.{0,40}(expired|invalid|not valid)|(expired|invalid).{0,20}token"),
    Fault("login_refused", Misconfigured, _at(401), text=r"user|password|login|credential", hint=_LOGIN),
    Fault("access_refused", Misconfigured, _at(401, 403), hint=_LOGIN),
    # Somebody else has it.
    Fault("group_locked", Held, text=r"group.{0,60}(locked|in use|being used)|(locked|in use).{0,60}group",
          hint="Ask the named user to leave the group in Epicor, or unlock it there; then retry."),
    Fault("group_exists", Rejected, text=r"\bgroup already exists"),
    Fault("row_changed", Retry, text=r"(modified|changed|updated) by another user|record.{0,30}has (been )?changed"),
    # Documents that clash.
    Fault("check_number_used", Rejected,
          text=r"\bcheck (number|num\b|no\b|#?\d+).{0,60}(already|duplicate|in use|been used)",
          hint="A payment with this check number exists on the bank account. Compare the two in Epicor."),
    Fault("already_allocated", Rejected, text=r"already in this payment"),
    Fault("duplicate", Rejected, kind=r"DuplicateRecord"),
    Fault("duplicate", Rejected, text=r"duplicate|already exists"),
    Fault("row_changed", Retry, _at(409)),
    # What only a person can change.
    Fault("period_closed", Held, text=r"period.{0,60}closed|closed.{0,60}period|\b(no|not in an) open fiscal period",
          hint="Open the fiscal period in Epicor, or choose another apply date for this tenant."),
    Fault("gl_account_refused", Rejected, text=r"account.{0,80}(inactive|not active|invalid|not valid|not found"
          r"|does not exist|not effective)|(inactive|invalid|unknown).{0,30}(gl )?account",
          hint="Make the GL account active in Epicor, or map the AvidXchange code to another one."),
    Fault("over_allocated", Rejected, text=r"(exceed|greater than|more than|over|not within).{0,80}balance",
          hint="The payment takes more off the invoice than is open. Look for another payment or credit on it."),
    Fault("invoice_not_payable", Held, text=r"not open for payment|payment hold",
          hint="The invoice is closed or on hold in Epicor. Release it there, or settle the payment by hand."),
    Fault("vendor_refused", Rejected,
          text=r"(vendor|supplier).{0,60}(inactive|not found|invalid|not valid|does not exist)"),
    Fault("variance", Held, text=r"variance"),
    # Our question was wrong, so every record would fail.
    Fault("column_missing", Misconfigured, text=r"could not find a property named",
          hint="The column is hidden from this user or unknown to this release. Check field security in Epicor."),
    Fault("method_signature", Misconfigured, _at(400, 500),
          text=r"parameter.{0,120}(not found|missing|required|unknown|unexpected)|(missing|unknown).{0,30}parameter",
          hint="This Epicor release has another list of parameters for the method."),
    Fault("query_refused", Misconfigured, _at(400), kind=r"ODataException"),
    Fault("not_found", Rejected, kind=r"RecordNotFoundException"),
    Fault("company_refused", Misconfigured, _at(400, 403, 404), hint="Check the company ID of this connection.",
          text=r"\bcompany\b.{0,60}(not found|invalid|not valid|unknown|does not exist|access)"),
    Fault("unknown_method", Misconfigured, _at(404, 405), kind=r"ApiException",
          hint="This Epicor release does not know the service or method."),
    Fault("address_wrong", Misconfigured, _at(404, 405, 501), hint="Check the base URL and the instance."),
    # A rule of Epicor or of the site's BPMs.
    Fault("business_rule", Rejected, kind=r"BusinessObjectException|BLException"),
    Fault("too_large", Rejected, _at(413)),
    Fault("server_error", Retry, frozenset({408, 425, *range(500, 600)})),
)  # fmt: skip


def meaning(text: str) -> Fault | None:
    """Return the row that a message inside a successful answer stands for (``opMessage``, a group's error log)."""
    return next((fault for fault in FAULTS if fault.text and fault.fits(400, "", text)), None)


def classify(answer: Answer, operation: str, redactor: Redactor) -> ConnectorError | None:
    """Return the error that an answer amounts to, or None when it is what was asked for.

    A 2xx that is HTML came from a proxy or a login page and not from Epicor: ``Retry`` (code ``not_json``), which the
    transport makes ``Uncertain`` for a write. A 2xx that carries an error body is that error. A refusal no row knows is
    ``Rejected`` with code ``unknown_refusal``.
    """
    if 200 <= answer.status < 300:
        if answer.body and _is_markup(answer):
            return Retry(
                f"{operation}: the answer is a web page and not Epicor's.",
                system=SOURCE, code="not_json", status=answer.status, request_id=answer.request_id,
            )  # fmt: skip
        if not _ERROR_INSIDE.match(answer.body):
            return None
    status = answer.status if answer.status >= 300 else _status_inside(answer.body)
    kind, text, request_id = _said(answer)
    shown = redactor.text(text)[:600] or f"Epicor answered {answer.status} without a message."
    request_id = redactor.text(request_id)[:100] or answer.request_id
    for fault in FAULTS:
        if fault.fits(status, kind, text):
            return fault.error(
                f"{operation}: {shown}",
                system=SOURCE, code=fault.code, status=answer.status, request_id=request_id, hint=fault.hint,
            )  # fmt: skip
    return Rejected(
        f"{operation}: {shown}",
        system=SOURCE, code="unknown_refusal", status=answer.status, request_id=request_id,
        hint="Epicor refused this in words that are not known yet. Read the message; report it if it recurs.",
    )  # fmt: skip


def _status_inside(body: bytes) -> int:
    """Return the status that an error body names for itself, 500 where it names none."""
    try:
        stated: object = msgspec.json.decode(body, type=dict[str, Any]).get("HttpStatus")
    except (msgspec.DecodeError, UnicodeDecodeError):
        stated = None
    return stated if isinstance(stated, int) and 400 <= stated < 600 else 500


def _is_markup(answer: Answer) -> bool:
    return "html" in header(answer.headers, "content-type").lower() or answer.body[:64].lstrip().startswith(b"<")


def _said(answer: Answer) -> tuple[str, str, str]:
    """Return exception type, message and correlation id, whichever of the error shapes it is (epicor.md 2.4)."""
    if _is_markup(answer):
        # A page of a proxy or of IIS: its text says nothing about the record and may quote the request.
        return "", f"Something in front of Epicor answered {answer.status} with a web page.", ""
    try:
        body = msgspec.json.decode(answer.body) if answer.body.strip() else {}
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "", answer.body[:2000].decode("utf-8", "replace"), ""
    if not isinstance(body, Mapping):
        return "", str(body)[:2000], ""
    nested = body.get("error")
    if isinstance(nested, Mapping):
        inner = nested.get("innererror")
        kind = str(inner.get("type", "")) if isinstance(inner, Mapping) else ""
        return kind or str(nested.get("code") or ""), _message(nested.get("message")), ""
    texts = [_message(body.get("ErrorMessage") or body.get("Message") or body.get("ReasonPhrase"))]
    for item in body.get("ErrorDetails") or ():
        # Details mostly repeat the message; what they add (table, second rule) is worth reading.
        detail = _message(item.get("Message")) if isinstance(item, Mapping) else ""
        if detail and len(texts) < 4 and not any(detail in text for text in texts):
            texts.append(detail)
    return str(body.get("ErrorType") or ""), " ".join(texts).strip(), str(body.get("CorrelationId") or "")


def _message(value: object) -> str:
    """OData 3 wraps the message in a language object; everything else is a text."""
    if isinstance(value, Mapping):
        value = value.get("value")
    return str(value or "")[:2000]
