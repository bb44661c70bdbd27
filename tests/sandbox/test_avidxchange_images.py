"""Images of submitted invoices in the AvidXchange stand-in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest
import requests

from connector.sandbox.avidxchange.documents import pdf, png
from tests.sandbox.avid_world import HEADERS, AvidWorld, invoice

SCAN = pdf("Invoice INV-1")
HASH = "sha256:" + sha256(SCAN).hexdigest()
NOTE = {"ExternalId": "X|1|INV-1|1", "FileName": "INV-1.pdf", "ContentHash": HASH}


@pytest.fixture
def avid() -> Iterator[AvidWorld]:
    with AvidWorld() as world:
        world.vendors("X|1|MAIN")
        world.chart("01-10-5010")
        world.send("invoices", invoice("INV-1"))
        yield world


def upload(avid: AvidWorld, content: bytes = SCAN, *, note: Any = NOTE, name: str = "a.pdf") -> requests.Response:
    (row,) = avid.ledger()["invoices"]
    files = {"file": (name, content, "application/pdf")}
    data = {} if note is None else {"metadata": json.dumps(note)}
    url = f"{avid.url}/v1/invoices/{row['Id']}/images"
    return avid.session.post(url, files=files, data=data, headers=HEADERS["EPIC06"], timeout=30)


def held(avid: AvidWorld) -> list[tuple[str, str]]:
    (row,) = avid.ledger()["invoices"]
    assert row["image_count"] == len(row["Images"])
    return [(image["FileName"], image["ContentHash"]) for image in row["Images"]]


def test_upload_and_the_same_again(avid: AvidWorld) -> None:
    first = upload(avid)
    assert first.status_code == 201
    again = upload(avid)
    assert again.status_code == 200
    assert again.json() == first.json()
    assert held(avid) == [("INV-1.pdf", HASH)]
    (row,) = avid.items("/invoices", externalInvoiceIds="X|1|INV-1|1")
    assert [image["ContentHash"] for image in row["Images"]] == [HASH]


def test_a_second_file_is_a_second_image(avid: AvidWorld) -> None:
    other = pdf("Packing slip")
    upload(avid)
    assert upload(avid, other, note={"FileName": "slip.pdf"}).status_code == 201
    assert held(avid) == [("INV-1.pdf", HASH), ("slip.pdf", "sha256:" + sha256(other).hexdigest())]


@pytest.mark.parametrize(
    ("content", "note", "status", "code"),
    [
        (png(), {"FileName": "a.pdf"}, 415, "IMAGE_REJECTED"),
        (b"", {"FileName": "a.pdf"}, 415, "IMAGE_REJECTED"),
        (SCAN + b" " * (10 * 1024 * 1024 + 1 - len(SCAN)), {"FileName": "a.pdf"}, 413, "IMAGE_REJECTED"),
        (SCAN, {**NOTE, "ContentHash": "sha256:00"}, 400, "IMAGE_REJECTED"),
        (SCAN, {**NOTE, "ExternalId": "X|1|INV-2|1"}, 400, "IMAGE_REJECTED"),
        (SCAN, None, 400, "400"),
        (SCAN, [], 400, "400"),
    ],
)
def test_refused_image(avid: AvidWorld, content: bytes, note: Any, status: int, code: str) -> None:
    reply = upload(avid, content, note=note)
    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert held(avid) == []
    assert upload(avid).status_code == 201


def test_ten_megabytes_are_just_taken(avid: AvidWorld) -> None:
    assert upload(avid, SCAN + b" " * (10 * 1024 * 1024 - len(SCAN)), note={"FileName": "big.pdf"}).status_code == 201


def test_metadata_may_be_a_json_part_with_an_identifier(avid: AvidWorld) -> None:
    (row,) = avid.ledger()["invoices"]
    note = json.dumps({**NOTE, "ExternalId": {"Value": "X|1|INV-1|1"}})
    files = {"file": ("x.bin", SCAN, "application/octet-stream"), "metadata": ("", note, "application/json")}
    url = f"{avid.url}/v1/invoices/{row['Id']}/images"
    assert avid.session.post(url, files=files, headers=HEADERS["EPIC06"], timeout=10).status_code == 201


def test_unknown_invoice_and_missing_file(avid: AvidWorld) -> None:
    (row,) = avid.ledger()["invoices"]
    for path, who, status in (("1", "EPIC06", 404), (str(row["Id"]), "EPIC07", 404)):
        url = f"{avid.url}/v1/invoices/{path}/images"
        files = {"file": ("a.pdf", SCAN), "metadata": ("", "{}")}
        assert avid.session.post(url, files=files, headers=HEADERS[who], timeout=10).status_code == status
    url = f"{avid.url}/v1/invoices/{row['Id']}/images"
    nothing = avid.session.post(url, files={"metadata": ("", "{}")}, headers=HEADERS["EPIC06"], timeout=10)
    assert nothing.status_code == 400
