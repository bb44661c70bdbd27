"""What is kept of one remote call: when, what, how long, which status, and a redacted shape of both bodies.

Large bodies are not parsed a second time just to be shown: beyond ``SHAPED_BYTES`` only their size is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import msgspec

from connector.transport.errors import System
from connector.transport.redact import Redactor
from connector.transport.wire import Call, Failure, Reply

SHAPED_BYTES = 32 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try of one remote call. Everything in it is redacted and bounded; sizes in bytes, ``seconds`` wall time.

    ``status`` is None when no complete answer came; ``error`` is empty when all went well, else ``code: message``.
    """

    system: System
    operation: str
    method: str
    url: str
    started_at: datetime
    seconds: float
    status: int | None
    request_id: str
    error: str
    request_bytes: int
    response_bytes: int
    request_shape: object
    response_shape: object


def shape_of(body: bytes | None, content_type: str, redactor: Redactor) -> object:
    """Return what may be kept of a body: its redacted JSON, the beginning of a text, or its size."""
    if not body:
        return None
    if len(body) > SHAPED_BYTES:
        return {"bytes": len(body)}
    try:
        return redactor.shape(msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass  # not JSON: shown as text below
    if "json" in content_type or content_type.startswith("text/") or "xml" in content_type:
        return redactor.shape(body.decode("utf-8", "replace"))
    return {"bytes": len(body), "type": redactor.text(content_type)[:100]}


def note(
    call: Call,
    outcome: Reply | Failure,
    *,
    system: System,
    operation: str,
    started_at: datetime,
    seconds: float,
    request_id: str,
    error: str,
    redactor: Redactor,
) -> Attempt:
    """Return what is kept of a call that was just made."""
    sent = call.body if isinstance(call.body, bytes) else None
    reply = outcome if isinstance(outcome, Reply) else None
    kind = next((value for name, value in reply.headers.items() if name.lower() == "content-type"), "") if reply else ""
    return Attempt(
        system=system,
        operation=operation,
        method=call.method,
        url=redactor.text(call.url)[:2000],
        started_at=started_at,
        seconds=round(seconds, 4),
        status=outcome.status,
        request_id=request_id,
        error=redactor.text(error)[:1000],
        request_bytes=len(call.body) if call.body is not None else 0,
        response_bytes=reply.size if reply else 0,
        request_shape=shape_of(sent, "json", redactor),
        response_shape=shape_of(reply.body, kind, redactor) if reply else None,
    )
