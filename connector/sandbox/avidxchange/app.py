"""The WSGI application: routes, the order in which a call is checked, and the sandbox's own paths.

A call is checked in this order: credentials, then whether the capability is there at all, then the call itself. The
request's body is always read first, so that a kept-alive connection stays usable after an early refusal.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from connector.sandbox.avidxchange import views_invoices as inv
from connector.sandbox.avidxchange import views_payments as pay
from connector.sandbox.avidxchange.call import Call
from connector.sandbox.avidxchange.edits import EditError, edit
from connector.sandbox.avidxchange.state import AvidState
from connector.sandbox.avidxchange.wire import RefusalError, answer, bare, gateway

View = Callable[..., Response]

#: Method, path below /v1 and view; the path is also the template that ``Options.capability_missing`` names.
ROUTES: tuple[tuple[str, str, View], ...] = (
    ("GET", "/accountingSystems", pay.get_accounting_systems),
    ("GET", "/vendors", inv.get_vendors),
    ("POST", "/<kind>/batches", inv.post_batch),
    ("GET", "/<kind>/batches/<batch_id>", lambda call, kind, batch_id: inv.get_batch(call, batch_id)),
    ("GET", "/invoices/batches/closed/acctgSysId/<int:system_id>", inv.get_closed),
    ("GET", "/invoices/batches/<batch_id>/details", inv.get_details),
    ("POST", "/invoices/batches/exportHistories", inv.post_export_history),
    ("GET", "/invoices", inv.get_invoices),
    ("POST", "/invoices/<int:invoice_id>/images", inv.post_image),
    ("GET", "/images/<int:invoice_id>", inv.get_image),
    ("GET", "/payments/batches", pay.get_payment_batches),
    ("GET", "/payments", pay.get_payments),
    ("GET", "/payments/<int:payment_id>/paymenthistory", pay.get_history),
    ("GET", "/payments/<int:payment_id>/getclearedcheckimage", pay.get_cleared_image),
    ("GET", "/bankAccounts", pay.get_bank_accounts),
    ("GET", "/ping", pay.get_ping),
)


def _rules() -> list[Rule]:
    rules = []
    for method, path, view in ROUTES:
        for kind in inv.HANDLERS if "<kind>" in path else ("",):
            text = path.replace("<kind>", kind)
            defaults = {"kind": kind} if kind else None
            rules.append(Rule(f"/v1{text}", methods=[method], endpoint=(_template(text), view), defaults=defaults))
    return rules


def _template(path: str) -> str:
    """Return a path with ``{id}`` for each variable part, the contract's way of writing it."""
    return "/".join("{id}" if part.startswith("<") else part for part in path.split("/"))


class AvidApp:
    """Serves one ``AvidState`` over WSGI."""

    def __init__(self, state: AvidState) -> None:
        self.state = state
        self._map = Map(_rules(), redirect_defaults=False, strict_slashes=False)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with Request(environ) as request:
            return self.respond(request)(environ, start_response)

    def respond(self, request: Request) -> Response:
        """Return the response to a request, whatever it is."""
        request.get_data()
        with self.state.lock:
            try:
                if request.path.startswith("/__sandbox__/"):
                    return self._own(request)
                self.state.calls[request.method] += 1
                return self._serve(request)
            except RefusalError as refusal:
                return refusal.response
            except HTTPException as error:
                return gateway(error.code or 500, error.name).response

    def _serve(self, request: Request) -> Response:
        now = self.state.tick()
        state = self.state
        if request.path == "/v1/authorizations":
            if request.method != "POST":
                raise MethodNotAllowed(["POST"])
            return state.gate.issue(request, now, state.options)
        customer = state.gate.customer(request, now)
        view, values = self._match(request)
        response: Response = view(Call(request, customer, state.options, now, state.salt), **values)
        return response

    def _match(self, request: Request) -> tuple[View, dict[str, Any]]:
        """Return the view that serves a request and its values.

        Raises ``RefusalError`` for a missing capability, whatever the method.
        """
        places = self._map.bind_to_environ(request.environ)
        wrong: MethodNotAllowed | None = None
        try:
            (template, view), values = places.match()
        except MethodNotAllowed as error:
            (template, view), values = places.match(method=next(iter(error.valid_methods or ())))
            wrong = error
        if self.state.options.lacks(template):
            raise RefusalError(bare(self.state.options.capability_status))
        if wrong is not None:
            raise wrong
        return view, dict(values)

    def _own(self, request: Request) -> Response:
        """Answer the sandbox's own paths, which need no credentials."""
        if (request.method, request.path) == ("GET", "/__sandbox__/ledger"):
            return answer({"avidxchange": self.state.ledger(), "calls": {"avidxchange": dict(self.state.calls)}})
        if (request.method, request.path) != ("POST", "/__sandbox__/edit"):
            raise gateway(404, "The sandbox has no such path")
        now = self.state.tick()
        try:
            return answer(edit(self.state, json.loads(request.get_data(), parse_float=Decimal), now))
        except (EditError, KeyError, ValueError) as error:
            raise gateway(400, f"edit refused: {error}") from None


def make_app(state: AvidState) -> AvidApp:
    """Return the WSGI application that serves a state."""
    return AvidApp(state)
