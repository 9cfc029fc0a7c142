"""Every route, every caller, own and foreign things: who gets what, and that a refusal leaves no trace.

The routes are the app's own, and the roles are those that the published description states for each
(`cli.openapi.OPERATIONS`), so the description cannot promise what the code does not keep, nor the code let in
whom the description leaves out. Here stands only what neither says: which names in a path belong to somebody, and
a body that is right. A route, a name or a body that is missing here fails by name.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest

import chalicelib.routes
from chalicelib.domain import facts
from chalicelib.domain.keys import Caller, Key, Role
from chalicelib.flows import look
from cli.openapi import OPERATIONS, PEOPLE, names_of
from tests import digital, swaps
from tests.paper import signature
from tests.security.gateway import ASSOCIATE, CHANNEL, PROGRAMME, Answer, Gateway, campaign_body
from tests.stage import NOON, body, client_body, client_order, crew, permit, slot

BELONGS: dict[str, Role | None] = {
    "order_id": Role.BRAND,
    "pass_id": Role.BRAND,
    "gift": Role.BRAND,
    "evidence_id": None,
    "endpoint_id": Role.BRAND,
    "reference": Role.BRAND,
    "associate_id": Role.BRAND,
    "grant": None,
    "list_id": Role.BRAND,
    "campaign_id": Role.BRAND,
    "upload_id": Role.SOURCE,
    "impact_id": Role.SOURCE,
    "key_hash": None,
    "market_id": None,
    "courier_id": None,
    "crew_id": None,
    "permit_id": None,
    "slot_id": None,
    "suspicion_id": None,
    "book_id": None,
    "number": None,
    "kind": None,
    "brand_id": None,
    "token": None,
    "who": None,
    "proposal": None,
}
"""Whose a thing of that name is. None: it belongs to the house, and whoever has the role may touch every one."""

OF_A_CLIENT = {"order_id", "reference"}
"""Of these an associate has his own clients', and nobody else's."""
NAMED_BY_EACH = {
    ("PUT", "/v1/clients/{reference}"),
    ("PUT", "/v1/associates/{associate_id}"),
    ("PUT", "/v1/digital-gifts/{gift}"),
}
"""Where the name is the caller's own for it: under the same one another owner makes a thing of his own."""
NAMES_OF_OURS = {("PUT", "/v1/channels/{kind}")}
"""Where what is put has a name from a list of ours: under another one nothing is made."""
ALIAS = {"of-shanghai": "health-office"}
"""The same owner, with another key."""
OF_ANOTHER_MARKET = "source of-rome"
"""The owner of what there is, with a key that is not for its market."""
OWNERS = {Role.BRAND: "maison", Role.SOURCE: "health-office", Role.ASSOCIATE: "anna"}
UNKNOWN = {"key_hash": "0" * 64, "number": "200", "order_id": "ord_nobodyhasthis"}
"""A well-formed name that nothing has; for the others `none-of-them`."""

