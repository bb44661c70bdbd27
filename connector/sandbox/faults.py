"""Faults on request: rules that break calls the way networks, gateways and busy servers do.

A rule is a JSON object: ``system`` ("epicor" or "avidxchange", absent = both), ``method`` (absent = any), ``path``
(regular expression searched in path and query, absent = any), ``skip`` (calls let through first, 0), ``times`` (how
often it fires, 1; -1 = always) and ``kind`` with the fields of that kind:

=============== ======================================================================================
status          ``status``, ``headers`` {}, ``body`` (text or JSON): answered instead of the call
html            200 with a page of HTML (``body`` to choose it) instead of the call
reset_before    connection dropped, nothing processed
reset_after     processed, then the connection dropped: the write lands, the reply is lost
slow            ``seconds`` before the call is processed
slow_body       processed; half of the body, ``seconds`` of nothing, the rest
cut_json        processed; half of the body under the length of the whole
expire_tokens   every bearer token becomes invalid, then the call is processed
repeat_page     the previous answer to the same path (whatever its query) again, not processed
=============== ======================================================================================

Rules are tried in order and the first that fires wins. ``reset_*`` raise ``ConnectionResetError`` out of the
application, which the server turns into a dropped connection.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from connector.sandbox.serving import WsgiApp

KINDS = frozenset("status html reset_before reset_after slow slow_body cut_json expire_tokens repeat_page".split())
_KEYS = frozenset("system method path skip times kind status headers body seconds".split())
_HTML = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>"

Answer = tuple[str, list[tuple[str, str]], bytes]


@dataclass
class Rule:
    """One fault and how often it was met and has fired."""

    kind: str
    system: str = ""
    method: str = ""
    path: str = ""
    skip: int = 0
    times: int = 1
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    seconds: float = 1.0
    met: int = 0
    fired: int = 0

    @classmethod
    def read(cls, given: dict[str, Any]) -> Rule:
        """Return the rule a JSON object describes; raises ``ValueError`` naming what is wrong with it."""
        unknown = given.keys() - _KEYS
        if unknown:
            raise ValueError(f"a fault has no field {', '.join(sorted(unknown))}")
        if given.get("kind") not in KINDS:
            raise ValueError(f"unknown fault {given.get('kind')!r}; known: {', '.join(sorted(KINDS))}")
        re.compile(given.get("path", ""))
        return cls(**given)

    def fires(self, system: str, method: str, target: str) -> bool:
        """Return whether the rule fires for this call, and count the meeting."""
        if (self.system and self.system != system) or (self.method and self.method.upper() != method):
            return False
        if not re.search(self.path, target):
            return False
        self.met += 1
        if self.met <= self.skip or self.fired == self.times:
            return False
        self.fired += 1
        return True


class FaultBook:
    """The rules in force; wraps both applications. ``sleep`` is injectable for tests."""

    def __init__(self, rules: Iterable[dict[str, Any]] = (), *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._lock = threading.Lock()
        self._sleep = sleep
        self._rules: list[Rule] = []
        self._previous: dict[tuple[str, str], Answer] = {}
        self.add(rules)

    def add(self, rules: Iterable[dict[str, Any]]) -> None:
        """Add rules after those in force. Raises ``ValueError`` and adds none if one is wrong."""
        read = [Rule.read(rule) for rule in rules]
        with self._lock:
            self._rules.extend(read)

    def clear(self) -> None:
        """Forget every rule."""
        with self._lock:
            self._rules.clear()
            self._previous.clear()

    def report(self) -> list[dict[str, Any]]:
        """Return each rule with how often it was met and has fired."""
        with self._lock:
            rules = list(self._rules)
        return [{"kind": rule.kind, "path": rule.path, "met": rule.met, "fired": rule.fired} for rule in rules]

    def wrap(self, app: WsgiApp, system: str, *, expire_tokens: Callable[[], None] | None = None) -> WsgiApp:
        """Return the application with this book's faults for ``system`` in front of it."""

        def wrapped(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            path = quote(environ.get("PATH_INFO", ""), safe="/()',=$@:!*;")
            query = environ.get("QUERY_STRING", "")
            rule = self._choose(system, environ["REQUEST_METHOD"], environ.get("RAW_URI") or f"{path}?{query}")
            if rule is None and not self._remembers():
                return app(environ, start_response)
            if rule is not None and rule.kind == "expire_tokens" and expire_tokens:
                expire_tokens()
            return self._play(rule, (system, path), app, environ, start_response)

        return wrapped

    def _choose(self, system: str, method: str, target: str) -> Rule | None:
        with self._lock:
            return next((rule for rule in self._rules if rule.fires(system, method, target)), None)

    def _remembers(self) -> bool:
        return any(rule.kind == "repeat_page" for rule in self._rules)

    def _play(
        self,
        rule: Rule | None,
        place: tuple[str, str],
        app: WsgiApp,
        environ: dict[str, Any],
        start_response: Callable[..., Any],
    ) -> Iterable[bytes]:
        kind = rule.kind if rule else ""
        if rule and kind in {"status", "html"}:
            return _instead(rule, start_response)
        if kind == "reset_before":
            raise ConnectionResetError("dropped by a fault rule")
        if rule and kind == "slow":
            self._sleep(rule.seconds)
        answer = self._previous.get(place) if kind == "repeat_page" else None
        answer = answer or _run(app, environ)
        if kind == "reset_after":
            raise ConnectionResetError("dropped by a fault rule, after the call was processed")
        self._previous[place] = answer
        status, headers, body = answer
        whole = [(name, value) for name, value in headers if name.lower() != "content-length"]
        start_response(status, [*whole, ("Content-Length", str(len(body)))])
        if kind == "cut_json":
            return [body[: len(body) // 2]]
        if rule and kind == "slow_body":
            return self._slowly(body, rule.seconds)
        return [body]

    def _slowly(self, body: bytes, seconds: float) -> Iterable[bytes]:
        yield body[: len(body) // 2]
        self._sleep(seconds)
        yield body[len(body) // 2 :]


def _run(app: WsgiApp, environ: dict[str, Any]) -> Answer:
    """Run the application to its end and return its whole answer."""
    head: list[tuple[str, list[tuple[str, str]]]] = []
    pieces = app(environ, lambda status, headers, exc_info=None: head.append((status, list(headers))))
    try:
        body = b"".join(pieces)
    finally:
        close = getattr(pieces, "close", None)
        if close:
            close()
    return (*head[-1], body)


def _instead(rule: Rule, start_response: Callable[..., Any]) -> Iterable[bytes]:
    text = rule.body if rule.body is not None else (_HTML if rule.kind == "html" else "")
    body = text.encode() if isinstance(text, str) else json.dumps(text).encode()
    media = "text/html; charset=utf-8" if isinstance(text, str) else "application/json"
    headers = {"Content-Type": media, **rule.headers, "Content-Length": str(len(body))}
    status = 200 if rule.kind == "html" else rule.status
    start_response(f"{status} Sandbox Fault", list(headers.items()))
    return [body]
