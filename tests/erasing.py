"""A client of whom there is something everywhere, and a reader who looks everywhere for it: for the test of erasure."""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from chalicelib.aws.packing import unpack
from chalicelib.domain.client_rows import data_key_of_client
from chalicelib.domain.clients import client_id_of
from chalicelib.domain.errors import Newer
from chalicelib.domain.keys import Role
from chalicelib.domain.orders import OrderState
from chalicelib.domain.passes import pass_id_of
from chalicelib.domain.ports import Row
from chalicelib.flows import enlist, listen, sign_in
from chalicelib.flows.hear import hear
from cli.openapi import OPERATIONS, PEOPLE, names_of
from tests import digital, stage, talking
from tests.fakes import _MIRROR
from tests.flows.crash_steps import point_at
from tests.flows.test_take_in import HEAD
from tests.watch import Watch

NAME, PHONE, EMAIL = "Ottilie Quartermain", "+8613911112222", "ottilie.q@garden.example"
NUMBER, BSUID, LINE = PHONE[1:], "CN.77788899900011122", "Lane 77, Secret Garden Road, flat 1204"
SAID, CARD, ALLERGEN = "I am at my sister's, 4th floor", "Cake for Ottilie", "sesame-and-lupin"
SECRETS = (NAME, "Ottilie", NUMBER, EMAIL, BSUID, "Secret Garden", "flat 1204", SAID, ALLERGEN)
"""What says who and where the client is, and what it said."""
NEIGHBOUR = "Rosamunde Neighbour"
VIC = client_id_of("maison", "vic-1")

PLACES = ("home", "gate", "nowhere")
STUDIO = "yoga-studio"


def _place(compound: str) -> dict[str, Any]:
    there = stage.place_at(compound)
    return {**there, "address": {**there["address"], "line": LINE, "unit": "flat 1204"}}


def _person(name: str = NAME) -> dict[str, Any]:
    if name != NAME:
        return {"name": name, "phone": "+8613922223333", "places": {"home": stage.place_at("Yongjia")}}
    places = {"home": _place("Yongjia"), "gate": _place("Garden"), "nowhere": _place("Nowhere")}
    return {
        "name": name,
        "phone": PHONE,
        "email": EMAIL,
        "whatsapp": [BSUID],
        "allergens": [ALLERGEN],
        "places": places,
    }


def _gift() -> dict[str, Any]:
    (item,) = stage.body()["gift"]["items"]
    return {"items": [{name: item[name] for name in ("item_class", "value")} | {"name": CARD}]}


def _wish(reference: str = "vic-1", place: str = "home", hours: float = 4.5, **more: Any) -> dict[str, Any]:
    window = {
        "start": stage.NOON.isoformat(),
        "end": (stage.NOON + timedelta(hours=hours)).isoformat(),
        "time_zone": "Asia/Shanghai",
    }
    return stage.client_order(reference, place=place, window=window, gift=_gift(), **more)


