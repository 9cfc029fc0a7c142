"""The whole app under observation: its real front door and listeners on a stage, each nudge carrying its trace as a
message of SQS does, and every line that comes out."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from chalice.test import Client

import app as front
from chalicelib import journal, wiring
from chalicelib.domain import facts, nudges
from chalicelib.domain.breaker import FAILURES
from chalicelib.domain.campaigns import NewCampaign
from chalicelib.domain.clients import Purpose, client_id_of
from chalicelib.domain.dialect import Reply
from chalicelib.domain.errors import Invalid, Throttled, Unanswered
from chalicelib.domain.fleet import Courier
from chalicelib.domain.impact import ImpactQuestion
from chalicelib.domain.keys import Role, hash_of, key_place
from chalicelib.domain.lists import ListStart
from chalicelib.domain.passes import pass_id_of
from chalicelib.domain.ports import Keep, Row, Topic, World
from chalicelib.flows import agree, enlist, inquire, mount, opt_out, quote, suspect, take_in
from tests import digital, drive, stage, swaps, talking
from tests.fakes import FakeQueues
from tests.flows import test_take_in
from tests.paper import callback
from tests.ring import RING, insured
from tests.security.gateway import campaign_body

LISTENERS = {topic: getattr(front, f"on_{topic.value}") for topic in Topic}


def metrics_in(lines: Iterable[str]) -> dict[tuple[str, tuple[tuple[str, str], ...]], list[float]]:
    """Lines read as CloudWatch reads them: values by metric and dimensions."""
    found: dict[tuple[str, tuple[tuple[str, str], ...]], list[float]] = {}
    for line in lines:
        document = json.loads(line)
        for directive in document.get("_aws", {}).get("CloudWatchMetrics", ()):
            for names in directive["Dimensions"]:
                at = tuple((name, document[name]) for name in names)
                for metric in directive["Metrics"]:
                    value = document[metric["Name"]]
                    found.setdefault((metric["Name"], at), []).extend(
                        value if isinstance(value, list) else [value]
                    )
    return found


class TracedQueues(FakeQueues):
    """Messages with the attribute that `SqsQueues` puts on them."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[tuple[Topic, str, str | None]] = []

    def nudge(self, topic: Topic, ids: Iterable[str]) -> None:
        self.messages += [(topic, name, journal.traceparent()) for name in dict.fromkeys(ids)]


