"""Personal data under AES-256-GCM, with data keys wrapped by one KMS key.

A process asks KMS for one data key and seals with it for an hour; each sealed value carries its wrapped key, so
that anybody with the KMS key can open it. The context (the order's id) is bound as associated data: a sealed
value copied onto another order does not open.

Layout: 1 byte version, 2 bytes length of the wrapped key, the wrapped key, 12 bytes nonce, ciphertext and tag.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

from chalicelib.aws.calls import call
from chalicelib.aws.clients import client

VERSION = b"\x01"
KEY_LIFE_S = 3600.0
KEY_USES = 2**24
"""Far below the 2**32 random nonces that one AES-GCM key bears."""
REMEMBERED = 256

_PURPOSE = {"purpose": "cordon-personal-data"}


class KmsSealer:
    """`ports.Sealer` with KMS envelope encryption."""

    def __init__(self, key_id: str, kms: Callable[[], Any] = lambda: client("kms")) -> None:
        self.key_id = key_id
        self._kms = kms
        self._lock = threading.Lock()
        self._current: tuple[bytes, bytes, float] | None = None
        self._uses = 0
        self._opened: dict[bytes, bytes] = {}

    def seal(self, plain: bytes, context: str) -> bytes:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        key, wrapped = self._data_key()
        nonce = os.urandom(12)
        box = AESGCM(key).encrypt(nonce, plain, context.encode())
        return VERSION + len(wrapped).to_bytes(2, "big") + wrapped + nonce + box

    def unseal(self, sealed: bytes, context: str) -> bytes:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if sealed[:1] != VERSION:
            raise ValueError("sealed by something newer, or not sealed at all")
        size = int.from_bytes(sealed[1:3], "big")
        wrapped, rest = sealed[3 : 3 + size], sealed[3 + size :]
        return AESGCM(self._unwrapped(wrapped)).decrypt(rest[:12], rest[12:], context.encode())

    def _data_key(self) -> tuple[bytes, bytes]:
        with self._lock:
            now = time.monotonic()
            if self._current is None or now > self._current[2] or self._uses >= KEY_USES:
                made = call(
                    self._kms(), "generate_data_key",
                    KeyId=self.key_id, KeySpec="AES_256", EncryptionContext=_PURPOSE,
                )  # fmt: skip
                self._current = (made["Plaintext"], made["CiphertextBlob"], now + KEY_LIFE_S)
                self._uses = 0
                self._remember(made["CiphertextBlob"], made["Plaintext"])
            self._uses += 1
            return self._current[0], self._current[1]

    def _unwrapped(self, wrapped: bytes) -> bytes:
        with self._lock:
            known = self._opened.get(wrapped)
            if known is None:
                opened = call(
                    self._kms(), "decrypt",
                    KeyId=self.key_id, CiphertextBlob=wrapped, EncryptionContext=_PURPOSE,
                )  # fmt: skip
                known = opened["Plaintext"]
                self._remember(wrapped, known)
            return known

    def _remember(self, wrapped: bytes, key: bytes) -> None:
        if len(self._opened) >= REMEMBERED:
            self._opened.pop(next(iter(self._opened)))
        self._opened[wrapped] = key
