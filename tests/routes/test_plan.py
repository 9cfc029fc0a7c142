"""How what there was has been shared: operators read the round; a brand of its own gifts, and nothing of others'."""

from __future__ import annotations

from typing import Any

from chalicelib.flows import enlist
from tests.routes.conftest import Caller, Desk
from tests.stage import body, crew, permit, slot

OF_OTHERS = (
    "slot-",
    "gold",
    "autre-maison",
    "CNY",
    "30.00",
    "60.00",
    "lowest",
    "next_tier",
    "saves",
    '"less"',
)


def place(desk: Desk, caller: Caller, key: str, tier: str) -> str:
    sent = body(tier=tier, reference=key)
    name: str = caller("POST", "/v1/orders", sent, {"Idempotency-Key": key}).json_body["order_id"]
    return name


def crowd(desk: Desk) -> tuple[str, str]:
    """One place, a gold gift of another brand, and two of the brand's own; the names of these."""
    enlist.put_slot(desk.stage.world, slot(1, 1))
    desk.stage.settle()
    place(desk, desk.other_brand, "theirs", "gold")
    mine = place(desk, desk.maison, "mine", "silver"), place(desk, desk.maison, "mine-2", "standard")
    desk.stage.settle()
    return mine


def explanation(caller: Caller, order_id: str) -> Any:
    piece, *_ = caller("GET", f"/v1/orders/{order_id}/evidence").json_body["data"]
    return piece.get("explanation")


def page(caller: Caller, order_id: str) -> str:
    answer = caller("GET", f"/v1/orders/{order_id}/evidence", headers={"Accept": "text/plain"})
    return " ".join(answer.body.decode().split())


def test_an_operator_reads_how_the_last_round_shared_what_there_was(desk: Desk) -> None:
    assert desk.operator("GET", "/v1/markets/SHA/plan").status_code == 404
    crowd(desk)
    answer = desk.operator("GET", "/v1/markets/SHA/plan")
    assert answer.status_code == 200
    told = answer.json_body
    assert (told["orders"], told["served"], told["left"], told["slots"], told["pairs"]) == (3, 1, 2, 1, 3)
    assert (told["gap"], told["is_proven"], told["is_cut_short"]) == ("0", True, False)
    assert told["value"] == told["bound"]
    assert told["by_tier"] == {
        "gold": {"served": 1, "left": 0},
        "silver": {"served": 0, "left": 1},
        "standard": {"served": 0, "left": 1},
    }
    assert told["by_brand"] == {
        "maison": {"served": 0, "left": 2},
        "autre-maison": {"served": 1, "left": 0},
    }
    assert told["by_district"] == {"310101": {"served": 1, "left": 2}}
    (worth,) = told["worths"]
    assert worth["words"] == (
        "One more place in slot-1 would serve one gift of silver rank more, and cost 31.50 CNY, lateness included."
    )
    assert (worth["tiers"], worth["saves"]) == ({"silver": 1}, -3150)


def test_nobody_but_an_operator_reads_it_and_of_a_market_that_is_not_here_there_is_none(desk: Desk) -> None:
    crowd(desk)
    for caller in (desk.maison, desk.source):
        assert caller("GET", "/v1/markets/SHA/plan").status_code == 403
    assert desk.operator("GET", "/v1/markets/ROM/plan").status_code == 404


def test_a_report_that_is_old_is_none(desk: Desk) -> None:
    crowd(desk)
    desk.stage.clock.forward(minutes=7 * 24 * 60 + 1)
    assert desk.operator("GET", "/v1/markets/SHA/plan").status_code == 404


def test_an_operator_reads_all_of_an_explanation_and_a_brand_nothing_of_others(desk: Desk) -> None:
    silver, standard = crowd(desk)
    assert explanation(desk.operator, silver)["out_ranked"] == {
        "by": "higher_tier",
        "slots": 1,
        "lowest": "gold",
        "slot": "slot-1",
        "would_serve": True,
    }
    told = explanation(desk.maison, silver)
    assert told["out_ranked"] == {"by": "higher_tier", "slots": 1, "would_serve": True}
    assert (told.get("dearer"), told["nearest"]) == (None, [])
    assert explanation(desk.maison, standard)["out_ranked"]["would_serve"] is False
    said = page(desk.operator, silver)
    assert (
        "Out-ranked 1 offer might have taken it. The places went to gifts that rank higher. The lowest rank"
        in said
    )
    assert "One more place in slot-1 would have gone to this gift." in said
    said = page(desk.operator, standard)
    assert "One more place in slot-1 would have gone to a gift of silver rank first." in said
    for order_id in (silver, standard):
        answer = desk.maison("GET", f"/v1/orders/{order_id}/evidence").body.decode()
        told_why = page(desk.maison, order_id).partition("Out-ranked")[2].partition("The rules that held")[0]
        assert "The places went to gifts that rank higher." in told_why
        assert not [word for word in OF_OTHERS if word in told_why + answer.replace('"nearest"', "")]


def test_who_goes_dearer_is_told_in_money_to_operators_only(desk: Desk) -> None:
    enlist.put_crew(desk.stage.world, crew(2))
    enlist.put_permit(desk.stage.world, permit(2))
    enlist.put_slot(desk.stage.world, slot(1, 1))
    enlist.put_slot(desk.stage.world, slot(2, 1, price={"amount": 9000, "currency": "CNY"}))
    mine = place(desk, desk.maison, "mine", "gold"), place(desk, desk.maison, "mine-2", "gold")
    desk.stage.settle()
    (dear,) = (name for name in mine if explanation(desk.operator, name) is not None)
    assert explanation(desk.operator, dear)["dearer"]["saves"] == 6000
    assert explanation(desk.maison, dear)["dearer"] == "worth_more"
    assert "Not the cheapest slot-1 would have cost 60.00 CNY less" in page(desk.operator, dear)
    told_why = page(desk.maison, dear).partition("Not the cheapest")[2].partition("The rules that held")[0]
    assert "Another courier would have cost less, and its places went where they are worth more." in told_why
    assert not [word for word in OF_OTHERS if word in told_why]


def test_what_would_have_let_it_go_says_nothing_of_a_crew_to_a_brand(desk: Desk) -> None:
    enlist.put_crew(desk.stage.world, crew(1, credentials=[]))
    mine = place(desk, desk.maison, "mine", "gold")
    desk.stage.settle()
    assert explanation(desk.operator, mine)["nearest"][0]["reasons"] == ["credential_missing"]
    (near,) = explanation(desk.maison, mine)["nearest"]
    assert near == {"reasons": ["crew_not_cleared"], "slots": 1}
    assert "With a crew that is cleared to go, 1 offer would have been open to it." in page(desk.maison, mine)
    assert "With a test of the kind that the rules ask for, 1 offer (slot-1)" in page(desk.operator, mine)
