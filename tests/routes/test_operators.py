from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest
from chalice.app import AuthRequest, AuthResponse, Chalice
from chalice.test import Client

from chalicelib import wiring
from chalicelib.domain.ports import Topic, World
from chalicelib.domain.uploads import PART_BYTES
from chalicelib.flows import publish
from chalicelib.routes import operators
from tests import fakes
from tests.flows.test_enlist import courier, crew, permit, slot
from tests.maps import SHANGHAI, feature, part, policy
from tests.paper import PaperDialect


class Api:
    """The operators' routes over a world in memory; a key is written role:owner."""

    def __init__(self, world: World) -> None:
        self.world = world
        app = Chalice(app_name="operators", configure_logs=False)

        @app.authorizer()
        def authorize(request: AuthRequest) -> AuthResponse:
            role, _, owner = request.token.partition(":")
            return AuthResponse(routes=["*"], principal_id=owner, context={"role": role, "owner": owner})

        app.register_blueprint(operators.blueprint(authorize))
        self.client = Client(app)

    def __call__(self, method: str, path: str, body: Any = None, who: str = "operator:ops") -> Any:
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        headers = {"Authorization": who, "Content-Type": "application/json"}
        return self.client.http.request(method, f"/v1{path}", headers=headers, body=raw)


@pytest.fixture
def api() -> Iterator[Api]:
    world = fakes.world(dialects={"paper": PaperDialect()})
    wiring.use(world)
    yield Api(world)
    wiring.use(None)


@pytest.fixture
def staffed(api: Api) -> Api:
    assert api("PUT", "/markets/SHA", SHANGHAI).status_code == 200
    for kind, noun in members():
        assert api("PUT", f"/markets/SHA/{kind}/{noun[kind[:-1] + '_id']}", noun).status_code == 200
    return api


def members() -> list[tuple[str, dict[str, Any]]]:
    nouns = {"couriers": courier(), "crews": crew(), "permits": permit(), "slots": slot()}
    return [(kind, noun.model_dump(mode="json")) for kind, noun in nouns.items()]


def pointers(response: Any) -> list[str]:
    assert response.headers["Content-Type"] == "application/problem+json"
    return [error["pointer"] for error in response.json_body.get("errors", [])]


# --- markets and fleet --------------------------------------------------------------------------------------


def test_a_market_is_put_read_and_listed(api: Api) -> None:
    body = {name: value for name, value in SHANGHAI.items() if name != "market_id"}
    assert api("PUT", "/markets/SHA", body).json_body["market_id"] == "SHA"
    assert api("GET", "/markets/SHA", who="source:city").json_body["datum"] == "GCJ02"
    assert [market["market_id"] for market in api("GET", "/markets").json_body["data"]] == ["SHA"]


def test_what_the_path_says_is_not_contradicted_by_the_body(api: Api) -> None:
    response = api("PUT", "/markets/ROM", SHANGHAI)
    assert (response.status_code, pointers(response)) == (422, ["/market_id"])
    assert "'ROM' was expected" in response.json_body["detail"]


def test_every_field_that_is_wrong_is_named(api: Api) -> None:
    response = api(
        "PUT", "/markets/SHA", {**SHANGHAI, "datum": "GPS", "time_zone": "Mars", "west": 200, "z": 1}
    )
    assert response.status_code == 422
    assert set(pointers(response)) == {"/datum", "/time_zone", "/west", "/z"}


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 400), (b"{", 400), (b'{"name": "\xff"}', 400), (b"[]", 422), (b" " * 300_000, 413)],
)
def test_a_body_that_is_none_is_refused(api: Api, body: bytes, status: int) -> None:
    assert api("PUT", "/markets/SHA", body).status_code == status
    assert api("GET", "/markets").json_body["data"] == []


def test_the_whole_fleet_is_read_with_what_is_left(staffed: Api) -> None:
    fleet = staffed("GET", "/markets/SHA/fleet").json_body
    assert {kind: len(fleet[kind]) for kind in ("couriers", "crews", "permits", "slots")} == {
        "couriers": 1, "crews": 1, "permits": 1, "slots": 1
    }  # fmt: skip
    assert fleet["left"] == {"slot-1": 5} and fleet["uses_left"] == {}
    (permit,) = fleet["permits"]
    path = f"/markets/SHA/permits/{permit['permit_id']}"
    assert staffed("PUT", path, {**permit, "single_use": True}).status_code == 200
    fleet = staffed("GET", "/markets/SHA/fleet").json_body
    assert fleet["uses_left"] == {permit["permit_id"]: 1}


