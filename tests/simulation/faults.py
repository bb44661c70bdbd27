"""What networks, gateways and busy servers do to a call (field lessons sections 3 and 4), drawn from the seed.

A fault either comes instead of the call, or after the far system has carried it out: a write whose answer is lost has
landed all the same. Some land later than their caller waited for them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import format_datetime
from random import Random
from typing import Any

import msgspec
import requests
import urllib3.exceptions as u3

from tests.simulation.transport import Answer, Exchange
from tests.simulation.world import World

HTML = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>"
#: What the clients wait for an answer, in seconds (``Connection.timeout_s``).
PATIENCE = 60.0


@dataclass
class Weather:
    """The faults of one step: each call is hit with probability ``chance`` by one of ``kinds``."""

    world: World
    random: Random
    chance: float = 0.0
    kinds: tuple[str, ...] = ()
    systems: tuple[str, ...] = ("epicor", "avidxchange")
    tell: Callable[[str], None] = field(default=lambda words: None)

    def strike(self, exchange: Exchange) -> Answer | None:
        """Return the answer to a call, or None where nothing happens to it. Raises in the network's place."""
        if not self.chance or exchange.system not in self.systems or self.random.random() >= self.chance:
            return None
        kind = self.random.choice(self.kinds)
        self.tell(f"  {kind}: {exchange.method} {exchange.system} {exchange.path.rsplit('/', 2)[-2:]}")
        return FAULTS[kind](self, exchange)


Fault = Callable[[Weather, Exchange], Answer | None]
FAULTS: dict[str, Fault] = {}


def fault(name: str) -> Callable[[Fault], Fault]:
    """Register a fault under the name that traces show."""

    def register(run: Fault) -> Fault:
        FAULTS[name] = run
        return run

    return register


def _page(status: int, body: bytes = b"", media: str = "text/html", **headers: str) -> Answer:
    told = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Answer(status, [("Content-Type", media), ("Content-Length", str(len(body))), *told], body)


def _status(status: int, *, landed: bool) -> Fault:
    def run(weather: Weather, exchange: Exchange) -> Answer:
        if landed:
            exchange.carry_out()
        return _page(status, HTML if weather.random.random() < 0.5 else b"")

    return run


for _code in (408, 500, 502, 503):
    FAULTS[f"{_code} instead"] = _status(_code, landed=False)
for _code in (408, 500, 502, 504):
    FAULTS[f"{_code} after it landed"] = _status(_code, landed=True)
FAULTS["409 instead"] = _status(409, landed=False)


@fault("429")
def _slow_down(weather: Weather, _exchange: Exchange) -> Answer:
    """A wish to wait, in seconds, as a date of the server's, or none at all."""
    wish = weather.random.choice((1, 5, 40, 300, 2000))
    form = weather.random.choice(("seconds", "date", "none"))
    if form == "none":
        return _page(429)
    if form == "seconds":
        return _page(429, Retry_After=str(wish))
    now = weather.world.clock.true
    then = format_datetime(now + timedelta(seconds=wish), usegmt=True)
    return _page(429, Retry_After=then, Date=format_datetime(now, usegmt=True))


@fault("503 with a wish")
def _unavailable(weather: Weather, _exchange: Exchange) -> Answer:
    return _page(503, Retry_After=str(weather.random.choice((2, 30, 600))))


@fault("reset before")
def _reset_before(_weather: Weather, _exchange: Exchange) -> Answer:
    raise ConnectionResetError("dropped before anything was processed")


@fault("reset after it landed")
def _reset_after(_weather: Weather, exchange: Exchange) -> Answer:
    exchange.carry_out()
    raise ConnectionResetError("dropped after the call was processed")


@fault("refused")
def _refused(_weather: Weather, exchange: Exchange) -> Answer:
    down = u3.NewConnectionError(None, "connection refused")  # type: ignore[arg-type]
    raise requests.ConnectionError(u3.MaxRetryError(None, exchange.path, down))  # type: ignore[arg-type]


@fault("timeout instead")
def _timeout_before(weather: Weather, exchange: Exchange) -> Answer:
    weather.world.sleep(PATIENCE)
    raise requests.ReadTimeout(u3.ReadTimeoutError(None, exchange.path, "read timed out"))  # type: ignore[arg-type]


@fault("timeout after it landed")
def _timeout_after(weather: Weather, exchange: Exchange) -> Answer:
    exchange.carry_out()
    return _timeout_before(weather, exchange)


@fault("slow")
def _slow(weather: Weather, exchange: Exchange) -> Answer:
    weather.world.sleep(weather.random.choice((3.0, 20.0, 55.0)))
    return exchange.carry_out()


@fault("cut")
def _cut(weather: Weather, exchange: Exchange) -> Answer:
    """The connection ends in the middle of the body."""
    answer = exchange.carry_out()
    whole = [(name, value) for name, value in answer.headers if name.lower() != "content-length"]
    keep = weather.random.randrange(len(answer.body)) if answer.body else 0
    return Answer(answer.status, [*whole, ("Content-Length", str(len(answer.body) + 1))], answer.body[:keep])


@fault("cut without a length")
def _cut_quietly(weather: Weather, exchange: Exchange) -> Answer:
    """Half of a body that says it is whole."""
    answer = exchange.carry_out()
    half = answer.body[: len(answer.body) // 2]
    whole = [(name, value) for name, value in answer.headers if name.lower() != "content-length"]
    return Answer(answer.status, [*whole, ("Content-Length", str(len(half)))], half)


@fault("html instead")
def _html(_weather: Weather, _exchange: Exchange) -> Answer:
    return _page(200, HTML)


@fault("html after it landed")
def _html_after(_weather: Weather, exchange: Exchange) -> Answer:
    exchange.carry_out()
    return _page(200, HTML)


@fault("error inside a 200")
def _error_inside(_weather: Weather, exchange: Exchange) -> Answer:
    if exchange.system == "epicor":
        inside: dict[str, Any] = {
            "HttpStatus": 500, "ReasonPhrase": "REST API Exception", "ErrorMessage": "An unexpected problem occurred.",
            "ErrorType": "System.NullReferenceException", "ErrorDetails": [],
        }  # fmt: skip
    else:
        inside = {"exception": {"reason": "Internal", "detail": "An unexpected problem occurred."}}
    return _page(200, json.dumps(inside).encode(), "application/json")


@fault("page reordered")
def _reordered(weather: Weather, exchange: Exchange) -> Answer:
    answer = exchange.carry_out()
    if exchange.method != "GET" or not answer.is_json:
        return answer
    body = msgspec.json.decode(answer.body, type=dict[str, msgspec.Raw])
    for name in ("value", "Items"):
        if bytes(body.get(name, b"")).startswith(b"["):
            rows = msgspec.json.decode(body[name], type=list[msgspec.Raw])
            weather.random.shuffle(rows)
            body[name] = msgspec.Raw(msgspec.json.encode(rows))
    return _page(answer.status, msgspec.json.encode(body), "application/json")


@fault("tokens expire")
def _expire(weather: Weather, exchange: Exchange) -> Answer:
    far = weather.world.sandbox
    (far.epicor if exchange.system == "epicor" else far.avidxchange).expire_tokens()
    return exchange.carry_out()


@fault("old page again")
def _repeated(weather: Weather, exchange: Exchange) -> Answer:
    """A cache answers with what the same address answered last, whatever its query was."""
    kept = weather.world.last_pages.get(exchange.place)
    return kept or exchange.carry_out()
