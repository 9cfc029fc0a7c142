"""Connections that can be cut. A socket's timeout starts anew with every byte, so that a receiver which drips
one byte at a time would hold us for hours; a leash ends the whole exchange at one moment.

The only file that imports urllib3 at its top; `line` imports it on the first request.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from types import TracebackType
from typing import Any, Self

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ProtocolError

IDLE_S = 20.0
"""A connection unused for longer is not trusted: Lambda freezes, and what is between forgets it silently."""

_here = threading.local()

for _name in ("urllib3.connection", "urllib3.connectionpool", "urllib3.util.retry"):
    logging.getLogger(_name).setLevel(logging.ERROR)  # their warnings quote whole URLs


class Leash:
    """Holds this thread's exchange, and cuts its connection after so many seconds."""

    def __init__(self, seconds: float) -> None:
        self.is_cut = False
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(max(seconds, 0.001), self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        _here.leash = self
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            self._socket = None
        _here.leash = None

    def hold(self, held: socket.socket) -> None:
        """This is the connection to cut."""
        with self._lock:
            self._socket = held
            if self.is_cut:
                _shut(held)

    def _cut(self) -> None:
        with self._lock:
            self.is_cut = True
            if self._socket is not None:
                _shut(self._socket)


def _shut(held: socket.socket) -> None:
    # the plain socket's shutdown: that of a TLS socket would take the session away under the reading thread
    with contextlib.suppress(OSError):
        socket.socket.shutdown(held, socket.SHUT_RDWR)


class _Leashed:
    """What both kinds of connection share."""

    last_used: float = 0.0

    def getresponse(self) -> Any:
        leash: Leash | None = getattr(_here, "leash", None)
        held: socket.socket | None = getattr(self, "sock", None)
        if leash is not None and held is not None:
            leash.hold(held)
        self.last_used = time.time()
        response = super().getresponse()  # type: ignore[misc]
        defects = response._original_response.msg.defects
        if defects and not {"content-length", "transfer-encoding"} & {
            name.lower() for name in response.headers
        }:
            raise ProtocolError("the head may be cut off, and nothing says how long the body is")
        return response

    @property
    def is_connected(self) -> bool:
        fresh = abs(time.time() - self.last_used) < IDLE_S
        return fresh and bool(super().is_connected)  # type: ignore[misc]


class _Plain(_Leashed, HTTPConnection):
    pass


class _Secure(_Leashed, HTTPSConnection):
    pass


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


def pools(trusted_ca: str | None) -> PoolManager:
    """Pools of connections that obey the leash. `trusted_ca`: a PEM file instead of the system's."""
    kept: dict[str, Any] = {"maxsize": 4, "cert_reqs": "CERT_REQUIRED"}
    if trusted_ca is not None:
        kept["ca_certs"] = trusted_ca
    manager = PoolManager(num_pools=64, **kept)
    manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}
    return manager
