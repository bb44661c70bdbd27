"""JSON in and out, and the error shapes E2, E3, E4 and E6 of contract section 7 (E1 is in ``envelopes.py``).

Money goes out as JSON numbers taken from ``Decimal`` and comes in the same way, never as a float (contract 2.9).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
from werkzeug.wrappers import Request, Response

Row = dict[str, Any]

_ENCODER = msgspec.json.Encoder(decimal_format="number")


class RefusalError(Exception):
    """A request that is answered with an error instead of a result."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


def answer(body: Any, status: int = 200) -> Response:
    """Return a JSON response."""
    return Response(_ENCODER.encode(body), status=status, content_type="application/json; charset=utf-8")


def read_json(request: Request) -> Row:
    """Return the JSON object of a request.

    Raises ``RefusalError``: 415 for another content type, 400 for anything but an object.
    """
    if request.mimetype != "application/json":
        raise gateway(415, "Content-Type must be application/json")
    try:
        body = json.loads(request.get_data(), parse_float=Decimal)
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise gateway(400, "The body is not JSON") from None
    if not isinstance(body, dict):
        raise gateway(400, "The body must be a JSON object")
    return body


def gateway(status: int, message: str, *, code: str = "", wrapped: bool = False) -> RefusalError:
    """Return a refusal in the gateway's shape E4, flat or wrapped in ``fault``."""
    fault = {"code": code or str(status), "message": message, "description": f"{message}. See the reference."}
    return RefusalError(answer({"fault": fault} if wrapped else fault, status))


def unauthorized(detail: str) -> RefusalError:
    """Return a 401 in shape E3."""
    return RefusalError(answer({"exception": {"reason": "Unauthorized", "detail": detail}}, 401))


def oauth(error: str, description: str) -> RefusalError:
    """Return a 400 of the token call in shape E2."""
    return RefusalError(answer({"error": error, "error_description": description}, 400))


def bare(status: int) -> Response:
    """Return shape E6: HTML for odd tastes of proxies, or nothing at all."""
    if status == 501:
        return Response(b"", status=status)
    page = f"<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>"
    return Response(page, status=status, content_type="text/html")


def moment(value: datetime | None, *, naive: bool = False) -> str | None:
    """Return a timestamp as text; naive ones are UTC too, which the reader has to assume (contract 2.10)."""
    if value is None:
        return None
    written = value.astimezone(UTC).isoformat(timespec="milliseconds")
    return written.removesuffix("+00:00") + ("" if naive else "Z")


def texts(value: Any) -> Any:
    """Return a JSON value with every number in it turned into text, as some replies do (contract 2.6)."""
    if isinstance(value, dict):
        return {name: texts(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [texts(inner) for inner in value]
    if isinstance(value, Decimal | int) and not isinstance(value, bool):
        return str(value)
    return value
