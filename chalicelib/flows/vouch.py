"""Read what a provider vouches for: a JSON Web Token, taken only with the signature of one of the provider's keys.

Two algorithms, as they are named here and never as the token wishes: RS256, which every provider has, and ES256. A
token that is unsigned, or signed with a secret (`none`, `HS256`), names no algorithm of these.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from chalicelib.domain.errors import Unauthorised

MOST: Final = 16 * 1024
"""Characters of a token."""
RSA_BITS: Final = 2048
KINDS: Final = {"RS256": "RSA", "ES256": "EC"}


class UnknownKey(Unauthorised):
    """Signed with a key that the provider had not published when it was asked."""


def claims_of(token: str, keys: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the token says. `keys`: the provider's, as JSON Web Keys. Raises `Unauthorised`, `UnknownKey`."""
    parts = token.split(".")
    if len(token) > MOST or len(parts) != 3:
        raise _wrong("no token of three parts")
    header, claims = (_json(part) for part in parts[:2])
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in KINDS or "crit" in header:
        raise _wrong("a signature that is not taken")
    _verify(algorithm, _key(header, algorithm, keys), f"{parts[0]}.{parts[1]}".encode(), _bytes(parts[2]))
    return claims


def _key(header: Mapping[str, Any], algorithm: str, keys: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    fit = [
        key
        for key in keys
        if key.get("kty") == KINDS[algorithm]
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
    ]
    named = [key for key in fit if key.get("kid") == header["kid"]] if "kid" in header else fit
    if len(named) != 1:
        raise UnknownKey("what the provider says is not taken: its key is not known")
    return named[0]


def _verify(algorithm: str, key: Mapping[str, Any], message: bytes, signature: bytes) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        if algorithm == "RS256":
            public = rsa.RSAPublicNumbers(_number(key["e"]), _number(key["n"])).public_key()
            if public.key_size < RSA_BITS:
                raise _wrong("a key that is too short")
            public.verify(signature, message, padding.PKCS1v15(), SHA256())
        else:
            if key.get("crv") != "P-256" or len(signature) != 64:
                raise _wrong("a signature of another curve")
            point = ec.EllipticCurvePublicNumbers(_number(key["x"]), _number(key["y"]), ec.SECP256R1())
            halves = (int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
            point.public_key().verify(encode_dss_signature(*halves), message, ec.ECDSA(SHA256()))
    except InvalidSignature:
        raise _wrong("a signature that is not the provider's") from None
    except (KeyError, ValueError, TypeError):
        raise _wrong("a key that cannot be read") from None


def _number(text: object) -> int:
    if not isinstance(text, str):
        raise TypeError("a text was expected")
    return int.from_bytes(_bytes(text))


def _json(part: str) -> dict[str, Any]:
    try:
        found = json.loads(_bytes(part))
    except (ValueError, RecursionError):
        raise _wrong("a part that is no JSON") from None
    if not isinstance(found, dict):
        raise _wrong("a part that is no object")
    return found


def _bytes(part: str) -> bytes:
    if "=" in part:
        raise _wrong("a part with padding")
    try:
        return base64.b64decode(part.encode("ascii") + b"=" * (-len(part) % 4), b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise _wrong("a part that is not base64url") from None


def _wrong(what: str) -> Unauthorised:
    return Unauthorised(f"what the provider says is not taken: it has {what}")
