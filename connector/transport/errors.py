"""Errors named by what to do about them (design section 5). Nothing else leaves a client.

Each carries facts, never advice about code: which system, which HTTP status, the far side's own request id, and a
message that is already free of secrets. ``Retry`` means later, ``Rejected`` this record, ``Held`` a person decides,
``Misconfigured`` pause this tenant's stage, ``Uncertain`` the request may have been carried out: look first. ``Waits``
is the ``Retry`` that is about the whole connection and not about the record at hand.
"""

from __future__ import annotations

from enum import StrEnum


class System(StrEnum):
    """Which of the two systems a fact is about."""

    EPICOR = "epicor"
    AVIDXCHANGE = "avidxchange"

    @property
    def label(self) -> str:
        """The system's name as people write it."""
        return "Epicor" if self is System.EPICOR else "AvidXchange"


class ConnectorError(Exception):
    """Base of the five. ``message`` is plain, redacted text that may be shown to a person.

    ``code`` is a stable short name (a row of a ``faults.py`` table, such as ``duplicate`` or ``vendor_not_found``);
    ``status`` is the HTTP status or None when no answer came; ``hint`` says what a person can do.
    """

    def __init__(
        self,
        message: str,
        *,
        system: System,
        code: str = "",
        status: int | None = None,
        request_id: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.system = system
        self.code = code
        self.status = status
        self.request_id = request_id
        self.hint = hint


class Retry(ConnectorError):
    """Nothing was done and the same call may succeed later; ``delay_s`` is the far side's wish, if it had one."""

    def __init__(
        self,
        message: str,
        *,
        system: System,
        code: str = "",
        status: int | None = None,
        request_id: str = "",
        hint: str = "",
        delay_s: float | None = None,
    ) -> None:
        super().__init__(message, system=system, code=code, status=status, request_id=request_id, hint=hint)
        self.delay_s = delay_s


class Waits(Retry):
    """The connection is left alone, or all its places are taken, for ``delay_s``: nobody is to call until then.

    The run that meets it ends, whatever else it had to do with that system, and no record is to blame for it. Where a
    record's own ``Retry`` is put off and the next record tried, this one is raised on.
    """


class Rejected(ConnectorError):
    """The far side refused this one record; sending it again unchanged would be refused again."""


class Held(ConnectorError):
    """Only a person can decide; the record waits and everything else goes on."""


class Misconfigured(ConnectorError):
    """Credentials, addresses, company or rights are wrong: every record would fail, so the stage pauses."""


class Uncertain(ConnectorError):
    """A write was sent and its outcome is not known. Look it up on the far side before anything else."""
