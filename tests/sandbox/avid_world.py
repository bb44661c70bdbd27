"""A served AvidXchange stand-in for one test: its state, a clock to turn, and calls as either customer.

``verdicts`` is the tests' own reading of a batch reply in all its shapes, independent of the product's decoder.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, Self

import requests

from connector.sandbox.avidxchange import AvidState, make_app
from connector.sandbox.avidxchange.customer import Customer
from connector.sandbox.credentials import AVID_A, AVID_B
from connector.sandbox.faults import FaultBook
from connector.sandbox.seed import Seed, build
from connector.sandbox.serving import Listener

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HEADERS = {
    known.company: {
        "Authorization": f"Bearer {known.company_token}",
        "AvidAuthorization": f"Bearer {known.user_token}",
    }
    for known in (AVID_A, AVID_B)
}


@cache
def seed() -> Seed:
    """The data set all of these tests share; the stand-in never writes to it."""
    return build(vendors=120, invoices=60, seed=1, today=NOON.date())


class Clock:
    """A clock that moves only when it is told to."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **parts: float) -> None:
        """Turn the clock, by seconds, hours or days."""
        self.now += timedelta(**parts)


class AvidWorld:
    """Serves a state on a loopback port while the ``with`` block lasts."""

    def __init__(self, *, pace: float = 0.0, faults: Iterable[dict[str, Any]] = (), **switches: Any) -> None:
        self.clock = Clock()
        self.pace = pace
        self.state = AvidState(seed(), pace=pace, clock=self.clock, **switches)
        self.faults = FaultBook(faults, sleep=lambda _seconds: None)
        app = self.faults.wrap(make_app(self.state), "avidxchange", expire_tokens=self.state.expire_tokens)
        self._listener = Listener(app, host="127.0.0.1", port=0)
        self.url = self._listener.url
        self.session = requests.Session()
        self._batches = 0

    def __enter__(self) -> Self:
        self._listener.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.session.close()
        self._listener.stop()

    @property
    def customer(self) -> Customer:
        """What customer A holds."""
        return self.state.customers["EPIC06"]

    def get(self, path: str, *, who: str = "EPIC06", **params: Any) -> requests.Response:
        """Read a path below /v1, or an address handed out by the other side."""
        url = path if path.startswith("http") else f"{self.url}/v1{path}"
        return self.session.get(url, params=params, headers=HEADERS[who], timeout=10)

    def post(self, path: str, body: Any, *, who: str = "EPIC06") -> requests.Response:
        """Write JSON to a path below /v1; Decimals go out as JSON numbers."""
        headers = {**HEADERS[who], "Content-Type": "application/json"}
        return self.session.post(f"{self.url}/v1{path}", data=encode(body), headers=headers, timeout=10)

    def send(self, kind: str, *items: Any, batch_id: str = "", who: str = "EPIC06") -> list[tuple[bool, list[str]]]:
        """Send a batch and return what became of each item, in the order sent: taken or not, and the error codes."""
        reply = self.submit(kind, *items, batch_id=batch_id, who=who)
        if reply.status_code == 202:
            self.clock.forward(seconds=self.pace)
            reply = self.get(f"/invoices/batches/{reply.json()['Id']['Value']}", who=who)
        assert reply.status_code == 200, reply.text
        return verdicts(reply.json(), [key_of(kind, item) for item in items])

    def submit(self, kind: str, *items: Any, batch_id: str = "", who: str = "EPIC06") -> requests.Response:
        """Send a batch and return the bare response."""
        self._batches += 1
        name = batch_id or f"B{self._batches:05d}"
        return self.post(f"/{kind}/batches", {"BatchId": {"Value": name}, "Items": list(items)}, who=who)

    def edit(self, table: str, **change: Any) -> requests.Response:
        """Edit a row of customer A, as somebody over there would."""
        body = {"company": "EPIC06", "table": table, **change}
        return self.session.post(f"{self.url}/__sandbox__/edit", data=encode(body), timeout=10)

    def ledger(self, who: str = "EPIC06") -> dict[str, Any]:
        """Everything a customer holds."""
        got = self.session.get(f"{self.url}/__sandbox__/ledger", timeout=10).json()
        held: dict[str, Any] = got["avidxchange"][who]
        return held

    def items(self, path: str, **params: Any) -> list[dict[str, Any]]:
        """The rows of a list that fits on one page, in whatever shape it comes."""
        reply = self.get(path, **params)
        assert reply.status_code == 200, reply.text
        return listed(reply.json()["Items"])

    def chart(self, *accounts: str) -> None:
        """Make GL accounts known."""
        taken = self.send("glAccounts", *[{"AccountNumber": name, "IsActive": True} for name in accounts])
        assert all(ok for ok, _codes in taken)

    def vendors(self, *names: str) -> None:
        """Make vendors known by their external ids."""
        taken = self.send("vendors", *[vendor(name) for name in names])
        assert all(ok for ok, _codes in taken)


