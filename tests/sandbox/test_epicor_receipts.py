"""Billing received PO lines, and attachments: the two things that hang on an invoice being entered."""

from __future__ import annotations

import base64

from connector.sandbox.seed import Row
from tests.sandbox.epicor_world import (
    INVOICES,
    SWITCHES,
    EpicorWorld,
    error,
    good_vendor,
    make_header,
    make_invoice_group,
)

ATTACHMENTS = "Ice.BO.AttachmentSvc"
PNG = b"\x89PNG\r\n\x1a\nnot really"


def _uninvoiced_order(world: EpicorWorld) -> Row:
    rows = world.state.companies["EPIC06"]["RcvDtl"].all()
    slip = next(row for row in rows if row["SupplierUnInvcReceiptQty"] > 0)
    return world.stored("POHeader", slip["PONum"])


def test_received_lines_are_selected_and_billed_once() -> None:
    with EpicorWorld() as world:
        order = _uninvoiced_order(world)
        vendor = world.stored("Vendor", order["VendorNum"])
        make_invoice_group(world)
        header = make_header(world, vendor, "PO-1", "1.00")
        asked = {"InVendorNum": vendor["VendorNum"], "InInvoiceNum": "PO-1", "InPONum": order["PONum"]}
        ds = world.call(INVOICES, "GetAPUninvoicedReceipts", ds={}, **asked)["ds"]
        slip = ds["APUninvoicedReceipts"][0]["PackSlip"]
        chosen = ds["APUninvoicedRcptLines"][0]
        select = {"InVendorNum": vendor["VendorNum"], "InPurPoint": "", "InPONum": order["PONum"], "InPackSlip": slip,
                  "InDropShip": False, "InvoiceNum": "PO-1", "InGRNIClearing": False}  # fmt: skip
        assert error(world.post(INVOICES, "SelectUninvoicedRcptLines", {"ds": ds, **select}))[2] == (
            "No receipt line is selected."
        )
        chosen |= {"SelectLine": True, "RowMod": "U"}
        ds = world.call(INVOICES, "SelectUninvoicedRcptLines", ds=ds, **select)["ds"]
        assert world.call(INVOICES, "InvoiceSelectedLines", ds=ds)["opLOCMsg"] == ""
        line = world.invoice(vendor["VendorNum"], "PO-1")["lines"][0]
        assert (line["LineType"], line["PONum"], line["POLine"], line["PackSlip"], line["accounts"]) == (
            "R", order["PONum"], chosen["POLine"], slip, ["2010|00|01"],
        )  # fmt: skip
        received = world.stored("RcvDtl", vendor["VendorNum"], "", slip, chosen["PackLine"])
        assert (received["Invoiced"], received["InvoiceNum"], received["SupplierUnInvcReceiptQty"]) == (True, "PO-1", 0)
        assert world.stored("PORel", order["PONum"], chosen["POLine"], 1)["InvoicedQty"] == received["VendorQty"]
        assert error(world.post(INVOICES, "InvoiceSelectedLines", {"ds": ds}))[2] == (
            f"Receipt line {slip}/{chosen['PackLine']} is already invoiced."
        )
        world.call(INVOICES, "DeleteByID", vendorNum=header["VendorNum"], invoiceNum="PO-1")
        assert received["SupplierUnInvcReceiptQty"] == received["VendorQty"]


