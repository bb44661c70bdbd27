"""Both stand-ins together: one ledger on either port, faults and edits at run time, and the command line."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest
import requests
from werkzeug.test import Client

from connector.sandbox import credentials
from connector.sandbox.__main__ import main
from connector.sandbox.server import Sandbox
from connector.sandbox.tenant import tenant_document
from tests.sandbox.epicor_world import NOON


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Both servers with a small seed."""
    with Sandbox(vendors=20, invoices=20, clock=lambda: NOON) as running:
        yield running


def test_either_port_dumps_the_same_ledger(sandbox: Sandbox) -> None:
    dumps = [
        requests.get(f"{url}/__sandbox__/ledger", timeout=10).json()
        for url in (sandbox.epicor_url, sandbox.avidxchange_url)
    ]
    assert dumps[0] == dumps[1] == json.loads(json.dumps(sandbox.ledger()))
    assert dumps[0].keys() == {"epicor", "avidxchange", "calls"}
    assert dumps[0]["epicor"].keys() == dumps[0]["avidxchange"].keys() == {"EPIC06", "EPIC07"}
    assert dumps[0]["epicor"]["EPIC06"].keys() == {
        "vendors", "gl_accounts", "purchase_orders", "invoice_groups", "invoices", "payment_groups", "payments",
    }  # fmt: skip


def test_the_ledger_holds_no_secret_and_no_bank_number(sandbox: Sandbox) -> None:
    text = json.dumps(sandbox.ledger())
    secrets = [value for name, value in vars(credentials).items() if name.startswith("EPICOR_") and "not-real" in value]
    secrets += [value for avid in credentials.AVID_CUSTOMERS for value in (avid.company_token, avid.client_secret)]
    assert len(secrets) == 7
    assert [value for value in secrets if value in text] == []
    assert "000000000" not in text


def test_faults_are_set_and_cleared_at_run_time_and_spare_the_sandbox_itself(sandbox: Sandbox) -> None:
    faults = f"{sandbox.avidxchange_url}/__sandbox__/faults"
    rule = {"system": "epicor", "kind": "status", "status": 503, "times": -1}
    assert requests.post(faults, json=rule, timeout=10).json()["faults"][0]["kind"] == "status"
    assert requests.get(f"{sandbox.epicor_base}/api/v2/odata/EPIC06/x", timeout=10).status_code == 503
    assert requests.get(f"{sandbox.epicor_url}/__sandbox__/ledger", timeout=10).status_code == 200
    assert requests.delete(faults, timeout=10).json() == {"faults": []}
    assert requests.get(f"{sandbox.epicor_base}/api/v2/odata/EPIC06/x", timeout=10).status_code == 401
    wrong = requests.post(faults, json=[{"kind": "explode"}], timeout=10)
    assert (wrong.status_code, "unknown fault" in wrong.json()["error"]) == (400, True)


def test_data_is_edited_as_a_person_would(sandbox: Sandbox) -> None:
    url = f"{sandbox.epicor_url}/__sandbox__/edit"
    key = {"company": "EPIC06", "table": "Vendor", "key": {"VendorNum": 101}}
    before = sandbox.epicor.companies["EPIC06"]["Vendor"].get(101)
    assert before is not None
    version = before["SysRevID"]
    assert requests.post(url, json={**key, "set": {"Name": "Renamed"}}, timeout=10).json()["Name"] == "Renamed"
    assert before["SysRevID"] > version
    added = {**key, "key": {}, "insert": {"VendorNum": 5000, "VendorID": "NEW", "Name": "New"}}
    assert requests.post(url, json=added, timeout=10).json()["VendorNum"] == 5000
    gone = {"company": "EPIC06", "table": "Vendor", "key": {"VendorNum": 5000}, "delete": True}
    assert requests.post(url, json=gone, timeout=10).status_code == 200
    assert requests.post(url, json=gone, timeout=10).status_code == 400
    for wrong in ({"company": "EPIC99", "table": "Vendor"}, {**key, "set": {"Nme": 1}}, {"options": {"nonsense": 1}}):
        assert requests.post(url, json=wrong, timeout=10).status_code == 400


def test_connections_are_kept_alive(sandbox: Sandbox) -> None:
    with closing(HTTPConnection(sandbox.epicor_url.removeprefix("http://"), timeout=10)) as connection:
        used = set()
        for path in ("/__sandbox__/faults", "/nothing", "/__sandbox__/faults"):
            connection.request("POST" if path == "/nothing" else "GET", path, body=b"{}")
            connection.getresponse().read()
            used.add(connection.sock.getsockname())
        assert len(used) == 1


def test_the_applications_also_work_without_sockets() -> None:
    quiet = Sandbox(vendors=12, invoices=5, clock=lambda: NOON)
    assert Client(quiet.epicor_app).get("/__sandbox__/ledger").status_code == 200
    assert Client(quiet.avidxchange_app).get("/v1/vendors").status_code == 401


@contextmanager
def served(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """Run the command line; yields the process and the line it printed."""
    command = [sys.executable, "-m", "connector.sandbox", "--vendors", "12", "--invoices", "5", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_line_prints_one_line_and_ends_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    tenant, faults = tmp_path / "tenant.json", tmp_path / "faults.json"
    faults.write_text('[{"kind": "html", "system": "epicor", "times": -1}]')
    with served("--tenant-file", str(tenant), "--faults", str(faults)) as (process, addresses):
        assert addresses.keys() == {"epicor", "avidxchange"}
        assert requests.get(f"{addresses['epicor']}/anything", timeout=10).text.startswith("<!DOCTYPE html>")
        assert requests.get(f"{addresses['avidxchange']}/v1/vendors", timeout=10).status_code == 401
        written = json.loads(tenant.read_text())
        assert written == tenant_document(epicor_url=addresses["epicor"], avidxchange_url=addresses["avidxchange"])
        assert tenant.stat().st_mode & 0o777 == 0o600
        process.send_signal(number)
        out, problems = process.communicate(timeout=10)
        assert (process.returncode, out, problems) == (0, "", "")


def test_a_taken_port_and_a_wrong_rule_are_one_sentence(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = sandbox.epicor_url.rsplit(":", 1)[1]
    assert main(["--vendors", "12", "--epicor-port", port]) == 2
    assert capsys.readouterr().err.startswith("The sandbox cannot start: ")
    faults = tmp_path / "faults.json"
    faults.write_text('[{"kind": "explode"}]')
    assert main(["--vendors", "12", "--faults", str(faults)]) == 2
    assert "unknown fault 'explode'" in capsys.readouterr().err
