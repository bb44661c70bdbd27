"""One call of one client: allowed address, login, place in the queue, the try itself, its record and its verdict.

Whether to call again is not decided here (``client``), except around a 401, where sending again is part of logging in.
"""

from __future__ import annotations

import logging
import os
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import BinaryIO, assert_never

import requests

from connector.transport import addresses
from connector.transport.attempts import Attempt, note
from connector.transport.auth import Auth, TokenReply, TokenRequest
from connector.transport.errors import ConnectorError, Misconfigured, Rejected, Retry, System, Waits
from connector.transport.guard import NAP_S, Sign, sign_of
from connector.transport.limits import Gate, Limits, Shared
from connector.transport.multipart import Multipart
from connector.transport.redact import Redactor
from connector.transport.retry import retry_after
from connector.transport.wire import Call, Failure, Fate, Reply, exchange, new_session

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer of the far side. ``request_id`` is the far side's, or the one we sent."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    request_id: str


Classify = Callable[[Answer, str], ConnectorError | None]


def header(headers: Mapping[str, str], name: str) -> str:
    """Return a header's value whatever the case of its name, or an empty text."""
    return next((value for key, value in headers.items() if key.lower() == name.lower()), "")


#: Failures that say something about the connection; a refused address or certificate is for a person to mend.
_UNANSWERED = frozenset({Fate.NOT_SENT, Fate.LOST})


