"""Personal data under AES-256-GCM, with one data key an hour that one KMS key wraps.

Whoever seals first in an hour has KMS make the hour's data key and keeps it wrapped in the table; all processes seal
with it, and each has KMS open it once. A sealed value names its hour and is no longer for its key: a wrapped key
takes 184 bytes, which in every order would cost a write unit each time the order is written. The context (the
order's id) is bound as associated data: a sealed value copied onto another order does not open.

An hour's key seals far fewer than the 2**32 values that random nonces bear.

Layout: 1 byte version, 4 bytes hour since 1970, 12 bytes nonce, ciphertext and tag of the packed text (`packing.py`).
The former one is still read: 1 byte version, 2 bytes length of the wrapped key, the wrapped key, 12 bytes nonce,
ciphertext and tag of the text.
"""

from __future__ import annotations

import base64
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from chalicelib.aws.calls import call
from chalicelib.aws.clients import client
from chalicelib.aws.packing import pack, unpack
from chalicelib.domain import facts
from chalicelib.domain.errors import Lost
from chalicelib.domain.ports import Keep, Row, Table

FORMER, VERSION = b"\x01", b"\x02"
HOUR_S = 3600
REMEMBERED = 256
"""Data keys one process keeps open: those of ten days."""

_PURPOSE = {"purpose": "cordon-personal-data"}


class KmsSealer:
    """`ports.Sealer` with KMS envelope encryption."""

    def __init__(
        self,
        key_id: str,
        table: Table,
        kms: Callable[[], Any] = lambda: client("kms"),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.key_id = key_id
        self._table = table
        self._kms = kms
        self._clock = clock
        self._lock = threading.Lock()
        self._opened: dict[int | bytes, bytes] = {}

    def seal(self, plain: bytes, context: str) -> bytes:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        hour = int(self._clock().timestamp()) // HOUR_S
        nonce = os.urandom(12)
        box = AESGCM(self._key_of(hour, is_to_be_made=True)).encrypt(nonce, pack(plain), context.encode())
        return VERSION + hour.to_bytes(4, "big") + nonce + box

    def unseal(self, sealed: bytes, context: str) -> bytes:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if sealed[:1] == FORMER:
            start = 3 + int.from_bytes(sealed[1:3], "big")
            nonce, box = sealed[start : start + 12], sealed[start + 12 :]
            return AESGCM(self._opened_by_kms(sealed[3:start])).decrypt(nonce, box, context.encode())
        if sealed[:1] != VERSION:
            raise ValueError("sealed by something newer, or not sealed at all")
        key = self._key_of(int.from_bytes(sealed[1:5], "big"))
        return unpack(AESGCM(key).decrypt(sealed[5:17], sealed[17:], context.encode()))

    def _key_of(self, hour: int, is_to_be_made: bool = False) -> bytes:
        with self._lock:
            known = self._opened.get(hour)
            if known is None:
                row = self._table.get(facts.data_key_key(hour))
                known = self._made(hour) if row is None and is_to_be_made else self._unwrapped(hour, row)
                self._remember(hour, known)
            return known

    def _opened_by_kms(self, wrapped: bytes) -> bytes:
        """The key that a value sealed by a former version carries."""
        with self._lock:
            known = self._opened.get(wrapped)
            if known is None:
                known = self._decrypted(wrapped)
                self._remember(wrapped, known)
            return known

    def _remember(self, name: int | bytes, key: bytes) -> None:
        if len(self._opened) >= REMEMBERED:
            self._opened.pop(next(iter(self._opened)))
        self._opened[name] = key

    def _made(self, hour: int) -> bytes:
        made = call(
            self._kms(), "generate_data_key",
            KeyId=self.key_id, KeySpec="AES_256", EncryptionContext=_PURPOSE,
        )  # fmt: skip
        wrapped = base64.b64encode(made["CiphertextBlob"]).decode()
        try:
            self._table.write(Keep(Row(facts.data_key_key(hour), 1, wrapped), was=None))
        except Lost as lost:  # another process was quicker: its key is the hour's
            return self._unwrapped(hour, lost.found or self._table.get(facts.data_key_key(hour)))
        key: bytes = made["Plaintext"]
        return key

    def _unwrapped(self, hour: int, row: Row | None) -> bytes:
        if row is None:
            raise ValueError(f"the data key of the hour {hour!r} is gone")
        return self._decrypted(base64.b64decode(row.body))

    def _decrypted(self, wrapped: bytes) -> bytes:
        opened = call(
            self._kms(), "decrypt",
            KeyId=self.key_id, CiphertextBlob=wrapped, EncryptionContext=_PURPOSE,
        )  # fmt: skip
        key: bytes = opened["Plaintext"]
        return key