MEMBER = "/v1/markets/{market_id}"
BODIES: dict[tuple[str, str], Callable[[Gateway], Any]] = {
    ("POST", "/v1/orders"): lambda gate: body(),
    ("POST", "/v1/clearances"): lambda gate: {
        name: body()[name] for name in ("market", "gift", "pick_up", "recipient", "window")
    },
    ("PUT", "/v1/clients/{reference}"): lambda gate: client_body(associate_id="anna"),
    ("POST", "/v1/clients/search"): lambda gate: {"phone": client_body()["person"]["phone"]},
    ("POST", "/v1/clients/{reference}/consents"): lambda gate: {"granted": client_body()["consents"][0]},
    ("PUT", "/v1/programme"): lambda gate: _dumped(PROGRAMME),
    ("POST", "/v1/clients/{reference}/purchases"): lambda gate: {
        "purchases": [
            {"purchase": "till-1", "at": NOON.isoformat(), "amount": {"amount": 100, "currency": "CNY"}}
        ]
    },
    ("POST", "/v1/clients/{reference}/grants"): lambda gate: {
        "grant": "grant-2",
        "tier": "gold",
        "reason": "expected-to-spend",
        "expires_at": "2022-05-01T00:00:00Z",
    },
    ("PUT", "/v1/associates/{associate_id}"): lambda gate: _dumped(ASSOCIATE),
    ("POST", "/v1/campaigns"): lambda gate: campaign_body(),
    ("POST", "/v1/campaigns/{campaign_id}/cancel"): lambda gate: {"orders": "kept"},
    ("POST", "/v1/lists"): lambda gate: {"kind": "members"},
    ("PUT", "/v1/lists/{list_id}/parts/{number}"): lambda gate: b"reference\nvic-1",
    ("POST", "/v1/lists/{list_id}/finish"): lambda gate: {"parts": 1},
    ("PUT", "/v1/digital-gifts/{gift}"): lambda gate: digital.yoga(),
    ("PUT", "/v1/digital-gifts/{gift}/codes/{number}"): lambda gate: {"codes": ["YOGA-9001"]},
    ("POST", "/v1/digital-orders"): lambda gate: {"market": "SHA", "reference": "CLUB-1", "gift": "EACH"},
    ("POST", "/v1/orders/{order_id}/digital"): lambda gate: {"action": "send", "gift": gate.names["gift"]},
    ("POST", "/v1/redemptions"): lambda gate: {"code": gate.names["code"]},
    ("POST", "/v1/webhooks"): lambda gate: {"url": "https://hooks.example.com/new"},
    ("POST", "/v1/webhooks/{endpoint_id}/replay"): lambda gate: {"order_id": gate.names["order_id"]},
    ("PUT", MEMBER): lambda gate: _stored(gate, facts.market_key("SHA")) | {"name": "Shanghai, China"},
    ("PUT", f"{MEMBER}/couriers/{{courier_id}}"): lambda gate: {
        "dialect": "paper",
        "account": "main",
        "suspended": True,
    },
    ("PUT", f"{MEMBER}/crews/{{crew_id}}"): lambda gate: _dumped(crew(withdrawn=True)),
    ("PUT", f"{MEMBER}/permits/{{permit_id}}"): lambda gate: _dumped(permit(districts=["310101"])),
    ("PUT", f"{MEMBER}/slots/{{slot_id}}"): lambda gate: _dumped(slot(trip_minutes=45)),
    ("POST", f"{MEMBER}/rules/uploads"): lambda gate: {
        "mode": "amend",
        "time_zone": "Asia/Shanghai",
        "datum": "GCJ02",
    },
    ("PUT", f"{MEMBER}/rules/uploads/{{upload_id}}/parts/{{number}}"): lambda gate: {"released": ["zone-x"]},
    ("POST", f"{MEMBER}/rules/uploads/{{upload_id}}/finish"): lambda gate: {"parts": 1},
    ("POST", f"{MEMBER}/impact"): lambda gate: {"amendment": {"released": ["zone-Yongjia"]}},
    ("POST", "/v1/orders/{order_id}/attempts"): lambda gate: {"window": body()["window"]},
    ("PUT", "/v1/orders/{order_id}/relay"): lambda gate: {
        "name": "Line desk",
        "place": body()["pick_up"]["place"],
        "hours": body()["window"],
    },
    ("POST", "/v1/appointments"): lambda gate: {
        **{name: body()[name] for name in ("market", "reference", "pick_up", "recipient", "window")},
        "minutes": 60,
        "pieces": [
            {
                "serial": "A1",
                "name": "Coat",
                "item_class": "fashion",
                "value": {"amount": 9, "currency": "CNY"},
            }
        ],
    },
    ("POST", "/v1/orders/{order_id}/manifest"): lambda gate: {"pieces": [{"serial": "A1", "state": "back"}]},
    ("POST", "/v1/orders/{order_id}/reschedule"): lambda gate: {"window": body()["window"]},
    ("POST", "/v1/orders/{order_id}/proofs"): lambda gate: {"pick_up_seal": "S-1"},
    ("PUT", "/v1/substitutes"): lambda gate: swaps.allowed(
        swaps.way("flowers", items=[swaps.ROSES])
    ).model_dump(mode="json", exclude_none=True),
    ("POST", "/v1/orders/{order_id}/proposals/{proposal}/accept"): lambda gate: {"consent": "brand"},
    ("POST", "/v1/orders/{order_id}/proposals/{proposal}/decline"): lambda gate: {"consent": "brand"},
    ("POST", "/v1/orders/{order_id}/looks"): lambda gate: {"reason": "client-called"},
    ("PUT", "/v1/channels/{kind}"): lambda gate: _dumped(CHANNEL),
    ("POST", "/v1/channels/{kind}/{brand_id}"): lambda gate: (
        b'{"object": "whatsapp_business_account", "entry": []}'
    ),
    ("POST", "/v1/clients/{reference}/messages"): lambda gate: {"text": "The ring is here."},
    ("POST", "/v1/orders/{order_id}/link"): lambda gate: {"language": "fr"},
    ("POST", "/t/{token}"): lambda gate: b"form=none&do=move&day=2022-04-12&from=09%3A00",
    ("POST", "/v1/board/links"): lambda gate: {"who": "mei"},
    ("POST", "/v1/orders/{order_id}/deeds"): lambda gate: {"what": "redispatch", "why": "look again"},
    ("POST", "/v1/keys"): lambda gate: {"role": "brand", "owner": "maison"},
    ("POST", "/v1/callbacks/{market_id}/{courier_id}"): lambda gate: CALLBACK,
}
"""A body that whoever may send it gets through with."""
BODIES_OF_ASSOCIATES: dict[tuple[str, str], Callable[[Gateway], Any]] = {
    ("POST", "/v1/digital-orders"): lambda gate: {
        "market": "SHA",
        "reference": "CLUB-1",
        "gift": "EACH",
        "client": "vic-1",
    },
    ("POST", "/v1/orders"): lambda gate: client_order(),
    ("POST", "/v1/appointments"): lambda gate: {
        **{k: v for k, v in BODIES["POST", "/v1/appointments"](gate).items() if k != "recipient"},
        "client": "vic-1",
    },
}
"""Where an associate says whose gift it is in the body: of a client who is not his own it is refused."""
HEADERS = {"Idempotency-Key": "gift-3", "If-Match": '"v1"', "X-Acting-Staff": "li.wei"}
OTHER_NAMES = {
    ("POST", "/v1/orders/{order_id}/receipts"): {"order_id": "at_gate"},
    ("POST", "/v1/orders/{order_id}/attempts"): {"order_id": "returned"},
    ("POST", "/v1/orders/{order_id}/returns"): {"order_id": "failed"},
    ("PUT", "/v1/orders/{order_id}/relay"): {"order_id": "waiting"},
    ("POST", "/v1/orders/{order_id}/deeds"): {"order_id": "waiting"},
    ("POST", "/v1/orders/{order_id}/manifest"): {"order_id": "visit"},
    ("GET", "/v1/clients/{reference}/erasure"): {"reference": "leaving"},
    ("POST", "/v1/campaigns/{campaign_id}/pause"): {"campaign_id": "placing"},
    ("POST", "/v1/orders/{order_id}/proofs"): {"order_id": "ring"},
    ("POST", "/v1/orders/{order_id}/proposals/{proposal}/accept"): {"order_id": "swap"},
    ("POST", "/v1/orders/{order_id}/proposals/{proposal}/decline"): {"order_id": "swap"},
    ("POST", "/v1/orders/{order_id}/codes"): {"order_id": "ring"},
    ("PUT", "/v1/digital-gifts/{gift}/codes/{number}"): {"gift": "listed"},
    ("GET", "/v1/passes/{pass_id}/code"): {"pass_id": "given"},
    ("POST", "/v1/passes/{pass_id}/withdraw"): {"pass_id": "given"},
}
"""Where the usual one of its kind is in the wrong state."""

