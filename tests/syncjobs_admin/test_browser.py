"""A few tasks as a person does them, in a real browser: both themes, phone and desk, by mouse and by keyboard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.urls import reverse

from syncjobs.models import Problem, VendorMapping
from tenants import services
from tenants.audit import Actor
from tenants.models import Role, Tenant

from .conftest import make_tenant, problem, signed_in, vendor, world
from .test_access import listing, page

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def scene(transactional_db: None) -> SimpleNamespace:
    """One of everything of one tenant, and a person with every right."""
    north = make_tenant("north")
    user = User.objects.create_user("ann", password="not-a-real-password", is_staff=True)
    services.set_membership(north, user, Role.ADMINISTRATOR, actor=Actor.system("test"))
    everything = world(north)
    return SimpleNamespace(tenant=north, user=user, **vars(everything))


@pytest.fixture
def open_page(
    chromium: str, live_server: Any, scene: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Any]]:
    """Open a page as the scene's person: ``open_page(address, width=…, theme=…, signed_in=…)``.

    In its ``.faults`` is everything that went wrong there: errors, what the Content-Security-Policy or Alpine refused,
    and whatever was asked of another host.
    """
    playwright = pytest.importorskip("playwright.sync_api")
    # Playwright's own loop makes Django think that its synchronous calls come from an asynchronous context.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    session = signed_in(scene.user).cookies["sessionid"].value
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])

        def show(address: str, *, width: int = 1440, theme: str = "light", signed_in: bool = True) -> Any:
            context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
            if signed_in:
                context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
            tab = context.new_page()
            tab.faults = []
            own = (f"{live_server.url}/", "data:")
            tab.on("pageerror", lambda fault: tab.faults.append(str(fault)))
            tab.on("console", lambda line: tab.faults.append(line.text) if line.type in ("error", "warning") else None)
            tab.on("request", lambda asked: None if asked.url.startswith(own) else tab.faults.append(asked.url))
            tab.goto(f"{live_server.url}{address}")
            tab.wait_for_load_state("networkidle")
            return tab

        yield show
        browser.close()
        # In that loop the test has a connection of its own, which nobody else would close.
        connections.close_all()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_pages_fit_and_run_without_an_error(
    width: int, theme: str, scene: SimpleNamespace, open_page: Callable[..., Any]
) -> None:
    for address in (
        reverse("admin:index"),
        page(scene.outgoing),
        page(scene.vendor),
        listing(VendorMapping),
        listing(Problem),
        reverse("admin:tenants_tenant_stages", args=[scene.tenant.pk]),
    ):
        tab = open_page(address, width=width, theme=theme)
        assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), address
        if width < 640:
            # On a phone no table scrolls sideways: what stands to the right would not be seen.
            hidden = "[...document.querySelectorAll('.mc-scroll')].filter(one => one.scrollWidth > one.clientWidth + 1)"
            assert tab.evaluate(f"{hidden}.map(one => one.getAttribute('aria-label'))") == [], address
        assert tab.faults == [], address
        assert ("dark" in (tab.locator("html").get_attribute("class") or "")) == (theme == "dark")
        tab.context.close()


def test_two_vendors_are_ticked_and_approved(scene: SimpleNamespace, open_page: Callable[..., Any]) -> None:
    vendor(scene.tenant, 105)
    tab = open_page(f"{listing(VendorMapping)}?queue=vendors")
    tab.locator("input.action-select").nth(0).check()
    tab.locator("input.action-select").nth(1).check()
    tab.locator("select[name=action]").select_option("approve")
    tab.get_by_role("button", name="Run").click()
    tab.wait_for_load_state("networkidle")
    assert "These 2 are what you decide about" in tab.inner_text("#content")
    tab.get_by_role("button", name="Approve").click()
    tab.wait_for_load_state("networkidle")
    assert "2 approved." in tab.inner_text("#main")
    assert set(VendorMapping.objects.values_list("state", "decided_by")) == {("approved", "ann")}


def test_a_held_record_is_understood_and_closed_by_keyboard(
    scene: SimpleNamespace, open_page: Callable[..., Any]
) -> None:
    row = problem(scene.tenant, code="partly_paid", message="Invoice INV-9 is partly paid.", hint="Pay the rest.")
    tab = open_page(page(row))
    assert "Pay the rest." in tab.inner_text("#content")
    tab.get_by_role("link", name="Resolve").focus()
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/decide/**")
    tab.get_by_label("Reason").focus()
    tab.keyboard.type("Paid by hand.")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/change/")
    row.refresh_from_db()
    assert (row.state, row.resolution, row.resolved_by) == ("resolved", "Paid by hand.", "ann")


def test_the_details_for_it_are_closed_until_asked_for(scene: SimpleNamespace, open_page: Callable[..., Any]) -> None:
    tab = open_page(page(scene.call))
    assert not tab.locator("pre").first.is_visible()
    tab.get_by_text("Everything").click()
    assert "server_error" in tab.locator("pre").first.inner_text()
    assert "12-3456789" not in tab.content()


def test_nothing_is_left_of_other_tenants_on_screen(scene: SimpleNamespace, open_page: Callable[..., Any]) -> None:
    other = make_tenant("south")
    vendor(other, name="Secret Supplies")
    assert Tenant.objects.count() == 2
    tab = open_page(listing(VendorMapping))
    assert "Secret Supplies" not in tab.content()
    assert "Quill Bearings 104 of north" in tab.content()
