"""A short wire from botocore to the embedded AWS: half the work of a call on one laptop was HTTP for the world.

It hangs on botocore's own hook for this, `before-send`; signing, retries and reading the answer stay botocore's.
One connection a thread, loopback only, requests with a known length, in one write.
"""

from __future__ import annotations

import socket
import threading
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError

TIMEOUT_S = 10


class Wire:
    """Sends to one endpoint."""

    def __init__(self, endpoint: str) -> None:
        parts = urlsplit(endpoint)
        assert parts.hostname == "127.0.0.1"
        self._address = (parts.hostname, parts.port or 80)
        self._endpoint = endpoint
        self._host = f"{parts.hostname}:{parts.port}".encode()
        self._lines = threading.local()

    def __call__(self, request: Any, **_: Any) -> AWSResponse | None:
        """The answer to a prepared request; None for another host's, which goes the long way."""
        if not request.url.startswith(self._endpoint):
            return None
        path = request.url[len(self._endpoint) :] or "/"
        body = request.body or b""
        body = body if isinstance(body, bytes) else body.read()
        head = [f"{request.method} {path} HTTP/1.1".encode(), b"Host: " + self._host]
        for name, value in request.headers.items():
            if name.lower() not in ("host", "content-length"):
                head.append(_bytes(name) + b": " + _bytes(value))
        head.append(f"Content-Length: {len(body)}\r\n\r\n".encode())
        raw = b"\r\n".join(head) + body
        line: socket.socket | None = getattr(self._lines, "open", None)
        if line is not None:
            answer = _exchange(line, raw)
            if answer is not None:
                return self._read(request, line, answer)
            line.close()  # it had been idle for too long: nothing of this request was taken
        line = self._lines.open = socket.create_connection(self._address, TIMEOUT_S)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answer = _exchange(line, raw)
        if answer is None:
            self._lines.open = None
            raise ConnectionClosedError(endpoint_url=self._endpoint)
        return self._read(request, line, answer)

    def _read(self, request: Any, line: socket.socket, answer: bytes) -> AWSResponse:
        while (end := answer.find(b"\r\n\r\n")) < 0:
            answer += self._more(line)
        first, *fields = answer[:end].decode("latin-1").split("\r\n")
        headers = {
            name.strip(): value.strip() for name, _, value in (field.partition(":") for field in fields)
        }
        length = int(next(value for name, value in headers.items() if name.lower() == "content-length"))
        content = answer[end + 4 :]
        while len(content) < length:
            content += self._more(line)
        response = AWSResponse(request.url, int(first.split(" ", 2)[1]), headers, None)
        response._content = content
        return response

    def _more(self, line: socket.socket) -> bytes:
        piece = line.recv(262_144)
        if not piece:
            self._lines.open = None
            raise ConnectionClosedError(endpoint_url=self._endpoint)
        return piece


def _exchange(line: socket.socket, raw: bytes) -> bytes | None:
    """The first piece of the answer; None when the other end had closed before it read anything."""
    try:
        line.sendall(raw)
        return line.recv(262_144) or None
    except (BrokenPipeError, ConnectionResetError):
        return None


def _bytes(text: Any) -> bytes:
    return text if isinstance(text, bytes) else str(text).encode("latin-1")
