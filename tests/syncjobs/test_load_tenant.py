"""``load_tenant``: all of a document or nothing, and one line for each thing that is wrong with it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from connector.stages import Stage
from syncjobs.models import StageSchedule
from tenants.models import AuditEvent, EpicorConnection, Tenant

pytestmark = pytest.mark.django_db


@pytest.fixture
def loaded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run the command on a document (or raw text); returns exit code and what it printed."""

    def run(document: Any, *, file: str | None = None) -> tuple[int, str, str]:
        path = tmp_path / "tenant.json"
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        code = 0
        try:
            call_command("load_tenant", file or str(path))
        except SystemExit as ended:
            code = int(ended.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_a_document_creates_the_tenant_with_its_connections_and_schedule(loaded: Any, load: dict[str, Any]) -> None:
    load["stages"] = {"vendors_out": {"every_minutes": 60}, "payments_in": {"enabled": False}}
    assert loaded(load) == (0, "north: created, live, 6 of 7 stages switched on\n", "")
    tenant = Tenant.objects.get()
    assert (tenant.slug, tenant.epicor_connection.company, tenant.status) == ("north", "EPIC06", "live")
    rows = {row.stage: (row.enabled, str(row.interval)) for row in StageSchedule.objects.filter(tenant=tenant)}
    assert rows == {
        **{str(stage): (True, "every 15 minutes") for stage in Stage},
        "vendors_out": (True, "every 60 minutes"),
        "payments_in": (False, "every 15 minutes"),
    }


def test_loading_the_same_document_again_leaves_no_trace(loaded: Any, load: dict[str, Any]) -> None:
    loaded(load)
    events = AuditEvent.objects.count()
    assert loaded(load) == (0, "north: up to date, live, 7 of 7 stages switched on\n", "")
    assert AuditEvent.objects.count() == events


def test_bad_input_changes_nothing_and_gets_a_line_for_each_fault(loaded: Any, load: dict[str, Any]) -> None:
    load["time_zone"] = "Chicago"
    load["epicor"]["company"] = ""
    load["epicor"]["password"] = {"env": "NO_SUCH_VARIABLE_HERE"}
    load["stages"] = {"vendor_out": {}}
    code, out, err = loaded(load)
    lines = err.splitlines()
    assert (code, out) == (2, "")
    assert [line.split(":")[0] for line in sorted(lines)] == [
        "epicor.company",
        "epicor.password",
        "stages.vendor_out",
        "time_zone",
    ]
    assert not Tenant.objects.exists()


def test_a_bad_schedule_alone_keeps_the_tenant_as_it_was(loaded: Any, load: dict[str, Any]) -> None:
    loaded(load)
    load["name"] = "Another name"
    load["stages"] = {"vendors_out": {"every_minutes": 0}}
    assert loaded(load)[0] == 2
    assert Tenant.objects.get().name == "Tenant north"


def test_a_secret_may_come_from_the_environment(
    loaded: Any, load: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ERP_PASSWORD", "from-the-environment")
    load["epicor"]["password"] = {"env": "ERP_PASSWORD"}
    assert loaded(load)[0] == 0
    held = EpicorConnection.objects.get().password
    assert held is not None
    assert held.holds("from-the-environment")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"slug": "north", "password": "hunter2-canary"', "is not JSON: "),
        ("[1, 2]", "must be one JSON object, a tenant's document"),
        ("\ufeff", "is not JSON: "),
        ('{"slug": 7}', "slug: expected text, got a whole number"),
        ('{"stages": []}', "stages: must be an object of stage names"),
    ],
)
def test_what_is_no_document_is_refused(loaded: Any, text: str, says: str) -> None:
    code, out, err = loaded(text)
    assert (code, out) == (2, "")
    assert says in err
    assert "Traceback" not in err
    assert "canary" not in err


def test_a_file_that_is_not_there_is_named(loaded: Any, tmp_path: Path) -> None:
    missing = str(tmp_path / "none.json")
    assert loaded({}, file=missing) == (2, "", f"{missing}: cannot be read: No such file or directory\n")


def test_a_document_may_come_from_standard_input(
    loaded: Any, load: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(json.dumps(load).encode())))
    assert loaded(load, file="-")[0] == 0
    assert Tenant.objects.get().slug == "north"
