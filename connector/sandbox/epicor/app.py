"""The Epicor stand-in as a WSGI application: addresses, sign-in, dispatch, error bodies.

A call that leaves out the company segment is answered from the user's default company, and one whose company does not
exist is refused. Every request runs under the state's one lock.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

import msgspec
from werkzeug.wrappers import Request, Response

from connector.sandbox import credentials
from connector.sandbox.epicor import auth
from connector.sandbox.epicor.calls import METHODS, Call, check_parameters
from connector.sandbox.epicor.catalog import METHOD_SERVICES, SERVICES
from connector.sandbox.epicor.creates import create_in_set
from connector.sandbox.epicor.errors import API, Refused, bad_input, unknown_resource
from connector.sandbox.epicor.sets import Query, count_set, read_one, read_set
from connector.sandbox.epicor.state import EpicorState
from connector.sandbox.epicor.store import Database
from connector.sandbox.serving import WsgiApp

_ENCODER = msgspec.json.Encoder(decimal_format="number")
_DECODER = msgspec.json.Decoder(Any, float_hook=Decimal)
_BASE = f"/{credentials.EPICOR_INSTANCE}"
_ODATA = f"{_BASE}/api/v2/odata/"
_KEYED = re.compile(r"(?P<name>\w+)\((?P<key>.*)\)$", re.DOTALL)
_KEY_PART = re.compile(r"\s*(?:'((?:[^']|'')*)'|(-?\d+)|(true|false)|([0-9a-fA-F-]{36}))\s*(?:,|$)")


def make_app(state: EpicorState) -> WsgiApp:
    """Return the WSGI application that serves ``state``."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = Request(environ)
        with state.lock:
            if not request.path.startswith("/__sandbox__/"):
                state.calls[request.method] += 1
            response = _answer(request, state)
        return response(environ, start_response)

    return app


def _answer(request: Request, state: EpicorState) -> Response:
    """Answer a request; whatever a refused call has written is taken back."""
    for database in state.companies.values():
        database.begin()
    try:
        return _route(request, state)
    except Refused as refusal:
        problem = refusal
    except Exception:
        logging.getLogger(__name__).exception("the stand-in failed on %s %s", request.method, request.path)
        problem = Refused(500, "System.NullReferenceException", "An unexpected internal problem occurred.")
    for database in state.companies.values():
        database.roll_back()
    return _json(problem.body(), problem.status)


def _route(request: Request, state: EpicorState) -> Response:
    path = request.path
    if path == "/__sandbox__/edit" and request.method == "POST":
        return _edit(request, state)
    if path == credentials.EPICOR_TOKEN_PATH and request.method == "POST":
        return auth.oauth_token(request, state)
    if path.rstrip("/") == f"{_BASE}/TokenResource.svc" and request.method == "POST":
        return auth.token_resource(request, state)
    if not path.startswith(_ODATA):
        raise unknown_resource("No HTTP resource was found that matches the request URI.")
    return _odata(request, state, path.removeprefix(_ODATA))


def _edit(request: Request, state: EpicorState) -> Response:
    try:
        return _json(state.edit(_body(request)), 200)
    except ValueError as problem:
        return _json({"error": str(problem)}, 400)


def _odata(request: Request, state: EpicorState, rest: str) -> Response:
    segments = rest.split("/", 2)
    raw = request.environ.get("QUERY_STRING", "")
    if segments[0].startswith(("Erp.", "Ice.")):
        segments = [credentials.EPICOR_DEFAULT_COMPANY, *rest.split("/", 1)]
    company = segments[0]
    key = request.headers.get("x-api-key", "") or unquote(dict(_pairs(raw)).get("api-key", ""))
    auth.authenticate(request, state, company=company, api_key=key)
    if company not in state.companies:
        raise Refused(400, API, f"Company {company} is not valid for this user.")
    if len(segments) < 3:
        raise unknown_resource(f"No resource was found at {rest}.")
    return _resource(request, state, state.companies[company], service=segments[1], tail=segments[2], raw=raw)


def _resource(
    request: Request, state: EpicorState, database: Database, *, service: str, tail: str, raw: str
) -> Response:
    known = SERVICES.get(service)
    if known is None and service not in METHOD_SERVICES:
        raise unknown_resource(f"Service {service} not found.")
    keyed = _KEYED.match(tail)
    if keyed and "/" in keyed["key"]:
        raise unknown_resource("No HTTP resource was found that matches the request URI.")  # IIS decodes %2F first
    name = keyed["name"] if keyed else tail.removesuffix("/$count")
    if known is None or name not in known.sets or (service, tail) in METHODS:
        return _method(request, state, database, service=service, name=tail, raw=raw)
    if request.method == "POST" and not keyed:
        return _json(create_in_set(state, database, service, name, _body(request)), 201)
    if request.method != "GET":
        raise Refused(405, API, f"The requested resource does not support http method '{request.method}'.")
    if name in state.options.failing_sets or f"{service}/{name}" in state.options.failing_sets:
        raise Refused(500, "System.NullReferenceException", "An unexpected internal problem occurred.")
    auth.check_rights(state, service=service, method=name)
    query = Query.read(raw)
    if keyed:
        return _json(read_one(database, service=known, name=name, key=_key(keyed["key"]), query=query), 200)
    if tail.endswith("/$count"):
        total = count_set(database, state.options, service=known, name=name, query=query)
        return Response(str(total), mimetype="text/plain")
    return _json(
        read_set(database, state.options, service=known, name=name, query=query, address=request.base_url), 200
    )


def _method(request: Request, state: EpicorState, database: Database, *, service: str, name: str, raw: str) -> Response:
    chosen = METHODS.get((service, name))
    if chosen is None:
        raise unknown_resource(f"Method {name} not found on service {service}.")
    if request.method == "GET" and chosen.by_get:
        given = {key: unquote(value) for key, value in _pairs(raw) if not key.startswith("$") and key != "api-key"}
        if "+" in raw:
            raise bad_input("A space in the query must be sent as %20.")
    elif request.method == "POST":
        given = _body(request)
    else:
        raise Refused(405, API, f"The requested resource does not support http method '{request.method}'.")
    auth.check_rights(state, service=service, method=name)
    check_parameters(chosen, given)
    return _json(chosen.run(Call(state, database, service, given)), 200)


def _pairs(raw: str) -> list[tuple[str, str]]:
    return [(unquote(name), value) for name, _, value in (piece.partition("=") for piece in raw.split("&") if piece)]


def _key(text: str) -> list[Any]:
    """Return the parts of a keyed URL: text in single quotes (doubled inside), numbers and booleans bare."""
    parts: list[Any] = []
    place = 0
    while place < len(text):
        found = _KEY_PART.match(text, place)
        if found is None:
            raise bad_input(f"The key ({text}) cannot be read.")
        word, number, flag, guid = found.groups()
        if number is not None:
            parts.append(int(number))
        elif flag is not None:
            parts.append(flag == "true")
        else:
            parts.append(guid if word is None else word.replace("''", "'"))
        place = found.end()
    return parts


def _body(request: Request) -> dict[str, Any]:
    """Return the JSON object of a request, numbers with a point as Decimal. Raises a 400 refusal if it is none."""
    try:
        body = _DECODER.decode(request.get_data() or b"{}")
    except msgspec.DecodeError as problem:
        raise bad_input(f"The request body is not valid JSON: {problem}") from None
    if not isinstance(body, dict):
        raise bad_input("The request body must be a JSON object.")
    return body


def _json(body: dict[str, Any], status: int) -> Response:
    return Response(_ENCODER.encode(body), status=status, mimetype="application/json")