class Watch:
    """What was written, and the world it was written in."""

    def __init__(self, on: stage.Stage, client: Client, queues: TracedQueues, lines: list[str]) -> None:
        self.on, self.client, self.queues, self._lines = on, client, queues, lines
        self.raw: list[tuple[str, dict[str, Any]]] = []
        """What flows passed to the log, before anything was hidden."""
        self.brand_key = enlist.create_key(on.plain, Role.BRAND, "maison")
        self.operator_key = enlist.create_key(on.plain, Role.OPERATOR, "control-room")
        self._messages = 0

    @property
    def text(self) -> str:
        return "".join(self._lines)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Facts, without the metrics."""
        every = [json.loads(line) for line in self._lines]
        return [line for line in every if "_aws" not in line]

    @property
    def measured(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], list[float]]:
        return metrics_in(self._lines)

    def operate(self, method: str, path: str, body: Any = None) -> Any:
        """A request of the control room."""
        return self.ask(method, path, body, Authorization=f"Bearer {self.operator_key}")

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """A request of the brand."""
        sent = {"Authorization": f"Bearer {self.brand_key}", "Content-Type": "application/json"}
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.http.request(method, path, headers=sent | more, body=raw)

    def place(self, key: str, body: dict[str, Any] | None = None, **headers: str) -> str:
        answer = self.ask("POST", "/v1/orders", body or stage.body(), Idempotency_Key=key, **headers)
        assert answer.status_code == 202, answer.body
        return str(json.loads(answer.body)["order_id"])

    def say(
        self, order_id: str, kind: str, *, secret: str = "paper-secret", courier: str = "paper-co"
    ) -> Any:
        """A callback of a courier about the order's last booking, over HTTP."""
        return self.call(self.on.order(order_id).leg.bookings[-1].reference, kind, secret, courier)

    def call(
        self,
        reference: str,
        kind: str,
        secret: str = "paper-secret",
        courier: str = "paper-co",
        minutes: int = 0,
    ) -> Any:
        """The same about any reference, dated so many minutes from now."""
        said = callback(reference, kind, self.on.clock.now + timedelta(minutes=minutes), secret=secret)
        path = f"/v1/callbacks/SHA/{courier}"
        return self.client.http.request("POST", path, headers=dict(said.headers), body=said.body)

    def deliver(self, body: str, topic: Topic, *, receives: int = 1, traceparent: str | None = None) -> Any:
        return self._handle(topic, [(body, traceparent)], receives)

    def settle(self) -> None:
        """Every message goes to its listener, those of one queue that wait together in one batch."""
        while self.queues.messages:
            topic = self.queues.messages[0][0]
            batch = [m for m in self.queues.messages if m[0] is topic][:10]
            for message in batch:
                self.queues.messages.remove(message)
            answer = self._handle(topic, [(nudges.write(name), trace) for _, name, trace in batch])
            assert answer == {"batchItemFailures": []}, answer

    def _handle(self, topic: Topic, some: list[tuple[str, str | None]], receives: int = 1) -> Any:
        records = []
        for body, trace in some:
            self._messages += 1
            attribute = {"stringValue": trace, "dataType": "String"}
            records.append(
                {
                    "messageId": f"m-{self._messages}",
                    "receiptHandle": "h",
                    "body": body,
                    "attributes": {
                        "ApproximateReceiveCount": str(receives),
                        "SentTimestamp": "1649649600000",
                    },
                    "messageAttributes": {"traceparent": attribute} if trace else {},
                    "eventSource": "aws:sqs",
                }
            )
        return LISTENERS[topic]({"Records": records}, None)

    def minutes(self, count: int, every: int = 1) -> None:
        for _ in range(0, count, every):
            self.on.clock.forward(minutes=every)
            front.tick(_event(), None)
            front.sweep(_event(), None)
            self.settle()


def _event() -> dict[str, Any]:
    return {
        "version": "0", "id": "e", "detail-type": "Scheduled Event", "source": "aws.events", "account": "0",
        "time": "2022-04-11T04:00:00Z", "region": "eu-west-1", "resources": ["r"], "detail": {},
    }  # fmt: skip


@contextmanager
def watching(**changes: Any) -> Iterator[Watch]:
    """A stage whose world writes its lines and sends its nudges as the real one does."""
    lines: list[str] = []
    queues = TracedQueues()
    seen: list[Watch] = []

    def log(event: str, **facts: Any) -> None:
        if seen:
            seen[0].raw.append((event, facts))
        journal.log(event, **facts)

    def wrap(world: World) -> World:
        return dataclasses.replace(world, queues=queues, log=log, memory={})

    on = stage.stage(wrap=wrap, **changes)
    wiring.use(on.world)
    journal.write_to(lines.append)
    try:
        with Client(front.app) as client:
            watch = Watch(on, client, queues, lines)
            seen.append(watch)
            yield watch
    finally:
        journal.write_to(None)
        wiring.use(None)