CALLBACK = json.dumps({"reference": "nobody's", "kind": "accepted", "at": NOON.isoformat()}).encode()
OPEN = {
    ("GET", "/openapi.json"): 200,
    ("GET", "/t/{token}"): 404,
    ("POST", "/t/{token}"): 404,
    ("GET", "/t/{token}/calendar"): 404,
    ("POST", "/v1/callbacks/{market_id}/{courier_id}"): 401,
    ("GET", "/v1/callbacks/{market_id}/{courier_id}"): 401,
    ("POST", "/v1/channels/{kind}/{brand_id}"): 401,
    ("GET", "/v1/channels/{kind}/{brand_id}"): 403,
}
"""What needs no key, and what it says to whoever proves nothing else."""


def _stored(gate: Gateway, key: Any) -> dict[str, Any]:
    row = gate.stage.plain.table.get(key)
    assert row is not None
    found: dict[str, Any] = json.loads(row.body)
    return found


def _dumped(noun: Any) -> dict[str, Any]:
    found: dict[str, Any] = noun.model_dump(mode="json")
    return found


def routes_of(table: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str]]:
    return sorted((method, path) for path, methods in table.items() for method in methods)


def unstated(routes: Iterable[tuple[str, str]]) -> list[str]:
    """What nobody has said who may do it, and what has been said of routes that are not there."""
    routes = set(routes) - PEOPLE.keys()
    wrong = [f"{method} {path}: no roles in cli/openapi.py" for method, path in routes - OPERATIONS.keys()]
    for method, path in sorted(OPERATIONS.keys() | BODIES.keys() | OPEN.keys()):
        if (method, path) not in routes:
            wrong.append(f"{method} {path}: no such route")
    for route in sorted(routes & OPERATIONS.keys()):
        operation, (method, path) = OPERATIONS[route], route
        takes = operation.body is not None or bool(operation.raw_body)
        if takes != (route in BODIES):
            wrong.append(f"{method} {path}: {'a body is missing' if takes else 'a body too many'} in BODIES")
        wrong += [f"{method} {path}: whose is {{{n}}}?" for n in names_of(path) if n not in BELONGS]
        if bool(operation.roles) == (route in OPEN):
            wrong.append(f"{method} {path}: a route has roles, or stands in OPEN")
    return wrong


