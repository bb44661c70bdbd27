"""Payments in the AvidXchange stand-in: grouping, statuses step by step, what may happen to one, reading them."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

from connector.sandbox.avidxchange.scripts import ACH, CARD, CHECK
from tests.sandbox.avid_world import AvidWorld, invoice, listed, of_vendor, one_cleared, paid, ready, straight

BY_METHOD = {
    CHECK: ["Sent to Check Printer", "Issued to Supplier", "Cleared"],
    ACH: ["ACH Credit Issued", "Cleared"],
    CARD: ["VCC Processing", "Sent", "Cleared"],
}
START = ["Pending Approval", "Processing", "Debit Requested", "Funds Received"]


def test_statuses_come_one_a_pace_in_the_order_of_the_method() -> None:
    with straight(pace=1) as avid:
        ready(avid, 30).send("invoices", *(of_vendor(number, f"I{number}") for number in range(1, 31)))
        seen: dict[int, list[str]] = defaultdict(list)
        methods: dict[int, str] = {}
        for _ in range(14):
            for row in paid(avid):
                methods[row["PaymentId"]] = row["PaymentMethod"]["Description"]
                status = row["Status"]["Description"]
                if seen[row["PaymentId"]][-1:] != [status]:
                    seen[row["PaymentId"]].append(status)
            avid.clock.forward(seconds=1)
        assert len(seen) == 30
        assert set(methods.values()) == {CHECK, ACH, CARD}
        for number, statuses in seen.items():
            assert statuses == START + BY_METHOD[methods[number]]
        before = avid.ledger()
        assert before["settled"] is True
        avid.clock.forward(days=10)
        assert avid.ledger() == before


def test_what_each_method_leaves_behind() -> None:
    with straight() as avid:
        ready(avid, 30).send("invoices", *(of_vendor(number, f"I{number}") for number in range(1, 31)))
        for row in paid(avid):
            method = row["PaymentMethod"]["Description"]
            numbers = (row["AvidPayChecknumber"], row["AchTraceNumber"], row["VirtualCardLast4"])
            assert [bool(number) for number in numbers] == [method == CHECK, method == ACH, method == CARD]
            assert row["Status"] == {"Id": 13, "Description": "Cleared"}
            assert row["ClearedDate"] == "2026-11-23T12:00:00.000Z"
            assert row["CheckNumber"] is None
            assert row["HasClearedCheckImages"] is (method == CHECK)
            assert row["BankAccount"] == {"ClientIds": ["OPER"]}
            if method == CARD:
                assert len(row["VirtualCardLast4"]) == 4
            if method == CHECK:
                assert int(row["AvidPayChecknumber"]) < 2**31


def grouped(avid: AvidWorld, *invoices: dict[str, Any]) -> list[dict[str, Any]]:
    ready(avid, 12)
    before = len(avid.ledger()["payments"])
    avid.send("invoices", *invoices)
    return avid.ledger()["payments"][before:]


def test_one_payment_over_three_invoices_with_a_credit() -> None:
    amounts = {"A": "100.00", "B": "50.25", "C": "10.00", "CR": "-30.50"}
    found = 0
    for number in range(1, 13):
        with straight() as avid:
            rows = grouped(avid, *(of_vendor(number, name, amount) for name, amount in amounts.items()))
            if rows[0]["Method"] == CARD:
                assert [row["Amount"] for row in rows] == ["69.50", "50.25", "10.00"]
                assert [item["Number"] for item in rows[0]["Remittances"]] == ["A", "CR"]
                continue
            (row,) = rows
            found += 1
            assert row["Amount"] == "129.75"
            assert {item["Number"]: item["Net"] for item in row["Remittances"]} == amounts
            assert {item["ExternalId"] for item in row["Remittances"]} == {f"X|{number}|{name}|1" for name in amounts}
    assert 0 < found < 12


def test_a_credit_waits_for_something_to_ride_with() -> None:
    with straight() as avid:
        ready(avid).send("invoices", of_vendor(1, "CR", "-30.50"))
        assert avid.ledger()["payments"] == []
        avid.send("invoices", of_vendor(1, "SMALL", "30.50"))
        assert [row["Amount"] for row in avid.ledger()["payments"]] == ["30.50"]
        avid.send("invoices", of_vendor(1, "BIG", "100.00"))
        assert [row["Amount"] for row in avid.ledger()["payments"]] == ["30.50", "69.50"]


def test_currencies_are_not_paid_together() -> None:
    with straight() as avid:
        ready(avid).send("invoices", of_vendor(1, "U"), {**of_vendor(1, "C"), "Currency": "CAD"})
        assert [len(row["Remittances"]) for row in avid.ledger()["payments"]] == [1, 1]


def test_discounts_are_taken_on_request_only() -> None:
    for on, net in ((False, "100.00"), (True, "98.00")):
        with straight() as avid:
            avid.state.options.discounts = on
            ready(avid).send("invoices", {**invoice("INV-1"), "DiscountAmount": Decimal("2.00")})
            (row,) = avid.ledger()["payments"]
            (item,) = row["Remittances"]
            assert (row["Amount"], item["Gross"], item["Net"]) == (net, "100.00", net)


def test_unknown_words_and_the_end_of_a_payment_by_edit() -> None:
    with straight() as avid:
        number = one_cleared(avid)
        assert avid.edit("payments", key={"PaymentId": number}, set={"Status": "Under Review"}).json() == {"rows": 1}
        avid.edit("payments", key={"PaymentId": number}, set={"Method": "Carrier Pigeon"})
        (row,) = paid(avid)
        assert row["Status"] == {"Id": 99, "Description": "Under Review"}
        assert row["PaymentMethod"] == {"Id": 99, "Description": "Carrier Pigeon"}
        avid.edit("payments", key={"PaymentId": number}, set={"Status": "Void - stale check", "VoidReason": "stale"})
        (row,) = paid(avid)
        assert (row["VoidedDate"], row["VoidReason"]) == ("2026-11-23T12:00:00.000Z", "stale")


def test_a_late_modification_lies_outside_the_window() -> None:
    with straight() as avid:
        number = one_cleared(avid)
        change = {"Status": "Refunded", "LastModified": "2026-10-01T00:00:00Z"}
        avid.edit("payments", key={"PaymentId": number}, set=change)
        assert paid(avid) == []
        (row,) = paid(avid, paymentIds=str(number))
        assert row["Status"]["Description"] == "Refunded"


def test_filters() -> None:
    with straight() as avid:
        number = one_cleared(avid)
        avid.edit("payments", key={"PaymentId": number}, set={"ExternalPaymentIds": ["P,1", "P2"]})
        batch = paid(avid)[0]["BatchId"]
        hits: list[dict[str, Any]] = [
            {"batchId": batch},
            {"paymentIds": f"1,{number},{number}"},
            {"externalPaymentIds": "P2"},
            {"lastModifiedFrom": "2026-11-23", "lastModifiedTo": "2026-11-23"},
            {"lastModifiedFrom": "2026-10-24"},
        ]
        misses: list[dict[str, Any]] = [
            {"batchId": "PB-0"},
            {"paymentIds": "1"},
            {"externalPaymentIds": "P3"},
            {"lastModifiedFrom": "2026-11-24", "lastModifiedTo": "2026-11-25"},
            {"paymentIds": str(number), "batchId": "PB-0"},
        ]
        assert [[row["PaymentId"] for row in paid(avid, **query)] for query in hits] == [[number]] * 5
        assert [paid(avid, **query) for query in misses] == [[]] * 5
        assert avid.get("/payments", who="EPIC07", paymentIds=str(number)).json()["Items"] == []
        refused: list[dict[str, Any]] = [
            {},
            {"lastModifiedTo": "2026-11-23"},
            {"lastModifiedFrom": "2026-10-23"},
            {"lastModifiedFrom": "2026-11-23T10:00:00Z"},
            {"paymentIds": ",".join(map(str, range(51)))},
        ]
        assert [avid.get("/payments", **query).status_code for query in refused] == [400] * 5
        assert avid.get("/payments/batches").status_code == 400


def test_history_and_cleared_check_image() -> None:
    with straight() as avid:
        ready(avid, 30).send("invoices", *(of_vendor(number, f"I{number}") for number in range(1, 31)))
        kinds = set()
        for row in paid(avid):
            path = f"/payments/{row['PaymentId']}"
            entries = avid.items(f"{path}/paymenthistory")
            method = row["PaymentMethod"]["Description"]
            assert [entry["Description"] for entry in entries] == START + BY_METHOD[method]
            assert {entry["PaymentID"] for entry in entries} == {row["PaymentId"]}
            image = avid.get(f"{path}/getclearedcheckimage")
            assert image.status_code == (200 if method == CHECK else 404)
            kinds.add((image.headers["Content-Type"], image.content[:4]))
        assert {("application/pdf", b"%PDF"), ("image/png", b"\x89PNG")} < kinds
        assert avid.get("/payments/1/paymenthistory").status_code == 404
        assert avid.get("/payments/500001/paymenthistory", who="EPIC07").status_code == 404


def test_awkward_shapes_of_a_payment() -> None:
    with straight(awkward=True) as avid:
        ready(avid, 40).send("invoices", *(of_vendor(number, f"I{number}") for number in range(1, 41)))
        rows = paid(avid)
        spelled = {name for row in rows for name in row if "check" in name.lower() and name.lower().startswith("avid")}
        assert spelled == {"AvidPayChecknumber", "AvidPayCheckNumber", "AvidpayCheckNumber"}
        assert {type(row["Amount"]) for row in rows} == {float, str}
        assert {type(row["PaymentId"]) for row in rows} == {int, str}
        assert {row["LastModified"][-1] for row in rows} == {"Z", "0"}
        assert {"VoidReason" in row for row in rows} == {True, False}
        assert {"Channel" in row for row in rows} == {True, False}


def test_bank_accounts_and_accounting_system() -> None:
    with straight() as avid:
        accounts = avid.items("/bankAccounts")
        assert [(row["ClientId"], row["Status"]) for row in accounts] == [
            ("OPER", "Synced"),
            ("AVID", "Synced"),
            ("CADOP", "Pending"),
        ]
        avid.edit("bank_accounts", key={"ClientId": "AVID"}, set={"Status": "Failed"})
        assert avid.items("/bankAccounts")[1]["Status"] == "Failed"
        assert avid.items("/accountingSystems") == [{"ID": 17, "Name": "Epicor EPIC06"}]
        assert listed(avid.get("/accountingSystems", who="EPIC07").json()["Items"])[0]["ID"] == 18
