"""What a test of a simulated company needs: a clock turned by hand, an ear for its callbacks, and our side of the line.

Whatever the dialect: the real adapter makes the requests, reads the answers and hears the callbacks.
"""

from __future__ import annotations

import heapq
import http.client
import itertools
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from chalicelib.domain.dialect import (
    Account,
    BookAnswer,
    Callback,
    CancelAnswer,
    Dialect,
    LookUpAnswer,
    QuoteAnswer,
    Reply,
    Request,
)
from chalicelib.domain.errors import Refused, Unanswered
from chalicelib.domain.legs import Event
from chalicelib.domain.policies import Handover
from sandbox.fleet import CourierCompany
from tests.couriers.jobs import NOON, REFERENCE, job

COURIER_ID = "sf"
UTTERLY_LATER = NOON + timedelta(days=1)


class HandClock:
    """A clock that a test turns by hand."""

    def __init__(self) -> None:
        self._now = NOON
        self._due: list[tuple[datetime, int, Callable[[], None]]] = []
        self._count = itertools.count()
        self._lock = threading.Lock()

    def now(self) -> datetime:
        return self._now

    def at(self, when: datetime, action: Callable[[], None]) -> None:
        with self._lock:
            heapq.heappush(self._due, (when, next(self._count), action))

    def turn(self, until: datetime = UTTERLY_LATER) -> None:
        while True:
            with self._lock:
                if not self._due or self._due[0][0] > until:
                    break
                when, _, action = heapq.heappop(self._due)
                self._now = max(self._now, when)
            action()
        self._now = max(self._now, until)


class Ear:
    """A real HTTP server that hears callbacks with the adapter and keeps the events."""

    def __init__(self, clock: HandClock, dialect: Dialect, account: Account) -> None:
        self.events: list[Event] = []
        self.refused = 0
        self.failing = 0
        ear = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def _hear(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"] or 0))
                query = dict(parse_qsl(urlsplit(self.path).query))
                headers = {name.lower(): value for name, value in self.headers.items()}
                status, answer = 200, b""
                if ear.failing > 0:
                    ear.failing, status = ear.failing - 1, 503
                else:
                    try:
                        callback = Callback(self.command, query, headers, body)
                        heard = dialect.hear((account,), callback, COURIER_ID, clock.now())
                        ear.events += heard.events
                        answer = heard.answer
                    except Refused as error:
                        status, ear.refused = error.status, ear.refused + 1
                self.send_response(status)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_POST = do_PUT = _hear

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/couriers/{COURIER_ID}/callback"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def statuses(self, reference: str = REFERENCE) -> list[str]:
        return [event.raw_status for event in self.events if event.reference == reference]


class Caller:
    """Our side: the adapter's requests over a real socket."""

    def __init__(self, company: CourierCompany, clock: HandClock, dialect: Dialect, account: Account) -> None:
        self.account = {**account, "base_url": company.url}
        self.clock = clock
        self.dialect = dialect
        self.token = self.login()

    def send(self, request: Request, timeout: float = 5.0) -> Reply:
        parts = urlsplit(request.url)
        line = http.client.HTTPConnection(parts.netloc, timeout=timeout)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        try:
            line.request(request.method, target, request.body or None, dict(request.headers))
            answer = line.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, headers, answer.read())
        except (OSError, http.client.HTTPException) as error:
            raise Unanswered(str(error)) from error
        finally:
            line.close()

    def login(self) -> str:
        """An access token; empty where the dialect knows none."""
        request = self.dialect.login(self.account)
        return "" if request is None else self.dialect.logged_in(self.send(request), self.clock.now()).value

    def quote(self, reference: str = REFERENCE) -> QuoteAnswer:
        of = job(reference)
        request = self.dialect.quote(self.account, self.token, of, self.clock.now())
        assert request is not None
        return self.dialect.quoted(self.send(request), of, self.clock.now())

    def book(
        self, reference: str = REFERENCE, handover: Handover = Handover.DOOR, timeout: float = 5.0
    ) -> BookAnswer:
        of = job(reference, handover=handover)
        reply = self.send(self.dialect.book(self.account, self.token, of, self.clock.now()), timeout)
        return self.dialect.booked(reply, of)

    def cancel(self, delivery_id: str | None, reference: str = REFERENCE) -> CancelAnswer:
        request = self.dialect.cancel(
            self.account, self.token, reference, delivery_id, "closed", self.clock.now()
        )
        return self.dialect.cancelled(self.send(request))

    def look_up(self, reference: str = REFERENCE, delivery_id: str | None = None) -> LookUpAnswer:
        request = self.dialect.look_up(self.account, self.token, reference, delivery_id, self.clock.now())
        return self.dialect.looked_up(self.send(request), reference, COURIER_ID, self.clock.now())