def ask(gate: Gateway, route: tuple[str, str], caller: str, unknown: str | None = None) -> Answer:
    """The right request to that route; `unknown`: with a name that nothing has in the place of that one."""
    method, path = route
    for name in names_of(path):
        given = gate.names[OTHER_NAMES.get(route, {}).get(name, name)]
        path = path.replace(f"{{{name}}}", _nothing(name) if name == unknown else given)
    headers = {name: HEADERS[name] for name in OPERATIONS[route].headers} | kind_of(route)
    bodies = BODIES | (BODIES_OF_ASSOCIATES if caller.startswith("associate ") else {})
    sent = bodies[route](gate) if route in bodies else None
    if unknown is not None and isinstance(sent, dict):
        sent.pop(unknown, None)
    query = "?brand=maison" if "brand" in OPERATIONS[route].query else ""
    query = "?lng=121.49&lat=31.22" if "lng" in OPERATIONS[route].query else query
    return gate.ask(method, path + query, caller, sent, headers)


def kind_of(route: tuple[str, str]) -> dict[str, str]:
    """Of a route that takes no JSON: what it takes."""
    kinds = OPERATIONS[route].raw_body
    return {} if not kinds or {"*/*", "application/json"} & {*kinds} else {"Content-Type": kinds[0]}


def _nothing(name: str) -> str:
    return UNKNOWN.get(name, "none-of-them")


def breaches(gate: Gateway, route: tuple[str, str]) -> list[str]:
    """Everybody who gets from that route what he should not, or not what he should."""
    found = []
    for caller in gate.keys:
        gate.restore()
        answer = ask(gate, route, caller)
        wrong = _wrong(gate, route, caller, answer)
        if wrong is not None:
            found.append(f"{caller}: {wrong}; {answer.status} {answer.body[:200]!r}")
    return found


def _wrong(gate: Gateway, route: tuple[str, str], caller: str, answer: Answer) -> str | None:
    operation, (_, path) = OPERATIONS[route], route
    if route in OPEN:
        expected = answer.status == OPEN[route] and not gate.has_done_something()
        return None if expected else f"{OPEN[route]} was expected of whoever proves nothing, and no trace"
    word, _, owner = caller.partition(" ")
    role = Role(word) if word in set(Role) else None
    if role is None:
        status, told = (401, "a key of ours") if caller == "nobody" else (403, "unknown or disabled")
        return _refused(gate, answer, status, "a key of ours was needed", names=told)
    if role.value not in operation.roles:
        return _refused(gate, answer, 403, "this role may not", names=f"yours has the role {role.value}")
    owner = ALIAS.get(owner, owner)
    if caller == OF_ANOTHER_MARKET and "{market_id}" in path:
        return _not_found(gate, route, caller, answer, "market_id")
    if role is Role.ASSOCIATE and route in BODIES_OF_ASSOCIATES and owner != OWNERS[role]:
        return _refused(gate, answer, 422, "the client is somebody else's")
    owned = next((n for n in reversed(names_of(path)) if _has_owners(n, role)), None)
    is_another = owned is not None and owner != OWNERS[role]
    if is_another and route in NAMED_BY_EACH:
        changed = answer.status != operation.status or gate.has_changed_something()
        return f"{operation.status} was expected, and nothing of the other's changed" if changed else None
    if is_another and owned is not None:
        return _not_found(gate, route, caller, answer, owned)
    if answer.status != operation.status:
        return f"{operation.status} was expected"
    if caller == OF_ANOTHER_MARKET and b"SHA" in answer.body:
        return "the list names a market that is not its own"
    if owner != OWNERS.get(role, owner) and any(
        gate.names[name].encode() in answer.body for name in BELONGS if _has_owners(name, role)
    ):
        return "the list names what is somebody else's"
    return None


