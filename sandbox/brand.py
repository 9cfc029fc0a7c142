"""A brand's end of the webhooks: receives over real HTTP, verifies with the reference library, keeps what it
heard. It can be told to be slow, to fail or to be gone.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from unittest import mock

import standardwebhooks
from standardwebhooks import webhooks as reference


@dataclass
class Listener:
    """One brand's receiver."""

    name: str
    now: Callable[[], datetime]
    secret: str = ""
    heard: list[dict[str, Any]] = field(default_factory=list)
    forged: int = 0
    answers: Callable[[dict[str, Any]], int] = lambda said: 204


class BrandServer:
    """All the brands' receivers on one loopback port: `/<brand>`."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.listeners: dict[str, Listener] = {}
        self.server = _Server(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self.server.serve_forever, name="brands", daemon=True)
        self._thread.start()

    def listen(self, name: str) -> Listener:
        """A receiver under that name; its secret is set once the endpoint exists."""
        self.listeners[name] = Listener(name, self.now)
        return self.listeners[name]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def take(self, name: str, headers: dict[str, str], body: bytes) -> int:
        listener = self.listeners.get(name)
        if listener is None:
            return 404
        with self._lock:
            if not self._verified(listener, headers, body):
                listener.forged += 1
                return 401
            said: dict[str, Any] = json.loads(body)
            listener.heard.append(said)
        return listener.answers(said)

    def _verified(self, listener: Listener, headers: dict[str, str], body: bytes) -> bool:
        # the reference library reads the wall's clock; here it is told the sandbox's time
        class Now(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
                return self.now().astimezone(tz or UTC)

        try:
            with mock.patch.object(reference, "datetime", Now):
                standardwebhooks.Webhook(listener.secret).verify(body, headers)
        except Exception:
            return False
        return True


def doubles(listener: Listener) -> int:
    """How many notices came more than once."""
    return sum(count - 1 for count in Counter(said["id"] for said in listener.heard).values())


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


def _handler(brands: BrandServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(brands.take(self.path.strip("/"), headers, body))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    return Handler
