"""Operators see which compounds are suspected to be closed, and take it back; nobody else does."""

from __future__ import annotations

from chalicelib.flows import suspect
from tests.flows.test_suspect import CLOSED
from tests.routes.conftest import Desk
from tests.stage import body

PATH = "/v1/markets/SHA/suspicions"


def suspected(desk: Desk) -> str:
    """A compound that one courier could not get into with two gifts; the suspicion's name."""
    for key in ("one", "two"):
        sent = body(reference=key)
        name = desk.maison("POST", "/v1/orders", sent, {"Idempotency-Key": key}).json_body["order_id"]
        suspect.suspect(desk.stage.world, desk.stage.order(name), "paper-co", CLOSED)
    (found,) = desk.operator("GET", PATH).json_body["data"]
    return str(found["suspicion_id"])


def test_an_operator_reads_what_is_suspected_and_takes_it_back(desk: Desk) -> None:
    assert desk.operator("GET", PATH).json_body["data"] == []
    name = suspected(desk)
    (found,) = desk.operator("GET", PATH).json_body["data"]
    assert (found["district"], found["compound"], len(found["reports"])) == ("310101", "Yongjia", 2)
    assert desk.operator("DELETE", f"{PATH}/{name}").status_code == 204
    assert desk.operator("GET", PATH).json_body["data"] == []
    assert desk.operator("DELETE", f"{PATH}/{name}").status_code == 204
    gone = desk.operator("DELETE", f"{PATH}/nowhere")
    assert gone.status_code == 404
    assert "nowhere" in gone.json_body["detail"]


def test_a_brand_neither_reads_nor_dismisses_what_is_suspected(desk: Desk) -> None:
    name = suspected(desk)
    assert desk.maison("GET", PATH).status_code == 403
    assert desk.maison("DELETE", f"{PATH}/{name}").status_code == 403
    assert len(desk.operator("GET", PATH).json_body["data"]) == 1


def test_a_market_that_is_not_here_is_said_so(desk: Desk) -> None:
    assert desk.operator("GET", "/v1/markets/ROM/suspicions").status_code == 404
