"""The far systems in the same process: a ``requests`` adapter that calls their WSGI applications directly.

The product's clients, sessions and decoders are the real ones; only the socket is missing. What a socket would have
done is done here: a ``ConnectionError`` out of an application becomes the exception that urllib3 raises for a dropped
connection, a body that ends early is noticed by urllib3 itself, by its Content-Length.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
import urllib3.exceptions as u3
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
#: Called with every request before anything of it is seen over there; may raise in the network's place, or return the
#: answer that comes instead.
Gate = Callable[["Exchange"], "Answer | None"]


class Answer:
    """A whole answer: status line, headers, body."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def is_json(self) -> bool:
        return any(name.lower() == "content-type" and "json" in value for name, value in self.headers)


class Exchange:
    """One request on its way: whose, what, and the application that would carry it out."""

    def __init__(self, system: str, app: Wsgi, request: requests.PreparedRequest) -> None:
        self.system = system
        self.method = str(request.method)
        self.url = urlsplit(str(request.url))
        self.path = self.url.path
        self._app = app
        self._request = request
        body = request.body
        self._body = body if isinstance(body, bytes) else b"" if body is None else b"".join(body)

    @property
    def place(self) -> tuple[str, str, str]:
        """What a cache would know an answer by: system, login, and the address without its query."""
        return self.system, str(self._request.headers.get("Authorization", "")), self.path

    def carry_out(self) -> Answer:
        """Let the far system process the request and return its answer. Raises ``ConnectionError`` where it drops the
        connection instead."""
        head: list[tuple[str, list[tuple[str, str]]]] = []
        pieces = self._app(self._environ(), lambda status, headers, _info=None: head.append((status, list(headers))))
        try:
            body = b"".join(pieces)
        finally:
            close = getattr(pieces, "close", None)
            if close:
                close()
        status, headers = head[-1]
        return Answer(int(status.split(" ", 1)[0]), headers, body)

    def _environ(self) -> dict[str, Any]:
        target = f"{self.path}?{self.url.query}" if self.url.query else self.path
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(self.path, "latin-1"),
            "QUERY_STRING": self.url.query,
            "RAW_URI": target,
            "SERVER_NAME": self.url.hostname,
            "SERVER_PORT": str(self.url.port or 80),
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": self.url.scheme,
            "wsgi.input": io.BytesIO(self._body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in self._request.headers.items():
            key = name.upper().replace("-", "_")
            environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
        environ["CONTENT_LENGTH"] = str(len(self._body))
        environ["HTTP_HOST"] = self.url.netloc
        return environ


class InProcess(HTTPAdapter):
    """Answers from applications by host name. ``gate`` sees every request first."""

    def __init__(self, apps: Mapping[str, tuple[str, Wsgi]], gate: Gate) -> None:
        super().__init__()
        self._apps = apps
        self._gate = gate

    def send(self, request: requests.PreparedRequest, *_args: Any, **_kwargs: Any) -> requests.Response:
        system, app = self._apps[str(urlsplit(str(request.url)).hostname)]
        exchange = Exchange(system, app, request)
        try:
            answer = self._gate(exchange) or exchange.carry_out()
        except ConnectionError as dropped:
            raise requests.ConnectionError(u3.ProtocolError("Connection aborted.", dropped), request=request) from None
        raw = HTTPResponse(
            body=io.BytesIO(answer.body),
            headers=answer.headers,
            status=answer.status,
            preload_content=False,
            enforce_content_length=True,
            request_method=request.method,
        )
        return self.build_response(request, raw)


def session(apps: Mapping[str, tuple[str, Wsgi]], gate: Gate) -> requests.Session:
    """Return a session like the product's own (``wire.new_session``), without sockets under it."""
    made = requests.Session()
    made.trust_env = False
    adapter = InProcess(apps, gate)
    made.mount("http://", adapter)
    made.mount("https://", adapter)
    return made
