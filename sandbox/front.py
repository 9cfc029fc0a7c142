"""API Gateway's part: the app over HTTP, with its authorizer, and the gateway's own errors as the template
words them.

Built on Chalice's local gateway for the event it makes; not on its server, which answers 22 requests a second
(Nagle) and resets under 32 connections (research: chalice.md, section 6).
"""

from __future__ import annotations

import base64
import gzip
import json
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from chalice.app import Chalice
from chalice.config import Config
from chalice.local import (
    ForbiddenError,
    LocalChalice,
    LocalGateway,
    LocalGatewayAuthorizer,
    NotAuthorizedError,
    RouteMatcher,
)

_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_UNREAD = "a request with a content-length, a method we know and a head of usual size was expected"

LIMIT = 10 * 1024 * 1024
"""API Gateway takes no more."""

PROBLEM = {"Headers": {"Content-Type": "'application/problem+json'"}}


class SandboxChalice(LocalChalice):
    """The app with a current request for each thread; a plain Chalice has one for all."""


class CachingAuthorizer(LocalGatewayAuthorizer):
    """Asks the app's authorizer once per token and keeps its answer, as API Gateway does."""

    def __init__(self, app: Chalice, ttl_s: float) -> None:
        super().__init__(app)
        self._ttl_s = ttl_s
        self._kept: dict[str, tuple[float, dict[str, Any]]] = {}

    def authorize(self, raw_path: str, lambda_event: Any, lambda_context: Any) -> Any:
        route = self._route_for_event(lambda_event)
        if not route or not route.authorizer:
            return lambda_event, lambda_context
        method = lambda_event["requestContext"]["httpMethod"]
        arn = self._arn_builder.build_arn(method, raw_path.split("?")[0])
        asked = self._prepare_authorizer_event(arn, lambda_event, lambda_context)
        token = asked["authorizationToken"]
        kept = self._kept.get(token)
        if kept is None or kept[0] < time.monotonic():
            authorizer: Any = route.authorizer
            kept = (time.monotonic() + self._ttl_s, authorizer(asked, lambda_context))
            self._kept[token] = kept
        if not self._check_can_invoke_view_function(arn, kept[1]):
            raise ForbiddenError({}, b"denied")
        return self._update_lambda_event(lambda_event, kept[1]), lambda_context


class Headers(dict[str, str]):
    """A request's headers, of each name the last one; `every` has them all, as the gateway tells them."""

    def __init__(self, every: dict[str, list[str]]) -> None:
        super().__init__({name: values[-1] for name, values in every.items()})
        self.every = every


class SandboxGateway(LocalGateway):
    """With what a header said the first time, too: API Gateway sends it along."""

    def _generate_lambda_event(self, method: str, path: str, headers: Any, body: bytes | None) -> Any:
        event = super()._generate_lambda_event(method, path, headers, body)
        if isinstance(headers, Headers):
            event["multiValueHeaders"] = headers.every
        return event


