"""What ``manage.py check --deploy`` says of a site that lets people in by their password alone."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register  # noqa: A004  (Django's own name for it)


@register(Tags.security, deploy=True)
def second_factor_is_required(**_options: Any) -> list[CheckMessage]:
    """Warn when the second factor is off; the gate and a careful release end there."""
    if settings.REQUIRE_SECOND_FACTOR:
        return []
    return [
        Warning(
            "People sign in with their password alone.",
            hint="Take REQUIRE_SECOND_FACTOR=0 out of the environment: it is for a demo on one machine.",
            id="tenants.W001",
        )
    ]
