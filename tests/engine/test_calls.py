"""Remote calls are written in bulk, as they were, and outlive a page that is rolled back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from connector.transport.attempts import Attempt as RemoteCall
from connector.transport.errors import System
from connector.transport.redact import Redactor
from syncjobs.models import Attempt
from tenants.models import Tenant
from tests.engine.conftest import Open

pytestmark = pytest.mark.django_db

CALL = RemoteCall(
    system=System.EPICOR,
    operation="Erp.BO.VendorSvc/Vendors",
    method="GET",
    url="https://erp.example.com/Vendors?$filter=Name%20eq%20'a%5Cb'",
    started_at=datetime(2026, 11, 23, 12, 0, 0, 250_000, tzinfo=UTC),
    seconds=0.25,
    status=200,
    request_id="r-1",
    error="",
    request_bytes=0,
    response_bytes=41,
    request_shape=None,
    response_shape={"value": [{"Name": 'Ä "quoted"\tand\\slashed\n', "Amount": 12.5, "Big": 10**24, "Hold": False}]},
)


def kept(tenant: Tenant) -> list[dict[str, Any]]:
    return list(Attempt.objects.filter(tenant=tenant).order_by("pk").values())


def test_calls_are_kept_as_they_were(tenant: Tenant, other: Tenant, open_run: Open) -> None:
    ctx = open_run(tenant)
    failed = replace(CALL, status=None, error="unreachable: the server closed the connection", response_shape=None)
    ctx.calls.add(CALL)
    ctx.calls.add(replace(failed, request_shape=["text", None], operation="o" * 200, request_id="i" * 200))
    ctx.calls.flush()
    first, second = kept(tenant)
    assert first == {
        "id": first["id"],
        "tenant_id": tenant.pk,
        "run_id": ctx.run.pk,
        "batch_id": None,
        "posting_id": None,
        **{name: getattr(CALL, name) for name in CALL.__slots__},
    }
    assert (second["status"], second["error"], second["response_shape"]) == (None, failed.error, None)
    assert (second["request_shape"], second["operation"], second["request_id"]) == (
        ["text", None],
        "o" * 120,
        "i" * 120,
    )
    assert kept(other) == []

    ctx.calls.flush()
    assert (len(kept(tenant)), ctx.calls.total) == (2, 2)


def test_calls_outlive_the_page_that_is_rolled_back(tenant: Tenant, open_run: Open) -> None:
    ctx = open_run(tenant)
    ctx.calls.add(CALL)
    with pytest.raises(RuntimeError, match="in the middle"), ctx.commit():
        raise RuntimeError("in the middle")
    assert [row["request_id"] for row in kept(tenant)] == ["r-1"]


def test_an_answer_with_a_nul_stops_nobody(tenant: Tenant, open_run: Open) -> None:
    """PostgreSQL holds no NUL; an answer that has one must not end every run of the stage."""
    ctx, redactor = open_run(tenant), Redactor()
    shape = redactor.shape({"Name\x00": "Acme\x00Ltd"})
    ctx.calls.add(replace(CALL, response_shape=shape, error=redactor.text("failed: \x00")))
    ctx.calls.flush()
    (row,) = kept(tenant)
    assert (row["response_shape"], row["error"]) == ({"Name\ufffd": "Acme\ufffdLtd"}, "failed: \ufffd")
