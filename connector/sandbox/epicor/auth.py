"""Who may call: an API key always, and a user by Basic, Epicor's own token or an OAuth2 bearer.

Four different causes share status 401 and are told apart by their words only (epicor.md 2.4): wrong user or password,
an invalid key (echoing key and company), no security on a method, and a key whose access scope leaves a method out.
"""

from __future__ import annotations

import base64
import binascii
import hmac

import msgspec
from werkzeug.wrappers import Request, Response

from connector.sandbox import credentials
from connector.sandbox.epicor.errors import Refused, unauthorized
from connector.sandbox.epicor.state import EpicorState


def authenticate(request: Request, state: EpicorState, *, company: str, api_key: str) -> None:
    """Raise a 401 refusal unless the key and the user are right."""
    if not api_key:
        raise unauthorized("An API Key is required to call this service.")
    if not hmac.compare_digest(api_key.encode(), credentials.EPICOR_API_KEY.encode()):
        raise unauthorized(f"Invalid API Key '{api_key}' for company '{company}'.")
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "basic" and _basic_is_right(value):
        return
    if kind.lower() == "bearer":
        if state.token_is_good(value.strip()):
            return
        raise unauthorized("The access token is not valid or has expired.")
    raise unauthorized("Invalid username or password.")


def check_rights(state: EpicorState, *, service: str, method: str) -> None:
    """Raise a 401 refusal if the user or the key may not call this method."""
    name = f"{service}/{method}"
    if name in state.options.denied_methods:
        raise unauthorized(f"Access denied ({service.removesuffix('Svc')}.{method}).")
    if name in state.options.out_of_scope:
        raise unauthorized(f"The access scope of the API Key does not allow calling {name}.")


def oauth_token(request: Request, state: EpicorState) -> Response:
    """Answer the identity provider's token call (client credentials grant, form-encoded)."""
    form = request.form
    right = (form.get("client_id"), form.get("client_secret")) == (
        credentials.EPICOR_CLIENT_ID,
        credentials.EPICOR_CLIENT_SECRET,
    ) or _basic_client(request)
    if not right:
        return _json({"error": "invalid_client"}, 400)
    if form.get("grant_type") != "client_credentials":
        return _json({"error": "unsupported_grant_type"}, 400)
    if form.get("scope") != credentials.EPICOR_SCOPE:
        return _json({"error": "invalid_scope"}, 400)
    token, seconds = state.issue_token()
    return _json({"access_token": token, "token_type": "Bearer", "expires_in": seconds, "scope": form["scope"]}, 200)


def token_resource(request: Request, state: EpicorState) -> Response:
    """Answer Epicor's own token call: user and password as headers, JSON only if asked for."""
    given = request.headers.get("username"), request.headers.get("password")
    if given != (credentials.EPICOR_USER, credentials.EPICOR_PASSWORD):
        refusal: Refused = unauthorized("Invalid username or password.")
        return _json(refusal.body(), refusal.status)
    token, seconds = state.issue_token()
    if "json" in request.headers.get("Accept", ""):
        return _json({"AccessToken": token, "TokenType": "Bearer", "ExpiresIn": seconds, "RefreshToken": ""}, 200)
    text = f"<Token><AccessToken>{token}</AccessToken><ExpiresIn>{seconds}</ExpiresIn></Token>"
    return Response(text, mimetype="application/xml")


def _basic_is_right(value: str) -> bool:
    try:
        user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return False
    return (user, password) == (credentials.EPICOR_USER, credentials.EPICOR_PASSWORD)


def _basic_client(request: Request) -> bool:
    """Return whether the client signed in by Basic instead of in the form, which OAuth2 libraries do by default."""
    given = request.authorization
    return bool(
        given
        and given.type == "basic"
        and (given.username, given.password) == (credentials.EPICOR_CLIENT_ID, credentials.EPICOR_CLIENT_SECRET)
    )


def _json(body: dict[str, object], status: int) -> Response:
    response = Response(status=status, mimetype="application/json")
    response.set_data(msgspec.json.encode(body))
    return response