def test_an_unreceived_line_takes_part_quantity_and_price_from_the_order() -> None:
    with EpicorWorld() as world:
        order = _uninvoiced_order(world)
        vendor = world.stored("Vendor", order["VendorNum"])
        make_invoice_group(world)
        header = make_header(world, vendor, "PO-2", "1.00")
        key = {"iVendorNum": vendor["VendorNum"], "cInvoiceNum": "PO-2"}
        ds = world.call(INVOICES, "GetNewAPInvDtlUnreceived", ds={}, **key)["ds"]
        ds = world.call(INVOICES, "ChangePONum", ds=ds, ProposedPONum=order["PONum"])["ds"]
        ds = world.call(INVOICES, "ChangePOLine", ds=ds, ProposedPOLine=1)["ds"]
        ds = world.call(INVOICES, "ChangeVendorQty", ds=ds, ProposedVendorQty=2)["ds"]
        ds = world.call(INVOICES, "ChangeUnitCost", ds=ds, ProposedUnitCost=3.5)["ds"]
        world.call(INVOICES, "UpdateMaster", ds=ds, cGroupID=header["GroupID"], cTableName="APInvDtl", **SWITCHES)
        line = world.invoice(vendor["VendorNum"], "PO-2")["lines"][0]
        assert (line["LineType"], line["PartNum"], line["VendorQty"], line["DocExtCost"]) == (
            "U", world.stored("PODetail", order["PONum"], 1)["PartNum"], "2", "7.00",
        )  # fmt: skip


def test_an_order_of_another_vendor_is_refused() -> None:
    with EpicorWorld() as world:
        order = _uninvoiced_order(world)
        other = next(row for row in world.state.companies["EPIC06"]["Vendor"].all() if _differs(row, order))
        make_invoice_group(world)
        make_header(world, other, "PO-3", "1.00")
        ds = world.call(INVOICES, "GetNewAPInvDtlUnreceived", ds={}, iVendorNum=other["VendorNum"], cInvoiceNum="PO-3")
        body = {"ds": ds["ds"], "ProposedPONum": order["PONum"]}
        assert error(world.post(INVOICES, "ChangePONum", body))[2] == (
            f"PO {order['PONum']} is not valid for the supplier."
        )


def _differs(vendor: Row, order: Row) -> bool:
    return vendor["VendorNum"] != order["VendorNum"] and not vendor["Inactive"]


def test_files_are_listed_by_get_by_id_and_downloaded_as_base64() -> None:
    with EpicorWorld() as world:
        database = world.state.companies["EPIC06"]
        row = next(iter(database["APInvHedAttch"].all()))
        key = {"vendorNum": row["VendorNum"], "invoiceNum": row["InvoiceNum"]}
        listed = world.call(INVOICES, "GetByID", **key)["returnObj"]["APInvHedAttch"]
        assert [item["XFileRefNum"] for item in listed] == [row["XFileRefNum"]]
        text = world.call(ATTACHMENTS, "DownloadFile", xFileRefNum=row["XFileRefNum"])["returnObj"]
        assert base64.b64decode(text) == database.files[row["XFileRefNum"]][2]
        gone = world.post(ATTACHMENTS, "DownloadFile", {"xFileRefNum": 1})
        assert error(gone) == (404, "RecordNotFoundException", "The file was not found.")


def test_an_uploaded_file_hangs_on_the_invoice_once_it_is_attached() -> None:
    with EpicorWorld() as world:
        make_invoice_group(world)
        make_header(world, good_vendor(world), "CAP-1", "1.00")
        file = {"docTypeID": "INV", "parentTable": "APInvHed", "fileName": "..\\..\\scan.png",
                "data": base64.b64encode(PNG).decode()}  # fmt: skip
        path = world.call(ATTACHMENTS, "UploadFile", **file)["returnObj"]
        assert path == "\\\\files\\APInvHed\\1\\scan.png"
        assert world.invoice(101, "CAP-1")["attachments"] == 0
        ds = world.call(INVOICES, "GetNewAPInvHedAttch", ds={}, vendorNum=101, invoiceNum="CAP-1")["ds"]
        ds["APInvHedAttch"][0] |= {"FileName": "\\\\files\\elsewhere.png", "DrawDesc": "Scan"}
        assert error(world.post(INVOICES, "Update", {"ds": ds}))[:2] == (400, "BusinessObjectException")
        ds["APInvHedAttch"][0]["FileName"] = path
        saved = world.call(INVOICES, "Update", ds=ds)["ds"]["APInvHedAttch"][0]
        assert (saved["DrawingSeq"], saved["DocTypeID"]) == (1, "INV")
        text = world.call(ATTACHMENTS, "DownloadFile", xFileRefNum=saved["XFileRefNum"])["returnObj"]
        assert base64.b64decode(text) == PNG
