"""Purchase orders: one line a release, cents that add up; receipts of one PO together."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.avidxchange.records import PurchaseOrderItem, PurchaseOrderLineItem, ReceiptItem, ReceiptLineItem
from connector.epicor import records as epicor
from connector.translate.codebook import Hold
from connector.translate.purchase_orders import receipts_to_avidxchange, to_avidxchange
from tests.translate.examples import POSITIVE, codebook, good, held, property_test, rules

D = Decimal


def order(**changes: Any) -> epicor.PurchaseOrder:
    given: dict[str, Any] = {
        "company": "EPIC06", "po_num": 4500123, "vendor_num": 104, "order_date": "2026-10-01T00:00:00",
        "currency_code": "usd", "doc_total_order": D("999.99"),
    }  # fmt: skip
    return epicor.PurchaseOrder(**{**given, **changes})


def po_line(number: int, cost: Decimal, quantity: str = "10", **changes: Any) -> epicor.PurchaseOrderLine:
    given: dict[str, Any] = {
        "company": "EPIC06", "po_num": 4500123, "po_line": number, "part_num": f"P-{number}", "line_desc": "Bolts",
        "pum": "EA", "order_qty": D(quantity), "doc_unit_cost": D("1.2345"), "doc_ext_cost": cost,
    }  # fmt: skip
    return epicor.PurchaseOrderLine(**{**given, **changes})


def release(
    number: int, rel: int, quantity: Decimal, received: str = "0", **changes: Any
) -> epicor.PurchaseOrderRelease:
    given: dict[str, Any] = {
        "company": "EPIC06", "po_num": 4500123, "po_line": number, "po_rel_num": rel, "rel_qty": quantity,
        "received_qty": D(received),
    }  # fmt: skip
    return epicor.PurchaseOrderRelease(**{**given, **changes})


def translate(po: epicor.PurchaseOrder, lines: Any, releases: Any = ()) -> PurchaseOrderItem | Hold:
    return to_avidxchange(po, lines, releases, codebook=codebook(), rules=rules())


def test_a_line_becomes_one_item_a_release_and_the_total_is_theirs() -> None:
    item = good(
        translate(
            order(),
            [po_line(2, D("5.00"), "1"), po_line(1, D("10.00"), "3")],
            [release(1, 2, D(2)), release(1, 1, D(1), "0.5"), release(9, 1, D(1)), release(1, 1, D(9), po_num=7)],
        )
    )

    def line(number: int, rel: int, quantity: str, amount: str, received: str) -> PurchaseOrderLineItem:
        return PurchaseOrderLineItem(
            line_number=number, release_number=rel, part_number=f"P-{number}", description="Bolts",
            unit_of_measure="EA", quantity=D(quantity), unit_price=D("1.2345"), amount=D(amount),
            received_quantity=D(received),
        )  # fmt: skip

    assert item == PurchaseOrderItem(
        po_number="4500123",
        vendor_external_system_id="EPIC06|104|MAIN",
        order_date=date(2026, 10, 1),
        status="Open",
        total_amount=D("15.00"),
        currency="USD",
        lines=(line(1, 1, "1", "3.33", "0.5"), line(1, 2, "2", "6.67", "0"), line(2, 0, "1", "5.00", "0")),
        operation="Upsert",
    )


@property_test
@given(
    st.lists(st.tuples(POSITIVE, st.lists(st.decimals(min_value=0, max_value=500, places=2), max_size=5)), max_size=6)
)
def test_the_total_is_the_lines_to_the_cent_and_each_line_its_releases(
    shape: list[tuple[Decimal, list[Decimal]]],
) -> None:
    lines = [po_line(number, cost) for number, (cost, _) in enumerate(shape, start=1)]
    releases = [
        release(number, rel, quantity)
        for number, (_, quantities) in enumerate(shape, start=1)
        for rel, quantity in enumerate(quantities, start=1)
    ]
    item = good(translate(order(), lines, releases))

    assert item.total_amount == sum(line.amount for line in item.lines) == sum(cost for cost, _ in shape)
    for number, (cost, quantities) in enumerate(shape, start=1):
        ours = [line for line in item.lines if line.line_number == number]
        assert sum(line.amount for line in ours) == cost
        assert len(ours) == max(len(quantities), 1)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "Open"),
        ({"open_order": False}, "Closed"),
        ({"void_order": True, "open_order": False}, "Void"),
        ({"void_order": True, "approve": False}, "Void"),
        ({"open_order": False, "approve": False}, "Closed"),
    ],
)
def test_a_state_is_open_closed_or_void(changes: dict[str, Any], status: str) -> None:
    assert good(translate(order(**changes), [])).status == status


def test_void_lines_are_sent_with_nothing_ordered() -> None:
    item = good(translate(order(), [po_line(1, D("5.00")), po_line(2, D("7.00"), void_line=True)]))
    assert [(line.line_number, line.quantity, line.amount) for line in item.lines] == [
        (1, D(10), D("5.00")),
        (2, D(0), D("0.00")),
    ]
    assert item.total_amount == D("5.00")

    void = good(translate(order(void_order=True), [po_line(1, D("5.00"))]))
    assert (void.total_amount, void.lines[0].amount, void.lines[0].quantity) == (D("0.00"), D("0.00"), D(0))


def test_a_cost_with_parts_of_a_cent_is_rounded_before_it_is_summed() -> None:
    item = good(translate(order(), [po_line(1, D("1.005")), po_line(2, D("1.005"))]))
    assert ([line.amount for line in item.lines], item.total_amount) == ([D("1.01"), D("1.01")], D("2.02"))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"approve": False}, "po_not_approved"),
        ({"vendor_num": 999}, "vendor_not_mapped"),
        ({"company": "EPIC07"}, "other_company"),
        ({"order_date": "someday"}, "bad_date"),
    ],
)
def test_what_holds_a_purchase_order(changes: dict[str, Any], code: str) -> None:
    assert held(translate(order(**changes), [po_line(1, D("5.00"))])).code == code


def receipt_line(pack_line: int, quantity: str, **changes: Any) -> epicor.ReceiptLine:
    given: dict[str, Any] = {
        "company": "EPIC06", "vendor_num": 104, "pack_slip": "PS-1", "pack_line": pack_line, "po_num": 4500123,
        "po_line": 1, "po_rel_num": 1, "vendor_qty": D(quantity), "received": True,
        "receipt_date": "2026-10-09T00:00:00",
    }  # fmt: skip
    return epicor.ReceiptLine(**{**given, **changes})


def receipts(lines: Any, slips: Any = ()) -> ReceiptItem | Hold | None:
    return receipts_to_avidxchange(order(), lines, slips, codebook=codebook(), rules=rules())


def test_receipts_of_a_po_go_together_and_repeats_of_a_slip_add_up() -> None:
    slip = epicor.Receipt(
        company="EPIC06", vendor_num=104, pack_slip="PS-2", receipt_date="2026-10-12T00:00:00", received=True
    )
    item = receipts(
        [
            receipt_line(1, "2"),
            receipt_line(2, "3"),
            receipt_line(3, "4", po_line=2),
            receipt_line(1, "5", pack_slip="PS-2", receipt_date=None, received=False),
            receipt_line(4, "100", received=False),
            receipt_line(5, "100", po_num=77),
            receipt_line(6, "100", po_line=0),
        ],
        [slip],
    )

    def came(line: int, quantity: str, number: str, day: int) -> ReceiptLineItem:
        return ReceiptLineItem(
            line_number=line, release_number=1, received_quantity=D(quantity), receipt_number=number,
            receipt_date=date(2026, 10, day),
        )  # fmt: skip

    assert item == ReceiptItem(
        po_number="4500123",
        vendor_external_system_id="EPIC06|104|MAIN",
        lines=(came(1, "5", "PS-1", 9), came(1, "5", "PS-2", 12), came(2, "4", "PS-1", 9)),
        operation="Upsert",
    )


def test_a_po_without_receipts_has_no_item() -> None:
    assert receipts([]) is None
    assert receipts([receipt_line(1, "2", received=False)]) is None


def test_receipts_of_a_vendor_that_is_not_mapped_are_held() -> None:
    po = order(vendor_num=999)
    found = receipts_to_avidxchange(po, [receipt_line(1, "2", vendor_num=999)], codebook=codebook(), rules=rules())
    assert held(found).code == "vendor_not_mapped"
