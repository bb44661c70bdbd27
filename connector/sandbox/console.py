"""The sandbox's own addresses, the same on both ports and without sign-in: the combined ledger and the faults."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.wrappers import Request, Response

from connector.sandbox.faults import FaultBook
from connector.sandbox.serving import WsgiApp

PREFIX = "/__sandbox__/"


def with_console(app: WsgiApp, *, book: FaultBook, ledger: Callable[[], dict[str, Any]]) -> WsgiApp:
    """Return the application with ``/__sandbox__/ledger`` and ``/__sandbox__/faults`` in front of it.

    Faults never apply to the sandbox's own addresses.
    """

    def console(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == f"{PREFIX}ledger":
            return _json(ledger())(environ, start_response)
        if path == f"{PREFIX}faults":
            return _faults(Request(environ), book)(environ, start_response)
        return app(environ, start_response)

    return console


def _faults(request: Request, book: FaultBook) -> Response:
    if request.method == "POST":
        try:
            given = json.loads(request.get_data())
            book.add(given if isinstance(given, list) else [given])
        except (ValueError, TypeError) as problem:
            return _json({"error": str(problem)}, status=400)
    elif request.method == "DELETE":
        book.clear()
    return _json({"faults": book.report()})


def _json(body: dict[str, Any], *, status: int = 200) -> Response:
    return Response(json.dumps(body), status=status, mimetype="application/json")