@pytest.mark.parametrize(("kind", "noun"), members(), ids=[kind for kind, _ in members()])
def test_one_of_the_fleet_is_read_and_removed(staffed: Api, kind: str, noun: dict[str, Any]) -> None:
    path = f"/markets/SHA/{kind}/{noun[kind[:-1] + '_id']}"
    found = staffed("GET", path, who="source:city").json_body
    assert found["market_id"] == "SHA"
    response = staffed("DELETE", path, who="source:city")
    assert (response.status_code, response.body) == (204, b"")
    assert staffed("GET", path).status_code == 404
    assert staffed("DELETE", path).status_code == 404


def test_a_slot_for_a_crew_nobody_knows_names_the_field(staffed: Api) -> None:
    noun = {**slot().model_dump(mode="json"), "crew_id": "crew-9"}
    response = staffed("PUT", "/markets/SHA/slots/slot-1", noun)
    assert (response.status_code, pointers(response)) == (422, ["/crew_id"])


def test_a_market_that_is_not_there_is_missing(api: Api) -> None:
    for method, path, body in (
        ("GET", "/markets/SHA", None),
        ("GET", "/markets/SHA/fleet", None),
        ("GET", "/markets/SHA/rules", None),
        ("GET", "/markets/SHA/crews/crew-1", None),
        *(("PUT", f"/markets/SHA/{kind}/{noun[kind[:-1] + '_id']}", noun) for kind, noun in members()),
        (
            "POST",
            "/markets/SHA/rules/uploads",
            {"mode": "replace", "time_zone": "Asia/Shanghai", "datum": "GCJ02"},
        ),
    ):
        assert api(method, path, body).status_code == 404, path


@pytest.mark.parametrize("name", ["-x", "a:b", "a%2Fb", "x" * 65, "黄浦"])
def test_a_name_that_cannot_be_one_is_missing(api: Api, name: str) -> None:
    assert api("GET", f"/markets/{name}").status_code == 404
    assert api("PUT", f"/markets/{name}", {**SHANGHAI, "market_id": name}).status_code in (404, 422)


def test_a_key_of_another_role_is_refused_and_nothing_is_stored(api: Api) -> None:
    cases = [
        ("PUT", "/markets/SHA", SHANGHAI, "brand:maison"),
        ("PUT", "/markets/SHA", SHANGHAI, "source:city"),
        ("GET", "/markets", None, "brand:maison"),
        ("PUT", "/markets/SHA/crews/crew-1", {}, "brand:maison"),
        ("DELETE", "/markets/SHA/crews/crew-1", None, "brand:maison"),
        ("POST", "/markets/SHA/rules/uploads", {}, "brand:maison"),
        ("GET", "/markets/SHA/rules", None, "brand:maison"),
        ("POST", "/keys", {"role": "operator", "owner": "me"}, "brand:maison"),
        ("POST", "/keys", {"role": "operator", "owner": "me"}, "source:city"),
        ("DELETE", f"/keys/{'0' * 64}", None, "source:city"),
    ]
    for method, path, body, who in cases:
        response = api(method, path, body, who)
        assert response.status_code == 403, path
        assert who.split(":")[0] in response.json_body["detail"]
    assert api.world.table.rows == {}  # type: ignore[attr-defined]


# --- rules --------------------------------------------------------------------------------------------------

START = {"mode": "replace", "time_zone": "Asia/Shanghai", "datum": "GCJ02"}


def begun(api: Api, **changes: Any) -> str:
    response = api("POST", "/markets/SHA/rules/uploads", {**START, **changes}, "source:city")
    assert response.status_code == 201
    upload = response.json_body
    assert response.headers["Location"] == f"/v1/markets/SHA/rules/uploads/{upload['upload_id']}"
    assert (upload["state"], upload["source"]) == ("open", "city")
    return str(response.headers["Location"].removeprefix("/v1"))


def test_rules_are_handed_in_and_read_back(staffed: Api) -> None:
    place = begun(staffed)
    raw = part(feature(), policies=[policy()])
    have = staffed("PUT", f"{place}/parts/1", raw, "source:city")
    assert (have.status_code, have.json_body["size"]) == (200, len(raw))
    response = staffed("POST", f"{place}/finish", {"parts": 1}, "source:city")
    assert (response.status_code, response.json_body["state"]) == (202, "validating")
    upload_id = place.rsplit("/", 1)[1]
    assert (Topic.RULES, f"publish:SHA:{upload_id}") in staffed.world.queues.take()  # type: ignore[attr-defined]
    publish.publish(staffed.world, "SHA", upload_id)
    upload = staffed("GET", place).json_body
    assert (upload["state"], upload["difference"]) == ("published", {"new": 1, "changed": 0, "gone": 0})
    rules = staffed("GET", "/markets/SHA/rules")
    assert rules.headers["ETag"] == '"v1"'
    assert (rules.json_body["version"], rules.json_body["levels"]) == (1, {"sealed": 1})


