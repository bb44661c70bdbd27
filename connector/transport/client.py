"""The one HTTP client under both systems: reads repeat themselves, a write is sent once.

A read that failed for a passing reason is tried again as ``retry.decide`` says. A write is sent once: what cannot have
arrived is ``Retry``, what may have arrived without our hearing of it is ``Uncertain`` (design section 5). A 401 means
"not processed" for both, so credentials are refreshed once and the call repeated; a second 401 is classified by its
text like any other answer. What an answer means is the system's own business: ``classify`` decides, 200 or not.
A wish to slow down holds for everybody on the connection, and ``Waits`` ends whatever was to be called.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import BinaryIO, Never

import requests

from connector.transport.attempts import Attempt
from connector.transport.auth import Auth
from connector.transport.errors import ConnectorError, Rejected, Retry, System, Uncertain, Waits
from connector.transport.guard import is_throttled
from connector.transport.limits import Limits, Shared
from connector.transport.multipart import Multipart
from connector.transport.redact import Redactor
from connector.transport.retry import RetryPolicy, decide, pause, retry_after
from connector.transport.sender import Answer, Classify, Sender, header
from connector.transport.wire import Call, Failure, Fate

__all__ = ["Answer", "Attempt", "Classify", "HttpClient"]

#: A write answered so may have been carried out (epicor.md 8, avidxchange.md 8). 501 says that it was not.
_UNKNOWN_OUTCOME = frozenset({408, *range(500, 600)} - {501})


class HttpClient:
    """Calls one system for one tenant. Safe to be used by several threads; ``close`` it when done.

    ``classify`` is asked about every answer and returns the error that it is, or None. ``on_attempt`` is told of every
    try, token calls included. ``shared`` is what the connection's workers share; without it the client keeps its limits
    for itself. Raises ``Misconfigured`` (code ``address_refused``) for an address that is not allowed.
    """

    def __init__(
        self,
        *,
        system: System,
        base_url: str,
        auth: Auth,
        classify: Classify,
        retry: RetryPolicy | None = None,
        limits: Limits | None = None,
        redactor: Redactor | None = None,
        default_headers: Mapping[str, str] | None = None,
        allow_private_hosts: bool = False,
        on_attempt: Callable[[Attempt], None] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
        session: requests.Session | None = None,
        request_id_header: str = "X-Request-Id",
        jitter: Callable[[], float] = random.random,
        shared: Shared | None = None,
    ) -> None:
        self.system = system
        self.base_url = base_url
        self.limits = limits or Limits()
        self.redactor = redactor or Redactor()
        self._policy = retry or RetryPolicy()
        self._now = now
        self._sleep = sleep
        self._jitter = jitter
        self._budget = self._policy.budget
        self._budget_lock = threading.Lock()
        if shared:
            shared.guard.fit(most=self.limits.max_concurrency, attempts=self._policy.attempts)
        self._sender = Sender(
            system=system,
            base_url=base_url,
            auth=auth,
            classify=classify,
            wish_cap_s=self._policy.retry_after_cap_s,
            limits=self.limits,
            redactor=self.redactor,
            default_headers=dict(default_headers or {}),
            allow_private_hosts=allow_private_hosts,
            on_attempt=on_attempt,
            now=now,
            sleep=sleep,
            session=session,
            request_id_header=request_id_header,
            shared=shared,
        )

    def __repr__(self) -> str:
        return f"HttpClient({self.system}, {self.base_url})"

    def close(self) -> None:
        """Close the connections; the client must not be used afterwards."""
        self._sender.close()

    def read(
        self,
        url: str,
        *,
        operation: str,
        method: str = "GET",
        body: bytes | None = None,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Make a call that changes nothing over there; repeated by itself as the policy says.

        Raises the ``ConnectorError`` that ``classify`` names, or ``Retry`` when no good answer came in the end.
        """
        call = self._sender.prepare(method, url, body, content_type, headers)
        return self._until_answered(call, operation)

    def write(
        self,
        url: str,
        *,
        operation: str,
        body: bytes,
        content_type: str = "application/json",
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Make a call that may change something over there; sent once (twice only around a 401).

        Raises ``Retry`` if it cannot have arrived or was turned away by a 429, ``Uncertain`` if it may have been
        carried out, else the error that ``classify`` names.
        """
        return self._once(self._sender.prepare(method, url, body, content_type, headers), operation)

    def stream(
        self,
        url: str,
        sink: BinaryIO,
        *,
        operation: str,
        max_bytes: int,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """Download into ``sink`` (seekable; rewound before a repeat) and return the answer's Content-Type.

        Raises as ``read`` does, and ``Rejected`` (code ``image_too_large``) beyond ``max_bytes``.
        """
        call = self._sender.prepare(method, url, body, "application/json", headers, sink=sink, max_bytes=max_bytes)
        try:
            answer = self._until_answered(call, operation)
        except Rejected as error:
            if error.code == "answer_too_large":
                error.code = "image_too_large"
            raise
        return header(answer.headers, "content-type")

    def send_file(
        self,
        url: str,
        *,
        operation: str,
        fields: Mapping[str, str],
        file: BinaryIO,
        file_name: str,
        content_type: str,
        size: int,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Upload ``size`` bytes of ``file`` as the part ``file`` of a multipart form, read from disk while sending.

        A write: raises as ``write`` does.
        """
        form = Multipart(fields, file=file, file_name=file_name, content_type=content_type, size=size)
        return self._once(self._sender.prepare("POST", url, form, form.content_type, headers), operation)

    def _until_answered(self, call: Call, operation: str) -> Answer:
        start = call.sink.tell() if call.sink else 0
        attempt = 0
        while True:
            attempt += 1
            if attempt > 1 and call.sink:
                call.sink.seek(start)
                call.sink.truncate()
            outcome, error = self._sender.send(call, operation)
            if error is None and not isinstance(outcome, Failure):
                return outcome
            wait = self._wait_before_repeat(outcome, error, attempt)
            if wait is None:
                self._give_up(outcome, error, operation)
            self._sleep(wait)

    def _wait_before_repeat(
        self, outcome: Answer | Failure, error: ConnectorError | None, attempt: int
    ) -> float | None:
        jitter, now = self._jitter(), self._now()
        stop = self._hold(outcome, error, attempt=attempt, jitter=jitter, now=now)
        if stop is not None:
            raise stop
        if isinstance(outcome, Failure):
            if outcome.fate not in {Fate.NOT_SENT, Fate.LOST}:
                return None
            status, headers = None, dict[str, str]()
        else:
            # An answer that classify calls passing (HTML with 200, a licence shortage) is repeated whatever its status;
            # one that it names as anything else is final.
            if not isinstance(error, Retry):
                return None
            status, headers = (outcome.status, dict(outcome.headers))
            if status not in self._policy.statuses:
                status = None
        wait = decide(
            self._policy,
            method_is_safe=True,
            status=status,
            headers=headers,
            attempt=attempt,
            jitter=jitter,
            now=now,
            throttled=is_throttled(outcome.status, error),
        )
        return wait if wait is not None and self._spend() else None

    def _hold(
        self, outcome: Answer | Failure, error: ConnectorError | None, *, attempt: int, jitter: float, now: datetime
    ) -> Waits | None:
        """Keep everybody from calling for as long as the far side asks for, or as we give it after "slow down".

        Returns the ``Waits`` that it comes to where that is too long for a run to wait.
        """
        if isinstance(outcome, Failure) or not isinstance(error, Retry):
            return None
        headers, throttled = outcome.headers, is_throttled(outcome.status, error)
        if not throttled and retry_after(headers, now=now) is None:
            return None
        wait = pause(self._policy, headers=headers, attempt=attempt, jitter=jitter, now=now, throttled=throttled)
        try:
            self._sender.hold(wait, error.message)
        except Waits as stop:
            return stop
        return None

    def _once(self, call: Call, operation: str) -> Answer:
        outcome, error = self._sender.send(call, operation)
        if isinstance(outcome, Failure):
            if outcome.fate in {Fate.LOST, Fate.TOO_LARGE}:
                raise self._uncertain(f"{operation}: {outcome.text}.", outcome.status, "", error)
            self._give_up(outcome, error, operation)
        stop = self._hold(outcome, error, attempt=1, jitter=self._jitter(), now=self._now())
        # A 2xx that is not the system's own (a proxy's page) says nothing about what became of the write.
        if outcome.status in _UNKNOWN_OUTCOME or (isinstance(error, Retry) and outcome.status < 300):
            text = error.message if error else f"The server answered {outcome.status}."
            raise self._uncertain(text, outcome.status, outcome.request_id, error)
        if error is not None:
            raise stop or error
        return outcome

    def _uncertain(self, text: str, status: int | None, request_id: str, error: ConnectorError | None) -> Uncertain:
        return Uncertain(
            text,
            system=self.system,
            code=(error.code if error else "") or "outcome_unknown",
            status=status,
            request_id=(error.request_id if error else "") or request_id,
            hint="Look the document up over there before sending it again.",
        )

    def _give_up(self, outcome: Answer | Failure, error: ConnectorError | None, operation: str) -> Never:
        if error is not None:
            raise error
        if isinstance(outcome, Failure):
            raise self._sender.error_of(outcome, operation)
        raise AssertionError("an answer without an error is not given up on")

    def _spend(self) -> bool:
        with self._budget_lock:
            self._budget -= 1
            return self._budget >= 0
