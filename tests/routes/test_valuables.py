"""A ring over HTTP: its code, its proofs, looks at its address, and what the evidence page tells of all that."""

from __future__ import annotations

import json
from typing import Any

from chalicelib.flows import enlist
from tests.paper import callback
from tests.ring import CONSENT, RING, insured
from tests.routes.conftest import Desk
from tests.routes.test_brands import PERSONAL, place, problem
from tests.stage import body


def ring(desk: Desk, **changes: Any) -> str:
    enlist.put_courier(desk.stage.world, insured())
    desk.stage.settle()
    answer = place(desk, body(**{"gift": RING, "safeguard": {}, **changes}))
    assert answer.status_code == 202, answer.body
    desk.stage.settle()
    return str(answer.json_body["order_id"])


def says(desk: Desk, order_id: str, kind: str) -> None:
    desk.stage.clock.forward(minutes=65 if kind == "picked_up" else 5)
    said = callback(f"{order_id}-1-1", kind, desk.stage.clock.now)
    desk.client.http.post("/v1/callbacks/SHA/paper-co", headers=dict(said.headers), body=said.body)
    desk.stage.settle()


def test_the_ring_is_proven_part_by_part_and_its_page_tells_all_of_it(desk: Desk) -> None:
    order_id = ring(desk)
    path = f"/v1/orders/{order_id}"
    code = desk.maison("GET", f"{path}/codes").json_body["codes"]["hand_over_code"]
    assert desk.other_brand("GET", f"{path}/codes").status_code == 404
    says(desk, order_id, "picked_up")
    sealed = desk.operator("POST", f"{path}/proofs", {"pick_up_seal": "S-4711"})
    assert sealed.status_code == 200 and sealed.json_body["handing"]["seal"] == "S-4711"
    says(desk, order_id, "delivered")
    waiting = desk.maison("GET", path).json_body
    assert (waiting["state"], waiting["handing"]["awaits_proof"]) == ("picked_up", True)
    assert waiting["handing"]["missing"] == ["seal", "code", "identity"]
    wrong = desk.operator("POST", f"{path}/proofs", {"code": f"{(int(code) + 1) % 10**6:06d}"})
    assert (wrong.status_code, problem(wrong)["detail"]) == (409, "this is not the code; 4 more may be tried")
    shown = desk.operator("POST", f"{path}/looks", {"reason": "client-called", "staff": "night"})
    assert shown.status_code == 201 and shown.json_body["recipient"]["name"] == "Wang Secretive"
    proven = desk.operator("POST", f"{path}/proofs", {"seal": "S-4711", "code": code, "identity": "crew-1"})
    assert (proven.status_code, proven.json_body["state"]) == (200, "delivered")
    told_to = {"Accept": "text/plain"}
    page = " ".join(desk.maison("GET", f"{path}/evidence", headers=told_to).body.decode().split())
    for told in (
        "How its hand-over is proven",
        "Handed to the client at the client's door, and left nowhere.",
        "S-4711, read at the pick-up",
        "its courier says that it was handed over, and the proof of that is not whole",
        "Unbroken",
        "Who has read the address",
        "control-room (operator, night), because: client-called",
    ):
        assert told in page, page
    assert not any(word in page for word in PERSONAL) and code not in page
    assert not any(word in json.dumps(proven.json_body) for word in PERSONAL)


def test_nobody_but_an_operator_proves_and_nobody_but_its_brand_has_another_code_made(desk: Desk) -> None:
    order_id = ring(desk)
    path = f"/v1/orders/{order_id}"
    assert desk.maison("POST", f"{path}/proofs", {"identity": "me"}).status_code == 403
    assert desk.operator("POST", f"{path}/codes").status_code == 403
    assert desk.other_brand("POST", f"{path}/codes").status_code == 404
    made = desk.maison("POST", f"{path}/codes")
    assert made.status_code == 201
    codes = desk.maison("GET", f"{path}/codes").json_body["codes"]
    assert codes["hand_over_code"] == made.json_body["hand_over_code"]


def test_what_is_wrong_with_a_proof_is_said_by_its_field(desk: Desk) -> None:
    path = f"/v1/orders/{ring(desk)}/proofs"
    nothing = desk.operator("POST", path, {})
    assert (nothing.status_code, problem(nothing)["detail"]) == (
        422,
        "/: one of pick_up_seal, seal, code, identity, photo was expected",
    )
    short = desk.operator("POST", path, {"code": "12345"})
    assert (short.status_code, problem(short)["errors"][0]["pointer"]) == (422, "/code")
    assert "12345" not in short.body.decode()
    late = desk.operator("POST", path, {"identity": "crew-1"})
    assert (late.status_code, "chain of custody" in problem(late)["detail"]) == (409, True)


def test_an_insurers_paper_and_the_way_without_contact_go_together(desk: Desk) -> None:
    enlist.put_courier(desk.stage.world, insured())
    for guard in ({"contactless": "code_seal_photo"}, {"insurer_consent": "paper-7"}):
        refused = place(desk, body(gift=RING, safeguard=guard))
        assert (refused.status_code, problem(refused)["errors"][0]["pointer"]) == (422, "/safeguard")
    taken = place(desk, body(gift=RING, safeguard=CONSENT))
    assert taken.json_body["safeguard"]["insurer_consent"] == "lloyds-2022-17"


def test_a_dry_run_says_of_a_ring_what_dispatch_would(desk: Desk) -> None:
    ring(desk)
    asked = {name: body()[name] for name in ("market", "pick_up", "recipient", "window")}
    answer = desk.maison("POST", "/v1/clearances", {**asked, "gift": RING, "safeguard": {}}).json_body
    assert (answer["decision"], answer["reasons"]) == ("no", ["vehicle_shared"])


def test_the_same_request_again_has_the_same_answer_though_a_code_was_made_for_it(desk: Desk) -> None:
    enlist.put_courier(desk.stage.world, insured())
    desk.stage.settle()
    first = place(desk, body(gift=RING, safeguard={}))
    desk.stage.settle()
    again = place(desk, body(gift=RING, safeguard={}))
    assert (again.status_code, again.json_body) == (202, first.json_body)