def test_an_official_file_is_handed_in_as_its_bytes_are(staffed: Api) -> None:
    place = begun(staffed, mode="amend", format="italy_zones", area="03")
    raw = bytes(range(256))
    headers = {"Authorization": "source:city", "Content-Type": "application/octet-stream"}
    have = staffed.client.http.request("PUT", f"/v1{place}/parts/1", headers=headers, body=raw)
    assert (have.status_code, have.json_body["size"]) == (200, 256)
    assert have.json_body["digest"] == sha256(raw).hexdigest()


@pytest.mark.parametrize(
    ("stated", "detail"),
    [
        ({"format": "shanghai_daily"}, "needs 'day'"),
        ({"format": "geojson"}, "needs 'wording'"),
        ({"area": "03"}, "has no 'area'"),
    ],
)
def test_an_upload_says_what_its_format_needs(staffed: Api, stated: dict[str, Any], detail: str) -> None:
    response = staffed("POST", "/markets/SHA/rules/uploads", {**START, **stated}, "source:city")
    assert response.status_code == 422
    assert detail in response.json_body["errors"][0]["detail"]


def test_the_faults_of_an_upload_are_read(staffed: Api) -> None:
    place = begun(staffed)
    staffed("PUT", f"{place}/parts/1", part(feature(level="?"), policies=[policy()]))
    staffed("POST", f"{place}/finish", {"parts": 1})
    publish.publish(staffed.world, "SHA", place.rsplit("/", 1)[1])
    upload = staffed("GET", place).json_body
    assert upload["state"] == "refused"
    fault = upload["faults"][0]
    assert (fault["part"], fault["feature"], fault["pointer"]) == (1, 0, "/features/0/properties/level")


def test_another_source_s_upload_is_missing_and_an_operator_sees_it(staffed: Api) -> None:
    place = begun(staffed)
    for method, path, body in (
        ("GET", place, None),
        ("PUT", f"{place}/parts/1", part(feature())),
        ("POST", f"{place}/finish", {"parts": 1}),
    ):
        assert staffed(method, path, body, "source:other").status_code == 404
    assert staffed("GET", place, who="operator:ops").status_code == 200


def test_a_start_that_is_wrong_names_the_field(staffed: Api) -> None:
    body = {"mode": "merge", "time_zone": "Mars/Base", "datum": "GPS"}
    response = staffed("POST", "/markets/SHA/rules/uploads", body)
    assert response.status_code == 422
    assert set(pointers(response)) == {"/mode", "/time_zone", "/datum"}


def test_a_part_that_is_none_is_refused(staffed: Api) -> None:
    place = begun(staffed)
    assert staffed("PUT", f"{place}/parts/1", b"{").status_code == 400
    assert staffed("PUT", f"{place}/parts/1", b"\xff\xfe").status_code == 400
    response = staffed("PUT", f"{place}/parts/1", b'{"zones": []}')
    assert (response.status_code, pointers(response)) == (422, ["/zones"])
    assert staffed("PUT", f"{place}/parts/1", b" " * (PART_BYTES + 1)).status_code == 413
    for number in ("0", "201", "-1", "x", "1e3", "٣"):
        assert staffed("PUT", f"{place}/parts/{number}", part(feature())).status_code == 404


def test_an_upload_is_finished_with_the_number_of_its_parts(staffed: Api) -> None:
    place = begun(staffed)
    staffed("PUT", f"{place}/parts/1", part(feature()))
    response = staffed("POST", f"{place}/finish", {})
    assert (response.status_code, pointers(response)) == (422, ["/parts"])
    response = staffed("POST", f"{place}/finish", {"parts": 2})
    assert (response.status_code, response.json_body["detail"]) == (
        409,
        "parts 1 to 2 were expected, missing: 2",
    )


# --- keys ---------------------------------------------------------------------------------------------------


def test_a_key_is_created_shown_once_and_disabled(api: Api) -> None:
    response = api("POST", "/keys", {"role": "brand", "owner": "maison"})
    made = response.json_body
    assert (response.status_code, made["secret"].startswith("cordon_brand_")) == (201, True)
    gone = api("DELETE", f"/keys/{made['key_hash']}").json_body
    assert gone == {"key_hash": made["key_hash"], "role": "brand", "owner": "maison", "disabled": True}
    assert api("DELETE", f"/keys/{'0' * 64}").status_code == 404
    assert api("DELETE", "/keys/nothing").status_code == 404


def test_a_role_nobody_has_is_refused(api: Api) -> None:
    response = api("POST", "/keys", {"role": "root", "owner": "a b"})
    assert (response.status_code, pointers(response)) == (422, ["/role", "/owner"])
