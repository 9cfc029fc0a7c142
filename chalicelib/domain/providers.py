"""Who else may say who somebody is: a provider of OpenID Connect, what its word has to say, and what it lets in to.

It stands beside the accounts in the secret store, for a client secret is with it:

    {"sign_in": {"oidc": {"board": [{
        "issuer": "https://login.example.com/tenant", "client_id": "cordon", "client_secret": "...",
        "name_claim": "preferred_username",
        "admits": [{"claim": "groups", "value": "cordon-dispatch", "markets": ["SHA"]},
                   {"claim": "groups", "value": "cordon-watch", "looks_on": true}]}]}}}
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import Field

from chalicelib.domain.errors import Forbidden, Unauthorised
from chalicelib.domain.shapes import Shape, Slug

LEEWAY: Final = timedelta(seconds=60)
"""So far two clocks may lie apart."""
FRESH: Final = timedelta(minutes=10)
"""An id token is from the sign-in that is under way, and no older."""


class Admission(Shape):
    """Whoever has this claim is let in, to these markets."""

    claim: str = Field(min_length=1, max_length=200)
    value: str = Field(min_length=1, max_length=500)
    markets: tuple[Slug, ...] | None = Field(default=None, description="Absent: all.")
    looks_on: bool = Field(default=False, description="Sees the board and does nothing there.")


class Provider(Shape):
    """One provider, and what we are to it."""

    issuer: str = Field(pattern=r"^https://[^\s?#]+$", max_length=500)
    client_id: str = Field(min_length=1, max_length=500)
    client_secret: str = Field(min_length=1, max_length=1000, repr=False)
    scope: str = Field(default="openid profile", pattern=r"^openid( [\x21\x23-\x5b\x5d-\x7e]+)*$")
    name_claim: str = Field(default="preferred_username", min_length=1, max_length=200)
    admits: tuple[Admission, ...] = Field(min_length=1)


class Admitted(Shape):
    """Somebody who is let in: by which name, where to, and whether only to look."""

    who: Slug
    markets: tuple[Slug, ...] | None
    looks_on: bool


def believed(provider: Provider, claims: Mapping[str, Any], nonce: str, now: datetime) -> None:
    """Is this what the provider says, to us, now, and to this browser's question? Raises `Unauthorised`.

    After OpenID Connect Core 1.0, 3.1.3.7; the signature has been verified before.
    """
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    wrong = (
        (claims.get("iss") != provider.issuer, "it is not from the provider that was asked"),
        (provider.client_id not in named, "it is not for us"),
        (len(named) > 1 and claims.get("azp") != provider.client_id, "it was given to somebody else"),
        (claims.get("azp", provider.client_id) != provider.client_id, "it was given to somebody else"),
        (not _is_said(claims.get("sub")), "it names nobody"),
        (not _same(claims.get("nonce"), nonce), "it answers another question"),
        (_moment(claims, "exp") <= now.timestamp() - LEEWAY.total_seconds(), "it is over"),
        (_moment(claims, "iat") > now.timestamp() + LEEWAY.total_seconds(), "it is from the future"),
        (_moment(claims, "iat") < (now - FRESH - LEEWAY).timestamp(), "it is too old"),
    )
    for is_so, why in wrong:
        if is_so:
            raise Unauthorised(f"what the provider says is not taken: {why}")


def admitted(provider: Provider, claims: Mapping[str, Any]) -> Admitted:
    """Where to its claims let somebody in. Who has several is let in to all of theirs, and acts where one lets act.

    Raises `Forbidden` for somebody who has none of them, `Unauthorised` without a name for the log.
    """
    mine = [rule for rule in provider.admits if _has(claims.get(rule.claim), rule.value)]
    if not mine:
        raise Forbidden("you are known to your provider, and not let in to this board; ask the control room")
    acting = [rule for rule in mine if not rule.looks_on]
    counted = acting or mine
    named = dict.fromkeys(market for rule in counted for market in rule.markets or ())
    markets = None if any(rule.markets is None for rule in counted) else tuple(named)
    told = claims.get(provider.name_claim)
    who = _NOT_A_SLUG.sub("-", told.partition("@")[0]).strip("-._")[:64] if isinstance(told, str) else ""
    if not who:
        raise Unauthorised(
            f"the provider tells no name: a text as the claim {provider.name_claim!r} was expected"
        )
    return Admitted(who=who, markets=markets, looks_on=not acting)


_NOT_A_SLUG = re.compile(r"[^A-Za-z0-9._-]+", re.ASCII)


def _has(claim: object, value: str) -> bool:
    return claim == value or (isinstance(claim, list) and value in claim)


def _is_said(text: object) -> bool:
    return isinstance(text, str) and bool(text)


def _same(said: object, expected: str) -> bool:
    return isinstance(said, str) and hmac.compare_digest(said.encode(), expected.encode())


def _moment(claims: Mapping[str, Any], name: str) -> float:
    told = claims.get(name)
    if isinstance(told, bool) or not isinstance(told, (int, float)):
        raise Unauthorised(f"what the provider says is not taken: a moment as {name!r} was expected")
    return float(told)
