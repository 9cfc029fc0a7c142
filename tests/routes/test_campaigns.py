"""Campaigns over HTTP, as a brand's engineers meet them."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from tests.routes.conftest import Desk
from tests.security.gateway import campaign_body
from tests.stage import client_body, place_at

KEY = {"Idempotency-Key": "boxes"}
TABLE = {"Accept": "text/csv"}


@pytest.fixture
def three(desk: Desk) -> Desk:
    """Three clients, of whom the last lives where nobody has ruled."""
    for number, compound in enumerate(("Yongjia", "Yongjia", "Nowhere")):
        person = {"name": f"Secretive {number}", "phone": f"+861380013800{number}"}
        client = client_body(person={**person, "places": {"home": place_at(compound)}})
        assert desk.maison("PUT", f"/v1/clients/vic-{number}", client).status_code == 200
    return desk


def mounted(desk: Desk, **changes: Any) -> dict[str, Any]:
    """The campaign when it has been foreseen."""
    made = desk.maison("POST", "/v1/campaigns", campaign_body() | changes, KEY)
    assert made.status_code == 202, made.body
    path = f"/v1/campaigns/{made.json_body['campaign_id']}"
    assert made.headers["Location"] == path
    desk.stage.settle()
    found: dict[str, Any] = desk.maison("GET", path).json_body
    return found | {"path": path}


def tell(desk: Desk, campaign: dict[str, Any], verb: str, sent: Any = None) -> Any:
    version = desk.maison("GET", campaign["path"]).json_body["version"]
    return desk.maison("POST", f"{campaign['path']}/{verb}", sent, {"If-Match": f'"v{version}"'})


def test_a_campaign_is_foreseen_placed_and_told(three: Desk) -> None:
    campaign = mounted(three)
    assert (campaign["state"], campaign["clients"]) == ("planned", 3)
    assert campaign["plan"]["tally"]["outcomes"] == {"yes": 2, "hold": 1}
    assert campaign["plan"]["tally"]["reasons"] == {"zone_unknown": 1}
    assert campaign["plan"]["tally"]["districts"] == {"310101": {"yes": 2, "hold": 1}}
    assert three.maison("GET", "/v1/orders").json_body["data"] == []
    assert tell(three, campaign, "place").status_code == 202
    three.stage.settle()
    found = three.maison("GET", campaign["path"])
    assert (found.json_body["state"], found.json_body["progress"]["outcomes"]) == ("placed", {"placed": 3})
    assert found.headers["ETag"] == f'"v{found.json_body["version"]}"'
    clients = three.maison("GET", f"{campaign['path']}/clients").json_body["data"]
    assert {one["client"]: (one["foreseen"], one["state"]) for one in clients} == {
        "vic-0": ("yes", "booked"),
        "vic-1": ("yes", "booked"),
        "vic-2": ("hold", "held"),
    }
    orders = three.maison("GET", "/v1/orders").json_body["data"]
    assert {order["order_id"] for order in orders} == {one["order_id"] for one in clients}
    assert three.maison("GET", f"{campaign['path']}/report").status_code == 404
    assert three.maison("POST", f"{campaign['path']}/report").status_code == 202
    three.stage.settle()
    report = three.maison("GET", f"{campaign['path']}/report").json_body
    assert report["tally"]["outcomes"] == {"booked": 2, "held": 1}
    rows = table(three, f"{campaign['path']}/report")
    assert ["all", "", "booked", "2"] in rows
    assert ["district", "310101", "held", "1"] in rows
    assert "Secretive" not in repr((found.body, clients, report))


def table(desk: Desk, path: str) -> list[list[str]]:
    answer = desk.maison("GET", path, headers=TABLE)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.reader(io.StringIO(answer.body.decode("utf-8-sig"))))


def test_clients_are_a_table_page_by_page(three: Desk) -> None:
    campaign = mounted(three, at_once=True)
    path = f"{campaign['path']}/clients"
    first = three.maison("GET", f"{path}?rows=2", headers=TABLE)
    rest = three.maison("GET", f"{path}?rows=2&cursor={first.headers['Next-Cursor']}", headers=TABLE)
    rows = [line for page in (first, rest) for line in page.body.decode("utf-8-sig").splitlines()[1:]]
    assert sorted(line.split(",")[0] for line in rows) == ["vic-0", "vic-1", "vic-2"]
    assert "Next-Cursor" not in rest.headers
    assert first.body.decode("utf-8-sig").splitlines()[0] == "client,foreseen,order_id,state,tier,reasons"


def test_a_campaign_is_paused_goes_on_and_is_called_off(three: Desk) -> None:
    campaign = mounted(three)
    version = campaign["version"]
    assert three.maison("POST", f"{campaign['path']}/place").status_code == 428
    assert tell(three, campaign, "place").json_body["state"] == "placing"
    assert tell(three, campaign, "pause").json_body["state"] == "paused"
    stale = three.maison("POST", f"{campaign['path']}/place", headers={"If-Match": f'"v{version}"'})
    assert stale.status_code == 412
    three.stage.settle()
    assert three.maison("GET", "/v1/orders").json_body["data"] == []
    assert tell(three, campaign, "place").json_body["state"] == "placing"
    three.stage.settle()
    assert tell(three, campaign, "pause").status_code == 409
    assert tell(three, campaign, "cancel", {"orders": "some"}).status_code == 422
    assert tell(three, campaign, "cancel", {"orders": "cancelled"}).json_body["state"] == "cancelling"
    three.stage.settle()
    three.stage.minutes(8)
    found = three.maison("GET", campaign["path"]).json_body
    assert (found["state"], found["progress"]["outcomes"]) == ("cancelled", {"cancelled": 3})
    states = {order["state"] for order in three.maison("GET", "/v1/orders").json_body["data"]}
    assert states == {"cancelled"}


def test_the_same_request_again_is_the_same_campaign(three: Desk) -> None:
    campaign = mounted(three, at_once=True)
    again = three.maison("POST", "/v1/campaigns", campaign_body() | {"at_once": True}, KEY)
    assert again.json_body["campaign_id"] == campaign["campaign_id"]
    three.stage.settle()
    assert len(three.maison("GET", "/v1/orders").json_body["data"]) == 3
    assert three.maison("POST", "/v1/campaigns", campaign_body(), KEY).status_code == 422
    assert three.maison("POST", "/v1/campaigns", campaign_body()).status_code == 400


def test_campaigns_are_listed_the_last_first_and_to_their_own_brand(three: Desk) -> None:
    made = []
    for number in range(3):
        three.stage.clock.forward(minutes=1)
        key = {"Idempotency-Key": f"boxes-{number}"}
        made.append(three.maison("POST", "/v1/campaigns", campaign_body(), key).json_body["campaign_id"])
    first = three.maison("GET", "/v1/campaigns?limit=2").json_body
    rest = three.maison("GET", f"/v1/campaigns?limit=2&cursor={first['next_cursor']}").json_body
    assert [one["campaign_id"] for one in [*first["data"], *rest["data"]]] == made[::-1]
    assert three.other_brand("GET", "/v1/campaigns").json_body["data"] == []
    assert three.other_brand("GET", f"/v1/campaigns/{made[0]}/clients").status_code == 404


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"gift": {"items": []}}, "/gift/items"),
        ({"audience": {}}, "/audience"),
        ({"audience": {"rule": {"tier_at_least": "emerald"}}}, "/audience/rule/tier_at_least"),
        ({"audience": {"rule": {"consent": "everything"}}}, "/audience/rule/consent"),
        ({"audience": {"list_id": "lst_none"}}, "/audience/list_id"),
        ({"day": "11.4.2022"}, "/day"),
        ({"day": "2022-04-01"}, "/day"),
        ({"hours": [{"start": "25:00", "end": "26:00"}]}, "/hours/0/start"),
        ({"hours": [{"start": "16:00", "end": "13:00"}]}, "/hours/0"),
        ({"market": "ROM"}, "/market"),
    ],
)
def test_what_is_wrong_with_it_is_named(desk: Desk, changes: dict[str, Any], pointer: str) -> None:
    answer = desk.maison("POST", "/v1/campaigns", campaign_body() | changes, KEY)
    assert answer.status_code == 422
    assert pointer in [error["pointer"] for error in answer.json_body["errors"]]
    assert desk.maison("GET", "/v1/campaigns").json_body["data"] == []