def a_hard_day(watch: Watch) -> None:
    """Everything that alarms watch for, once at least: couriers and brands that fail, forged and unreadable
    callbacks, gifts moved uncleared, what nobody can read, and bugs."""
    on = watch.on
    _a_ring(watch)
    _something_else(watch)
    delivered = watch.place("k-delivered")
    watch.settle()
    for kind in ("picked_up", "delivered"):
        on.clock.forward(minutes=5)
        watch.say(delivered, kind)
        watch.settle()
    on.company.deaf.add("book")
    watch.place("k-silent")
    watch.settle()
    on.company.deaf.clear()
    on.company.refuse["book"] = "no_riders"
    watch.place("k-refused")
    watch.settle()
    on.company.refuse["book"] = "closed_area"
    for gift in ("k-shut", "k-shut-too"):
        watch.place(gift)
        watch.settle()
    on.company.refuse.clear()
    for shut in suspect.suspicions(on.world, "SHA"):  # somebody has looked, and it is open
        suspect.dismiss(on.world, "SHA", shut.suspicion_id)
    watch.settle()
    watch.minutes(10, every=5)
    watch.place("k-nowhere", stage.body("Nowhere"))  # no rules are known there
    watch.settle()
    sealed, failed = watch.place("k-sealed"), watch.place("k-failed")
    watch.settle()
    watch.say(sealed, "picked_up", secret="forged")
    watch.say(sealed, "never_heard_of")
    watch.say(failed, "picked_up")
    watch.settle()
    watch.say(failed, "failed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(on.company, "jobs", {})
        on.clock.forward(minutes=90)
        watch.minutes(30, every=10)
    with pytest.MonkeyPatch.context() as patch:
        line: Any = on.world.line
        patch.setattr(line, "answer", lambda request: Reply(503, {}, b""))
        watch.place("k-unsure")
        watch.settle()
        patch.undo()
        patch.setattr(drive, "rezone", lambda *_: None)  # nobody has decided again when the gift is fetched
        stage.publish_rules(on.plain, "amend", stage.zone("Yongjia", "banned@1", "sealed"))
    watch.say(sealed, "picked_up")
    watch.settle()
    on.brand.answer = lambda request: Reply(503, {}, b"")
    watch.place("k-untold", stage.body("Nowhere"))
    watch.settle()
    on.brand.answer = lambda request: Reply(410, {}, b"")
    watch.minutes(20, every=10)
    on.brand.answer = None
    watch.deliver("{", Topic.BOOK)
    watch.deliver(nudges.write("no-verb"), Topic.RULES)
    with pytest.MonkeyPatch.context() as patch:

        def broken(*_: Any, **__: Any) -> Any:
            raise RuntimeError("Wang Secretive lives at +8613800138001")

        patch.setattr(on.world.table, "read", broken)
        watch.deliver(nudges.write(sealed), Topic.TELL)
    with pytest.MonkeyPatch.context() as patch:
        watch.place("k-broken")
        patch.setattr(on.world.sealer, "unseal", broken)
        watch.deliver(nudges.write("SHA"), Topic.DISPATCH)
    on.clock.forward(hours=6)
    watch.minutes(2)
    _couriers_in_doubt(watch)
    _rules_and_keys(watch)
    _a_list_is_handed_in(watch)
    _a_programme_is_set_up(watch)
    _what_needs_no_courier(watch)
    _clients_are_spoken_to(watch)
    _a_client_is_forgotten(watch)


def _a_client_is_forgotten(watch: Watch) -> None:
    """One who never got a gift: it is done at once."""
    told = stage.client_body(person={"name": "Wang Secretive", "phone": "+8613800138009"})
    watch.ask("PUT", "/v1/clients/vic-leaving", told)
    assert watch.ask("DELETE", "/v1/clients/vic-leaving").status_code == 202
    watch.settle()


def _clients_are_spoken_to(watch: Watch) -> None:
    """One who answers, one whom nobody reaches, one who has not agreed; and what is forged, foreign or without an
    account."""
    on, world = watch.on, watch.on.world
    meta = talking.connected(on)
    on.clock.now += timedelta(days=1)
    on.clock.now = on.clock.now.replace(hour=4)
    bodies = {
        "vic-talks": {},
        "vic-silent": {"channels": ["whatsapp"]},
        "vic-no": {"purposes": ("cross_border",)},
    }
    for name, more in bodies.items():
        talking.enrolled(on.plain, name, **more)

    def given(name: str) -> str:
        start, end = (on.clock.now + timedelta(hours=hours) for hours in (1, 4))
        window = {"start": start.isoformat(), "end": end.isoformat(), "time_zone": "Asia/Shanghai"}
        whole = stage.client_order(name, place=None, window=window) | {"reference": name}
        del whole["client"], whole["place"], whole["occasion"]
        order_id = watch.place(f"k-{name}", whole | {"recipient": stage.body()["recipient"]})
        order = on.order(order_id)
        client_id = client_id_of("maison", name)
        changes = {"client_id": client_id, "version": order.version + 1}
        talking.keep(on.plain, order.model_copy(update=changes))
        return order_id

    def hears(body: Any, secret: str = talking.ACCOUNT["app_secret"]) -> int:
        said = talking.signed(body, secret)
        at = "/v1/channels/whatsapp/maison"
        answer = watch.client.http.request("POST", at, headers=dict(said.headers), body=said.body)
        return int(answer.status_code)

    talks = given("vic-talks")
    watch.settle()
    name = talking.name_of(meta.sent[-1])
    now = on.clock.now
    assert hears(talking.status(name, "read", now)) == 200
    assert hears(talking.pressed(f"{name}:accept", now)) == 200
    assert (
        hears(talking.wrote("I live at Lane 12, Huangpu", now, number="4915112345678", user_id=None)) == 200
    )
    assert hears(talking.wrote("I live at Lane 12, Huangpu", now), "forged") == 401
    watch.settle()
    assert watch.ask("GET", "/v1/clients/vic-talks/messages").status_code == 200
    assert watch.ask("GET", f"/v1/orders/{talks}/messages").status_code == 200
    given("vic-no")
    watch.settle()

    def silent(request: Any) -> Any:
        raise Unanswered("graph.example: timed out")

    meta.answer = silent
    given("vic-silent")
    watch.settle()
    watch.minutes(9, every=3)
    with pytest.MonkeyPatch.context() as patch:
        secrets: Any = world.secrets
        patch.setattr(secrets, "by_account", {})
        talking.enrolled(on.plain, "vic-unknown")
        given("vic-unknown")
        watch.settle()
    opt_out.opt_out(world, on.order(talks))


def _a_programme_is_set_up(watch: Watch) -> None:
    """A brand with tiers, an associate, and a client who buys, is granted a tier, and is given a cake."""
    now, staff = watch.on.clock.now, {"X-Acting-Staff": "li.wei"}
    tiers = [{"tier": "gold", "spend": {"amount": 10_000_000, "currency": "CNY"}}]
    watch.ask("PUT", "/v1/programme", {"tiers": tiers})
    named = {"name": "Li Baoxian", "countries": ["CN"], "locale": "zh-CN"}
    watch.ask("PUT", "/v1/associates/anna", named)
    watch.ask("PUT", "/v1/clients/vic-tier", stage.client_body("Wang Secretive", associate_id="anna"))
    bought = {"purchase": "till-1", "at": now.isoformat(), "amount": {"amount": 5, "currency": "CNY"}}
    counted = watch.ask("POST", "/v1/clients/vic-tier/purchases", {"purchases": [bought]})
    until = (now + timedelta(days=9)).isoformat()
    grant = {"grant": "g-1", "tier": "gold", "reason": "expected-to-spend", "expires_at": until}
    granted = watch.ask("POST", "/v1/clients/vic-tier/grants", grant, **staff)
    assert (counted.status_code, granted.status_code) == (200, 201)
    window = {"start": (now + timedelta(hours=1)).isoformat(), "end": (now + timedelta(hours=4)).isoformat()}
    assert watch.place("k-given", stage.client_order("vic-tier", window=window), **staff)


def _what_needs_no_courier(watch: Watch) -> None:
    """A partner's codes are loaded; one is given in the place of a parcel, read, and redeemed."""
    on, studio = watch.on, enlist.create_key(watch.on.plain, Role.PARTNER, digital.STUDIO)
    watch.ask("PUT", "/v1/digital-gifts/STUDIO", digital.listed(title="For Wang Secretive"))
    watch.ask("PUT", "/v1/digital-gifts/STUDIO/codes/1", {"codes": ["WANG-SECRETIVE-4711"]})
    start = on.clock.now + timedelta(hours=1)
    window = {"start": start.isoformat(), "end": (start + timedelta(hours=3)).isoformat()}
    instead = watch.place("k-instead", stage.body("Nowhere", window=window))
    watch.settle()
    sent = {"action": "send", "gift": "STUDIO"}
    at = f'"v{on.order(instead).version}"'
    assert watch.ask("POST", f"/v1/orders/{instead}/digital", sent, If_Match=at).status_code == 202
    watch.settle()
    told = watch.ask("GET", f"/v1/passes/{pass_id_of(instead)}/code")
    more = {"Authorization": f"Bearer {studio}", "Idempotency_Key": "visit-1"}
    shown = {"code": json.loads(told.body)["code"]}
    for status in (200, 200):
        assert watch.ask("POST", "/v1/redemptions", shown, **more).status_code == status
    assert watch.ask("POST", "/v1/redemptions", {"code": "WANG-SECRETIVE-4712"}, **more).status_code == 404


def _something_else(watch: Watch) -> None:
    """The kitchen is sealed: what its brand would rather not have goes back, and what is next goes."""
    on, began = watch.on, watch.on.clock.now
    swaps.allow(on, swaps.FLOWERS, swaps.NUTS)
    stage.publish_rules(on.world, "amend", stage.zone("Second"), swaps.SEALED_KITCHEN)
    watch.settle()
    shut = watch.place("k-shut-kitchen", stage.body(gift={"items": [swaps.CAKE]}))
    watch.settle()
    said = {"consent": "client", "evidence": "call-1"}
    for number, answer in ((1, "decline"), (2, "accept")):
        path = f"/v1/orders/{shut}/proposals/{number}/{answer}"
        assert watch.ask("POST", path, said).status_code == 202
        watch.settle()
    stage.publish_rules(on.world, "amend", swaps.OPEN_KITCHEN)
    watch.settle()
    on.clock.now = began


def _a_ring(watch: Watch) -> None:
    """A gift of great value, whose courier is quicker with its word than with its proof."""
    on, began = watch.on, watch.on.clock.now
    enlist.put_courier(on.plain, insured())
    for put, made in ((enlist.put_crew, stage.crew), (enlist.put_permit, stage.permit)):
        put(on.plain, made(8))
    enlist.put_slot(on.plain, stage.slot(8, 1, price={"amount": 1, "currency": "CNY"}))
    watch.settle()
    ring = watch.place("k-ring", stage.body(gift=RING, safeguard={}))
    watch.settle()
    on.clock.forward(minutes=65)
    watch.operate("POST", f"/v1/orders/{ring}/proofs", {"identity": "crew-8"})
    watch.say(ring, "picked_up")
    watch.settle()
    assert watch.ask("POST", f"/v1/orders/{ring}/codes").status_code == 201
    watch.operate("POST", f"/v1/orders/{ring}/proofs", {"pick_up_seal": "S-1"})
    for said in ({"seal": "S-2"}, {"code": "000000"}):
        watch.operate("POST", f"/v1/orders/{ring}/proofs", said)
    watch.say(ring, "delivered")
    watch.settle()
    watch.operate("POST", f"/v1/orders/{ring}/looks", {"reason": "client-called"})
    watch.minutes(40, every=10)
    on.clock.now = began


def _couriers_in_doubt(watch: Watch) -> None:
    """Couriers that speak of what is not theirs, keep what they should give up, and are gone themselves."""
    on, world = watch.on, watch.on.world
    on.clock.now = stage.NOON + timedelta(minutes=30)
    stage.publish_rules(on.world, "amend", stage.zone("Yongjia"))
    watch.settle()
    enlist.put_slot(on.plain, stage.slot(1, 30))
    watch.settle()
    _a_gift_goes_out_again(watch)
    _a_visit_whose_pieces_stay_out(watch)
    _a_courier_is_down(watch)
    secrets: Any = world.secrets
    secrets.by_account["paper", "second"] = [{"secret": "second-secret"}]
    second = Courier(courier_id="second-co", market_id="SHA", dialect="paper", account="second")
    enlist.put_courier(on.plain, second)
    kept, gone, inside = (watch.place(f"k-{name}") for name in ("kept", "gone", "inside"))
    watch.settle()
    watch.say(inside, "picked_up")
    assert watch.ask("GET", f"/v1/orders/{kept}/codes").status_code == 200
    watch.say(kept, "picked_up", secret="second-secret", courier="second-co")
    watch.call("somebody-elses-1", "picked_up")
    watch.call(f"ord_{'a' * 26}-1-1", "picked_up")
    watch.call(on.order(kept).leg.bookings[-1].reference, "courier_assigned", minutes=60)
    watch.settle()
    on.company.refuse["cancel"] = "too late, says Wang Secretive"
    watch.ask("POST", f"/v1/orders/{kept}/cancel", If_Match=f'"v{on.order(kept).version}"')
    watch.settle()
    on.company.refuse.clear()
    watch.ask("POST", f"/v1/orders/{gone}/cancel", If_Match=f'"v{on.order(gone).version}"')
    watch.settle()
    watch.say(gone, "picked_up")  # after it had confirmed the cancellation
    watch.settle()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "by_account", {})
        watch.say(kept, "picked_up")
        watch.place("k-no-account")
        watch.settle()
    with pytest.MonkeyPatch.context() as patch:

        def unspeakable(*_: Any) -> Any:
            raise Invalid("Wang Secretive lives at +8613800138001")

        enlist.put_slot(on.plain, stage.slot(1, 40))
        patch.setattr(world.dialects["paper"], "book", unspeakable)
        watch.place("k-unspeakable")
        watch.settle()
    left = watch.place("k-left")
    watch.settle()
    with pytest.MonkeyPatch.context() as patch:
        table: Any = world.table
        hidden = facts.courier_key("SHA", "paper-co")
        patch.setattr(table, "rows", {key: row for key, row in table.rows.items() if key != hidden})
        world.memory.clear()
        on.clock.forward(hours=2)
        watch.deliver(nudges.write(left), Topic.BOOK)
    on.clock.forward(hours=1)
    stage.publish_rules(on.world, "amend", stage.zone("Yongjia", "banned@1", "sealed"))  # a crew may be in it
    watch.settle()