def encode(body: Any) -> bytes:
    """JSON with Decimals as numbers, to the last digit."""
    marks: dict[str, str] = {}

    def mark(value: Any) -> str:
        if not isinstance(value, Decimal | date):
            raise TypeError(value)
        name = f"@@{len(marks)}@@"
        marks[f'"{name}"'] = str(value) if isinstance(value, Decimal) else f'"{value.isoformat()}"'
        return name

    text = json.dumps(body, default=mark)
    for name, number in marks.items():
        text = text.replace(name, number)
    return text.encode()


def listed(value: Any) -> list[Any]:
    """One object or a list of them, as a list."""
    return value if isinstance(value, list) else [value]


def key_of(kind: str, item: dict[str, Any]) -> str:
    """What a verdict is told apart by."""
    if kind == "invoices":
        external = item.get("ExternalId")
        return str(external.get("Value")) if isinstance(external, dict) else ""
    names = {"vendors": "VendorExternalSystemID", "glAccounts": "AccountNumber", "dimensions": "Code"}
    return str(item.get(names.get(kind, "PONumber"), ""))


def verdicts(body: dict[str, Any], keys: list[str]) -> list[tuple[bool, list[str]]]:
    """What became of each item, by echoed external id if all echo, else by position."""
    results = listed(body["Results"])
    assert len(results) == len(keys)
    echoes = [result["Item"].get("ExternalId", {}).get("Value") for result in results]
    if None not in echoes and len(set(keys)) == len(keys):
        results = [results[echoes.index(key)] for key in keys]
    return [
        (str(result["Successful"]).lower() == "true", [error["Code"] for error in listed(result.get("Errors", []))])
        for result in results
    ]


ADDRESS = {"Line1": "1 Mill Street", "City": "Dayton", "State": "OH", "PostalCode": "45402"}


def vendor(external_id: str, **changes: Any) -> dict[str, Any]:
    """A vendor that can be taken."""
    return {
        "VendorExternalSystemID": external_id,
        "VendorName": f"Vendor {external_id}",
        "RemitToAddress": ADDRESS,
        "IsActive": True,
        **changes,
    }


def invoice(number: str, amount: str = "100.00", **changes: Any) -> dict[str, Any]:
    """An invoice of vendor X|1|MAIN with one line on account 01-10-5010 that can be taken."""
    gross = Decimal(amount)
    return {
        "ExternalId": {"Value": f"X|1|{number}|1", "SchemeOwner": "Buyer"},
        "DocumentType": "CreditMemo" if gross < 0 else "Invoice",
        "VendorExternalSystemID": "X|1|MAIN",
        "Number": number,
        "InvoiceDate": "2026-11-02",
        "GrossAmount": gross,
        "Lines": [{"LineNumber": 1, "Amount": gross, "GLAccount": "01-10-5010"}],
        **changes,
    }


def straight(pace: float = 0.0, *, stories: dict[int, str] | None = None, awkward: bool = False) -> AvidWorld:
    """A world without rejections, whose payments go straight unless a test says otherwise."""
    return AvidWorld(pace=pace, awkward=awkward, stories=stories or {}, reject_percent=0)


def ready(avid: AvidWorld, vendors: int = 1) -> AvidWorld:
    """Make vendors X|1|MAIN and up and one account known."""
    avid.chart("01-10-5010")
    avid.vendors(*(f"X|{number}|MAIN" for number in range(1, vendors + 1)))
    return avid


def of_vendor(number: int, name: str, amount: str = "100.00") -> dict[str, Any]:
    """An invoice of one of those vendors."""
    external = {"Value": f"X|{number}|{name}|1"}
    return invoice(name, amount, VendorExternalSystemID=f"X|{number}|MAIN", ExternalId=external)


def paid(avid: AvidWorld, **filters: Any) -> list[dict[str, Any]]:
    """Payments as the wire shows them, all of this month without a filter."""
    return avid.items("/payments", **(filters or {"lastModifiedFrom": "2026-11-01"}))


def one_cleared(avid: AvidWorld) -> int:
    """Pay one invoice of 100.00 and return the payment's id."""
    ready(avid).send("invoices", invoice("INV-1"))
    (row,) = avid.ledger()["payments"]
    return int(row["PaymentId"])
