"""/v1/webhooks as a brand's engineer meets it, through the real Chalice app machinery."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from chalice.app import AuthRequest, AuthResponse, Chalice
from chalice.test import Client
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import wiring
from chalicelib.domain.errors import Clashing, Malformed
from chalicelib.domain.ports import Change, Topic
from chalicelib.flows import subscribe
from chalicelib.flows.tell import tell
from chalicelib.routes import cursors, webhooks
from tests import fakes
from tests.flows.receivers import Town, status

URL = "https://hooks.example.com/cordon"
Call = Callable[..., tuple[int, Any]]


@pytest.fixture
def town() -> Iterator[Town]:
    town = Town()
    town.world.webhooks_may_be_private = False
    wiring.use(town.world)
    yield town
    wiring.use(None)


@pytest.fixture
def call(town: Town) -> Iterator[Call]:
    """Calls a route: `call("POST", path, body, key="brand:maison")`."""
    app = Chalice("test", configure_logs=False)

    @app.authorizer()
    def authorize(request: AuthRequest) -> AuthResponse:
        role, owner = request.token.removeprefix("Bearer ").split(":")
        return AuthResponse(routes=["*"], principal_id=owner, context={"role": role, "owner": owner})

    app.register_blueprint(webhooks.blueprint(authorize))

    with Client(app) as client:

        def call(method: str, path: str, body: Any = None, key: str = "brand:maison") -> tuple[int, Any]:
            headers = {"Authorization": f"Bearer {key}"}
            sent = b""
            if body is not None:
                headers["Content-Type"] = "application/json"
                sent = body if isinstance(body, bytes) else json.dumps(body).encode()
            reply = client.http.request(method, path, headers=headers, body=sent)
            kind = reply.headers["Content-Type"]
            assert kind == ("application/json" if reply.status_code < 400 else "application/problem+json")
            return reply.status_code, reply.json_body if reply.json_body is not None else json.loads(
                reply.body
            )

        yield call


def made(call: Call, url: str = URL, key: str = "brand:maison") -> dict[str, Any]:
    code, body = call("POST", "/v1/webhooks", {"url": url}, key)
    assert code == 201, body
    assert isinstance(body, dict)
    return body


def test_a_new_endpoint_shows_its_secret_once(call: Call, town: Town) -> None:
    body = made(call)
    secret = body.pop("secret")
    assert secret.startswith("whsec_")
    assert 24 <= len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) <= 64
    assert body["url"] == URL and body["disabled"] is False
    path = f"/v1/webhooks/{body['endpoint_id']}"
    assert call("GET", path) == (200, body)
    assert call("GET", "/v1/webhooks") == (200, {"data": [body]})
    kept = "".join(row.body for row in town.world.table.read("brand#maison").rows)
    assert secret not in kept and secret.removeprefix("whsec_") not in kept


def test_secrets_and_ids_differ(call: Call) -> None:
    one, two = made(call), made(call, URL + "/2")
    assert one["secret"] != two["secret"] and one["endpoint_id"] != two["endpoint_id"]


@pytest.mark.parametrize("role", ["operator:ops", "source:gov"])
def test_only_a_brand_may(call: Call, role: str) -> None:
    for method, path in [
        ("POST", "/v1/webhooks"),
        ("GET", "/v1/webhooks"),
        ("GET", "/v1/webhooks/whe_1"),
        ("POST", "/v1/webhooks/whe_1/rotate"),
        ("POST", "/v1/webhooks/whe_1/disable"),
        ("POST", "/v1/webhooks/whe_1/enable"),
        ("POST", "/v1/webhooks/whe_1/replay"),
        ("GET", "/v1/webhooks/whe_1/attempts"),
    ]:
        code, body = call(method, path, {"url": URL} if method == "POST" else None, role)
        assert code == 403 and "brand" in body["detail"]


def test_another_brands_endpoint_looks_like_none(call: Call) -> None:
    mine = made(call)["endpoint_id"]
    for method, tail, body in [
        ("GET", "", None),
        ("POST", "/rotate", None),
        ("POST", "/disable", None),
        ("POST", "/enable", None),
        ("POST", "/replay", {"since": "2022-04-11T00:00:00Z"}),
        ("GET", "/attempts", None),
    ]:
        foreign = call(method, f"/v1/webhooks/{mine}{tail}", body, "brand:atelier")
        none = call(method, f"/v1/webhooks/whe_none{tail}", body, "brand:atelier")
        assert foreign[0] == none[0] == 404
        assert foreign[1]["detail"].replace(mine, "whe_none") == none[1]["detail"]
    assert call("GET", "/v1/webhooks", None, "brand:atelier") == (200, {"data": []})
    assert call("GET", f"/v1/webhooks/{mine}")[1]["disabled"] is False


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/",
        "ftp://hooks.example.com/",
        "hooks.example.com",
        "https://",
        "https:///path",
        "https://user:password@hooks.example.com/",
        "https://user@hooks.example.com/",
        "https://hooks.example.com/#fragment",
        "https://hooks.example.com/#",
        "https://hooks.example.com:0/",
        "https://hooks.example.com:99999/",
        "https://hooks.example.com:port/",
        "https://hooks.example.com/ space",
        "https://hooks.example.com/\nHost:x",
        "https://hooks.example.com\\@127.0.0.1/",
        "https://127.0.0.1\\.example.com/",
        "https://хост.example.com/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://0x7f000001/",
        "https://2130706433/",
        "https://0.0.0.0/",
        "https://10.0.0.1:8443/",
        "https://169.254.169.254/latest/meta-data",
        "https://192.168.0.1/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[fd00:ec2::254]/",
        "https://[::1/",
        "https://localhost/",
        "https://a.localhost/",
        "https://intranet/",
        "https://metadata.google.internal/",
        "https://hooks.example.com/" + "x" * 500,
        "",
    ],
)
def test_a_url_that_cannot_be_is_refused_by_name_and_nothing_is_kept(
    call: Call, town: Town, url: str
) -> None:
    code, body = call("POST", "/v1/webhooks", {"url": url})
    assert code == 422, body
    assert [error["pointer"] for error in body["errors"]] == ["/url"]
    assert "password" not in json.dumps(body).replace("a user and a password", "")
    assert town.world.table.read("brand#maison").rows == ()


@given(st.text(max_size=60))
def test_no_url_breaks_the_check(url: str) -> None:
    for may_be_private in (False, True):
        subscribe._fault_in(url, may_be_private)
        subscribe._fault_in(f"https://{url}", may_be_private)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9000/hooks", "http://localhost:9000/", "https://[::1]:1/"])
def test_the_sandbox_may_name_private_receivers(call: Call, town: Town, url: str) -> None:
    town.world.webhooks_may_be_private = True
    made(call, url)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", {"url": 5}, {}, {"url": URL, "secret": "mine"}, []])
def test_a_bad_body_is_a_problem(call: Call, town: Town, body: Any) -> None:
    code, answer = call("POST", "/v1/webhooks", body)
    assert code in (400, 422) and answer["status"] == code
    assert town.world.table.read("brand#maison").rows == ()


def test_a_sixth_endpoint_is_refused_until_one_is_disabled(call: Call) -> None:
    ids = [made(call, f"{URL}/{n}")["endpoint_id"] for n in range(5)]
    code, body = call("POST", "/v1/webhooks", {"url": f"{URL}/6"})
    assert code == 409 and "5" in body["detail"]
    made(call, URL, "brand:atelier")
    assert call("POST", f"/v1/webhooks/{ids[0]}/disable")[0] == 200
    made(call, f"{URL}/6")
    assert call("POST", f"/v1/webhooks/{ids[0]}/enable")[0] == 409
    assert call("POST", f"/v1/webhooks/{ids[1]}/enable")[0] == 200


def test_endpoints_are_not_made_without_end(call: Call) -> None:
    for number in range(subscribe.KEPT_LIMIT):
        made_id = made(call, f"{URL}/{number}")["endpoint_id"]
        call("POST", f"/v1/webhooks/{made_id}/disable")
    assert call("POST", "/v1/webhooks", {"url": f"{URL}/more"})[0] == 409


def test_the_same_url_twice_names_the_endpoint_that_has_it(call: Call) -> None:
    first = made(call)["endpoint_id"]
    code, body = call("POST", "/v1/webhooks", {"url": URL})
    assert code == 409 and first in body["detail"]


def test_two_creations_at_once_cannot_both_take_the_last_place(town: Town) -> None:
    for number in range(4):
        subscribe.create(town.world, "maison", f"{URL}/{number}")
    plain = town.world.table.write

    def meanwhile(*changes: Change) -> None:
        town.world.table.write = plain  # type: ignore[method-assign]
        subscribe.create(town.world, "maison", f"{URL}/rival")
        plain(*changes)

    town.world.table.write = meanwhile  # type: ignore[method-assign]
    with pytest.raises(Clashing):
        subscribe.create(town.world, "maison", f"{URL}/mine")
    assert len(subscribe.of_brand(town.world, "maison")) == 5


def test_a_pause_that_is_saved_while_the_brand_rotates_is_not_lost(town: Town) -> None:
    _, endpoint_id, _ = town.listen("one", answer=status(500))
    order_id, plain = town.place(), town.world.table.write

    def meanwhile(*changes: Change) -> None:
        town.world.table.write = plain  # type: ignore[method-assign]
        tell(town.world, order_id)
        plain(*changes)

    town.world.table.write = meanwhile  # type: ignore[method-assign]
    subscribe.rotate(town.world, "maison", endpoint_id)
    endpoint = subscribe.find(town.world, "maison", endpoint_id)
    assert endpoint.failures == 1 and endpoint.paused_until is not None
    assert len(endpoint.secrets_sealed) == 2


def test_rotating_shows_a_new_secret_and_keeps_the_old_one_for_a_day(call: Call, town: Town) -> None:
    body = made(call)
    code, turned = call("POST", f"/v1/webhooks/{body['endpoint_id']}/rotate")
    assert code == 200 and turned["secret"] != body["secret"]
    assert turned["old_secret_until"] == "2022-04-12T04:00:00Z"
    endpoint = subscribe.find(town.world, "maison", body["endpoint_id"])
    now = town.clock()
    assert subscribe.secrets_of(town.world, endpoint, now) == [turned["secret"], body["secret"]]
    town.world.memory.clear()
    assert subscribe.secrets_of(town.world, endpoint, now) == [turned["secret"], body["secret"]]
    assert subscribe.secrets_of(town.world, endpoint, town.clock.forward(hours=24)) == [turned["secret"]]


def test_a_seal_does_not_open_for_another_endpoint(call: Call, town: Town) -> None:
    one, two = made(call), made(call, URL + "/2")
    first, second = (subscribe.find(town.world, "maison", e["endpoint_id"]) for e in (one, two))
    with pytest.raises(ValueError):
        subscribe.secrets_of(
            town.world, second.model_copy(update={"secrets_sealed": first.secrets_sealed}), town.clock()
        )


def test_disabling_and_enabling_can_be_repeated(call: Call) -> None:
    path = f"/v1/webhooks/{made(call)['endpoint_id']}"
    for _ in range(2):
        code, body = call("POST", f"{path}/disable")
        assert code == 200 and body["disabled"] and body["disabled_reason"] == "by the brand"
    for _ in range(2):
        code, body = call("POST", f"{path}/enable")
        assert code == 200 and not body["disabled"] and body["disabled_reason"] == ""


def test_attempts_are_listed_page_by_page(call: Call, town: Town) -> None:
    receiver, endpoint_id, _ = town.listen("one", answer=status(500))
    orders = [town.ended(f"k{n}") for n in range(3)]
    for order_id in orders:
        tell(town.world, order_id)
    receiver.answer = status(204)
    town.minutes(2)
    path = f"/v1/webhooks/{endpoint_id}/attempts"
    code, body = call("GET", path)
    assert code == 200 and len(body["data"]) == 9 and body["has_more"] is False
    first = body["data"][-1]
    assert (
        first["order_id"] == orders[0] and first["order_state"] == "placed" and first["state"] == "delivered"
    )
    assert [attempt.get("status") for attempt in first["attempts"]] == [500, 204]
    assert [d["happened_at"] for d in body["data"]] == sorted(
        (d["happened_at"] for d in body["data"]), reverse=True
    )
    pages, cursor = [], ""
    while True:
        code, page = call("GET", f"{path}?limit=4{cursor}")
        assert code == 200
        pages.append(page["data"])
        if not page["has_more"]:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert [len(page) for page in pages] == [4, 4, 1]
    assert [notice for page in pages for notice in page] == body["data"]


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "1.5"])
def test_a_page_has_a_length_between_1_and_100(call: Call, limit: str) -> None:
    code, body = call("GET", f"/v1/webhooks/{made(call)['endpoint_id']}/attempts?limit={limit}")
    assert code == 422 and body["errors"][0]["pointer"] == "/limit"


def test_a_cursor_opens_only_its_own_list(call: Call, town: Town) -> None:
    _, one, _ = town.listen("one")
    _, two, _ = town.listen("two")
    tell(town.world, town.ended())
    cursor = call("GET", f"/v1/webhooks/{one}/attempts?limit=1")[1]["next_cursor"]
    assert call("GET", f"/v1/webhooks/{one}/attempts?limit=1&cursor={cursor}")[0] == 200
    assert call("GET", f"/v1/webhooks/{two}/attempts?cursor={cursor}")[0] == 400
    flipped = cursor[:-1] + ("A" if cursor[-1] != "A" else "B")
    for junk in (flipped, "", "junk", "a.b", "x" * 3000, cursor + cursor):
        code, body = call("GET", f"/v1/webhooks/{one}/attempts?cursor={junk}")
        assert code == 400 and "cursor" in body["detail"]
    body = {"since": "2022-04-11T00:00:00Z", "cursor": cursor}
    assert call("POST", f"/v1/webhooks/{one}/replay", body)[0] == 400


def test_a_replay_is_nudged_and_answered_with_its_number(call: Call, town: Town) -> None:
    receiver, endpoint_id, _ = town.listen("one")
    order_id = town.ended()
    tell(town.world, order_id)
    path = f"/v1/webhooks/{endpoint_id}/replay"
    assert call("POST", path, {"order_id": order_id}) == (202, {"replayed": 3, "has_more": False})
    assert town.world.queues.take() == [(Topic.TELL, order_id)]  # type: ignore[attr-defined]
    assert call("POST", path, {"since": "2022-04-11T12:00:00+08:00"})[1]["replayed"] == 3
    town.drain()
    assert len(receiver.requests) == 6
    assert call("POST", path, {"order_id": "ord_none"})[0] == 404
    assert call("POST", path, {"order_id": town.place("x", "atelier")})[0] == 404
    for body in ({}, {"order_id": order_id, "since": "2022-04-11T00:00:00Z"}, {"since": "2022-04-11T00:00:00"},
                 {"order_id": order_id, "cursor": "c"}, {"since": "yesterday"}):  # fmt: skip
        assert call("POST", path, body)[0] == 422
    call("POST", f"/v1/webhooks/{endpoint_id}/disable")
    assert call("POST", path, {"order_id": order_id})[0] == 409


def test_a_long_replay_is_carried_on_with_its_cursor(call: Call, town: Town) -> None:
    receiver, endpoint_id, _ = town.listen("one")
    for number in range(70):
        tell(town.world, town.ended(f"k{number}"))
    path, body = f"/v1/webhooks/{endpoint_id}/replay", {"since": "2022-04-11T00:00:00Z"}
    first = call("POST", path, body)[1]
    assert first["replayed"] == 200 and first["has_more"]
    second = call("POST", path, {**body, "cursor": first["next_cursor"]})[1]
    assert second == {"replayed": 10, "has_more": False}
    assert len(receiver.requests) == 210


def test_the_last_signing_key_signs_and_the_former_ones_still_open() -> None:
    world = fakes.world()
    old = cursors.sign(world, "orders|maison", "place|pk|sk")
    keys = ["test-signing-key", "newer"]
    world.secrets.signing_keys = lambda: keys  # type: ignore[method-assign]
    assert cursors.read(world, "orders|maison", old) == "place|pk|sk"
    new = cursors.sign(world, "orders|maison", "place|pk|sk")
    assert new != old
    keys.remove("test-signing-key")
    assert cursors.read(world, "orders|maison", new) == "place|pk|sk"
    with pytest.raises(Malformed):
        cursors.read(world, "orders|maison", old)


@given(st.text(max_size=100))
def test_no_cursor_breaks_the_reader(text: str) -> None:
    with pytest.raises(Malformed):
        cursors.read(fakes.world(), "orders|maison", text)


@given(st.text(max_size=100), st.text(max_size=40))
def test_a_cursor_reads_back(after: str, scope: str) -> None:
    world = fakes.world()
    cursor = cursors.sign(world, scope, after)
    assert cursors.read(world, scope, cursor) == after
    assert all(char.isalnum() or char in "-_." for char in cursor)
