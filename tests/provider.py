"""An identity provider on the fake line: discovery, keys, a sign-in page that says yes, codes that are good once."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from chalicelib.domain.dialect import Reply, Request

ISSUER = "https://login.example/tenant"
ACCOUNT: dict[str, Any] = {
    "issuer": ISSUER,
    "client_id": "cordon",
    "client_secret": "a secret: of/ours",
    "admits": [
        {"claim": "groups", "value": "cordon-dispatch"},
        {"claim": "groups", "value": "cordon-shanghai", "markets": ["SHA"]},
        {"claim": "groups", "value": "cordon-milan", "markets": ["MIL"]},
        {"claim": "groups", "value": "cordon-watch", "looks_on": True},
    ],
}


@cache
def rsa_key(number: int = 0, bits: int = 2048) -> rsa.RSAPrivateKey:
    """One key a number: they take a while to make."""
    return rsa.generate_private_key(65537, bits)


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def number(value: int) -> str:
    return text(value.to_bytes((value.bit_length() + 7) // 8))


def jwk(key: Any, kid: str, **more: Any) -> dict[str, Any]:
    public = key.public_key().public_numbers()
    if isinstance(key, rsa.RSAPrivateKey):
        return {"kty": "RSA", "kid": kid, "use": "sig", "n": number(public.n), "e": number(public.e), **more}
    x, y = (text(part.to_bytes(32)) for part in (public.x, public.y))
    return {"kty": "EC", "crv": "P-256", "kid": kid, "x": x, "y": y, **more}


def signed(key: Any, claims: Mapping[str, Any], **header: Any) -> str:
    told = {"alg": "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256", "kid": "one", **header}
    message = f"{text(json.dumps(told).encode())}.{text(json.dumps(claims).encode())}"
    if isinstance(key, rsa.RSAPrivateKey):
        signature = key.sign(message.encode(), padding.PKCS1v15(), SHA256())
    else:
        r, s = decode_dss_signature(key.sign(message.encode(), ec.ECDSA(SHA256())))
        signature = r.to_bytes(32) + s.to_bytes(32)
    return f"{message}.{text(signature)}"


@dataclass
class Provider:
    """The provider; whoever comes to its page is signed in as `claims` says."""

    clock: Callable[[], datetime]
    claims: dict[str, Any] = field(default_factory=dict)
    """Beside or in place of what an honest token says."""
    key: Any = field(default_factory=rsa_key)
    kid: str = "one"
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    heard: list[str] = field(default_factory=list)
    document: dict[str, Any] = field(default_factory=dict)
    token: Callable[[dict[str, Any]], str] | None = None
    """In place of an honest signature."""

    def sign_in(self, address: str) -> tuple[str, str]:
        """Somebody follows our redirect and says yes: what comes back to us, `state` and `code`."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert asked["response_type"] == "code" and asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split() and asked["client_id"] == ACCOUNT["client_id"]
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        return asked["state"], code

    def __call__(self, request: Request) -> Reply:
        self.heard.append(request.url)
        path = urlsplit(request.url).path
        if path.endswith("/.well-known/openid-configuration"):
            return _json(
                {
                    "issuer": ISSUER,
                    "authorization_endpoint": f"{ISSUER}/authorize",
                    "token_endpoint": f"{ISSUER}/token",
                    "jwks_uri": f"{ISSUER}/keys",
                    **self.document,
                }
            )
        if path.endswith("/keys"):
            return _json({"keys": [jwk(self.key, self.kid)]})
        assert path.endswith("/token") and request.method == "POST"
        return self._redeem(request)

    def _redeem(self, request: Request) -> Reply:
        said = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        told = request.headers.get("Authorization", "")
        pair = base64.b64decode(told.removeprefix("Basic ")).decode() if told else ""
        name, _, secret = (unquote(part) for part in pair.partition(":"))
        if not told:
            name, secret = said.get("client_id", ""), said.get("client_secret", "")
        asked = self.codes.pop(said["code"], None)
        proof = text(hashlib.sha256(said["code_verifier"].encode()).digest())
        is_ours = (name, secret) == (ACCOUNT["client_id"], ACCOUNT["client_secret"])
        if asked is None or not is_ours or said["redirect_uri"] != asked["redirect_uri"]:
            return Reply(400, {}, b'{"error": "invalid_grant"}')
        if proof != asked["code_challenge"]:
            return Reply(400, {}, b'{"error": "invalid_grant"}')
        now = int(self.clock().timestamp())
        claims = {
            "iss": ISSUER,
            "aud": ACCOUNT["client_id"],
            "sub": "00u1",
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            "preferred_username": "mei.lin@brand.example",
            "groups": ["everybody", "cordon-dispatch"],
            **self.claims,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        token = signed(self.key, claims, kid=self.kid) if self.token is None else self.token(claims)
        return _json({"access_token": "not ours", "token_type": "Bearer", "id_token": token})


def _json(body: Any) -> Reply:
    return Reply(200, {"content-type": "application/json"}, json.dumps(body).encode())
