"""The tenant document of the demo: what ``manage.py load_tenant`` takes (design section 7), for company EPIC06."""

from __future__ import annotations

from typing import Any

from connector.sandbox import credentials

_STAGES = (
    "vendors_out",
    "gl_codes_out",
    "purchase_orders_out",
    "invoices_out",
    "approvals_in",
    "invoices_in",
    "payments_in",
)


def tenant_document(*, epicor_url: str, avidxchange_url: str) -> dict[str, Any]:
    """Return the document, with the sandbox's own (fake) credentials and addresses."""
    avid = credentials.AVID_A
    return {
        "slug": "demo",
        "name": "Sandbox Industrial Distribution",
        "time_zone": "America/New_York",
        "currency": "USD",
        # Nobody sits at the stand-in to post what was captured, and what is not posted cannot be paid in it.
        "options": {"post_captured_invoices": True},
        "epicor": {
            "base_url": epicor_url,
            "instance": credentials.EPICOR_INSTANCE,
            "company": avid.company,
            "auth_mode": "oauth2",
            "token_url": f"{epicor_url}{credentials.EPICOR_TOKEN_PATH}",
            "client_id": credentials.EPICOR_CLIENT_ID,
            "client_secret": credentials.EPICOR_CLIENT_SECRET,
            "scope": credentials.EPICOR_SCOPE,
            "api_key": credentials.EPICOR_API_KEY,
            "page_size": 100,
            "paging": "keyset",
            "coa_code": "MAIN",
            "bank_account_id": "AVID",
            "payment_method_id": 2,
            "ap_group_prefix": "AVX",
            "post_payments": True,
            "void_mode": "api",
        },
        "avidxchange": {
            "base_url": avidxchange_url,
            "auth_mode": "tokens",
            "company_token": avid.company_token,
            "user_token": avid.user_token,
            "company_id": avid.company_id,
        },
        "stages": {stage: {"enabled": True, "every_minutes": 15} for stage in _STAGES},
    }
