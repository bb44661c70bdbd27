"""Who is asking: the two token headers, or a bearer token from client credentials with the company id header.

Header names: ``Authorization`` and ``AvidAuthorization`` were seen (facts 1.7), ``X-Company-Id`` is assumed. Both
tokens of a call must belong to one customer, which is the only way to reach that customer's rows.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import sha256

from werkzeug.wrappers import Request, Response

from connector.sandbox.avidxchange.customer import Customer
from connector.sandbox.avidxchange.options import Options
from connector.sandbox.avidxchange.wire import answer, gateway, oauth, unauthorized
from connector.sandbox.credentials import AVID_CUSTOMERS, AvidCustomer

COMPANY_HEADER = "X-Company-Id"


class Gate:
    """Checks credentials and remembers the bearer tokens that were issued."""

    def __init__(self, customers: dict[str, Customer]) -> None:
        self._customers = customers
        self._issued: dict[str, tuple[AvidCustomer, datetime]] = {}
        self._count = 0

    def customer(self, request: Request, now: datetime) -> Customer:
        """Return whose call this is. Raises ``RefusalError``: 401 (E4 without credentials, else E3), 400 or 403."""
        token = _bearer(request, "Authorization")
        if not token:
            raise gateway(401, "Missing Credentials", code="900902", wrapped=True)
        if token in self._issued:
            return self._by_issued_token(request, token, now)
        user_token = _bearer(request, "AvidAuthorization")
        for known in AVID_CUSTOMERS:
            if (known.company_token, known.user_token) == (token, user_token) and known.company in self._customers:
                return self._of_company(request, known)
        raise unauthorized("The token is not valid")

    def _by_issued_token(self, request: Request, token: str, now: datetime) -> Customer:
        known, expires = self._issued[token]
        if now >= expires:
            raise unauthorized("The token has expired")
        if not request.headers.get(COMPANY_HEADER):
            raise gateway(400, f"{COMPANY_HEADER} is required")
        return self._of_company(request, known)

    def _of_company(self, request: Request, known: AvidCustomer) -> Customer:
        """Return the customer, unless the company id header names another one."""
        if request.headers.get(COMPANY_HEADER, known.company_id) != known.company_id:
            raise gateway(403, "These credentials may not act for that company")
        return self._customers[known.company]

    def issue(self, request: Request, now: datetime, options: Options) -> Response:
        """Answer the token call (R1): form-encoded client credentials, in the form or as HTTP Basic.

        Raises ``RefusalError`` (E2) for anything else.
        """
        secret = request.form.get("client_secret", "")
        if options.auth_echoes_secret:
            return Response(f"upstream unavailable for client_secret={secret}", status=503, content_type="text/plain")
        if request.mimetype != "application/x-www-form-urlencoded":
            raise oauth("invalid_request", "The token call takes a form")
        if request.form.get("grant_type") != "client_credentials":
            raise oauth("unsupported_grant_type", "Use client_credentials")
        client = (request.form.get("client_id", ""), secret)
        if request.authorization is not None and request.authorization.type == "basic":
            client = (request.authorization.username or "", request.authorization.password or "")
        for known in AVID_CUSTOMERS:
            if (known.client_id, known.client_secret) == client and known.company in self._customers:
                return answer(self._new_token(known, now, options))
        raise oauth("invalid_client", "Client id or secret is wrong")

    def _new_token(self, known: AvidCustomer, now: datetime, options: Options) -> dict[str, object]:
        self._count += 1
        token = "sandbox-avid-" + sha256(f"{known.client_id}/{self._count}".encode()).hexdigest()[:24]
        self._issued[token] = (known, now + timedelta(seconds=options.token_ttl_s))
        return {"access_token": token, "token_type": "Bearer", "expires_in": options.token_ttl_s}

    def expire(self, now: datetime) -> None:
        """Make every issued bearer token expired; the fixed customer tokens have no end."""
        self._issued = {token: (known, now) for token, (known, _expires) in self._issued.items()}


def _bearer(request: Request, header: str) -> str:
    kind, _blank, token = request.headers.get(header, "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""
