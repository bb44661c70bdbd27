"""Everything the Epicor stand-in serves exists under that name in a tenant's schema: nothing is invented."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connector.sandbox.epicor import BUSINESS_OBJECTS
from connector.sandbox.epicor.calls import METHODS
from connector.sandbox.epicor.catalog import METHOD_SERVICES, SERVICES, key_columns
from connector.sandbox.epicor.invoice_posting import PARAMETER_COLUMNS
from connector.sandbox.epicor.reads import LISTS
from connector.sandbox.epicor.receipt_billing import LINE_COLUMNS, RECEIPT_COLUMNS, SELECTED_COLUMNS
from connector.sandbox.seed.columns import KINDS

SCHEMA: dict[str, Any] = json.loads(
    (Path(__file__).resolve().parents[1] / "contracts" / "epicor-schema.json").read_text(encoding="utf-8")
)
SETS = [(service.name, name) for service in SERVICES.values() for name in service.sets]
TABLES = [(service.name, table) for service in SERVICES.values() for table in service.tables]
#: How a schema type is written for each kind of column.
JSON_TYPES = {"": "string", "d": "string", "i": "number", "n": "number", "b": "boolean"}


def test_every_service_is_in_the_schema() -> None:
    assert {*SERVICES, *METHOD_SERVICES} == SCHEMA.keys()
    assert BUSINESS_OBJECTS


@pytest.mark.parametrize(("service", "name"), SETS)
def test_a_set_and_its_columns_are_in_the_schema(service: str, name: str) -> None:
    entity = SERVICES[service].sets[name]
    known = SCHEMA[service]["entity_sets"][name]
    columns = SCHEMA[service]["types"][known["row"]]
    assert {column: JSON_TYPES[kind] for column, kind in entity.kinds.items()}.items() <= columns.items()
    assert list(key_columns(entity.table)) == known["keys"]


@pytest.mark.parametrize(("service", "table"), TABLES)
def test_a_dataset_table_and_its_columns_are_in_the_schema(service: str, table: str) -> None:
    shown = SERVICES[service].shown(table)
    columns = SCHEMA[service]["types"][f"{shown}Row"]
    assert KINDS[table].keys() - SERVICES[service].hidden(table) <= columns.keys()
    assert "RowMod" in columns


@pytest.mark.parametrize("service", SERVICES.values(), ids=lambda service: service.name)
def test_a_dataset_has_exactly_the_schemas_tables(service: Any) -> None:
    name = SCHEMA[service.name]["methods"]["GetByID"]["output"]["returnObj"][0]
    tables = {service.shown(table) for table in service.tables} | {*service.empty_tables, "ExtensionTables"}
    assert tables == SCHEMA[service.name]["types"][name].keys()


@pytest.mark.parametrize(("service", "name"), METHODS)
def test_a_method_takes_exactly_the_schemas_parameters(service: str, name: str) -> None:
    assert METHODS[service, name].inputs == (SCHEMA[service]["methods"][name].get("input") or {}).keys()


@pytest.mark.parametrize("service", LISTS)
def test_a_list_has_columns_of_the_schema(service: str) -> None:
    table, columns = LISTS[service]
    assert {*columns, "RowMod"} <= SCHEMA[service]["types"][f"{table}Row"].keys()


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("APUninvoicedReceipts", RECEIPT_COLUMNS),
        ("APUninvoicedRcptLines", LINE_COLUMNS),
        ("APSelectedRcptLines", SELECTED_COLUMNS),
    ],
)
def test_receipt_billing_has_columns_of_the_schema(table: str, columns: str) -> None:
    assert {*columns.split(), "RowMod"} <= SCHEMA["Erp.BO.APInvoiceSvc"]["types"][f"{table}Row"].keys()


@pytest.mark.parametrize(
    ("service", "row"),
    [
        ("Erp.PROC.APInvoicePostSvc", "APInvoicePostParamRow"),
        ("Erp.PROC.APPaymentPostSvc", "APPaymentPostProcessRow"),
    ],
)
def test_posting_parameters_are_in_the_schema(service: str, row: str) -> None:
    assert set(PARAMETER_COLUMNS) <= SCHEMA[service]["types"][row].keys()
