"""The Content-Security-Policy in a real browser: nothing on the main pages breaks it, and what moves on them moves."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from syncjobs.models import InvoiceLink, Problem, VendorMapping
from tenants.admin.way_in import password_link
from tenants.audit import Actor
from tenants.models import Authenticator
from tests.signing_in import code

from .test_access import decide, listing, page
from .test_browser import open_page, scene

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["open_page", "scene"]  # fixtures


def policy(client: Client, address: str) -> dict[str, str]:
    header = client.get(address).headers["Content-Security-Policy"]
    return {name: sources for name, _space, sources in (part.strip().partition(" ") for part in header.split(";"))}


def test_every_answer_carries_a_policy_that_lets_only_our_own_files_be_scripts(db: None) -> None:
    for address in (reverse("admin:login"), reverse("admin:index"), "/no/such/page", reverse("healthz")):
        told = policy(Client(), address)
        assert (told["default-src"], told["script-src"], told["object-src"]) == ("'self'", "'self'", "'none'")
        assert (told["style-src-elem"], told["form-action"], told["base-uri"]) == ("'self'", "'self'", "'none'")
        assert told["frame-ancestors"] == "'none'"
        assert re.findall(r"http|\*|unsafe-eval|'unsafe-inline'(?! )", told["script-src"]) == []


def test_no_page_breaks_the_policy(scene: SimpleNamespace, open_page: Callable[..., Any]) -> None:
    addresses = [
        reverse("admin:index"),
        reverse("admin:tenants_tenant_changelist"),
        reverse("admin:tenants_tenant_change", args=[scene.tenant.pk]),
        reverse("admin:tenants_tenant_stages", args=[scene.tenant.pk]),
        reverse("admin:tenants_tenant_test_connections", args=[scene.tenant.pk]),
        reverse("admin:tenants_auditevent_changelist"),
        reverse("admin:auth_user_add"),
        reverse("sign_in:replace"),
        f"{reverse('syncjobs:replay')}?batch={scene.batch.pk}",
        decide("vendormapping", "approve", scene.vendor.pk),
        listing(InvoiceLink),
        listing(Problem),
        page(scene.outgoing),
    ]
    tab = open_page(addresses[0])
    for address in addresses:
        tab.goto(f"{tab.url.partition('/admin')[0]}{address}")
        tab.wait_for_load_state("load")
        assert tab.faults == [], address
        # Alpine runs: the theme's outermost data is there.
        assert tab.evaluate("Alpine.$data(document.documentElement).adminTheme") == "auto", address


def test_what_moves_on_a_page_moves(scene: SimpleNamespace, open_page: Callable[..., Any]) -> None:
    tab = open_page(listing(VendorMapping))
    state = "Alpine.$data(document.body).sidebarDesktopOpen"
    assert tab.evaluate(state) is True
    tab.locator("span.material-symbols-outlined", has_text="dock_to_right").first.click()
    assert tab.evaluate(state) is False
    assert tab.evaluate("localStorage.getItem('sidebarDesktopOpen')") == "0"
    tab.locator("span.material-symbols-outlined", has_text="dock_to_right").first.click()
    tab.locator("a", has_text="Filters").first.click()
    assert tab.locator("#changelist-filter").is_visible()
    tab.keyboard.press("Escape")
    tab.locator("input.action-select").first.check()
    assert tab.locator("select[name=action]").is_visible()
    tab.evaluate("document.activeElement.blur()")
    tab.keyboard.press("Control+k")
    tab.locator("#search-input-command").press_sequentially("batch")
    tab.wait_for_selector("#command-results-list a, #command-results a")
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/batch/")
    tab.evaluate("Alpine.$data(document.documentElement).switchTheme('dark')")
    tab.wait_for_selector("html.dark")
    tab.goto(f"{tab.url.partition('/admin')[0]}{reverse('admin:tenants_tenant_change', args=[scene.tenant.pk])}")
    tab.get_by_text("Epicor connection", exact=True).first.click()
    assert tab.locator("#id_epicor_connection-0-base_url").is_visible()
    assert tab.faults == []


def test_somebody_new_comes_in_with_a_link_and_a_phone(
    scene: SimpleNamespace, open_page: Callable[..., Any], live_server: Any
) -> None:
    new = User.objects.create_user("new", is_staff=True)
    link = password_link(new, actor=Actor.system("test"), reason="New here.")
    tab = open_page(link, width=320, theme="dark", signed_in=False)
    tab.wait_for_url("**/set-password/*/")
    for field in ("new_password1", "new_password2"):
        tab.locator(f"#id_{field}").fill("a long phrase of her own")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/login/")
    assert "Your password is set." in tab.inner_text("body")
    tab.locator("#id_username").fill("new")
    tab.locator("#id_password").fill("a long phrase of her own")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/login/second-factor/")
    picture = tab.locator(".mc-picture svg").bounding_box()
    assert picture["width"] == picture["height"] > 200
    assert picture["x"] + picture["width"] <= 320
    tab.locator("#id_code").fill(code(Authenticator.objects.get(user=new).secret()))
    tab.keyboard.press("Enter")
    tab.get_by_text("I have kept them").click()
    tab.wait_for_url("**/admin/")
    assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert tab.faults == []
