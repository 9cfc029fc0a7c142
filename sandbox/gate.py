"""ministack behind a gate: `python -m sandbox.gate`, started by `sandbox.emulator` and by nobody else.

Its own `AUTH=true` is not enough (measured on 1.5.33): it checks no signature of a root key, takes the key `test`
and every twelve-digit key for root, tells browsers that any web page may call it, and lets anybody wipe it by
`POST /_ministack/reset`. Here a request passes only when it names our random key id, which no page and no other
user can know; of ministack's own paths only the health check is left. A browser's request never passes.

Where functions are deployed (`CORDON_SANDBOX_DEPLOYS`), two more pass: whoever speaks to the deployed API, as on AWS,
and the functions themselves, with the sessions of their roles.
"""

from __future__ import annotations

import gc
import os
import re
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[dict[str, Any], Any, Any], Awaitable[None]]
_PASSED_ON = frozenset({b"content-type", b"content-length", b"x-amz-crc32", b"x-amzn-requestid"})
HEALTH = "/_ministack/health"
API = "/_aws/execute-api/"
_SESSION = re.compile(rb"AWS4-HMAC-SHA256 Credential=ASIA[0-9A-F]{16}/")
"""The key of a role's session as ministack makes it, for each function one of its own."""


def passes(
    key_id: str, method: str, path: str, headers: Iterable[tuple[bytes, bytes]], deploys: bool = False
) -> bool:
    """Whether this request may reach the emulator."""
    given: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        given.setdefault(name.lower(), []).append(value)
    if b"origin" in given:
        return False
    if deploys and path.startswith(API):
        return True
    if path.startswith("/_"):
        return method == "GET" and path == HEALTH
    proof = f"AWS4-HMAC-SHA256 Credential={key_id}/".encode()
    tokens = given.get(b"authorization", [])
    if len(tokens) != 1:
        return False
    return tokens[0].startswith(proof) or (deploys and _SESSION.match(tokens[0]) is not None)


def gated(app: App, key_id: str, deploys: bool = False) -> App:
    """The same ASGI application for those who pass; 403 and not a word for the rest."""

    async def gate(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan" or (
            scope["type"] == "http"
            and passes(key_id, scope["method"], scope["path"], scope["headers"], deploys)
        ):
            await app(scope, receive, _plainly(send, deploys))
        elif scope["type"] == "http":
            await send({"type": "http.response.start", "status": 403, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})
        else:
            await send({"type": "websocket.close", "code": 1008})

    return gate


def _plainly(send: Send, deploys: bool = False) -> Send:
    """Without the headers that tell browsers to come in, and those that nobody reads."""

    def stays(name: bytes) -> bool:
        return not name.startswith(b"access-control-") if deploys else name in _PASSED_ON

    async def plainly(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = [pair for pair in message["headers"] if stays(pair[0].lower())]
            message = {**message, "headers": headers}
        await send(message)

    return plainly


def stop_with(parent: int) -> None:
    """Stop cleanly, state saved, once that process is gone. In a session of our own, Ctrl-C and a killed terminal
    do not reach us, and nobody else would ever stop us."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Run ministack in this process, gated by the key id of the environment, for as long as our parent lives.

    Served by uvicorn: a quarter less of a processor for each call than its own server (measured, 4,000 calls).
    """
    import uvicorn
    from ministack import app as ministack

    gc.set_threshold(200_000, 20, 100)  # it keeps what it is given, and makes few cycles
    parent = int(os.environ["CORDON_SANDBOX_PARENT"])
    threading.Thread(target=stop_with, args=(parent,), name="parent-watch", daemon=True).start()
    uvicorn.run(
        gated(
            ministack.app,
            os.environ["AWS_ACCESS_KEY_ID"],
            deploys=bool(os.environ.get("CORDON_SANDBOX_DEPLOYS")),
        ),
        host=os.environ["BIND_HOST"],
        port=int(os.environ["GATEWAY_PORT"]),
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,
    )


if __name__ == "__main__":
    main()