class Scene:
    """Orders of that client in every state there is, messages, a list, a campaign, passes, purchases, acts."""

    def __init__(self, watch: Watch) -> None:
        self.watch, self.on, self.orders = watch, watch.on, dict[str, str]()
        self.names: dict[str, list[str]] = {}

    # --- before -------------------------------------------------------------------------------------------------

    def _good(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        answer = self.watch.ask(method, path, body, **headers)
        assert answer.status_code < 300, (method, path, answer.body)
        return json.loads(answer.body) if answer.body[:1] in (b"{", b"[") else answer.body

    def _give(self, name: str, settled: bool = True, **more: Any) -> str:
        made = self._good("POST", "/v1/orders", _wish(**more), Idempotency_Key=f"k-{name}")
        self.orders[name] = made["order_id"]
        if settled:
            self.watch.settle()
        return self.orders[name]

    def _say(self, name: str, *kinds: str) -> None:
        for kind in kinds:
            self.on.clock.forward(minutes=1)
            self.watch.say(self.orders[name], kind)
            self.watch.settle()

    def _cancel(self, name: str) -> None:
        version = self.on.order(self.orders[name]).version
        self._good("POST", f"/v1/orders/{self.orders[name]}/cancel", If_Match=f'"v{version}"')
        self.watch.settle()

    def set_up(self) -> None:
        watch, on = self.watch, self.on
        self.meta = talking.connected(on)
        stage.publish_rules(on.world, "amend", stage.zone("Garden", "sealed@1", "sealed"))
        watch.settle()
        for reference, name in (("vic-1", NAME), ("vic-2", NEIGHBOUR)):
            told = talking.client_body(person=_person(name), associate_id="anna")
            self._good("PUT", f"/v1/clients/{reference}", told)
        self._good("PUT", "/v1/associates/anna", {"name": "Anna", "countries": ["CN"], "locale": "en"})
        self._buy()
        cake = {"gift": stage.body()["gift"]}
        self._good("POST", "/v1/orders", _wish("vic-2") | cake, Idempotency_Key="k-neighbour")
        self._give("stranded", place="nowhere", hours=0.4)
        self._give("cancelled")
        self._cancel("cancelled")
        for name in ("delivered", "failed", "returned", "returning", "picked_up"):
            self._give(name)
        self._give("at_gate", place="gate")
        self._talk()
        for name in ("delivered", "failed", "returned", "returning", "picked_up", "at_gate"):
            self._say(name, "picked_up")
        for name, end in (("delivered", "delivered"), ("at_gate", "delivered"), ("failed", "failed")):
            self._say(name, end)
        self._say("returned", "returned")
        self._say("returning", "returning")
        self._relay()
        self._good("PUT", "/v1/digital-gifts/YOGA", digital.yoga())
        self._instead()
        watch.minutes(30, every=5)
        self._give("held", place="nowhere")
        self._give("booked")
        self._hand_in_a_list()
        self._campaign()
        self._look()
        self._give("assigned", settled=False)
        on.company.deaf.add("book")
        watch.settle()
        self._give("placed", settled=False)
        watch.say(self.orders["relayed"], "delivered")
        hear(on.world, self.orders["relayed"])
        watch.queues.messages.clear()  # and nobody has come to it yet
        on.company.deaf.clear()

    def _buy(self) -> None:
        bought = {
            "purchase": "till-1",
            "at": stage.NOON.isoformat(),
            "amount": {"amount": 5, "currency": "CNY"},
        }
        self._good("POST", "/v1/clients/vic-1/purchases", {"purchases": [bought]})
        until = (stage.NOON + timedelta(days=9)).isoformat()
        grant = {"grant": "g-1", "tier": "gold", "reason": "expected-to-spend", "expires_at": until}
        self._good(
            "PUT", "/v1/programme", {"tiers": [{"tier": "gold", "spend": {"amount": 9, "currency": "CNY"}}]}
        )
        self._good("POST", "/v1/clients/vic-1/grants", grant, **{"X-Acting-Staff": "li.wei"})

    def _talk(self) -> None:
        """The client answers on WhatsApp, and writes where it is; the brand writes back."""
        listen.take(self.on.world, "maison", talking.signed(
            talking.wrote(SAID, self.on.clock.now, number=NUMBER, user_id=BSUID)
        ))  # fmt: skip
        self.watch.settle()
        self._good(
            "POST", "/v1/clients/vic-1/messages", {"text": f"Dear {NAME}, so be it"}, Idempotency_Key="w-1"
        )
        self.watch.settle()

    def _relay(self) -> None:
        self._give("relayed", place="gate", settled=False)
        self.watch.queues.messages.clear()
        order_id = self.orders["relayed"]
        at = {"Authorization": f"Bearer {self.watch.operator_key}", "If-Match": '"v1"'}
        answer = self.watch.ask("PUT", f"/v1/orders/{order_id}/relay", point_at("Yongjia"), **at)
        assert answer.status_code == 202, answer.body
        self.watch.minutes(2)
        self._say("relayed", "picked_up")

    def _instead(self) -> None:
        """What nobody may carry is given as a pass."""
        order_id = self._give("fulfilled_digitally", place="nowhere")
        version = self.on.order(order_id).version
        told = {"action": "send", "gift": "YOGA"}
        self._good("POST", f"/v1/orders/{order_id}/digital", told, If_Match=f'"v{version}"')
        self.watch.settle()
        self.names["pass_id"] = [pass_id_of(order_id)]
        self._good("GET", f"/v1/passes/{pass_id_of(order_id)}/code")

    def _hand_in_a_list(self) -> None:
        cells = f'vic-1,{NAME},{PHONE},CN,en,Asia/Shanghai,Shanghai,310101,Yongjia,77,"{LINE}",121.49,31.22,GCJ02,exact'
        begun = self._good("POST", "/v1/lists", {})["list_id"]
        at = f"/v1/lists/{begun}"
        self._good("PUT", f"{at}/parts/1", f"{HEAD}\n{cells}\n".encode(), **{"Content-Type": "text/csv"})
        self._good("POST", f"{at}/finish", {"parts": 1})
        self.watch.settle()
        # what a list does not have a column for is taken out: the person is whole again
        told = talking.client_body(person=_person(), associate_id="anna")
        version = self.watch.ask("GET", "/v1/clients/vic-1").headers["ETag"]
        self._good("PUT", "/v1/clients/vic-1", told, If_Match=version)
        self.names["list_id"] = [begun]

    def _campaign(self) -> None:
        told = {name: stage.body()[name] for name in ("market", "pick_up", "gift")}
        told |= {"reference": "BOXES", "audience": {"rule": {}}, "day": "2022-04-11"}
        told["hours"] = [{"start": "14:00", "end": "16:30"}]
        made = self._good("POST", "/v1/campaigns", told, Idempotency_Key="boxes")
        self.watch.settle()
        at = f"/v1/campaigns/{made['campaign_id']}"
        tag = self.watch.ask("GET", at).headers["ETag"]
        self._good("POST", f"{at}/place", If_Match=tag)
        self.watch.settle()
        self._good("POST", f"{at}/report")
        self.watch.settle()
        self.names["campaign_id"] = [made["campaign_id"]]
        listed = self._good("GET", "/v1/orders?limit=100")["data"]
        known = set(self.orders.values())
        (ours,) = [
            one["order_id"]
            for one in listed
            if one["order_id"] not in known and self.on.order(one["order_id"]).client_id == VIC
        ]
        self.orders["of_campaign"] = ours

    def _look(self) -> None:
        booked = self.orders["booked"]
        look = self.watch.operate("POST", f"/v1/orders/{booked}/looks", {"reason": "client-called"})
        assert look.status_code < 300 and LINE in look.body.decode()
        link = self._good("POST", f"/v1/orders/{booked}/link", {})
        self.names["token"] = [str(link["url"]).rpartition("/")[2]]

    # --- the erasure ----------------------------------------------------------------------------------------------

    def erase(self) -> None:
        """Ask for it, let what is on its way end, and wait until a day after."""
        self._good("DELETE", "/v1/clients/vic-1")
        self.watch.minutes(40, every=4)
        assert self.on.order(self.orders["picked_up"]).state is OrderState.PICKED_UP
        self._say("picked_up", "delivered")
        self._say("returning", "returned")
        self.watch.minutes(32, every=8)
        told = self._good("GET", "/v1/clients/vic-1/erasure")
        if told["state"] != "erased":  # whoever never says how it ended is waited for no longer than that
            self.on.clock.forward(days=30)
            self.watch.minutes(4)
        assert self._good("GET", "/v1/clients/vic-1/erasure")["state"] == "erased"
        self.on.clock.forward(days=1)
        self.watch.minutes(4)


# --- who looks for it ---------------------------------------------------------------------------------------------


def traces(scene: Scene, secrets: tuple[str, ...] = SECRETS, *, asks: bool = True) -> list[str]:
    """Every place in which any of it can still be read; `asks`: over HTTP, too, which takes longest."""
    found = []
    for where, text in everything(scene) if asks else _kept(scene):
        found += [f"{secret!r} in {where}" for secret in secrets if secret.casefold() in text.casefold()]
    return found


def everything(scene: Scene) -> Iterator[tuple[str, str]]:
    """All there is, by its place: rows with whatever a key that is left still opens, queues, letters, lines, answers."""
    yield from _kept(scene)
    yield from _answers(scene)


def _kept(scene: Scene) -> Iterator[tuple[str, str]]:
    table: Any = scene.on.plain.table
    for key, row in dict(table.rows).items():
        yield f"the row {key}", "\n".join(_readable_in(row, table))
    queues: Any = scene.watch.queues
    yield "a queue", repr(queues.messages) + repr(queues.sent)
    yield "a dead letter", repr(queues.letters)
    yield "a line of the log", scene.watch.text
    yield "what flows passed to the log", repr(scene.watch.raw)
    yield "a webhook", json.dumps(scene.on.brand.heard, ensure_ascii=False)


def _readable_in(row: Row, table: Any) -> Iterator[str]:
    yield f"{row.key.pk} {row.key.sk} {row.shelf} {row.place_on_shelf} {row.work} {row.due}"
    yield from _opened(row.sealed, table)
    yield from _opened(row.body.encode(), table)
    yield json.dumps(_loaded(row.body), ensure_ascii=False)
    for told in re.findall(r'"([0-9a-f]{40,}|[A-Za-z0-9+/]{40,}={0,2})"', row.body):
        for decode in (bytes.fromhex, base64.b64decode):
            try:
                yield from _opened(decode(told), table)
            except (ValueError, binascii.Error):
                continue


def _loaded(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body


def _opened(raw: bytes, table: Any, depth: int = 0) -> Iterator[str]:
    """As text, and as what it would be opened, unpacked or decoded."""
    if not raw or depth > 4:
        return
    yield raw.decode("utf-8", "replace")
    if raw.startswith(b"owned:"):
        _, owner, inner = raw.split(b":", 2)
        if table.rows.get(data_key_of_client(owner.decode())) is not None:
            yield from _opened(inner, table, depth + 1)
    elif raw.startswith(b"sealed:"):
        for at in (at.end() for at in re.finditer(b":", raw)):  # whatever it was sealed for
            yield raw[at:].translate(_MIRROR).decode("utf-8", "replace")
            yield from _unpacked(raw[at:].translate(_MIRROR))
    yield from _unpacked(raw)


def _unpacked(raw: bytes) -> Iterator[str]:
    for how in (
        unpack,
        zlib.decompress,
        lambda text: zlib.decompress(text, 31),
        lambda text: zlib.decompress(text, -15),
    ):
        try:
            yield how(raw).decode("utf-8", "replace")
        except (zlib.error, ValueError, Newer, IndexError):
            continue


KINDS = ("application/json", "text/html", "text/plain", "text/csv")


def _answers(scene: Scene) -> Iterator[tuple[str, str]]:
    """What brands and operators get from every route that reads, as JSON, as pages and as files."""
    partner = enlist.create_key(scene.on.plain, Role.PARTNER, STUDIO)
    known = {
        **scene.names, "order_id": list(scene.orders.values()), "reference": ["vic-1"], "market_id": ["SHA"],
        "evidence_id": ["0001"], "endpoint_id": ["hook-1"], "gift": ["YOGA"], "associate_id": ["anna"],
        "kind": ["whatsapp", "email"],
    }  # fmt: skip
    keys = {"brand": scene.watch.brand_key, "operator": scene.watch.operator_key, "partner": partner}
    for (method, path), operation in OPERATIONS.items():
        if method != "GET" or not set(names_of(path)) <= known.keys():
            continue
        for role in operation.roles or ("brand",):
            for at in _filled(path, known):
                for kind in KINDS if operation.pages or "report" in path else KINDS[:2]:
                    query = "?brand=maison" if "brand" in operation.query else ""
                    told = {"Authorization": f"Bearer {keys.get(role, keys['brand'])}", "Accept": kind}
                    answer = scene.watch.ask("GET", at + query, **told)
                    if answer.status_code == 503:  # the board is being counted
                        scene.watch.settle()
                        answer = scene.watch.ask("GET", at + query, **told)
                    assert answer.status_code < 500, (at, role, kind, answer.body)
                    yield f"{role}: GET {at} as {kind}", answer.body.decode("utf-8", "replace")
    yield from _pages(scene, known)


def _pages(scene: Scene, known: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    """What whoever sits at the board is shown."""
    secret, _ = sign_in.invite(scene.on.world, "mei", "control-room")
    token, _ = sign_in.enter(scene.on.world, secret)
    told = {"Cookie": f"__Host-cordon-board={token}", "Accept": "text/html", "Authorization": ""}
    for method, path in PEOPLE:
        if method == "GET" and path.startswith("/board") and set(names_of(path)) <= known.keys():
            for at in _filled(path, known):
                answer = scene.watch.ask("GET", at, **told)
                assert answer.status_code < 400, (at, answer.body)
                yield f"the board: GET {at}", answer.body.decode("utf-8", "replace")


def _filled(path: str, known: dict[str, list[str]]) -> list[str]:
    found = [path]
    for name in names_of(path):
        found = [each.replace(f"{{{name}}}", value) for each in found for value in known[name]]
    return found