def _has_owners(name: str, role: Role) -> bool:
    return BELONGS[name] is role or (role is Role.ASSOCIATE and name in OF_A_CLIENT)


def _not_found(gate: Gateway, route: tuple[str, str], caller: str, answer: Answer, name: str) -> str | None:
    """Somebody else's: the very answer that a name gets which nothing has."""
    wrong = _refused(gate, answer, 404, "it is somebody else's")
    there = gate.names[OTHER_NAMES.get(route, {}).get(name, name)]
    missing = ask(gate, route, caller, unknown=name)
    if wrong is None and answer.without(there) != missing.without(_nothing(name)):
        return f"the same was expected as for a name that nothing has, {missing.body!r}"
    return wrong


def _refused(gate: Gateway, answer: Answer, status: int, why: str, names: str = "") -> str | None:
    if answer.status != status or answer.kind != "application/problem+json":
        return f"a problem with {status} was expected, {why}"
    if names not in answer.json()["detail"]:
        return f"a detail was expected with {names!r}"
    if gate.has_done_something():
        return "it left a trace"
    return None


def routes() -> list[tuple[str, str]]:
    from app import app

    return routes_of(app.routes)


def programs() -> list[tuple[str, str]]:
    """Those that programs call, with a key; people sign in (tests/routes/test_board.py)."""
    return [route for route in routes() if route not in PEOPLE]


def test_of_every_route_it_is_stated_who_may_do_it() -> None:
    assert unstated(routes()) == []


def test_a_new_route_that_nobody_has_stated_is_named() -> None:
    new = [*routes(), ("DELETE", "/v1/orders/{order_id}")]
    assert unstated(new) == ["DELETE /v1/orders/{order_id}: no roles in cli/openapi.py"]
    assert unstated(routes()[1:]) != []


@pytest.mark.parametrize("route", sorted(PEOPLE), ids=lambda route: " ".join(route))
def test_no_key_opens_a_page_for_people(gate: Gateway, route: tuple[str, str]) -> None:
    """Only a browser that was let in sees one: a key of ours is nobody here, and leaves no trace."""
    method, path = route
    for name in names_of(path):
        path = path.replace(f"{{{name}}}", gate.names.get(name, "anything"))
    form = {"Content-Type": "application/x-www-form-urlencoded"} if method == "POST" else {}
    for caller in gate.keys:
        gate.restore()
        answer = gate.ask(method, path, caller, b"code=made-up" if form else None, form)
        assert (answer.status, gate.has_done_something()) == (PEOPLE[route], False), (caller, answer.body)
        if PEOPLE[route] == 401:
            assert answer.kind == "application/problem+json"


@pytest.mark.parametrize("route", [r for r in routes() if r not in PEOPLE], ids=lambda route: " ".join(route))
def test_everybody_gets_from_a_route_what_he_may_and_no_more(gate: Gateway, route: tuple[str, str]) -> None:
    assert breaches(gate, route) == []


NAMED = [
    (*route, name)
    for route in routes()
    for name in names_of(route[1])
    if route not in OPEN and route not in PEOPLE
]


@pytest.mark.parametrize(("method", "path", "name"), NAMED)
def test_a_name_that_nothing_has_is_not_found_and_leaves_no_trace(
    gate: Gateway, method: str, path: str, name: str
) -> None:
    operation = OPERATIONS[method, path]
    makes = method == "PUT" and path.endswith(f"{{{name}}}") and (method, path) not in NAMES_OF_OURS
    for role in operation.roles:
        gate.restore()
        caller = next(c for c in gate.keys if c.startswith(f"{role} "))
        answer = ask(gate, (method, path), caller, unknown=name)
        if makes:
            assert answer.status == operation.status
            continue
        assert (answer.status, answer.kind) == (404, "application/problem+json"), answer.body
        assert not gate.has_done_something()


