"""Courier accounts and signing keys, from one secret in Secrets Manager, read again every five minutes.

The secret is JSON:
    {"signing_keys": ["old", "new"], "couriers": {"<dialect>": {"<account>": [{...present...}, {...former...}]}}}
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from typing import Any

from chalicelib.aws.clients import client
from chalicelib.domain.dialect import Account

FRESH_S = 300.0


class SecretsManagerSecrets:
    """`ports.Secrets` on one JSON secret."""

    def __init__(self, secret_id: str) -> None:
        self.secret_id = secret_id
        self._lock = threading.Lock()
        self._read: dict[str, Any] = {}
        self._until = 0.0

    def accounts(self, dialect: str, account: str) -> Sequence[Account]:
        found: list[Account] = self._secret().get("couriers", {}).get(dialect, {}).get(account, [])
        return found

    def signing_keys(self) -> Sequence[str]:
        keys: list[str] = self._secret()["signing_keys"]
        if not keys:
            raise ValueError("the secret names no signing key")
        return keys

    def _secret(self) -> dict[str, Any]:
        with self._lock:
            if time.monotonic() > self._until:
                text = client("secretsmanager").get_secret_value(SecretId=self.secret_id)["SecretString"]
                self._read = json.loads(text)
                self._until = time.monotonic() + FRESH_S
            return self._read
