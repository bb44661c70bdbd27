"""What the pages about signing in have in common: the admin's frame, the picture to scan, and codes shown once."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.response import TemplateResponse

from tenants.sign_in import factors

#: Said while an app is being set up. Such a code is not counted: whoever enters it sees the key anyway.
NOT_OF_THE_PICTURE = "This is not the code that the app shows for this picture. Wait for its next one and enter that."


def badge(request: HttpRequest) -> list[str] | None:
    """Return what stands at the top of every page of a site that asks for no second factor (a setting of the theme)."""
    return None if settings.REQUIRE_SECOND_FACTOR else ["No second factor", "danger"]


def without_colors(request: HttpRequest) -> dict[str, Any]:
    """Keep the theme from writing its colours into each page (a setting of it): tenants/colors.css has them."""
    return {"colors": None}


def site(request: HttpRequest, title: str) -> dict[str, Any]:
    """Return what every page of the admin needs, and whether this site asks for no second factor."""
    return {**admin.site.each_context(request), "title": title, "demo": not settings.REQUIRE_SECOND_FACTOR}


def locked(request: HttpRequest, response: HttpResponse | None, credentials: Mapping[str, Any] | None) -> HttpResponse:
    """Answer somebody who is locked out, in place of what the view said (a setting of django-axes)."""
    name = (credentials or {}).get("username", "")
    context = {**site(request, "Too many tries"), "username": name, "failure_limit": settings.AXES_FAILURE_LIMIT}
    return render(request, "admin/sign_in/locked.html", context, status=HTTPStatus.TOO_MANY_REQUESTS)


def to_scan(user: User, *, anew: bool = False) -> dict[str, Any]:
    """Return the picture and the key of the app that is being set up, another key if ``anew``."""
    device = factors.begun(user, anew=anew)
    secret = device.secret()
    groups = " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
    return {"picture": factors.picture(device.address()), "secret": groups}


def shown_once(request: HttpRequest, codes: list[str], onward: str) -> HttpResponse:
    """Show recovery codes: in this one answer, which nothing keeps."""
    context = {**site(request, "Your recovery codes"), "codes": codes, "onward": onward}
    return TemplateResponse(request, "admin/sign_in/recovery_codes.html", context)
