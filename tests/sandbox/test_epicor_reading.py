"""Reading sets and documents: legal OData behaviour that breaks naive clients, each shown once."""

from __future__ import annotations

from decimal import Decimal
from urllib.parse import quote

import pytest
import requests

from connector.sandbox.epicor.calls import METHODS
from tests.sandbox.epicor_world import INVOICES, EpicorWorld, error, open_invoice

VENDORS = "Erp.BO.VendorSvc/Vendors"


def test_without_top_a_hundred_rows_come_and_no_link() -> None:
    with EpicorWorld(vendors=130) as world:
        body = world.get(VENDORS).json()
        assert len(body["value"]) == 100
        assert "@odata.nextLink" not in body
        rest = world.rows(f"{VENDORS}?$skip=100")
        assert [row["VendorNum"] for row in rest] == list(range(201, 231))


def test_a_top_above_the_maximum_is_cut_in_silence() -> None:
    with EpicorWorld(vendors=130, max_top=25) as world:
        body = world.get(f"{VENDORS}?$top=5000").json()
        assert (len(body["value"]), "@odata.nextLink" in body) == (25, False)


@pytest.mark.parametrize("form", ["relative", "absolute"])
def test_a_next_link_leads_through_all_rows(form: str) -> None:
    with EpicorWorld(vendors=60, max_top=25, emit_next_link=form) as world:
        seen: list[int] = []
        reply = world.get(f"{VENDORS}?$select=VendorNum&$filter=VendorNum%20gt%20105&$top=50")
        while True:
            body = reply.json()
            seen += [row["VendorNum"] for row in body["value"]]
            link = body.get("@odata.nextLink")
            if link is None:
                break
            assert link.startswith("http") == (form == "absolute")
            url = link if form == "absolute" else f"{world.root}/api/v2/odata/EPIC06/Erp.BO.VendorSvc/{link}"
            reply = world.http.get(url, timeout=10)
        assert seen == list(range(106, 156))


def test_filter_order_select_count_and_skip() -> None:
    with EpicorWorld() as world:
        where = quote("Inactive eq true or (VendorNum ge 158 and not contains(Name,'zzz'))")
        body = world.get(f"{VENDORS}?$filter={where}&$orderby=VendorNum%20desc&$select=VendorNum&$count=true").json()
        assert body["@odata.count"] == 6
        assert body["value"] == [{"VendorNum": number} for number in (160, 159, 158, 154, 134, 114)]
        assert world.rows(f"{VENDORS}?$filter={where}&$select=VendorNum&$skip=5") == [{"VendorNum": 160}]
        assert world.get(f"{VENDORS}/$count?$filter={where}").text == "6"


def test_keyset_paging_over_a_composite_key_meets_every_row_once() -> None:
    with EpicorWorld(invoices=80) as world:
        where, seen = "VendorNum gt 0", []
        while True:
            path = f"{INVOICES}/APInvoices?$filter={quote(where)}&$orderby=VendorNum,InvoiceNum&$top=7"
            page = world.rows(f"{path}&$select=VendorNum,InvoiceNum")
            if not page:
                break
            seen += [(row["VendorNum"], row["InvoiceNum"]) for row in page]
            vendor, number = seen[-1][0], seen[-1][1].replace("'", "''")
            where = f"VendorNum gt {vendor} or (VendorNum eq {vendor} and InvoiceNum gt '{number}')"
        assert len(seen) == len(set(seen)) == 80


def test_a_plus_for_a_space_is_refused() -> None:
    with EpicorWorld() as world:
        naive = requests.Request("GET", "http://sandbox", params={"$filter": "VendorNum eq 101"}).prepare()
        query = str(naive.url).partition("?")[2]
        assert "+" in query
        assert error(world.get(f"{VENDORS}?{query}"))[:2] == (400, "ODataException")
        assert len(world.rows(f"{VENDORS}?{query.replace('+', '%20')}")) == 1