def _a_visit_whose_pieces_stay_out(watch: Watch) -> None:
    """One is counted back; of the other nobody says anything, and its brand is reminded."""
    on = watch.on
    team = {"capacity": 1, "slot_id": "team-1", "crew_id": "crew-1", "visits": True}
    enlist.put_slot(on.plain, stage.slot(2, **team))
    told = {name: value for name, value in stage.body().items() if name != "gift"}
    coat = {"name": "Coat", "item_class": "fashion", "value": {"amount": 9, "currency": "CNY"}}
    pieces = [{**coat, "serial": serial} for serial in ("A1", "A2")]
    wish = {**told, "minutes": 30, "pieces": pieces}
    answer = watch.ask("POST", "/v1/appointments", wish, Idempotency_Key="k-visit")
    visit = str(json.loads(answer.body)["order_id"])
    watch.settle()
    for kind in ("picked_up", "delivered"):
        watch.say(visit, kind)
        watch.settle()
    watch.minutes(4)
    counted = {"pieces": [{"serial": "A1", "state": "back"}]}
    assert watch.ask("POST", f"/v1/orders/{visit}/manifest", counted).status_code == 200
    now = on.clock.now
    on.clock.forward(hours=3)
    watch.deliver(nudges.write(visit), Topic.TELL)  # as the sweep would; the rest of this day's gifts wait
    on.clock.now = now


