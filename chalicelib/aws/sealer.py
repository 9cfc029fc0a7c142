"""Personal data under AES-256-GCM, with one data key an hour that one KMS key wraps.

Whoever seals first in an hour has KMS make the hour's data key and keeps it wrapped in the table; all processes seal
with it, and each has KMS open it once. A sealed value names its hour and is no longer for its key: a wrapped key
takes 184 bytes, which in every order would cost a write unit each time the order is written. The context (the
order's id) is bound as associated data: a sealed value copied onto another order does not open.

An hour's key seals far fewer than the 2**32 values that random nonces bear. It lapses with what it was for
(`retention.ORDER_KEYS`): then nobody reads any more for whom the orders of that hour were.

A client has a data key of its own, wrapped by the same KMS key and kept in the client's collection: who drops it has
all of it forgotten. A process knows it for a minute at most.

Layout: 1 byte version, 4 bytes hour since 1970, 12 bytes nonce, ciphertext and tag of the packed text (`packing.py`).
Of a client: 1 byte version, 1 byte length of the owner's id, the id, 12 bytes nonce, the same.
The former one is still read: 1 byte version, 2 bytes length of the wrapped key, the wrapped key, 12 bytes nonce,
ciphertext and tag of the text.
"""

from __future__ import annotations

import base64
import os
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from chalicelib.aws.calls import call
from chalicelib.aws.clients import client
from chalicelib.aws.packing import pack, unpack
from chalicelib.domain import facts
from chalicelib.domain.client_rows import data_key_of_client
from chalicelib.domain.errors import Forgotten, Lost
from chalicelib.domain.ports import Keep, Key, Row, Table
from chalicelib.domain.retention import ORDER_KEYS, is_gone, kept_until

FORMER, VERSION, OWNED = b"\x01", b"\x02", b"\x03"
HOUR_S = 3600
REMEMBERED = 256
"""Data keys one process keeps open: those of ten days."""
OWNERS_REMEMBERED = 4096
KNOWN_FOR = timedelta(minutes=1)
"""So long a process goes on with a client's data key without looking whether it is still there."""

_PURPOSE = {"purpose": "cordon-personal-data"}


_Name = TypeVar("_Name")
_Known = TypeVar("_Known")


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
        self._opened: dict[bytes, bytes] = {}
        self._hours: dict[int, tuple[int | None, bytes]] = {}
        """The keys of hours, and when each lapses, in epoch seconds; those that a former version made never do."""
        self._owners: dict[str, tuple[datetime, bytes]] = {}

    def seal(self, plain: bytes, context: str, owner: str = "") -> bytes:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if owner:
            name, nonce = owner.encode(), os.urandom(12)
            key = self._key_of_owner(owner, is_to_be_made=True)
            box = AESGCM(key).encrypt(nonce, pack(plain), context.encode())
            return OWNED + bytes([len(name)]) + name + nonce + box
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
        if sealed[:1] == OWNED:
            start = 2 + sealed[1]
            nonce, box = sealed[start : start + 12], sealed[start + 12 :]
            key = self._key_of_owner(sealed[2:start].decode())
            return unpack(AESGCM(key).decrypt(nonce, box, context.encode()))
        if sealed[:1] != VERSION:
            raise ValueError("sealed by something newer, or not sealed at all")
        key = self._key_of(int.from_bytes(sealed[1:5], "big"))
        return unpack(AESGCM(key).decrypt(sealed[5:17], sealed[17:], context.encode()))

    def _key_of(self, hour: int, is_to_be_made: bool = False) -> bytes:
        with self._lock:
            known = self._hours.get(hour)
            if known is None:
                place = facts.data_key_key(hour)
                row = self._table.get(place)
                if row is not None:
                    known = row.expires_at, self._decrypted(base64.b64decode(row.body))
                elif is_to_be_made:
                    lapses = kept_until(ORDER_KEYS, datetime.fromtimestamp((hour + 1) * HOUR_S, UTC))
                    known = lapses, self._made(place, expires_at=lapses)
                else:
                    raise Forgotten(f"the data key of the hour {hour!r} has lapsed")
                _remember(self._hours, hour, known)
            if is_gone(known[0], self._clock()):  # the table cleans up late
                raise Forgotten(f"the data key of the hour {hour!r} has lapsed")
            return known[1]

    def _key_of_owner(self, owner: str, is_to_be_made: bool = False) -> bytes:
        with self._lock:
            now = self._clock()
            known = self._owners.get(owner)
            if known is not None and now - known[0] < KNOWN_FOR:
                return known[1]
            place, purpose = data_key_of_client(owner), {**_PURPOSE, "client": owner}
            row = self._table.get(place)
            if row is not None:
                key = self._decrypted(base64.b64decode(row.body), purpose)
            elif is_to_be_made:
                key = self._made(place, purpose)
            else:
                raise Forgotten(f"the data key of the client {owner!r} is gone")
            _remember(self._owners, owner, (now, key), OWNERS_REMEMBERED)
            return key

    def _opened_by_kms(self, wrapped: bytes) -> bytes:
        """The key that a value sealed by a former version carries."""
        with self._lock:
            known = self._opened.get(wrapped)
            if known is None:
                known = self._decrypted(wrapped)
                _remember(self._opened, wrapped, known)
            return known

    def _made(
        self, place: Key, purpose: Mapping[str, str] = _PURPOSE, expires_at: int | None = None
    ) -> bytes:
        made = call(
            self._kms(), "generate_data_key",
            KeyId=self.key_id, KeySpec="AES_256", EncryptionContext=purpose,
        )  # fmt: skip
        wrapped = base64.b64encode(made["CiphertextBlob"]).decode()
        try:
            self._table.write(Keep(Row(place, 1, wrapped, expires_at=expires_at), was=None))
        except Lost as lost:  # another process was quicker: its key is the one
            row = lost.found or self._table.get(place)
            if row is None:
                raise
            return self._decrypted(base64.b64decode(row.body), purpose)
        key: bytes = made["Plaintext"]
        return key

    def _decrypted(self, wrapped: bytes, purpose: Mapping[str, str] = _PURPOSE) -> bytes:
        opened = call(
            self._kms(), "decrypt",
            KeyId=self.key_id, CiphertextBlob=wrapped, EncryptionContext=purpose,
        )  # fmt: skip
        key: bytes = opened["Plaintext"]
        return key


def _remember(known: dict[_Name, _Known], name: _Name, what: _Known, most: int = REMEMBERED) -> None:
    if len(known) >= most:
        known.pop(next(iter(known)))
    known[name] = what