def test_a_signed_callback_is_taken_whoever_else_sends_a_key_with_it(gate: Gateway) -> None:
    path = "/v1/callbacks/SHA/paper-co"
    signed = {"X-Paper-Signature": signature("paper-secret", CALLBACK)}
    assert {gate.ask("POST", path, caller, CALLBACK, signed).status for caller in gate.keys} == {200}
    forged = {"X-Paper-Signature": signature("another-secret", CALLBACK)}
    assert {gate.ask("POST", path, caller, CALLBACK, forged).status for caller in gate.keys} == {401}


def test_a_source_of_some_markets_sees_and_changes_those(gate: Gateway) -> None:
    listed = {
        caller: [m["market_id"] for m in gate.ask("GET", "/v1/markets", caller).json()["data"]]
        for caller in (
            "source of-rome",
            "source of-shanghai",
            "source health-office",
            "operator control-room",
        )
    }
    assert listed.pop("source of-rome") == []
    assert set(map(tuple, listed.values())) == {("SHA",)}
    asked = {"role": "source", "owner": "city", "markets": ["SHA"]}
    made = gate.ask("POST", "/v1/keys", "operator control-room", asked)
    assert (made.status, made.json()["markets"]) == (201, ["SHA"])
    for role, markets in (("brand", ["SHA"]), ("operator", ["SHA"]), ("source", []), ("source", ["a b"])):
        asked = {"role": role, "owner": "city", "markets": markets}
        assert gate.ask("POST", "/v1/keys", "operator control-room", asked).status == 422


def test_what_a_brand_makes_is_its_own_whatever_it_says(gate: Gateway) -> None:
    """The owner comes from the key: no query, body or header says otherwise."""
    whole = body() | {"reference": "EASTER-9"}
    made = gate.ask(
        "POST", "/v1/orders?brand=maison&owner=maison", "brand autre-maison", whole,
        {"Idempotency-Key": "gift-1", "X-Brand": "maison", "X-Amzn-Principal": "maison"},
    ).json()  # fmt: skip
    assert made["order_id"] != gate.names["order_id"], "the same key of another brand is another gift"
    assert gate.stage.order(made["order_id"]).brand_id == "autre-maison"
    listed = gate.ask("GET", "/v1/orders?brand=maison", "brand autre-maison").json()["data"]
    assert [order["order_id"] for order in listed] == [made["order_id"]]
    refused = gate.ask("POST", "/v1/orders", "brand autre-maison", whole | {"brand_id": "maison"}, HEADERS)
    assert refused.status == 422


# --- and the matrix bites -----------------------------------------------------------------------------------


def test_a_view_that_forgets_the_role_is_found(gate: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    def everybody(request: Any, *roles: Role) -> Caller:
        context = request.context["authorizer"]
        return Caller(role=roles[0], owner=context["owner"])

    for found in pkgutil.iter_modules(chalicelib.routes.__path__, "chalicelib.routes."):
        module = importlib.import_module(found.name)
        if hasattr(module, "caller"):
            monkeypatch.setattr(module, "caller", everybody)
    guarded = [route for route in programs() if OPERATIONS[route].roles]
    assert [route for route in guarded if not breaches(gate, route)] == []


def test_a_flow_that_forgets_the_owner_is_found(gate: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        look, "own_order", lambda world, brand_id, order_id: facts.load_order(world.table, order_id)
    )
    owned = [
        route
        for route in programs()
        if "order_id" in names_of(route[1]) and "brand" in OPERATIONS[route].roles
    ]
    assert len(owned) >= 8
    assert [route for route in owned if not breaches(gate, route)] == []


def test_an_authorizer_that_lets_the_disabled_in_is_found(
    gate: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    import app

    class Forgiving:
        @staticmethod
        def model_validate_json(text: str) -> Key:
            return Key.model_validate_json(text).model_copy(update={"disabled": False})

    monkeypatch.setattr(app, "Key", Forgiving)
    guarded = [route for route in programs() if OPERATIONS[route].roles]
    assert [r for r in guarded if not any("a disabled operator" in b for b in breaches(gate, r))] == []