@pytest.mark.parametrize("option", ["$filter=VendorID2%20eq%20'X'", "$select=VendorID2", "$orderby=VendorID2"])
def test_an_unknown_column_is_named(option: str) -> None:
    with EpicorWorld() as world:
        assert error(world.get(f"{VENDORS}?{option}")) == (
            400,
            "ODataException",
            "Could not find a property named 'VendorID2' on type 'Erp.Vendor'.",
        )
        assert error(world.get("Erp.BO.POSvc/POes?$filter=VendorID%20eq%20'X'"))[2] == (
            "Could not find a property named 'VendorID' on type 'Erp.PO'."
        )


@pytest.mark.parametrize(
    "query",
    [
        "$filter=SysRevID%20gt%202026-01-01",
        "$filter=Name%20eq%205",
        "$filter=ChangeDate%20ge%20'2026-01-01'",
        "$filter=VendorNum%20eq",
        "$top=-1",
        "$skip=ten",
        "$apply=x",
        "$expand=VendRemitToes($top=1)",
    ],
)
def test_a_query_that_cannot_be_read_is_refused(query: str) -> None:
    path = f"{INVOICES}/APInvoices" if "ChangeDate" in query else VENDORS
    with EpicorWorld() as world:
        assert error(world.get(f"{path}?{query}"))[:2] == (400, "ODataException")


def test_an_option_without_its_dollar_is_ignored() -> None:
    with EpicorWorld() as world:
        assert len(world.rows(f"{VENDORS}?top=1&filter=VendorNum%20eq%20101")) == 60


def test_without_a_company_another_companys_rows_answer() -> None:
    with EpicorWorld() as world:
        rows = world.rows(VENDORS, company=None)
        assert {row["Company"] for row in rows} == {"EPIC07"}
        assert rows[0]["VendorNum"] == 101
        assert rows[0]["Name"] != world.stored("Vendor", 101)["Name"]


def test_an_unknown_company_is_refused() -> None:
    with EpicorWorld() as world:
        assert error(world.get(VENDORS, company="EPIC99")) == (
            400,
            "ApiException",
            "Company EPIC99 is not valid for this user.",
        )


def test_a_change_moves_a_date_without_time_and_a_rising_version() -> None:
    with EpicorWorld() as world:
        invoice = open_invoice(world)
        before = max(row["SysRevID"] for name in ("Vendor", "APInvHed") for row in _all(world, name))
        world.edit("APInvHed", invoice, Description="Changed")
        row = world.stored("APInvHed", invoice["VendorNum"], invoice["InvoiceNum"])
        assert (row["ChangeDate"], row["ChangedBy"]) == ("2026-11-23T00:00:00", "someone.else")
        assert row["SysRevID"] > before
        found = world.rows(f"{INVOICES}/APInvoices?$filter=SysRevID%20gt%20{before}&$orderby=SysRevID")
        assert [item["InvoiceNum"] for item in found] == [invoice["InvoiceNum"]]
        late = quote("ChangeDate gt 2026-11-23T00:00:00Z")
        assert world.rows(f"{INVOICES}/APInvoices?$filter={late}") == []
        for literal in ("2026-11-23", "2026-11-23T00:00:00", "2026-11-23T00:00:00Z", "2026-11-22T19:00:00-05:00"):
            where = quote(f"ChangeDate ge {literal} and Description eq 'changed'")
            assert len(world.rows(f"{INVOICES}/APInvoices?$filter={where}")) == 1


def _all(world: EpicorWorld, table: str) -> list[dict[str, int]]:
    return [row for company in world.state.companies.values() for row in company[table].all()]


def test_text_compares_without_case() -> None:
    with EpicorWorld() as world:
        name = world.stored("Vendor", 103)["Name"]
        assert name == "O'Brannagh & Sons Hoist Co."
        where = quote(f"Name eq '{name.upper().replace(chr(39), chr(39) * 2)}'", safe="")
        assert [row["VendorNum"] for row in world.rows(f"{VENDORS}?$filter={where}")] == [103]