def _a_gift_goes_out_again(watch: Watch) -> None:
    """It came back; and when it is on its way once more, the first courier says that it had delivered it before."""
    on = watch.on
    back = watch.place("k-back")
    watch.settle()
    for kind in ("picked_up", "returned"):
        on.clock.forward(minutes=5)
        watch.say(back, kind)
        watch.settle()
    again = {"window": stage.body()["window"]}
    asked = watch.ask("POST", f"/v1/orders/{back}/attempts", again, If_Match=f'"v{on.order(back).version}"')
    assert asked.status_code == 202, asked.body
    watch.settle()
    watch.call(f"{back}-1-1", "delivered", minutes=-2)
    watch.settle()


def _a_courier_is_down(watch: Watch) -> None:
    """It answers nobody until it is left in peace, and is asked again, by one alone, when its time is over."""
    on = watch.on
    on.company.deaf |= {"book", "look"}
    for number in range(FAILURES):
        watch.place(f"k-down-{number}")
    watch.settle()
    on.company.deaf.clear()
    watch.minutes(6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quote, "DEADLINE_S", 0)
        patch.setattr(quote, "ask", lambda *_: time.sleep(0.2))
        asked = enlist.courier(on.world, "SHA", "paper-co")
        enlist.put_courier(on.plain, asked.model_copy(update={"asks_price": True}))
        watch.place("k-priced")
        watch.settle()
        enlist.put_courier(on.plain, asked)


