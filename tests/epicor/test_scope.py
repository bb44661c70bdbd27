"""The Access Scope table is what the code calls, no more and no less, and all of it exists in the tenant's schema."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from connector.epicor import ap_invoice_entry, payment_entry, records
from connector.epicor.records import EntitySet, columns
from connector.epicor.scope import ACCESS_SCOPE

ROOT = Path(__file__).resolve().parents[2]
SCHEMA: dict[str, Any] = json.loads((ROOT / "tests" / "contracts" / "epicor-schema.json").read_text())
NAME = r"[A-Z][A-Za-z]+"


def test_every_method_the_entry_modules_name_is_in_the_table() -> None:
    listed = {access.name for access in ACCESS_SCOPE}
    for module in (ap_invoice_entry, payment_entry):
        text = Path(module.__file__).read_text()
        called = set(re.findall(rf'client\.method\(\w+, "({NAME})"', text))
        called |= set(re.findall(rf'_change\(client, \w+, "({NAME})"', text))
        called |= set(re.findall(r'"(GetNewAPInvHed(?:DebitMemo|Invoice))"', text))
        assert len(called) >= 6
        assert called <= listed


def test_every_method_of_the_table_is_called_somewhere() -> None:
    text = "".join(path.read_text() for path in (ROOT / "connector" / "epicor").glob("*.py") if path.name != "scope.py")
    for access in ACCESS_SCOPE:
        if access.entity is None:
            assert f'"{access.name}"' in text, access.name


def test_every_entity_set_of_the_records_is_in_the_table() -> None:
    sets = {value.name for value in vars(records).values() if isinstance(value, EntitySet)}
    assert sets <= {access.name for access in ACCESS_SCOPE}


def test_no_line_is_there_twice() -> None:
    lines = [(access.service, access.name) for access in ACCESS_SCOPE]
    assert len(lines) == len(set(lines))


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
