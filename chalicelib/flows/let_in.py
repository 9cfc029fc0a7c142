"""Let somebody in on the word of an identity provider: OpenID Connect's authorization code, with PKCE.

Nothing is kept while somebody is away at the provider. Their browser has a secret in a cookie; what goes to the
provider and comes back (`state`), what the id token repeats (`nonce`) and what redeems the code (`code_verifier`) are
digests of it. So an answer that another browser has begun opens nothing here, and a code that was stolen on its way is
of no use.

The provider's own pages, its keys and where it redeems codes are read from its discovery document, over HTTPS, at
public addresses alone, and remembered by this process.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote, urlencode

from pydantic import ValidationError

from chalicelib.domain.dialect import Request
from chalicelib.domain.errors import Lost, Unanswered, Unauthorised
from chalicelib.domain.keys import hash_of
from chalicelib.domain.ports import Keep, World
from chalicelib.domain.providers import Provider, admitted, believed
from chalicelib.domain.sessions import (
    SESSION_LASTS,
    Dispatcher,
    Session,
    dispatcher_key,
    dispatcher_row,
    session_row,
)
from chalicelib.flows.vouch import UnknownKey, claims_of

AWAY_S: Final = 600
"""Seconds that somebody may take at the provider."""
REMEMBERED: Final = timedelta(hours=1)
"""What the provider has published is read again after this; ..."""
SOONER: Final = timedelta(minutes=1)
"""... and its keys, where one is met that was not among them, after this."""
FORM: Final = "application/x-www-form-urlencoded"
_NEEDED = ("authorization_endpoint", "token_endpoint", "jwks_uri")


def provider(world: World) -> Provider | None:
    """Whose word is taken here; None: nobody's, and links are the only way in."""
    told = world.secrets.accounts("oidc", "board")
    if not told:
        return None
    try:
        return Provider.model_validate_json(json.dumps(dict(told[0])))
    except ValidationError as error:
        fields = ", ".join(sorted({".".join(map(str, fault["loc"])) for fault in error.errors()}))
        world.log("failure", why=f"sign-in: {fields}")
        return None


def begin(world: World, back: str) -> tuple[str, str]:
    """Where the browser goes, and the secret that it keeps. `back`: our address to which it comes back.

    Raises `Unauthorised` where no provider is set up, `Unanswered` where it does not answer.
    """
    known = _known(world)
    secret = world.token()
    challenge = hashlib.sha256(_derived("verifier", secret).encode()).digest()
    asked = {
        "response_type": "code",
        "client_id": known.client_id,
        "redirect_uri": back,
        "scope": known.scope,
        "state": _derived("state", secret),
        "nonce": _derived("nonce", secret),
        "code_challenge": _text(challenge),
        "code_challenge_method": "S256",
    }
    address = _published(world, known)["authorization_endpoint"]
    return f"{address}{'&' if '?' in address else '?'}{urlencode(asked)}", secret


def finish(world: World, secret: str, state: str, code: str, back: str) -> tuple[str, Session]:
    """The session's own secret, for the cookie. Raises `Unauthorised` for an answer that was not asked for from this
    browser or is not believed, `Forbidden` for somebody who is not let in, `Unanswered`."""
    known = _known(world)
    if not secret or not hmac.compare_digest(_derived("state", secret).encode(), state.encode()):
        raise Unauthorised("this answer was not asked for from here; sign in again")
    if not code:
        raise Unauthorised("the provider has not let you in; sign in again")
    token = _redeemed(world, known, code, _derived("verifier", secret), back)
    claims = _vouched(world, known, token)
    now = world.clock()
    believed(known, claims, _derived("nonce", secret), now)
    found = admitted(known, claims)
    session = Session(
        who=found.who,
        let_in_by=known.issuer,
        since=now,
        expires_at=now + SESSION_LASTS,
        markets=found.markets,
        looks_on=found.looks_on,
    )
    cookie, key = world.token(), dispatcher_key(found.who)
    if world.table.get(key) is None:
        try:  # whoever has been here once can be turned away
            world.table.write(Keep(dispatcher_row(Dispatcher(who=found.who), 1), was=None))
        except Lost:
            pass  # another sign-in of theirs has just done so
    world.table.write(Keep(session_row(hash_of(cookie), session), was=None))
    return cookie, session


def _known(world: World) -> Provider:
    found = provider(world)
    if found is None:
        raise Unauthorised("no provider is set up here; ask the control room for a link")
    return found


def _derived(name: str, secret: str) -> str:
    return _text(hashlib.sha256(f"{name}|{secret}".encode()).digest())


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


# --- what it has published ------------------------------------------------------------------------------------


def _published(world: World, known: Provider) -> Mapping[str, Any]:
    """The discovery document."""

    def read() -> Mapping[str, Any]:
        told = _json(world, f"{known.issuer.rstrip('/')}/.well-known/openid-configuration")
        if told.get("issuer") != known.issuer:
            raise Unanswered("the provider's discovery document names another issuer")
        for name in _NEEDED:
            if not str(told.get(name, "")).startswith("https://"):
                raise Unanswered(f"the provider's discovery document has no {name} with https")
        return told

    return world.remembered(f"oidc#{known.issuer}", REMEMBERED, read)


def _keys(world: World, known: Provider, within: timedelta) -> Sequence[Mapping[str, Any]]:
    def read() -> Sequence[Mapping[str, Any]]:
        told = _json(world, _published(world, known)["jwks_uri"]).get("keys")
        if not isinstance(told, list):
            raise Unanswered("the provider's keys are no list")
        return [key for key in told if isinstance(key, dict)]

    return world.remembered(f"jwks#{known.issuer}", within, read)


def _vouched(world: World, known: Provider, token: str) -> dict[str, Any]:
    """The claims; a provider that has just changed its keys is asked for them again."""
    try:
        return claims_of(token, _keys(world, known, REMEMBERED))
    except UnknownKey:
        return claims_of(token, _keys(world, known, SOONER))


# --- the wire -------------------------------------------------------------------------------------------------


def _redeemed(world: World, known: Provider, code: str, verifier: str, back: str) -> str:
    """The id token that this code is good for, once."""
    published = _published(world, known)
    fields = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": back,
        "code_verifier": verifier,
    }
    headers = {"Content-Type": FORM, "Accept": "application/json"}
    ways = published.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    if "client_secret_basic" in ways:
        pair = f"{quote(known.client_id, safe='')}:{quote(known.client_secret, safe='')}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    else:
        fields |= {"client_id": known.client_id, "client_secret": known.client_secret}
    request = Request("POST", published["token_endpoint"], headers, urlencode(fields).encode())
    reply = world.line.send(request, public_only=not world.webhooks_may_be_private)
    if 400 <= reply.status < 500:
        raise Unauthorised("the provider does not take this sign-in any more; sign in again")
    token = _object(reply.status, reply.body).get("id_token")
    if not isinstance(token, str):
        raise Unauthorised("the provider says nothing of who you are: it sent no id token")
    return token


def _json(world: World, url: str) -> dict[str, Any]:
    request = Request("GET", url, {"Accept": "application/json"})
    reply = world.line.send(request, public_only=not world.webhooks_may_be_private)
    return _object(reply.status, reply.body)


def _object(status: int, body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body) if status == 200 else None
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise Unanswered(f"the provider's answer cannot be read ({status})")
    return told