class Sender:
    """Sends calls for one tenant and system. Safe to be used by several threads."""

    def __init__(
        self,
        *,
        system: System,
        base_url: str,
        auth: Auth,
        classify: Classify,
        wish_cap_s: float,
        limits: Limits,
        redactor: Redactor,
        default_headers: Mapping[str, str],
        allow_private_hosts: bool,
        on_attempt: Callable[[Attempt], None] | None,
        now: Callable[[], datetime],
        sleep: Callable[[float], None],
        session: requests.Session | None,
        request_id_header: str,
        shared: Shared | None,
    ) -> None:
        self.system = system
        self._allow_private_hosts = allow_private_hosts
        self._check_address(base_url)
        self._origin = addresses.origin(base_url)
        self._auth = auth
        self._classify = classify
        self._wish_cap_s = wish_cap_s
        self._limits = limits
        self._redactor = redactor
        self._headers = default_headers
        self._on_attempt = on_attempt
        self._now = now
        self._request_id_header = request_id_header
        self._guard = shared.guard if shared else None
        self._gate = Gate(limits, system=system, shared=shared, sleep=sleep)
        self._session = session or new_session(limits, allow_private_hosts=allow_private_hosts)
        self._verify: bool | str = os.environ.get("REQUESTS_CA_BUNDLE") or True

    def close(self) -> None:
        """Close the connections and give the places back."""
        self._gate.close()
        self._session.close()

    def hold(self, seconds: float, words: str) -> None:
        """Let nobody on this connection call for some seconds. Raises ``Waits`` if that is too long to wait here."""
        if seconds <= NAP_S:
            self._gate.pause(seconds)
        if self._guard:
            self._guard.slow_down(seconds, words)

    def prepare(
        self,
        method: str,
        url: str,
        body: bytes | Multipart | None,
        content_type: str,
        headers: Mapping[str, str] | None,
        *,
        sink: BinaryIO | None = None,
        max_bytes: int = 0,
    ) -> Call:
        """Return the call to be sent. Raises ``Misconfigured`` (``address_refused``, ``foreign_host``)."""
        self._check_address(url)
        if addresses.origin(url) != self._origin:
            raise Misconfigured(
                f"An address on another host ({addresses.origin(url)[1]}) was to be called with this tenant's login.",
                system=self.system,
                code="foreign_host",
                hint="Links to other hosts are never followed.",
            )
        whole = {"Accept": "application/json", **(headers or {})}
        if body is not None:
            whole["Content-Type"] = content_type
        return Call(method=method, url=url, headers=whole, body=body, sink=sink, max_bytes=max_bytes)

    def send(self, call: Call, operation: str) -> tuple[Answer | Failure, ConnectorError | None]:
        """Make one try, or two around a 401 if the credentials could be refreshed.

        Returns the answer or why there is none, and the error it amounts to, if it does. A token that cannot be had
        just now counts as "not sent". Raises ``Misconfigured`` when the token address refuses the login, ``Waits`` when
        nobody is to call.
        """
        try:
            used = self._auth.headers(self._send_token)
            outcome, error = self._try(call, operation, used)
            if isinstance(outcome, Answer) and outcome.status == 401 and self._auth.refused(used, self._send_token):
                outcome, error = self._try(call, operation, self._auth.headers(self._send_token))
        except Waits:
            raise
        except Retry as unavailable:
            self._cap(unavailable)
            outcome, error = Failure(Fate.NOT_SENT, unavailable.message), unavailable
        return outcome, error

    def error_of(self, failure: Failure, operation: str) -> ConnectorError:
        """Return the error for a call that got no complete answer, as far as it was a read or did not arrive."""
        text = f"{operation}: {failure.text}."
        match failure.fate:
            case Fate.REFUSED_ADDRESS:
                return Misconfigured(text, system=self.system, code="address_refused")
            case Fate.BAD_CERTIFICATE:
                hint = "Install a certificate that is valid for this host name, or make this server trust its issuer."
                return Misconfigured(text, system=self.system, code="certificate_refused", hint=hint)
            case Fate.TOO_LARGE:
                return Rejected(text, system=self.system, code="answer_too_large", status=failure.status)
            case Fate.NOT_SENT | Fate.LOST:
                return Retry(text, system=self.system, code="unreachable", status=failure.status)
            case _ as never:
                assert_never(never)

    def _try(
        self, call: Call, operation: str, auth_headers: Mapping[str, str]
    ) -> tuple[Answer | Failure, ConnectorError | None]:
        self._redactor.learn(*self._auth.secrets)
        sent_id = str(uuid.uuid4())
        headers = {**self._headers, **call.headers, **auth_headers, self._request_id_header: sent_id}
        started_at, seconds, outcome = self._exchange(replace(call, headers=headers))
        if isinstance(outcome, Failure):
            self._record(call, operation, started_at, seconds, outcome, request_id=sent_id, error=outcome.text)
            self._heard(call, outcome, None, seconds)
            return outcome, None
        own_id = self._redactor.text(header(outcome.headers, self._request_id_header))[:100] or sent_id
        answer = Answer(outcome.status, outcome.headers, outcome.body, own_id)
        error = self._judge(answer, operation)
        said = f"{error.code}: {error.message}" if error else ""
        request_id = (error.request_id if error else "") or own_id
        self._record(call, operation, started_at, seconds, outcome, request_id=request_id, error=said)
        self._heard(call, answer, error, seconds)
        return answer, error

    def _exchange(self, call: Call) -> tuple[datetime, float, Reply | Failure]:
        with self._gate.turn():
            started_at, begun = self._now(), time.monotonic()
            outcome = exchange(self._session, call, self._limits, verify=self._verify)
            seconds = time.monotonic() - begun
        return started_at, seconds, outcome

    def _heard(self, call: Call, outcome: Answer | Failure, error: ConnectorError | None, seconds: float) -> None:
        """Tell the guard what a try says about the connection, as opposed to the record it was about."""
        if self._guard is None:
            return
        if isinstance(outcome, Failure):
            if outcome.fate in _UNANSWERED:
                self._guard.heard(Sign.FAILED, words=f"{outcome.text[:1].upper()}{outcome.text[1:]}.")
            return
        sign = sign_of(outcome.status, error)
        # A file takes as long as it is large.
        took = seconds if call.sink is None and not isinstance(call.body, Multipart) else 0.0
        self._guard.heard(sign, seconds=took, status=outcome.status, words=error.message if error else "")

    def _judge(self, answer: Answer, operation: str) -> ConnectorError | None:
        """The system's verdict, plus the two things that are the same for both: redirects and the wish to wait."""
        if 300 <= answer.status < 400:
            return Misconfigured(
                f"{operation}: the server answered {answer.status} and wants us to go to another address.",
                system=self.system,
                code="redirected",
                status=answer.status,
                request_id=answer.request_id,
                hint="Redirects are not followed. Enter the address that the server really listens on.",
            )
        error = self._classify(answer, operation)
        if isinstance(error, Retry):
            if error.delay_s is None:
                error.delay_s = retry_after(answer.headers, now=self._now())
            self._cap(error)
        return error

    def _cap(self, error: Retry) -> None:
        """Cut the far side's wish to what is honoured: it may be any number."""
        if error.delay_s is not None:
            error.delay_s = min(error.delay_s, self._wish_cap_s)

    def _send_token(self, request: TokenRequest) -> TokenReply:
        """Send a token call. Its bodies are not kept, not even redacted."""
        self._check_address(request.url)
        self._redactor.learn(*self._auth.secrets)
        call = Call(method="POST", url=request.url, headers=request.headers, body=request.body)
        started_at, seconds, outcome = self._exchange(call)
        bare = replace(call, headers={}, body=None)
        if isinstance(outcome, Failure):
            self._record(bare, "token", started_at, seconds, outcome, request_id="", error=outcome.text)
            self._heard(bare, outcome, None, seconds)
            raise self.error_of(outcome, "token")
        said = "" if 200 <= outcome.status < 300 else f"token call answered {outcome.status}"
        self._record(bare, "token", started_at, seconds, replace(outcome, body=b""), request_id="", error=said)
        self._heard_token(outcome, said)
        return TokenReply(outcome.status, outcome.headers, outcome.body)

    def _heard_token(self, reply: Reply, said: str) -> None:
        words = f"The {said}." if said else ""
        if self._guard:
            passing = reply.status >= 500 or reply.status in {408, 425, 429}
            error = Retry(words, system=self.system, status=reply.status) if passing else None
            self._guard.heard(sign_of(reply.status, error), status=reply.status, words=words)
        wish = retry_after(reply.headers, now=self._now()) if reply.status == 429 else None
        if wish is not None:
            self.hold(min(wish, self._wish_cap_s), words)

    def _record(
        self,
        call: Call,
        operation: str,
        started_at: datetime,
        seconds: float,
        outcome: Reply | Failure,
        *,
        request_id: str,
        error: str,
    ) -> None:
        if self._on_attempt is None:
            return
        attempt = note(
            call,
            outcome,
            system=self.system,
            operation=operation,
            started_at=started_at,
            seconds=seconds,
            request_id=request_id,
            error=error,
            redactor=self._redactor,
        )
        try:
            self._on_attempt(attempt)
        except Exception:
            # Keeping notes must not change what became of the call: a write that went through stays a success.
            logger.exception("an attempt could not be recorded", extra={"operation": operation})

    def _check_address(self, url: str) -> None:
        reason = addresses.fault(url, allow_private_hosts=self._allow_private_hosts)
        if reason:
            raise Misconfigured(
                f"The address of {self.system} cannot be used: {reason}.",
                system=self.system,
                code="address_refused",
                hint="Use the https address of the real system.",
            )
