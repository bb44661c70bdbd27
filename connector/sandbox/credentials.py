"""Every credential the sandbox accepts: constants, obviously fake, in one place.

Both stand-ins and every test take them from here, so that a secret scanner has one file to know about and a canary
search has one list to look for.
"""

from __future__ import annotations

from dataclasses import dataclass

EPICOR_INSTANCE = "KineticSandbox"
EPICOR_USER = "sandbox-user"
EPICOR_PASSWORD = "sandbox-password-not-real"
EPICOR_API_KEY = "sandbox-api-key-not-real"
EPICOR_CLIENT_ID = "sandbox-client"
EPICOR_CLIENT_SECRET = "sandbox-client-secret-not-real"
EPICOR_SCOPE = "epicor_erp"
EPICOR_TOKEN_PATH = "/connect/token"

#: The company whose rows answer when a call names none (the integration user's default company).
EPICOR_DEFAULT_COMPANY = "EPIC07"


@dataclass(frozen=True, repr=False)
class AvidCustomer:
    """What one AvidXchange customer signs in with, and the Epicor company whose payables it handles."""

    company: str
    company_id: str
    accounting_system_id: int
    company_token: str
    user_token: str
    client_id: str
    client_secret: str

    def __repr__(self) -> str:
        return f"AvidCustomer({self.company_id})"


AVID_A = AvidCustomer(
    company="EPIC06",
    company_id="AVID-A",
    accounting_system_id=17,
    company_token="sandbox-company-token-a",
    user_token="sandbox-user-token-a",
    client_id="sandbox-avid-client-a",
    client_secret="sandbox-avid-secret-a-not-real",
)
AVID_B = AvidCustomer(
    company="EPIC07",
    company_id="AVID-B",
    accounting_system_id=18,
    company_token="sandbox-company-token-b",
    user_token="sandbox-user-token-b",
    client_id="sandbox-avid-client-b",
    client_secret="sandbox-avid-secret-b-not-real",
)
AVID_CUSTOMERS: tuple[AvidCustomer, ...] = (AVID_A, AVID_B)
