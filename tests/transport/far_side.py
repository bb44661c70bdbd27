"""A scripted server on a loopback port: what it is to answer is put down in order, what it was asked can be read."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from connector.transport.attempts import Attempt
from connector.transport.auth import Auth, BasicAuth
from connector.transport.client import Answer, HttpClient
from connector.transport.errors import ConnectorError, Misconfigured, Rejected, Retry, System

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Say:
    """One answer. ``cut`` promises that many bytes more than come; ``drop`` closes without a word after reading."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int = 0
    drop: bool = False


Script = list[Say] | Callable[[Asked], Say]


class FarSide:
    """The server. ``script`` is answers in order (the last one stays), or a function of the request."""

    def __init__(self, *script: Say, answer: Callable[[Asked], Say] | None = None) -> None:
        self.asked: list[Asked] = []
        self._script = list(script) or [Say()]
        self._answer = answer
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # head and body are two writes; together they would wait 40 ms for an ACK

            def handle_any(self) -> None:
                outer.handle(self)

            do_GET = do_POST = do_PUT = handle_any  # noqa: N815  (the names http.server looks for)

            def log_message(self, *_: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        asked = Asked(request.command, request.path, dict(request.headers), body)
        with self._lock:
            self.asked.append(asked)
            say = self._script[0]
            if len(self._script) > 1:
                self._script.pop(0)
        if self._answer:
            say = self._answer(asked)
        if say.drop:
            # A reset instead of a clean end, as when a server dies.
            request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            request.close_connection = True
            request.connection.shutdown(socket.SHUT_RDWR)
            return
        request.send_response(say.status)
        for name, value in {"Content-Type": "application/json", **say.headers}.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(say.body) + say.cut))
        request.end_headers()
        request.wfile.write(say.body)
        if say.cut:
            request.wfile.flush()
            request.close_connection = True
            request.connection.shutdown(socket.SHUT_RDWR)


def judge(answer: Answer, operation: str) -> ConnectorError | None:
    """The plainest ``classify``: the body is quoted in full, which is the worst case for secrets."""
    if answer.status < 300:
        return None
    said = answer.body.decode("utf-8", "replace")
    facts: dict[str, Any] = {"system": System.EPICOR, "status": answer.status, "request_id": answer.request_id}
    if answer.status in {401, 403}:
        return Misconfigured(said, code="refused", **facts)
    if answer.status in {408, 425, 429} or answer.status >= 500:
        return Retry(said, code="passing", **facts)
    return Rejected(said, code="no", **facts)


@dataclass
class Caller:
    """A client of a far side, with what it reported and how long it would have waited."""

    client: HttpClient
    attempts: list[Attempt] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)


def caller(far: FarSide, *, auth: Auth | None = None, **options: Any) -> Caller:
    """Return a client of ``far`` that waits on paper only; jitter is always 1, so waits are the ceilings."""
    attempts: list[Attempt] = []
    waits: list[float] = []
    client = HttpClient(
        system=System.EPICOR,
        base_url=far.url,
        auth=auth or BasicAuth("user", "password-canary"),
        classify=options.pop("classify", judge),
        allow_private_hosts=True,
        on_attempt=options.pop("on_attempt", attempts.append),
        now=lambda: NOW,
        sleep=waits.append,
        jitter=lambda: 1.0,
        **options,
    )
    return Caller(client, attempts, waits)