def test_keyed_reads_and_their_limits() -> None:
    with EpicorWorld() as world:
        reply = world.get(f"{VENDORS}('EPIC06',104)?$select=VendorNum,Name")
        assert reply.json() == {"VendorNum": 104, "Name": world.stored("Vendor", 104)["Name"]}
        assert error(world.get(f"{VENDORS}('EPIC06',99999)"))[:2] == (404, "RecordNotFoundException")
        assert error(world.get(f"{VENDORS}('EPIC06')"))[:2] == (400, "ODataException")
        slashed = next(row for row in world.ledger()["invoices"] if "/" in row["InvoiceNum"])
        key = quote(f"('EPIC06',{slashed['VendorNum']},'{slashed['InvoiceNum']}')", safe="(),'")
        assert error(world.get(f"{INVOICES}/APInvoices{key}"))[:2] == (404, "ApiException")
        quoted = next(row for row in world.ledger()["invoices"] if "'" in row["InvoiceNum"])
        doubled = quoted["InvoiceNum"].replace("'", "''")
        where = quote(f"VendorNum eq {quoted['VendorNum']} and InvoiceNum eq '{doubled}'", safe="")
        assert len(world.rows(f"{INVOICES}/APInvoices?$filter={where}")) == 1


def test_a_company_shows_itself_under_a_renamed_column() -> None:
    with EpicorWorld() as world:
        shown = {"Company1": "EPIC06", "Name": "Sandbox Industrial Distribution"}
        where = "$select=Company1,Name&$filter=Company1%20eq%20'EPIC06'"
        assert world.rows(f"Erp.BO.CompanySvc/Companies?{where}") == [shown]
        assert world.get("Erp.BO.CompanySvc/Companies('EPIC06')?$select=Company1,Name").json() == shown
        assert world.get("Erp.BO.CompanySvc/Companies('EPIC07')").status_code == 404
        row = world.call("Erp.BO.CompanySvc", "GetByID", company="EPIC06")["returnObj"]["Company"][0]
        assert (row["Company"], "Company1" in row) == ("EPIC06", False)


def test_expand_brings_children() -> None:
    with EpicorWorld() as world:
        order = world.rows("Erp.BO.POSvc/POes?$expand=PODetails&$filter=PONum%20eq%2040003")[0]
        assert [line["POLine"] for line in order["PODetails"]] == [1, 2, 3]
        assert {line["PONUM"] for line in order["PODetails"]} == {40003}


def test_amounts_are_json_numbers_to_the_cent() -> None:
    with EpicorWorld() as world:
        invoice = open_invoice(world)
        where = quote(f"VendorNum eq {invoice['VendorNum']} and InvoiceNum eq '{invoice['InvoiceNum']}'")
        text = world.get(f"{INVOICES}/APInvoices?$filter={where}&$select=DocInvoiceAmt").text
        assert f'"DocInvoiceAmt":{invoice["DocInvoiceAmt"]}' in text
        bigger = quote(f"DocInvoiceAmt gt {Decimal(invoice['DocInvoiceAmt']) - Decimal('0.01')} and {where}", safe="%")
        assert len(world.rows(f"{INVOICES}/APInvoices?$filter={bigger}")) == 1


def test_a_gl_account_is_renamed_in_its_set_only() -> None:
    with EpicorWorld() as world:
        row = world.rows("Erp.BO.GLAccountSvc/GLAccounts?$top=1&$filter=GLAccount1%20eq%20'6010%7C10%7C02'")[0]
        assert (row["GLAccount1"], row["GLAcctDispGLAcctDisp"]) == ("6010|10|02", "02-10-6010")
        assert "GLAccount" not in row
        found = world.get("Erp.BO.GLAccountSvc/GetByID?coACode=MAIN&glAccount=6010%7C10%7C02").json()
        method_row = found["returnObj"]["GLAccount"][0]
        assert method_row["GLAccount"] == "6010|10|02"
        assert "GLAccount1" not in method_row


def test_attachments_cannot_be_read_by_their_set() -> None:
    with EpicorWorld() as world:
        assert error(world.get(f"{INVOICES}/APInvHedAttches"))[:2] == (500, "NullReferenceException")


