"""A brand's programme over HTTP: tiers, purchases, grants, gifts to clients, associates and what each of them did."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from chalice.test import HTTPResponse

from chalicelib.domain.keys import Role
from chalicelib.flows import enlist
from tests.routes.conftest import Caller, Desk
from tests.stage import NOON, body, client_body, client_order

PROGRAMME = {
    "tiers": [
        {"tier": "gold", "spend": {"amount": 10_000_000, "currency": "CNY"}},
        {"tier": "diamond", "spend": {"amount": 50_000_000, "currency": "CNY"}},
    ],
    "caps": [{"per": "client", "at_most": 1, "days": 30, "occasion": "birthday"}],
}
STAFF = {"X-Acting-Staff": "li.wei"}
SECRET = ("Wang Secretive", "+8613800138001", "Yongjia, Huangpu", "wang@example.com")


@dataclass
class House:
    """A brand with a programme, two associates, and a client of the first."""

    desk: Desk
    brand: Caller
    anna: Caller
    bea: Caller


@pytest.fixture
def house(desk: Desk) -> House:
    brand = desk.maison
    assert brand("PUT", "/v1/programme", PROGRAMME).status_code == 200
    named = {"name": "Anna Bianchi", "countries": ["CN"], "locale": "it-IT"}
    callers = {}
    for name in ("anna", "bea"):
        assert brand("PUT", f"/v1/associates/{name}", named).status_code == 200
        asked = {"role": "associate", "owner": "maison", "associate_id": name}
        made = desk.operator("POST", "/v1/keys", asked)
        assert made.status_code == 201
        callers[name] = Caller(desk.client, made.json_body["secret"])
    person = client_body("Wang Secretive", associate_id="anna")
    person["person"]["phone"] = "+8613800138001"
    assert brand("PUT", "/v1/clients/vic-1", person).status_code == 200
    return House(desk, brand, callers["anna"], callers["bea"])


def placed(who: Caller, key: str = "k-1", headers: Any = None, **changes: Any) -> HTTPResponse:
    return who("POST", "/v1/orders", client_order(**changes), {"Idempotency-Key": key, **(headers or {})})


def bought(name: str, amount: int, **changes: Any) -> dict[str, Any]:
    return {
        "purchase": name,
        "at": NOON.isoformat(),
        "amount": {"amount": amount, "currency": "CNY"},
        **changes,
    }


def granted(tier: str = "diamond", **changes: Any) -> dict[str, Any]:
    until = (NOON + timedelta(days=30)).isoformat()
    return {"grant": "g-1", "tier": tier, "reason": "expected-to-spend", "expires_at": until, **changes}


def pointers(answer: HTTPResponse) -> list[str]:
    return [fault["pointer"] for fault in answer.json_body.get("errors", ())]


# --- the programme ------------------------------------------------------------------------------------------


def test_a_programme_is_read_as_it_was_set_up_and_changed_by_who_has_read_it(house: House) -> None:
    read = house.brand("GET", "/v1/programme")
    assert (read.status_code, read.headers["ETag"]) == (200, '"v1"')
    assert [step["tier"] for step in read.json_body["tiers"]] == ["gold", "diamond"]
    changed = PROGRAMME | {"days": 180}
    assert house.brand("PUT", "/v1/programme", changed).status_code == 428
    assert house.brand("PUT", "/v1/programme", changed, {"If-Match": '"v9"'}).status_code == 412
    saved = house.brand("PUT", "/v1/programme", changed, {"If-Match": '"v1"', **STAFF})
    assert (saved.status_code, saved.headers["ETag"], saved.json_body["by"]) == (200, '"v2"', "staff:li.wei")
    assert house.desk.other_brand("GET", "/v1/programme").status_code == 404


@pytest.mark.parametrize(
    ("path", "value", "pointer"),
    [
        ("tiers/0/tier", "vip", "/tiers/0/tier"),
        ("tiers/0/spend/currency", "yuan", "/tiers/0/spend/currency"),
        ("tiers/0/spend/amount", 1.5, "/tiers/0/spend/amount"),
        ("tiers/1/spend/amount", 5, ""),
        ("caps/0/per", "city", "/caps/0/per"),
        ("caps/0/days", 0, "/caps/0/days"),
        ("days", 0, "/days"),
    ],
)
def test_a_programme_that_cannot_be_meant_is_refused_by_field(
    house: House, path: str, value: Any, pointer: str
) -> None:
    sent: Any = copy.deepcopy(PROGRAMME) | {"days": 365}
    *way, last = path.split("/")
    at = sent
    for step in way:
        at = at[int(step)] if isinstance(at, list) else at[step]
    at[last] = value
    answer = house.brand("PUT", "/v1/programme", sent, {"If-Match": '"v1"'})
    assert (answer.status_code, pointers(answer)) == (422, [pointer])
    assert house.brand("GET", "/v1/programme").headers["ETag"] == '"v1"'


# --- standing -----------------------------------------------------------------------------------------------


def test_what_was_bought_makes_a_client_very_important_and_its_gift_goes_first(house: House) -> None:
    path = "/v1/clients/vic-1/purchases"
    assert house.brand("GET", "/v1/clients/vic-1/standing").json_body["tier"] == "standard"
    answer = house.brand("POST", path, {"purchases": [bought("t-1", 9_000_000), bought("t-2", 1_000_000)]})
    assert (answer.status_code, answer.json_body["tier"]) == (200, "gold")
    assert house.brand("POST", path, {"purchases": [bought("t-1", 9_000_000)]}).json_body == answer.json_body
    assert placed(house.brand).json_body["tier"] == "gold"
    back = house.brand("POST", path, {"purchases": [bought("r-1", 1, refunds="t-1")]})
    assert back.json_body["tier"] == "standard"
    history = house.brand("GET", "/v1/clients/vic-1/standing").json_body["history"]
    assert [(one["tier"], one["because"], one["of"]) for one in history] == [
        ("gold", "purchase", "t-2"),
        ("standard", "refund", "r-1"),
    ]


def test_purchases_that_are_wrong_are_named_by_field_and_none_is_counted(house: House) -> None:
    path = "/v1/clients/vic-1/purchases"
    wrong = [bought("a", 5), bought("b", -5)]
    assert pointers(house.brand("POST", path, {"purchases": wrong})) == ["/purchases/1/amount/amount"]
    wrong = [bought("a", 5), bought("b", 5, refunds="c")]
    assert pointers(house.brand("POST", path, {"purchases": wrong})) == ["/purchases/1/refunds"]
    assert house.brand("POST", path, {"purchases": [bought("a", 5)] * 2}).status_code == 422
    assert house.brand("POST", path, {"purchases": []}).status_code == 422
    many = [bought(f"p-{n}", 1) for n in range(31)]
    assert house.brand("POST", path, {"purchases": many}).status_code == 422
    assert house.brand("GET", "/v1/clients/vic-1/standing").json_body["spent"] == []
    assert house.brand("POST", path, {"purchases": many[:30]}).status_code == 200
    clash = house.brand("POST", path, {"purchases": [bought("p-1", 2)]})
    assert clash.status_code == 409 and "'p-1'" in clash.json_body["detail"]


def test_a_grant_needs_a_name_a_reason_and_an_end_and_is_on_record(house: House) -> None:
    path = "/v1/clients/vic-1/grants"
    nameless = house.brand("POST", path, granted())
    assert nameless.status_code == 400 and "X-Acting-Staff" in nameless.json_body["detail"]
    assert house.brand("POST", path, granted(), {"X-Acting-Staff": "Li Wei!"}).status_code == 400
    for lacking in ("reason", "expires_at", "grant"):
        sent = {name: value for name, value in granted().items() if name != lacking}
        assert pointers(house.brand("POST", path, sent, STAFF)) == [f"/{lacking}"]
    given = house.brand("POST", path, granted(), STAFF)
    assert (given.status_code, given.json_body["by"]) == (201, "staff:li.wei")
    standing = house.brand("GET", "/v1/clients/vic-1/standing").json_body
    assert (standing["tier"], standing["rests_on"], standing["grant"]) == ("diamond", "grant", "g-1")
    assert house.brand("DELETE", f"{path}/g-1").status_code == 400
    gone = house.brand("DELETE", f"{path}/g-1", headers={"X-Acting-Staff": "chen"})
    assert (gone.status_code, gone.json_body["revoked_by"]) == (200, "staff:chen")
    assert house.brand("GET", "/v1/clients/vic-1/standing").json_body["tier"] == "standard"
    assert house.brand("DELETE", f"{path}/none", headers=STAFF).status_code == 404


# --- the order ----------------------------------------------------------------------------------------------


def test_an_order_names_a_recipient_or_a_client_and_not_both(house: House) -> None:
    both = client_order() | {"recipient": body()["recipient"]}
    neither = {name: value for name, value in client_order().items() if name != "client"}
    for sent, said in ((both, "not both"), (neither, "a recipient or a client was expected")):
        answer = house.brand("POST", "/v1/orders", sent, {"Idempotency-Key": "k"})
        assert (answer.status_code, pointers(answer)[:2]) == (422, ["/recipient", "/client"])
        assert said in answer.json_body["detail"]
        assert not any(secret in answer.body.decode() for secret in SECRET)
    for name in ("place", "occasion"):
        answer = house.brand("POST", "/v1/orders", body() | {name: "home"}, {"Idempotency-Key": "k"})
        assert (answer.status_code, pointers(answer)) == (422, [f"/{name}"])


def test_a_recipients_order_is_what_it_was(house: House) -> None:
    sent = body()
    del sent["tier"]
    first = house.brand("POST", "/v1/orders", sent, {"Idempotency-Key": "k"})
    assert (first.status_code, first.json_body["tier"]) == (202, "standard")
    assert house.brand("POST", "/v1/orders", sent, {"Idempotency-Key": "k"}).body == first.body


def test_a_gift_to_a_client_says_nowhere_whom_it_is_for(house: House) -> None:
    first = placed(house.brand)
    assert first.status_code == 202, first.body
    assert placed(house.brand).body == first.body
    house.desk.stage.settle()
    order_id = first.json_body["order_id"]
    seen = first.body + house.brand("GET", f"/v1/orders/{order_id}").body
    seen += house.brand("GET", f"/v1/orders/{order_id}/evidence").body
    seen += house.brand("GET", "/v1/clients/vic-1/acts").body
    seen += house.brand("GET", "/v1/clients/vic-1/standing").body
    seen += json.dumps(house.desk.stage.world.log.lines, default=str).encode()  # type: ignore[attr-defined]
    assert not [secret for secret in SECRET if secret.encode() in seen]


def test_one_cake_a_month_is_enough_and_the_answer_says_which_one_it_was(house: House) -> None:
    first = placed(house.brand).json_body["order_id"]
    again = placed(house.brand, "k-2")
    assert again.status_code == 409
    assert first in again.json_body["detail"] and pointers(again) == ["/client"]
    assert placed(house.brand, "k-3", occasion="new-year").status_code == 202


def test_a_tier_above_the_standing_is_refused_and_names_it(house: House) -> None:
    answer = placed(house.brand, tier="diamond")
    assert (answer.status_code, pointers(answer)) == (422, ["/tier"])
    house.brand("POST", "/v1/clients/vic-1/grants", granted(), STAFF)
    assert placed(house.brand, tier="diamond").json_body["tier"] == "diamond"


@pytest.mark.parametrize("changes", [{"client": "nobody"}, {"place": "villa"}, {"market": "ROM"}])
def test_what_is_not_there_is_named(house: House, changes: dict[str, Any]) -> None:
    answer = placed(house.brand, **changes)
    (name,) = changes
    assert (answer.status_code, pointers(answer)) == (422, [f"/{name}"])


# --- associates ---------------------------------------------------------------------------------------------


def test_an_associate_orders_for_his_own_client_and_it_is_on_record(house: House) -> None:
    made = placed(house.anna)
    assert made.status_code == 202, made.body
    order_id = made.json_body["order_id"]
    seen = house.anna("GET", f"/v1/orders/{order_id}")
    assert seen.status_code == 200
    ended = house.anna("POST", f"/v1/orders/{order_id}/cancel", None, {"If-Match": seen.headers["ETag"]})
    assert ended.status_code == 202, ended.body
    placed(house.brand, "k-2", STAFF)
    acts = house.brand("GET", "/v1/clients/vic-1/acts").json_body["data"]
    assert {(act["did"], act["by"]) for act in acts} == {
        ("gift_ordered", "associate:anna"),
        ("gift_cancelled", "associate:anna"),
        ("gift_ordered", "staff:li.wei"),
        ("client_changed", "brand"),
    }
    assert house.anna("GET", "/v1/clients/vic-1/acts").json_body["data"] == acts


def test_an_associate_looks_at_an_address_in_nobody_elses_name(house: House) -> None:
    order_id = placed(house.anna).json_body["order_id"]
    seen = house.anna("POST", f"/v1/orders/{order_id}/looks", {"reason": "client-called", "staff": "bea"})
    assert seen.status_code == 201, seen.body
    looks = house.brand("GET", f"/v1/orders/{order_id}/looks").json_body["data"]
    assert [(one["role"], one["staff"]) for one in looks] == [("associate", "anna")]


def test_an_associate_sees_no_client_and_no_order_that_is_not_his_own(house: House) -> None:
    order_id = placed(house.brand).json_body["order_id"]
    plain = house.brand("POST", "/v1/orders", body(), {"Idempotency-Key": "plain"}).json_body["order_id"]
    missing = house.bea("GET", "/v1/clients/none-of-them/standing")
    theirs = house.bea("GET", "/v1/clients/vic-1/standing")
    assert (theirs.status_code, missing.status_code) == (404, 404)
    assert theirs.body.decode().replace("vic-1", "*") == missing.body.decode().replace("none-of-them", "*")
    for path in (
        f"/v1/orders/{order_id}",
        f"/v1/orders/{plain}",
        "/v1/clients/vic-1",
        "/v1/clients/vic-1/acts",
    ):
        assert house.bea("GET", path).status_code == 404, path
    assert house.anna("GET", f"/v1/orders/{plain}").status_code == 404, "it is for nobody whom she knows"
    assert (placed(house.bea, "k-9").status_code, pointers(placed(house.bea, "k-9"))) == (422, ["/client"])
    assert house.bea("GET", "/v1/clients").json_body["data"] == []
    assert [one["reference"] for one in house.anna("GET", "/v1/clients").json_body["data"]] == ["vic-1"]
    phone = {"phone": "+8613800138001"}
    assert house.bea("POST", "/v1/clients/search", phone).json_body["data"] == []
    assert len(house.anna("POST", "/v1/clients/search", phone).json_body["data"]) == 1


def test_a_repeat_of_anothers_request_shows_an_associate_nothing(house: House) -> None:
    placed(house.anna, "k-1")
    assert placed(house.bea, "k-1").status_code == 422


def test_an_associate_orders_for_nobody_whom_the_brand_only_describes(house: House) -> None:
    answer = house.anna("POST", "/v1/orders", body(), {"Idempotency-Key": "k"})
    assert answer.status_code == 403 and "client" in answer.json_body["detail"]


def test_an_associate_who_was_taken_back_or_moved_away_acts_for_nobody(house: House) -> None:
    named = {"name": "Anna Bianchi", "countries": ["CN"], "locale": "it-IT"}
    elsewhere = named | {"countries": ["IT"]}
    assert house.brand("PUT", "/v1/associates/anna", elsewhere, {"If-Match": '"v1"'}).status_code == 200
    assert house.anna("GET", "/v1/clients/vic-1/standing").status_code == 404
    assert placed(house.anna).status_code == 422
    gone = named | {"disabled": True}
    assert house.brand("PUT", "/v1/associates/anna", gone, {"If-Match": '"v2"'}).status_code == 200
    assert house.anna("GET", "/v1/clients/vic-1/standing").status_code == 403
    assert placed(house.anna).status_code == 403
    assert house.anna("GET", "/v1/clients").status_code == 403


def test_a_key_of_an_associate_whom_nobody_has_named_opens_nothing(house: House) -> None:
    secret = enlist.create_key(house.desk.stage.world, Role.ASSOCIATE, "maison", None, "nobody")
    assert Caller(house.desk.client, secret)("GET", "/v1/clients/vic-1/standing").status_code == 403


def test_the_name_of_an_associate_is_sealed_and_read_by_the_brand(house: House) -> None:
    answer = house.brand("GET", "/v1/associates")
    assert [one["name"] for one in answer.json_body["data"]] == ["Anna Bianchi"] * 2
    table: Any = house.desk.stage.plain.table
    assert not [row for row in table.rows.values() if "Bianchi" in row.body + repr(row.key)]
    assert house.desk.other_brand("GET", "/v1/associates/anna").status_code == 404
    assert house.desk.other_brand("GET", "/v1/associates").json_body["data"] == []


def test_an_associate_collects_a_consent_and_the_act_says_who(house: House) -> None:
    house.desk.stage.clock.forward(minutes=1)
    granted_now = {"purpose": "marketing", "granted_at": NOON.isoformat(), "evidence": "form-9"}
    answer = house.anna("POST", "/v1/clients/vic-1/consents", {"granted": granted_now})
    assert answer.status_code == 200, answer.body
    act = house.brand("GET", "/v1/clients/vic-1/acts?limit=1").json_body["data"][0]
    assert (act["did"], act["by"]) == ("consent_changed", "associate:anna")


def test_keys_of_associates_name_one_and_no_other_key_does(house: House) -> None:
    for asked in (
        {"role": "associate", "owner": "maison"},
        {"role": "brand", "owner": "maison", "associate_id": "anna"},
    ):
        assert house.desk.operator("POST", "/v1/keys", asked).status_code == 422


def test_acts_come_page_by_page_and_no_cursor_opens_anothers(house: House) -> None:
    for number in range(3):
        house.desk.stage.clock.forward(minutes=1)
        placed(house.brand, f"k-{number}", occasion=f"day-{number}")
    person = client_body("Li", associate_id="anna", person={"name": "Li"})
    house.brand("PUT", "/v1/clients/vic-2", person)
    first = house.brand("GET", "/v1/clients/vic-1/acts?limit=2").json_body
    assert first["has_more"] and len(first["data"]) == 2
    cursor = first["next_cursor"]
    rest = house.brand("GET", f"/v1/clients/vic-1/acts?limit=2&cursor={cursor}").json_body
    assert [act["did"] for act in rest["data"]] == ["gift_ordered", "client_changed"]
    assert not rest["has_more"]
    assert house.brand("GET", f"/v1/clients/vic-2/acts?cursor={cursor}").status_code == 400
