"""The lines of a simulated company: a server that answers on loopback, and one kept connection out."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from sandbox.voice import Answer, Call, Letter

Post = Callable[[str, Letter], int | None]
"""Sends a callback to an address; the HTTP status, or None when nobody answered."""


class Out:
    """One kept connection to the place that hears us."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._line: http.client.HTTPConnection | None = None
        self._place = ""

    def post(self, url: str, letter: Letter) -> int | None:
        """The HTTP status, or None when nobody answered."""
        parts = urlsplit(url)
        query = "&".join(filter(None, (parts.query, urlencode(letter.query))))
        target = (parts.path or "/") + (f"?{query}" if query else "")
        with self._lock:
            for fresh in (False, True):  # a kept connection may have been closed at the other end meanwhile
                try:
                    line = None if fresh or self._place != parts.netloc else self._line
                    line = line or self._open(parts.netloc)
                    line.request(letter.method, target, letter.body, dict(letter.headers))
                    answer = line.getresponse()
                    answer.read()
                    return answer.status
                except (OSError, http.client.HTTPException):
                    self.close()
        return None

    def _open(self, place: str) -> http.client.HTTPConnection:
        self.close()
        line = http.client.HTTPConnection(place, timeout=5)
        line.connect()
        line.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._line, self._place = line, place
        return line

    def close(self) -> None:
        if self._line is not None:
            self._line.close()
        self._line = None


class Server:
    """Hands each request to `answer`; None cuts the line, after `stall()` real seconds. Can be gone for a while."""

    def __init__(
        self,
        port: int,
        now: Callable[[], datetime],
        answer: Callable[[Call], Answer | None],
        stall: Callable[[], float],
    ) -> None:
        self.now, self.answer, self.stall = now, answer, stall
        self._held: socket.socket | None = None
        self._listening: _Listening | None = _Listening(port, self)
        self.port: int = self._listening.server_port

    def hang_up(self) -> None:
        """Kept lines are cut, and new ones refused: the port stays ours and nobody listens there."""
        if self._listening is None:
            return
        self._listening.close()
        self._listening = None
        self._held = socket.socket()
        self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._held.bind(("127.0.0.1", self.port))

    def open(self) -> None:
        """There again, at the same port."""
        if self._held is not None:
            self._held.close()
            self._held = None
            self._listening = _Listening(self.port, self)

    def close(self) -> None:
        for line in (self._listening, self._held):
            if line is not None:
                line.close()
        self._listening = self._held = None


class _Listening(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, lines: Server) -> None:
        self.lines = lines
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    def get_request(self) -> tuple[socket.socket, Any]:
        line, address = super().get_request()
        self._open.add(line)
        return line, address

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def close(self) -> None:
        """Kept connections too: thousands of scenarios run in one process."""
        self.shutdown()
        self.server_close()
        for line in list(self._open):
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is part of the game."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Listening

    def _answer(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        parts = urlsplit(self.path)
        query = dict(reversed(parse_qsl(parts.query, keep_blank_values=True)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        lines = self.server.lines
        told = lines.answer(Call(self.command, parts.path, query, headers, raw, lines.now()))
        if told is None:
            time.sleep(lines.stall())
            self.close_connection = True
            return
        self.send_response(told.status)
        for name, value in told.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(told.body)))
        self.end_headers()
        self.wfile.write(told.body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: the ledger says what happened."""