def test_get_rows_needs_every_where_clause() -> None:
    query = "whereClauseAPInvGrp=GroupID%20%3D%20'locked'%20BY%20GroupID&pageSize=0&absolutePage=1"
    with EpicorWorld() as world:
        body = world.get(f"Erp.BO.APInvGrpSvc/GetRows?{query}").json()
        assert [row["GroupID"] for row in body["returnObj"]["APInvGrp"]] == ["LOCKED"]
        assert body["parameters"] == {"morePages": False}
        assert error(world.get("Erp.BO.APInvGrpSvc/GetRows?pageSize=0&absolutePage=1")) == (
            400,
            "ApiException",
            "Parameter whereClauseAPInvGrp is not found in the input object.",
        )


def test_get_rows_pages_and_leaves_children_out() -> None:
    with EpicorWorld() as world:
        children = dict.fromkeys(_clauses("Erp.BO.VendorSvc"), "1=0")
        asked = {**children, "whereClauseVendor": "Inactive = false AND VendorNum >= 101", "pageSize": 20}
        pages = [world.call("Erp.BO.VendorSvc", "GetRows", **asked, absolutePage=page) for page in (1, 2, 3)]
        assert [len(page["returnObj"]["Vendor"]) for page in pages] == [20, 20, 17]
        assert [page["morePages"] for page in pages] == [True, True, False]
        assert pages[0]["returnObj"]["VendRemitTo"] == []


def _clauses(service: str) -> list[str]:
    return [name for name in METHODS[service, "GetRows"].inputs if name.startswith("whereClause")]


def test_get_list_has_fewer_columns() -> None:
    with EpicorWorld() as world:
        asked = {"whereClause": "VendorNum = 101", "pageSize": 0, "absolutePage": 1}
        rows = world.call("Erp.BO.VendorSvc", "GetList", **asked)["returnObj"]["VendorList"]
        assert (len(rows), rows[0]["VendorNum"], "EMailAddress" in rows[0]) == (1, 101, False)


def test_methods_answer_get_and_post_and_name_what_is_wrong() -> None:
    with EpicorWorld() as world:
        by_get = world.get("Erp.BO.VendorSvc/GetByID?vendorNum=104").json()
        assert by_get == world.post("Erp.BO.VendorSvc", "GetByID", {"vendorNum": 104}).json()
        assert error(world.post("Erp.BO.VendorSvc", "GetByCode", {})) == (
            404,
            "ApiException",
            "Method GetByCode not found on service Erp.BO.VendorSvc.",
        )
        assert error(world.post("Erp.BO.VendorSvc", "GetByID", {}))[2] == (
            "Parameter vendorNum is not found in the input object."
        )
        assert error(world.post("Erp.BO.VendorSvc", "GetByID", {"vendorNum": 104, "extra": 1}))[2] == (
            "The input object has the parameter extra, which the method does not have."
        )
        assert error(world.get("Erp.BO.VendorSvc/GetByID?vendorNum=1"))[:2] == (404, "RecordNotFoundException")
        assert world.get(f"{INVOICES}/Update?ds=x").status_code == 405


@pytest.mark.parametrize(("mode", "posted"), [("all", {True, False}), ("unposted", {False}), ("posted", {True})])
def test_payment_entries_may_leave_payments_out(mode: str, posted: set[bool]) -> None:
    with EpicorWorld(payment_entries=mode) as world:
        head = world.rows("Erp.BO.VoidPaymentSvc/VoidPayments?$top=1")[0]["HeadNum"]
        world.edit("CheckHed", {"HeadNum": head}, Posted=False)
        assert {row["Posted"] for row in world.rows("Erp.BO.PaymentEntrySvc/PaymentEntries")} == posted
        found = world.rows(f"Erp.BO.APTranSearchSvc/APTranSearches?$filter=HeadNum%20eq%20{head}")
        assert [row["HeadNum"] for row in found] == [head]
