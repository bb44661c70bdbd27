"""The Access Scope table is what the code calls, no more and no less, and all of it exists in the tenant's schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connector.epicor.records import columns
from connector.epicor.scope import ACCESS_SCOPE
from tests.epicor.calls import Called, Source, Unknown

ROOT = Path(__file__).resolve().parents[2]
SCHEMA: dict[str, Any] = json.loads((ROOT / "tests" / "contracts" / "epicor-schema.json").read_text())
TABLE = {Called(access.service, access.name, access.writes) for access in ACCESS_SCOPE}


def product_files() -> list[Path]:
    """All that may hold an Epicor client; the stand-in answers calls and makes none."""
    return [path for package in ("connector/epicor", "syncjobs", "tenants") for path in (ROOT / package).rglob("*.py")]


def test_the_table_is_just_what_the_source_calls() -> None:
    """In both directions, entity sets and methods alike, and with what each caller says of writing."""
    called = Source(ROOT, product_files()).calls()
    assert (called - TABLE, TABLE - called) == (set(), set())


def test_nothing_reaches_epicor_but_through_the_gateway() -> None:
    """What the finder looks at is everything there is to look at."""

    def making(text: str) -> list[str]:
        return [str(path.relative_to(ROOT)) for path in product_files() if text in path.read_text()]

    assert making("HttpClient(") == ["connector/epicor/gateway.py"]
    assert making("= Gateway(") == ["connector/epicor/client.py"]
    assert making("._gateway = ") == ["connector/epicor/client.py"]


PLAIN = 'client.method("Erp.BO.NewSvc", "GetList", {}, writes=False)'
THROUGH_A_FUNCTION = """
NEW = "Erp.BO.NewSvc"
def _do(client, kind):
    client.method(NEW, kind, {}, writes=True)
_do(None, "Update")
_do(None, kind="Delete" if NEW else "Close")
"""
AN_ENTITY_SET = """
from connector.epicor.records import EntitySet
NEWS = EntitySet("Erp.BO.NewSvc", "News", ("ID",), object)
"""


@pytest.mark.parametrize(
    ("source", "names", "writes"),
    [(PLAIN, {"GetList"}, False), (THROUGH_A_FUNCTION, {"Update", "Delete", "Close"}, True),
     (AN_ENTITY_SET, {"News"}, False)],
    ids=["plain", "through a function", "an entity set"],
)  # fmt: skip
def test_a_call_that_is_not_in_the_table_is_found(tmp_path: Path, source: str, names: set[str], writes: bool) -> None:
    assert added(tmp_path, source) - TABLE == {Called("Erp.BO.NewSvc", name, writes) for name in names}


@pytest.mark.parametrize(
    "source",
    [
        "import sys\nclient.method(sys.argv[1], 'Update', {}, writes=True)",
        "client.method('Erp.BO.NewSvc', f'Get{NAME}', {}, writes=False)",
        "def never_called(client, name):\n    client.method('Erp.BO.NewSvc', name, {}, writes=False)",
        "question = ('Erp.BO.NewSvc', 'Update', {})\nclient.method(*question, writes=True)",
    ],
    ids=["computed", "put together", "never called", "unpacked"],
)
def test_a_call_that_cannot_be_followed_is_an_error(tmp_path: Path, source: str) -> None:
    with pytest.raises(Unknown):
        added(tmp_path, source)


def added(folder: Path, source: str) -> set[Called]:
    """What is called once a file is added to the client's package."""
    package = folder / "connector" / "epicor"
    package.mkdir(parents=True)
    for path in (ROOT / "connector" / "epicor").glob("*.py"):
        (package / path.name).write_text(path.read_text())
    (package / "added.py").write_text(source)
    return Source(folder, sorted(package.glob("*.py"))).calls()


def test_no_line_is_there_twice() -> None:
    lines = [(access.service, access.name) for access in ACCESS_SCOPE]
    assert len(lines) == len(set(lines))


def test_the_connection_test_leaves_alone_what_might_write_without_parameters() -> None:
    left_alone = {(access.service, access.name) for access in ACCESS_SCOPE if not access.tried}
    assert left_alone <= {(access.service, access.name) for access in ACCESS_SCOPE if access.writes}
    for name in ("DeleteByID", "RunDirect", "VoidSelectedChecks", "CreateNewCheckHed", "UploadFile", "UpdateExt"):
        assert [access for access in ACCESS_SCOPE if access.name == name and access.tried] == []


def test_nothing_could_write_master_data() -> None:
    """GL codes above all: they are never written into Epicor (docs/epicor-setup.md, what is never touched)."""
    assert {access.service for access in ACCESS_SCOPE if access.writes} == {
        "Erp.BO.APChkGrpSvc", "Erp.BO.APInvGrpSvc", "Erp.BO.APInvoiceSvc", "Erp.BO.PaymentEntrySvc",
        "Erp.BO.VoidPaymentSvc", "Erp.PROC.APInvoicePostSvc", "Erp.PROC.APPaymentPostSvc", "Ice.BO.AttachmentSvc",
    }  # fmt: skip


@pytest.mark.parametrize("access", ACCESS_SCOPE, ids=lambda access: f"{access.service}/{access.name}")
def test_every_line_exists_in_the_schema(access: Any) -> None:
    service = SCHEMA[access.service]
    if access.entity is None:
        assert access.name in {**service["methods"], **service["entity_sets"]}
        return
    described = service["entity_sets"][access.name]
    row = service["types"][described["row"]]
    assert [name for name in columns(access.entity.row) if name not in row] == []
    assert tuple(described["keys"]) == ("Company", *access.entity.key)
