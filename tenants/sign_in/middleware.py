"""Closed by default: every address is for people who have passed both factors, unless its view is for visitors."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest, HttpResponseBase

from tenants.sign_in import sessions


class SignedInMiddleware(LoginRequiredMiddleware):
    """Stands after django-otp's, which says whether the session has passed the second factor."""

    def process_view(
        self, request: HttpRequest, view_func: Any, view_args: tuple[Any, ...], view_kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        """Send everybody else to the sign-in page, with the way back."""
        if not getattr(view_func, "login_required", True):
            return None
        if not request.user.is_authenticated:
            return self.handle_no_permission(request, view_func)
        why = sessions.why_over(request)
        if not why and settings.REQUIRE_SECOND_FACTOR and not request.user.is_verified():  # type: ignore[attr-defined]  # OTPMiddleware adds it
            why = "Please sign in again, with your second factor."
        if not why:
            return None
        logout(request)
        messages.info(request, why)
        return self.handle_no_permission(request, view_func)