def _a_list_is_handed_in(watch: Watch) -> None:
    """Two clients on a list, and consents; what is personal in it comes nowhere near a line."""
    raw = test_take_in.file(2, name="Wang Secretive", phone="+8613800138001")
    begun = take_in.begin(watch.on.world, "maison", ListStart())
    take_in.add_part(watch.on.world, "maison", begun.list_id, 1, raw)
    take_in.finish(watch.on.world, "maison", begun.list_id, 1)
    watch.settle()
    watch.on.clock.now = stage.NOON
    told = NewCampaign.model_validate_json(json.dumps(campaign_body()))
    campaign = mount.mount(watch.on.world, "maison", "boxes", told)
    watch.settle()
    mount.ask_report(watch.on.world, campaign)
    watch.settle()
    agree.withdraw(watch.on.world, client_id_of("maison", "vic-1"), [Purpose.SERVICE], stage.NOON, "call-7")


def _rules_and_keys(watch: Watch) -> None:
    """Rules that are taken and refused, a key that only newer code knows, and a table that is busy."""
    on = watch.on
    on.world.memory.clear()
    stage.publish_rules(on.world, "amend", stage.zone("Elsewhere"))
    watch.settle()
    stage.publish_rules(on.world, "amend", stage.zone("Elsewhere", "no-such@1"))
    watch.settle()
    table: Any = on.world.table
    asked = json.dumps({"amendment": {"features": [stage.zone("Yongjia", "banned@1", "sealed")]}}).encode()
    inquire.ask(on.world, "SHA", "test", "question-1", ImpactQuestion.model_validate_json(asked), asked)
    watch.settle()
    kept = {key: table.rows.pop(key) for key in list(table.rows) if key.pk.startswith("snapshot#")}
    decided = next(key.pk for key in table.rows if key.sk.startswith("evidence#"))
    assert watch.ask("GET", f"/v1/orders/{decided}/evidence", Accept="text/plain").status_code == 200
    table.rows.update(kept)
    name = hash_of("newer")
    body = json.dumps(
        {"key_hash": name, "role": "emperor", "owner": "x", "created_at": "2022-04-11T00:00:00Z"}
    )
    table.write(Keep(Row(key_place(name), 1, body), was=None))
    arn = "arn:aws:execute-api:eu-west-1:000000000000:abc/api/GET/v1/orders"
    front.authorize({"type": "TOKEN", "authorizationToken": "Bearer newer", "methodArn": arn}, None)

    def busy(*_: Any, **__: Any) -> Any:
        raise Throttled("busy")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table, "read", busy)
        front.tick(_event(), None)
