"""What pages show: both sides, the whole story in order, masked detail, money and moments as people read them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import strip_tags

from syncjobs import stories
from syncjobs.models import BatchItem, Problem
from syncjobs.pages import Event
from syncjobs.templatetags import shown
from tenants import audit
from tenants.audit import Actor
from tenants.models import Role, Tenant

from .conftest import SENT, invoice, problem, vendor, world
from .test_access import MODELS, ROWS, listing, page

pytestmark = pytest.mark.django_db

SignIn = Callable[..., Client]


def text(client: Client, address: str) -> str:
    """What a person reads of a page: without its head, its scripts, and what is for IT."""
    body = client.get(address).content.decode().split('id="content"', 1)[1]
    body = re.sub(r"<script.*?</script>|<style.*?</style>|<pre>.*?</pre>", "", body, flags=re.DOTALL)
    return re.sub(r"\s+", " ", strip_tags(body))


def test_the_story_of_an_invoice_is_whole_and_in_order(north: Tenant, sign_in: SignIn) -> None:
    row = world(north).outgoing
    found = problem(north, row, state="resolved", resolved_at=SENT, resolved_by="ml-connector", resolution="Mapped.")
    audit.record(
        north, "approvals_in.approved", actor=Actor.system("schedule"), subject=("invoice", "EPIC06|104|INV-77")
    )
    client = sign_in("fay", (north, Role.FINANCE))
    answer = client.get(page(row))
    events = answer.context_data["page"].events
    assert [event.at for event in events] == sorted(event.at for event in events)
    told = [event.title for event in events]
    assert {
        "Found in Epicor",
        "Sent in north-invoices-1",
        "Accepted by AvidXchange",
        "Invoices submit: had a fault of its own",
        "Image scan.pdf sent",
        "Approved",
        "Paid: 1,234.50 USD",
        "Payment cleared: 1,234.50 USD",
        "AP payment is in Epicor as number 3012",
        found.message,
        f"Resolved by ml-connector: {found.message}",
        "Approvals from AvidXchange: approved (schedule)",
    } <= set(told)
    sides = {facts.title: dict(facts.rows) for facts in answer.context_data["page"].sides}
    assert list(sides) == ["Epicor", "AvidXchange"]
    assert sides["Epicor"]["Vendor"] == "Quill Bearings of north (number 104)"
    assert sides["AvidXchange"]["AvidXchange id"] == "880019"
    lines = next(table for table in answer.context_data["page"].tables if table.title == "Lines")
    assert [(place, words, ours, theirs) for place, words, ours, theirs, _po, _amount in lines.rows] == [
        (1, "Freight in", "6030|40|02", "02-40-6030"),
        (2, "Fees", "Not mapped", "99-99-9999"),
    ]
    assert lines.more == ""


def test_an_incoming_invoice_shows_what_was_captured_and_what_was_written(north: Tenant, sign_in: SignIn) -> None:
    client = sign_in("fay", (north, Role.FINANCE))
    answer = client.get(page(world(north).incoming))
    tables = {table.title: table for table in answer.context_data["page"].tables}
    assert tables["Lines"].rows[0][2:4] == ("6030|40|02", "02-40-6030")
    assert len(tables["Documents written to Epicor"].rows) == 1
    assert "guid-1" in strip_tags(str(tables["Batches and verdicts"].rows[0][0]))
    assert "Captured by AvidXchange and read" in [event.title for event in answer.context_data["page"].events]


def test_lines_that_do_not_come_to_the_total_say_so(north: Tenant, sign_in: SignIn) -> None:
    row = world(north).outgoing
    type(row).objects.filter(pk=row.pk).update(gross_amount=Decimal("1234.51"))
    client = sign_in("fay", (north, Role.FINANCE))
    assert "The lines come to 1,234.50 and the invoice to 1,234.51" in text(client, page(row))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_no_page_shows_a_secret_or_speaks_to_machines(model: Any, north: Tenant, sign_in: SignIn) -> None:
    row = getattr(world(north), ROWS[model.__name__])
    BatchItem.objects.update(message="TaxId: 12-3456789 is refused")
    client = sign_in("fay", (north, Role.FINANCE))
    for address in (page(row), listing(model)):
        assert "12-3456789" not in client.get(address).content.decode()
        read = text(client, address)
        assert not re.search(r"\bnull\b|\bNone\b(?! yet|:|\.)|\b500\b|HTTP|[{}]", read), read


def test_what_went_over_the_wire_is_masked_and_stands_behind_a_disclosure(north: Tenant, sign_in: SignIn) -> None:
    everything = world(north)
    client = sign_in("ian", (north, Role.IMPLEMENTER))
    for row in (everything.vendor, everything.call):
        html = client.get(page(row)).content.decode()
        assert "[redacted]" in html
        assert "12-3456789" not in html
        assert "[redacted]" not in re.sub(r"<details.*?</details>", "", html, flags=re.DOTALL)


def test_a_vendor_shows_both_sides_and_marks_what_differs_in_words(north: Tenant, sign_in: SignIn) -> None:
    client = sign_in("fay", (north, Role.FINANCE))
    read = text(client, page(vendor(north)))
    assert "QUILL BEARINGS (AP) (≠ differs)" in read
    assert "83 of 100" in read
    assert "same tax id, name 94 %" in read
    assert "1 Foundry Road, Toledo, OH, 43604" in read


# --- values -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "currency", "reads"),
    [
        ("1234567.8", "USD", "1,234,567.80 USD"),
        ("-157.27", "USD", "−157.27 USD"),
        ("1.255", "USD", "1.255 USD"),
        ("1.000", "JPY", "1 JPY"),
        ("1.5", "KWD", "1.500 KWD"),
        ("0", "USD", "0.00 USD"),
        ("12345678901234.123", "USD", "12,345,678,901,234.123 USD"),
    ],
)
def test_money_keeps_every_digit_and_its_currency(amount: str, currency: str, reads: str) -> None:
    assert strip_tags(str(shown.money(Decimal(amount), currency))).replace("\N{NO-BREAK SPACE}", " ") == reads


def test_money_that_is_not_known_is_no_zero() -> None:
    assert shown.money(None, "USD") == "–"


def test_a_moment_is_shown_where_the_company_is_with_utc_on_hover(north: Tenant) -> None:
    html = str(shown.when(datetime(2026, 7, 1, 3, 30, 5, tzinfo=UTC), north))
    assert strip_tags(html) == "30 Jun 2026 22:30 CDT"
    assert 'title="2026-07-01 03:30:05 UTC"' in html
    assert shown.when(None, north) == "–"


def test_a_state_is_a_word_in_a_colour() -> None:
    assert strip_tags(str(shown.badge("held", "Held"))) == "Held"
    assert "orange" in str(shown.badge("held", "Held"))


def test_calls_that_came_out_well_are_told_as_one() -> None:
    def call(second: int, *, quiet: bool) -> Event:
        return Event(at=SENT.replace(second=second), where="Epicor", title=f"call {second}", quiet_call=quiet)

    told = stories.in_order([call(3, quiet=False), call(1, quiet=True), call(2, quiet=True), call(4, quiet=True)])
    assert [(event.title, len(event.parts)) for event in told] == [
        ("2 calls, all answered", 2), ("call 3", 0), ("call 4", 0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        ("Erp.BO.APInvoiceSvc/GetByID", "APInvoice: Get By ID"),
        ("invoices.submit", "Invoices submit"),
        ("", "Call"),
    ],
)
def test_a_call_has_a_name_in_words(operation: str, words: str) -> None:
    assert stories.operation_words(operation) == words


# --- how much is asked of the database ----------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_a_list_asks_the_same_number_of_queries_however_long_it_is(model: Any, north: Tenant, sign_in: SignIn) -> None:
    row = getattr(world(north), ROWS[model.__name__])
    client = sign_in("ann", (north, Role.ADMINISTRATOR))
    client.get(listing(model))
    with CaptureQueriesContext(connection) as short:
        client.get(listing(model))
    for place in range(5):
        copy = model.objects.get(pk=row.pk)
        copy.pk = None
        for name in ("external_id", "avid_batch_id", "avid_id", "gl_account", "avid_account", "natural_key",
                     "subject_key", "invoice_num"):  # fmt: skip
            if hasattr(copy, name):
                setattr(copy, name, f"more-{place}")
        for name in ("vendor_num", "po_num"):
            if hasattr(copy, name):
                setattr(copy, name, 900 + place)
        copy.save(force_insert=True)
    with CaptureQueriesContext(connection) as long:
        answer = client.get(listing(model))
    assert len(answer.context_data["cl"].result_list) >= 6
    assert len(long) == len(short) <= 20
    counts = [one["sql"] for one in long if re.search(r"COUNT\(", one["sql"]) and model._meta.db_table in one["sql"]]
    assert [sql for sql in counts if "GROUP BY" not in sql] == []


def test_the_page_of_an_invoice_asks_a_fixed_number_of_queries(
    north: Tenant, sign_in: SignIn, django_assert_max_num_queries: Any
) -> None:
    row = world(north).outgoing
    client = sign_in("ann", (north, Role.ADMINISTRATOR))
    for _place in range(30):
        problem(north, row, code=f"code_{Problem.objects.count()}")
    client.get(page(row))
    with django_assert_max_num_queries(30):
        client.get(page(row))


def test_the_first_page_asks_a_fixed_number_of_queries(
    north: Tenant, south: Tenant, sign_in: SignIn, django_assert_max_num_queries: Any
) -> None:
    world(north)
    world(south)
    client = sign_in("ann", (north, Role.ADMINISTRATOR), (south, Role.FINANCE))
    client.get(reverse("admin:index"))
    with django_assert_max_num_queries(30):
        client.get(reverse("admin:index"))


def test_every_list_searches_by_what_it_says(north: Tenant, sign_in: SignIn) -> None:
    everything = world(north)
    client = sign_in("ann", (north, Role.AUDITOR))
    terms = {
        "batch": ["north-invoices-1", "b-1"],
        "outgoing": ["INV-77", "inv-77", "880019", "EPIC06|104|INV-77|1", "quill"],
        "payment": ["500001", "300000101", "INV-77"], "document": ["EPIC06|104|C-12", "C-12"], "order": ["4500123"],
        "vendor": ["104", "QUILL104", "EPIC06|104|MAIN", "bearings 104"],
        "account": ["6030|40|02", "02-40-6030", "freight"], "run": [str(everything.run.pk), f"#{everything.run.pk}"],
        "problem": ["EPIC06|104|INV-78", "INV-78"], "call": [str(everything.run.pk)],
    }  # fmt: skip
    for name, words in terms.items():
        row = getattr(everything, name)
        for term in words:
            rows = list(client.get(listing(type(row)), {"q": term}).context_data["cl"].result_list)
            assert row in rows, (name, term)
        assert list(client.get(listing(type(row)), {"q": "no such thing"}).context_data["cl"].result_list) == []


def test_filters_narrow_a_list(north: Tenant, south: Tenant, sign_in: SignIn) -> None:
    everything = world(north)
    world(south)
    client = sign_in("ann", (north, Role.AUDITOR), (south, Role.AUDITOR))

    def found(model: Any, **chosen: str) -> list[Any]:
        return list(client.get(listing(model), chosen).context_data["cl"].result_list)

    outgoing = type(everything.outgoing)
    assert found(outgoing, tenant="north", state__exact="paid") == [everything.outgoing]
    assert found(outgoing, tenant="north", direction__exact="in") == [everything.incoming]
    assert found(outgoing, due_date_from="2026-03-04") == []
    assert len(found(outgoing, due_date_from="2026-03-03", due_date_to="2026-03-03")) == 6
    assert len(found(outgoing, due_date_from="nonsense")) == 6
    assert found(type(everything.run), tenant="north", stage__exact="vendors_out") == []
    assert found(type(everything.run), tenant="north", stage__exact="invoices_out") == [everything.run]
    assert found(Problem, code="vendor_not_mapped", tenant="north") == [everything.problem]
    assert found(Problem, code="no_such_code") == []
    assert found(type(everything.payment), paid_at_from="2026-03-04", paid_at_to="2026-03-04", tenant="north") == [
        everything.payment
    ]


def test_an_empty_list_says_what_to_do_next(north: Tenant, sign_in: SignIn) -> None:
    client = sign_in("ann", (north, Role.AUDITOR))
    for model in MODELS:
        words = client.get(listing(model)).context_data["cl"].model_admin.empty_words
        assert words in text(client, listing(model)).replace("&#x27;", "'"), model
        assert "Nothing matches" in text(client, f"{listing(model)}?q=nothing"), model


def test_somebody_with_one_tenant_sees_no_tenant_column(north: Tenant, south: Tenant, sign_in: SignIn) -> None:
    row = invoice(north)
    one, both = sign_in("one", (north, Role.AUDITOR)), sign_in("both", (north, Role.AUDITOR), (south, Role.AUDITOR))
    assert "short_tenant" not in one.get(listing(type(row))).context_data["cl"].list_display
    assert "short_tenant" in both.get(listing(type(row))).context_data["cl"].list_display
