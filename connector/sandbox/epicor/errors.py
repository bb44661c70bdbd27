"""Refusals as Epicor words them: a flat JSON body, and a .NET exception type that tells the causes apart.

Statuses and types are those of epicor.md 2.4; message texts that the contract does not quote are assumed.
"""

from __future__ import annotations

import uuid
from http import HTTPStatus
from typing import Any

UNAUTHORIZED = "System.UnauthorizedAccessException"
BUSINESS_OBJECT = "Ice.Common.BusinessObjectException"
ODATA = "Microsoft.OData.ODataException"
API = "Epicor.RESTApi.ErrorHandler.ApiException"
NOT_FOUND = "Ice.Common.RecordNotFoundException"
DUPLICATE = "Ice.Common.DuplicateRecordException"
STALE = "Ice.Common.RecordModifiedException"


class Refused(Exception):
    """A call that ends with an error body."""

    def __init__(self, status: int, kind: str, message: str, *, table: str = "", field: str = "") -> None:
        super().__init__(message)
        self.status, self.kind, self.message, self.table, self.field = status, kind, message, table, field

    def body(self) -> dict[str, Any]:
        """Return the flat error body (epicor.md 2.4)."""
        detail = {"Message": self.message, "Type": "Error"}
        if self.table or self.field:
            detail |= {"Table": self.table, "Field": self.field}
        return {
            "HttpStatus": self.status,
            "ReasonPhrase": "REST API Exception",
            "ErrorMessage": self.message,
            "ErrorType": self.kind,
            "ErrorDetails": [detail],
            "CorrelationId": str(uuid.uuid4()),
        }

    @property
    def status_line(self) -> str:
        return f"{self.status} {HTTPStatus(self.status).phrase}"


def business(message: str, *, table: str = "", field: str = "") -> Refused:
    """A rule of a business object, or a BPM, says no: 400."""
    return Refused(400, BUSINESS_OBJECT, message, table=table, field=field)


def bad_query(message: str) -> Refused:
    """A query the OData layer cannot read: 400."""
    return Refused(400, ODATA, message)


def bad_input(message: str) -> Refused:
    """A method's input that cannot be read: 400."""
    return Refused(400, API, message)


def unauthorized(message: str) -> Refused:
    """One of the causes behind 401 (epicor.md 2.4)."""
    return Refused(401, UNAUTHORIZED, message)


def unknown_resource(message: str) -> Refused:
    """No such service, entity set or method: 404 ApiException."""
    return Refused(404, API, message)


def not_found(message: str = "Record not found.") -> Refused:
    """No row with this key: 404."""
    return Refused(404, NOT_FOUND, message)


def duplicate(message: str, *, table: str) -> Refused:
    """The key is taken: 409."""
    return Refused(409, DUPLICATE, message, table=table)


def stale(table: str) -> Refused:
    """The row was changed since it was read: 409 (status assumed; epicor.md 2.4 files it under this family)."""
    return Refused(409, STALE, "Row has been modified by another user and couldn't be updated.", table=table)
