"""Two brands send to one household, whose people may come down for one parcel a day. One gift goes, the other waits for
tomorrow, and neither brand can find out that there is another: not in an answer, the evidence, a page or a webhook.
"""

from __future__ import annotations

import copy
import json
from datetime import timedelta
from typing import Any, Final

from chalicelib.domain.policies import Quota
from sandbox import documents, run, shanghai
from sandbox.client import Client
from sandbox.programme._scene import Scene

PRACTICE: Final = "a household's pick-up quota, shared by two brands without either learning of the other"

ONE_A_DAY: Final = shanghai.LOBBY.model_copy(
    update={
        "policy_id": "sha-one-pick-up",
        "title": "Somebody of each flat may come down for one parcel a day (invented)",
        "quotas": (Quota(per="household", limit=1),),
    }
)
FIRST, SECOND = "maison-celadon", "atelier-nuage"
SPELLED: Final = {"building": "03号楼", "unit": "2-501"}
"""The same flat as the other brand has it in its books."""


def play(scene: Scene) -> None:
    unit = {"kind": "compound", "district": "310101", "compound": run.OPEN}
    since = scene.now - timedelta(minutes=1)
    basis = "Notice of the compound's committee (invented)"
    zone = documents.feature("RUN-Garden", unit, ONE_A_DAY, "precautionary", since, since, basis)
    scene.publish([zone], [ONE_A_DAY])
    scene.tell(f"{run.OPEN} lets one person of each household come down once a day")
    brands = {name: scene.brand(name) for name in (FIRST, SECOND)}
    placed = {
        FIRST: _gift(scene, brands[FIRST], FIRST, {"building": "3", "unit": "2单元501室"}),
        SECOND: _gift(scene, brands[SECOND], SECOND, SPELLED),
        "neighbour": _gift(scene, brands[SECOND], "neighbour", {"building": "3", "unit": "2单元502室"}),
    }
    scene.settle()
    scene.tell(f"{FIRST} and {SECOND} each send a dessert box to flat 501, {SECOND} another one to 502")
    scene.pass_time(hours=9)
    owner = {FIRST: FIRST, SECOND: SECOND, "neighbour": SECOND}
    read = {
        which: brands[owner[which]]("GET", f"/v1/orders/{order_id}") for which, order_id in placed.items()
    }
    rows = [
        (owner[which], "502" if which == "neighbour" else "501", order["state"], ", ".join(_why(order)))
        for which, order in read.items()
    ]
    scene.table(("brand", "flat", "came to", "because"), rows)
    both = [which for which in (FIRST, SECOND) if read[which]["state"] == "delivered"]
    scene.promise("of the two gifts to the household exactly one went out", len(both) == 1, both)
    waits = next(which for which in (FIRST, SECOND) if which not in both[:1])
    scene.promise(
        "the other waited, and was told of a quota that is full and of nothing else",
        set(_why_ever(brands[waits], placed[waits])) == {"quota_full"},
        _why_ever(brands[waits], placed[waits]),
    )
    scene.promise(
        "the neighbours got theirs",
        read["neighbour"]["state"] == "delivered",
        read["neighbour"]["state"],
    )
    for name, other in ((FIRST, SECOND), (SECOND, FIRST)):
        mine = [order_id for which, order_id in placed.items() if owner[which] == name]
        told = _all_that_is_told(scene, brands[name], name, mine)
        words = [other, *[order_id for which, order_id in placed.items() if owner[which] == other]]
        words += [_reference(which) for which in placed if owner[which] == other]
        shown = [word for word in words if word in told]
        scene.promise(f"{name} cannot read anything of {other}", not shown, shown)
        scene.promise(f"nothing tells {name} that households are counted", "household" not in told)
    _asks_day_by_day(scene, brands[waits])


def _asks_day_by_day(scene: Scene, brand: Client) -> None:
    """Who asks without ordering is told what would be told if nobody had sent anything."""
    body = _body(scene, SPELLED)
    asked = {name: body[name] for name in ("market", "gift", "pick_up", "recipient", "window")}
    never = copy.deepcopy(asked)
    never["recipient"]["place"]["address"]["unit"] = "7-1203"
    said, of_nobody = (brand("POST", "/v1/clearances", question) for question in (asked, never))
    scene.tell("the brand whose gift waited asks whether anything could go to flat 501, and to 1203")
    scene.promise(
        "a question nobody acts on gets the same answer for a household that had a gift and one that had none",
        (said["decision"], said.get("reasons")) == (of_nobody["decision"], of_nobody.get("reasons")),
        (said["decision"], of_nobody["decision"]),
    )


def _body(scene: Scene, flat: dict[str, str]) -> dict[str, Any]:
    body = run.order_body(scene.now)
    body["recipient"]["place"]["address"].update(flat)
    return body


def _gift(scene: Scene, brand: Client, which: str, flat: dict[str, str]) -> str:
    body = _body(scene, flat) | {"reference": _reference(which)}
    said = brand("POST", "/v1/orders", body, {"Idempotency-Key": f"household-{which}"})
    return str(said["order_id"])


def _reference(which: str) -> str:
    return f"BOX-{which.upper()}"


def _why(order: dict[str, Any]) -> list[str]:
    return list(order.get("reasons", ()))


def _why_ever(brand: Client, order_id: str) -> list[str]:
    """Every reason that ever stood between the gift and its client, but that the window was over in the end."""
    pieces = brand("GET", f"/v1/orders/{order_id}/evidence")["data"]
    return [reason for piece in pieces for reason in piece["reasons"] if reason != "window"]


def _all_that_is_told(scene: Scene, brand: Client, name: str, order_ids: list[str]) -> str:
    """Every word that this brand can get out of the system: lists, orders, evidence as data and as pages, webhooks."""
    told = [json.dumps(list(brand.pages("/v1/orders")))]
    for order_id in order_ids:
        path = f"/v1/orders/{order_id}"
        told += [json.dumps(brand("GET", path)), json.dumps(brand("GET", f"{path}/evidence"))]
        told += [brand.page(f"{path}/evidence", kind).decode() for kind in ("text/html", "text/plain")]
    for hook in brand("GET", "/v1/webhooks")["data"]:
        told += [json.dumps(one) for one in brand.pages(f"/v1/webhooks/{hook['endpoint_id']}/attempts")]
    told += [json.dumps(said) for said in scene.listener(name).heard]
    return "\n".join(told).replace(name, "")
