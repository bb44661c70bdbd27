"""A WSGI server on a loopback port with keep-alive, connections that can be dropped on purpose, and no access log.

werkzeug's own request handler closes every connection and waits 10 ms after each answer, which would make a sync of
20,000 vendors a test of the stand-in. This handler reads the whole request, answers it, and keeps the connection.
"""

from __future__ import annotations

import io
import socket
import struct
import threading
from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Handler(WSGIRequestHandler):
    """Serves requests one after the other on one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16

    def setup(self) -> None:
        super().setup()
        # ``connections`` is put on werkzeug's server by ``Listener``, which its types cannot know; likewise below.
        self.server.connections.add(self.connection)  # type: ignore[attr-defined]

    def finish(self) -> None:
        self.server.connections.discard(self.connection)  # type: ignore[attr-defined]
        if not self.wfile.closed:
            super().finish()

    def run_wsgi(self) -> None:
        """Answer one request; a ``ConnectionError`` from the application drops the connection without an answer."""
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.wfile.flush()
        environ = self.make_environ()
        length = int(environ.get("CONTENT_LENGTH") or 0)
        stream = environ["wsgi.input"]
        whole = stream.read() if environ.get("wsgi.input_terminated") else stream.read(length)
        environ["wsgi.input"] = io.BytesIO(whole)
        try:
            self._answer(environ)
        except ConnectionError:
            self._drop()

    def _answer(self, environ: dict[str, Any]) -> None:
        head: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], exc_info: object = None, /
        ) -> Callable[[bytes], object]:
            head.append((status, list(headers)))
            return self.wfile.write

        body = self.server.app(environ, start_response)
        try:
            self._send(*head[-1], body=body, bodiless=environ["REQUEST_METHOD"] == "HEAD")
        finally:
            close = getattr(body, "close", None)
            if close:
                close()

    def _send(self, status: str, headers: list[tuple[str, str]], *, body: Iterable[bytes], bodiless: bool) -> None:
        declared = next((int(value) for name, value in headers if name.lower() == "content-length"), None)
        if declared is None:
            body = [b"".join(body)]
            declared = len(body[0])
            headers.append(("Content-Length", str(declared)))
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        sent = 0
        for piece in body:
            if not bodiless:
                self.wfile.write(piece)
                self.wfile.flush()
            sent += len(piece)
        self.wfile.flush()
        if sent < declared:
            self.close_connection = True

    def _drop(self) -> None:
        """Close at once with a reset, so that the client cannot take it for an answer."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.wfile = io.BytesIO()

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  (werkzeug's name)
        """Keep quiet: standard output belongs to the one line that says where the sandbox listens."""


class Listener:
    """One application on one port, served from a thread of its own."""

    def __init__(self, app: WsgiApp, *, host: str, port: int) -> None:
        """Bind the port (0 = any free one). Raises ``OSError`` if it is taken."""
        # Bound here, because werkzeug ends the process when a port is taken.
        with socket.create_server((host, port), backlog=128) as bound:
            number = bound.getsockname()[1]
            self._server: BaseWSGIServer = make_server(
                host, number, app, threaded=True, request_handler=Handler, fd=bound.fileno()
            )
        self._server.connections = set()  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.url = f"http://{host}:{number}"

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def change(self, app: WsgiApp) -> None:
        """Serve another application from now on; whoever is connected has to connect again."""
        self._server.app = app
        self._disconnect()

    def stop(self) -> None:
        """Stop serving and close every connection, kept-alive ones too."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        self._disconnect()

    def _disconnect(self) -> None:
        for connection in list(self._server.connections):  # type: ignore[attr-defined]
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the client was quicker