class Front:
    """Serves the app on 127.0.0.1."""

    def __init__(self, app: Chalice, template: dict[str, Any], port: int = 0, ttl_s: float = 300) -> None:
        app.__class__ = SandboxChalice
        self.gateway = SandboxGateway(app, Config(config_from_disk={"app_name": "cordon"}))
        self.gateway._authorizer = CachingAuthorizer(app, ttl_s)
        self.routes = app.routes
        self.matcher = RouteMatcher(list(app.routes))
        self.refusals = _refusals(template)
        told = template["Resources"]["RestAPI"]["Properties"]
        self.least_compressed = int(told.get("MinimumCompressionSize", 1024))
        self.server = _Server(("127.0.0.1", port), _handler(self))
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self._thread = threading.Thread(target=self.server.serve_forever, name="front", daemon=True)

    def __enter__(self) -> Front:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def answer(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None
    ) -> tuple[int, dict[str, Any], bytes]:
        """One request through gateway and app."""
        if not self._is_deployed(method, path):
            return self.refused("MISSING_AUTHENTICATION_TOKEN")
        try:
            said = self.gateway.handle_request(method, path, headers, body)
        except NotAuthorizedError:
            return self.refused("UNAUTHORIZED")
        except ForbiddenError:
            return self.refused("ACCESS_DENIED")
        except Exception as error:  # what Lambda would have died of, the gateway answers for
            print(f"front: {method} failed: {type(error).__name__}: {error}", file=sys.stderr)
            return self.refused("DEFAULT_5XX")
        content = said.get("body") or ""
        raw = base64.b64decode(content) if said.get("isBase64Encoded") else content
        sent = {**said["headers"], **said.get("multiValueHeaders", {})}
        return said["statusCode"], sent, raw if isinstance(raw, bytes) else raw.encode()

    def _is_deployed(self, method: str, path: str) -> bool:
        """The gateway knows a method only where a view has it; the app never sees another one."""
        try:
            route = self.matcher.match_route(path).route
        except ValueError:
            return False
        return method in self.routes[route]

    def compressed(self, taken: str, headers: dict[str, Any], content: bytes) -> tuple[dict[str, Any], bytes]:
        """The answer as it travels: API Gateway compresses what is large enough, for whoever takes that."""
        known = {name.lower() for name in headers}
        if "gzip" not in taken or len(content) < self.least_compressed or "content-encoding" in known:
            return headers, content
        return {**headers, "Content-Encoding": "gzip"}, gzip.compress(content, 5)

    def refused(self, kind: str) -> tuple[int, dict[str, str], bytes]:
        """What the gateway itself says to that."""
        return self.refusals[kind]


def _refusals(template: dict[str, Any]) -> dict[str, tuple[int, dict[str, str], bytes]]:
    """What the deployed gateway would answer, read off the template; the defaults, which keep the status of what
    they answer, as the plainest of theirs."""
    words = template["Resources"]["RestAPI"]["Properties"]["GatewayResponses"]
    return {
        kind: (
            int(said.get("StatusCode", 500 if kind == "DEFAULT_5XX" else 400)),
            {
                name: value.strip("'")
                for name, value in said.get("ResponseParameters", PROBLEM)["Headers"].items()
            },
            said["ResponseTemplates"]["application/json"].encode(),
        )
        for kind, said in words.items()
    }


class _Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True


def _handler(front: Front) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def _any(self) -> None:
            told = self.headers.get("content-length") or "0"
            if "transfer-encoding" in self.headers or not (told.isascii() and told.isdigit()):
                # the end of this body is unknown: whatever follows must not be read as a request
                self.send_error(411 if "transfer-encoding" in self.headers else 400)
                return
            length = int(told)
            if length > LIMIT:
                self.close_connection = True
                status, headers, content = front.refused("REQUEST_TOO_LARGE")
                self._drop(length)
            else:
                body = self.rfile.read(length) if length else None
                told_twice = {name: self.headers.get_all(name, []) for name in self.headers}
                status, headers, content = front.answer(self.command, self.path, Headers(told_twice), body)
            headers, content = front.compressed(self.headers.get("accept-encoding", ""), headers, content)
            self.send_response(status)
            for name, value in headers.items():
                for one in value if isinstance(value, list) else [value]:
                    self.send_header(name, one)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)
            self.wfile.flush()

        def _drop(self, length: int) -> None:
            """Read past a body that is too large, a piece at a time: a client still sending hears no answer."""
            left = min(length, 4 * LIMIT)
            while left > 0 and (piece := self.rfile.read(min(left, 65536))):
                left -= len(piece)

        def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
            """What cannot be read as a request at all, in the words of every other refusal."""
            told = {"type": "about:blank", "title": _PHRASES[code], "status": int(code), "detail": _UNREAD}
            content = json.dumps(told).encode()
            self.close_connection = True
            self.request_version = self.protocol_version  # unreadable as it was, the answer has a head
            self.send_response(code)
            self.send_header("Content-Type", "application/problem+json")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Connection", "close")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)
            self.wfile.flush()

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = _any

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet: a request's path is nobody's news."""

    return Handler
