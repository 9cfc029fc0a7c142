"""Two secrets in Secrets Manager, each read again every five minutes.

The courier accounts, put there by people, are JSON:
    {"couriers": {"<dialect>": {"<account>": [{...present...}, {...former...}]}},
     "channels": {"whatsapp": {"<brand>": [{...present...}, {...former...}]}, "email": {"<brand>": [{"domain": ...}]}},
     "sign_in": {"oidc": {"board": [{...}]}}}    as `domain/providers.py` has it
The signing key is a plain text that the template has Secrets Manager generate and `rotation` changes. The former one,
kept as AWSPREVIOUS, still opens what it has signed; and it goes on signing until every process must have read the
new one, or a cursor that one process gave out would be refused by the next.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

from chalicelib.aws.calls import call, code_of
from chalicelib.aws.clients import client
from chalicelib.domain.dialect import Account

FRESH_S = 300.0
SETTLED_S = 2 * FRESH_S
"""A signing key that is younger opens and does not sign yet."""

_Known = TypeVar("_Known")


class SecretsManagerSecrets:
    """`ports.Secrets` on a JSON secret with the accounts, and another that is the signing key."""

    def __init__(self, accounts_id: str, signing_key_id: str) -> None:
        self._accounts = _Fresh(lambda: _accounts(accounts_id))
        self._signing_keys = _Fresh(lambda: _signing_keys(signing_key_id))

    def accounts(self, dialect: str, account: str) -> Sequence[Account]:
        found: list[Account] = self._accounts.get().get(dialect, {}).get(account, [])
        return found

    def signing_keys(self) -> Sequence[str]:
        return self._signing_keys.get()


class _Fresh(Generic[_Known]):
    """Something that is read again once it is old."""

    def __init__(self, read: Callable[[], _Known]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._known: tuple[_Known, float] | None = None

    def get(self) -> _Known:
        with self._lock:
            if self._known is None or time.monotonic() > self._known[1]:
                self._known = (self._read(), time.monotonic() + FRESH_S)
            return self._known[0]


def _accounts(secret_id: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(_text(secret_id, "AWSCURRENT"))
    return {**told.get("couriers", {}), **told.get("channels", {}), **told.get("sign_in", {})}


def _signing_keys(secret_id: str) -> list[str]:
    from botocore.exceptions import ClientError

    current, made_at = _version(secret_id, "AWSCURRENT")
    try:
        former, _ = _version(secret_id, "AWSPREVIOUS")
    except ClientError as error:
        if code_of(error) != "ResourceNotFoundException":  # the key has never been changed
            raise
        return [current]
    is_settled = time.time() - made_at.timestamp() >= SETTLED_S
    return [former, current] if is_settled else [current, former]


def _text(secret_id: str, stage: str) -> str:
    return _version(secret_id, stage)[0]


def _version(secret_id: str, stage: str) -> tuple[str, datetime]:
    """The text under that label, and when it was made: a rotation begins with that and ends moments later."""
    reply = call(client("secretsmanager"), "get_secret_value", SecretId=secret_id, VersionStage=stage)
    text: str = reply["SecretString"]
    if not text:
        raise ValueError(f"the secret {secret_id!r} is empty")
    return text, reply["CreatedDate"]
