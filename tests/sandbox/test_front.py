"""The app over HTTP, as API Gateway would serve it."""

from __future__ import annotations

import gzip
import http.client
import json
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from chalice.app import AuthRequest, AuthResponse, Chalice, Response

from sandbox.front import Front

KINDS = {
    "UNAUTHORIZED": 401,
    "ACCESS_DENIED": 403,
    "MISSING_AUTHENTICATION_TOKEN": 404,
    "REQUEST_TOO_LARGE": 413,
    "THROTTLED": 429,
    "DEFAULT_5XX": 500,
}
TEMPLATE: dict[str, Any] = {
    "Resources": {
        "RestAPI": {
            "Properties": {
                "GatewayResponses": {
                    kind: {
                        "StatusCode": status,
                        "ResponseTemplates": {
                            "application/json": json.dumps({"status": status, "detail": kind})
                        },
                    }
                    for kind, status in KINDS.items()
                }
            }
        }
    }
}
PROBLEM = "application/problem+json"


def stand_in(asked: Counter[str]) -> Chalice:
    app = Chalice(app_name="stand-in", configure_logs=False)
    app.api.binary_types.append("application/octet-stream")

    @app.authorizer(ttl_seconds=300)
    def authorize(request: AuthRequest) -> AuthResponse:
        asked[request.token] += 1
        if request.token == "Bearer broken":
            raise RuntimeError("the table is gone")
        routes = ["*"] if request.token.startswith("Bearer good") else []
        return AuthResponse(routes=routes, principal_id="someone", context={"owner": request.token})

    @app.route("/who/{name}", authorizer=authorize)
    def who(name: str) -> dict[str, Any]:
        request: Any = app.current_request
        return {"name": name, "n": request.query_params["n"], "owner": request.context["authorizer"]["owner"]}

    @app.route("/echo", methods=["POST"], content_types=["*/*"])
    def echo() -> Response:
        request: Any = app.current_request
        headers: Any = {"Content-Type": "text/plain", "Set-Cookie": ["a=1", "b=2"]}
        return Response(request.raw_body.hex(), headers=headers, status_code=201)

    @app.route("/told")
    def told() -> Response:
        request: Any = app.current_request
        every = request._event_dict["multiValueHeaders"]
        return Response({"last": request.headers["x-said"], "every": every["X-Said"]})

    return app


@dataclass
class Served:
    """A front on a port, and how often its authorizer was asked."""

    port: int
    asked: Counter[str] = field(default_factory=Counter)

    def line(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, Any, bytes]:
        line = self.line()
        try:
            line.request(
                method, path, body, {name.replace("_", "-"): value for name, value in headers.items()}
            )
            answer = line.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            line.close()


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    asked: Counter[str] = Counter()
    with Front(stand_in(asked), TEMPLATE) as front:
        yield Served(front.server.server_address[1], asked)


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/nowhere", {}, 404),
        ("/nowhere", {"Authorization": "Bearer good"}, 404),
        ("/who/li?n=1", {}, 401),
        ("/who/li?n=1", {"Authorization": "Bearer stolen"}, 403),
    ],
)
def test_what_the_gateway_refuses_it_refuses_in_the_templates_words(
    served: Served, path: str, headers: dict[str, str], status: int
) -> None:
    got, told, body = served.ask("GET", path, **headers)
    assert (got, told["Content-Type"], json.loads(body)["status"]) == (status, PROBLEM, status)


def test_the_authorizers_word_reaches_the_view_and_is_asked_for_once_a_token(served: Served) -> None:
    for n in range(3):
        status, _, body = served.ask("GET", f"/who/li?n={n}", Authorization="Bearer good once")
        assert (status, json.loads(body)) == (200, {"name": "li", "n": str(n), "owner": "Bearer good once"})
    assert served.asked["Bearer good once"] == 1


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (bytes(range(256)), "application/octet-stream"),
        ('{"name": "王师傅"}'.encode(), "application/json"),
        (b"<xml>\r\n a=1&b=%20 </xml>\n", "text/xml"),
        (b'{"broken": "\xff\xfe"}', "application/json"),
    ],
)
def test_a_body_reaches_the_app_byte_for_byte(served: Served, body: bytes, kind: str) -> None:
    status, headers, answer = served.ask("POST", "/echo", body, Content_Type=kind, Accept="*/*")
    assert (status, bytes.fromhex(answer.decode())) == (201, body)
    assert headers.get_all("Set-Cookie") == ["a=1", "b=2"]


def test_a_header_that_was_sent_twice_reaches_the_app_as_the_gateway_tells_it(served: Served) -> None:
    line = served.line()
    line.putrequest("GET", "/told")
    line.putheader("X-Said", "first")
    line.putheader("X-Said", "last")
    line.endheaders()
    assert json.loads(line.getresponse().read()) == {"last": "last", "every": ["first", "last"]}
    line.close()


def test_more_than_ten_megabytes_are_refused(served: Served) -> None:
    body = b"x" * (10 * 1024 * 1024 + 1)
    assert served.ask("POST", "/echo", body, Content_Type="text/plain")[0] == 413


def test_eight_threads_with_a_hundred_requests_each_get_their_own_answers(served: Served) -> None:
    wrong: list[Any] = []

    def caller(thread: int) -> None:
        line = served.line()
        for n in range(100):
            owner = f"Bearer good {thread}"
            line.request("GET", f"/who/t{thread}-{n}?n={n}", headers={"Authorization": owner})
            got = json.loads(line.getresponse().read())
            if got != {"name": f"t{thread}-{n}", "n": str(n), "owner": owner}:
                wrong.append(got)
        line.close()

    threads = [threading.Thread(target=caller, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize(
    ("size", "taken", "coding"),
    [(2000, "gzip, br", "gzip"), (2000, "br", None), (2000, "", None), (300, "gzip", None)],
)
def test_what_is_large_travels_compressed_to_whoever_takes_that(
    served: Served, size: int, taken: str, coding: str | None
) -> None:
    status, told, body = served.ask("POST", "/echo", b"a" * size, Accept_Encoding=taken)
    assert (status, told["Content-Encoding"]) == (201, coding)
    assert int(told["Content-Length"]) == len(body)
    plain = gzip.decompress(body) if coding else body
    assert plain == (b"a" * size).hex().encode() and (not coding or len(body) < 200)
