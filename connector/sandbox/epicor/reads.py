"""GetByID, GetRows and GetList for every business object served: the fallback for sets that fail (epicor.md 3.1)."""

from __future__ import annotations

import re
from typing import Any

from connector.sandbox.epicor.calls import Body, Call, Handler, full_dataset, method, reply
from connector.sandbox.epicor.catalog import SERVICES, Service
from connector.sandbox.epicor.errors import bad_query, not_found
from connector.sandbox.epicor.filters import Filter
from connector.sandbox.epicor.store import Database
from connector.sandbox.seed import Row
from connector.sandbox.seed.columns import KINDS

#: Service -> the light list's table and columns.
LISTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "Erp.BO.VendorSvc": (
        "VendorList",
        tuple(
            "Address1 Address2 Address3 City Company Country CurrencyCode GroupCode Inactive Name PayHold PhoneNum "
            "State SysRowID TaxPayerID VendorID VendorNum ZIP".split()
        ),
    ),
    "Erp.BO.APInvoiceSvc": (
        "APInvHedList",
        tuple(
            "Company VendorNum InvoiceNum VendorNumVendorID VendorNumName CurrencyCode DebitMemo Description "
            "DocInvoiceAmt DueDate GroupID InvoiceDate InvoiceHeld OpenPayable PayHold Posted ScrDocInvoiceAmt "
            "ScrDocInvoiceVendorAmt SysRowID".split()
        ),
    ),
}

_WORDS = {"=": " eq ", "<>": " ne ", "!=": " ne ", ">=": " ge ", "<=": " le ", ">": " gt ", "<": " lt "}
_TOKEN = re.compile(
    r"'(?:[^']|'')*'|<>|!=|>=|<=|=|>|<|\b(?:AND|OR|NOT|TRUE|FALSE)\b|\b[A-Za-z]\w*\.(?=[A-Za-z])", re.IGNORECASE
)


def document(database: Database, service: str, key: tuple[Any, ...]) -> dict[str, list[Row]]:
    """Return the rows of every table below one root row, by table. Raises 404 if there is no such row."""
    known = SERVICES[service]
    root = database[known.root].get(*key)
    if root is None:
        raise not_found()
    tables = {known.root: [root]}
    for child in known.tables[1:]:
        tables[child] = database[child].under(*key)
    return tables


def _get_by_id(service: Service) -> Handler:
    def run(call: Call) -> Body:
        kinds = KINDS[service.root]
        key = tuple(_part(call, name, kinds[column]) for name, column in service.key.items())
        tables = document(call.database, service.name, key)
        root = tables[service.root][0]
        if service.name == "Erp.BO.VoidPaymentSvc" and not root["Posted"]:
            raise not_found()
        return reply(full_dataset(service.name, tables))

    return run


def _part(call: Call, name: str, kind: str) -> Any:
    if kind == "i":
        return call.number(name)
    return call.flag(name) if kind == "b" else call.text(name)


def _get_rows(service: Service) -> Handler:
    def run(call: Call) -> Body:
        database, tables = call.database, {}
        roots = list(_where(database, service, service.root, call))
        page, more = _page(call, roots)
        tables[service.root] = page
        for child in service.tables[1:]:
            wanted = {row["SysRowID"] for row in _where(database, service, child, call)}
            below = [row for root in page for row in database[child].under(*database[service.root].key_of(root))]
            tables[child] = [row for row in below if row["SysRowID"] in wanted]
        return reply(full_dataset(service.name, tables), morePages=more)

    return run


def _get_list(service: Service) -> Handler:
    def run(call: Call) -> Body:
        table, columns = LISTS[service.name]
        text = call.text("whereClause")
        page, more = _page(call, list(_filtered(call.database, service.root, text)))
        rows = [{name: row[name] for name in columns} | {"RowMod": ""} for row in page]
        return reply({table: rows, "ExtensionTables": []}, morePages=more)

    return run


def _where(database: Database, service: Service, table: str, call: Call) -> list[Row]:
    return _filtered(database, table, call.text(f"whereClause{service.shown(table)}"))


def _filtered(database: Database, table: str, text: str) -> list[Row]:
    """Return the rows a 4GL-like where clause chooses; a trailing ``BY`` is read and key order kept."""
    clause = re.split(r"\s+BY\s+", text.strip(), flags=re.IGNORECASE)[0].strip()
    if re.fullmatch(r"1\s*=\s*0", clause):
        return []
    rows = database[table].all()
    if not clause:
        return list(rows)
    chosen = Filter(_TOKEN.sub(_translated, clause), kinds=KINDS[table], type_name=f"Erp.{table}")
    return [row for row in rows if chosen.matches(row)]


def _translated(found: re.Match[str]) -> str:
    token = found.group()
    if token.startswith("'"):
        return token
    if token.endswith("."):
        return ""
    return _WORDS.get(token, f" {token.lower()} ")


def _page(call: Call, rows: list[Row]) -> tuple[list[Row], bool]:
    """Return one page and whether more follow; pageSize 0 means all rows."""
    size, number = call.number("pageSize"), call.number("absolutePage")
    if size < 0:
        raise bad_query("pageSize must not be negative.")
    if size == 0:
        return rows, False
    start = max(0, number - call.state.options.getrows_first_page) * size
    return rows[start : start + size], start + size < len(rows)


@method("Erp.BO.VendorSvc", "GetByVendID", "vendorID")
def _get_by_vend_id(call: Call) -> Body:
    wanted = call.text("vendorID").casefold()
    for row in call.database["Vendor"].all():
        if row["VendorID"].casefold() == wanted:
            return reply(full_dataset("Erp.BO.VendorSvc", document(call.database, call.service, (row["VendorNum"],))))
    raise not_found()


for _service in SERVICES.values():
    method(_service.name, "GetByID", " ".join(_service.key))(_get_by_id(_service))
    _clauses = [f"whereClause{_service.shown(_t)}" for _t in _service.tables] + [
        f"whereClause{_t}" for _t in _service.empty_tables
    ]
    method(_service.name, "GetRows", " ".join([*_clauses, "pageSize", "absolutePage"]))(_get_rows(_service))
    if _service.name in LISTS:
        method(_service.name, "GetList", "whereClause pageSize absolutePage")(_get_list(_service))
