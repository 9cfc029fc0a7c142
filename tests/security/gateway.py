"""The app as API Gateway would serve it, over a world in memory that holds one of everything, and can be put back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from chalicelib import wiring
from chalicelib.domain import facts
from chalicelib.domain.associates import NewAssociate
from chalicelib.domain.campaign_rows import campaign_key, campaign_row
from chalicelib.domain.campaigns import CampaignState, NewCampaign
from chalicelib.domain.channel_answers import ChannelStatement
from chalicelib.domain.errors import Lost
from chalicelib.domain.evidence import Evidence, Step
from chalicelib.domain.impact import ImpactQuestion
from chalicelib.domain.keys import Key as AccessKey
from chalicelib.domain.keys import Role, hash_of, key_row
from chalicelib.domain.lists import ListKind, ListStart
from chalicelib.domain.orders import Moved, OrderState, Outlook
from chalicelib.domain.ports import Change, Keep, Key, KeyPage, Page, Row, Topic
from chalicelib.domain.programme import NewProgramme
from chalicelib.domain.report import PlanReport, plan_key
from chalicelib.domain.steps import moved
from chalicelib.domain.verdicts import Decision, Reason
from chalicelib.domain.wishes import NewAppointment
from chalicelib.flows import (
    act_for,
    enlist,
    enrol,
    forget,
    inquire,
    mount,
    publish,
    recount,
    redeem,
    sign_in,
    stock,
    substitute,
    suspect,
    take_in,
)
from chalicelib.flows.connect import connect
from chalicelib.flows.give import give
from chalicelib.flows.grant import NewGrant, grant
from chalicelib.flows.place import place
from chalicelib.flows.place_digital import place_digital
from chalicelib.flows.set_up import set_up
from cli.package import read
from sandbox.front import Front
from tests import digital, drive, swaps
from tests.conftest import ROOT
from tests.fakes import FakeTable
from tests.ring import ring
from tests.stage import NOON, Stage, body, client_wish, new_client, new_order, stage


class StrictTable(FakeTable):
    """Refuses what DynamoDB would refuse with an error of its own: a name that is empty, too long or no text."""

    def get(self, key: Key) -> Row | None:
        return super().get(_fitting(key))

    def get_many(self, keys: Sequence[Key]) -> list[Row]:
        return super().get_many([_fitting(key) for key in keys])

    def read(self, pk: str, prefix: str = "", *, limit: int | None = None, after: str | None = None) -> Page:
        _fitting(Key(pk, after or prefix or "x"))
        return super().read(pk, prefix, limit=limit, after=after)

    def find_due(self, bucket: str, until: datetime, limit: int, after: str | None = None) -> KeyPage:
        _fitting(Key(bucket, "x"))
        return super().find_due(bucket, until, limit, after)

    def find_shelved(self, shelf: str, limit: int, after: str | None = None) -> KeyPage:
        _fitting(Key(shelf, "x"))
        return super().find_shelved(shelf, limit, after)

    def write(self, *changes: Change) -> None:
        for change in changes:
            row = change.row if isinstance(change, Keep) else None
            _fitting(change.key if row is None else row.key)
            if row is not None:
                _fitting(Key(row.shelf or "x", row.place_on_shelf or "x"))
                _fitting(Key(row.work or "x", row.due or "x"))
                size = len(row.body.encode()) + len(row.sealed)
                if size > 390_000:
                    raise ValueError(f"an item of {size} bytes")
        super().write(*changes)


def _fitting(key: Key) -> Key:
    if not 0 < len(key.pk.encode()) <= 2048 or not 0 < len(key.sk.encode()) <= 1024:
        raise ValueError("a key has 1 to 2048 bytes, and 1 to 1024 in its second half")
    return key


def _is_a_header(text: str) -> bool:
    return text.isascii() and text.isprintable()


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, Any]
    body: bytes

    def __post_init__(self) -> None:
        # whatever a test asks for: nothing that somebody wrote has split a header of the answer
        assert all(_is_a_header(name) and _is_a_header(str(value)) for name, value in self.headers.items())

    @property
    def kind(self) -> str:
        """Its media type, without parameters."""
        told = {name.lower(): value for name, value in self.headers.items()}
        return str(told.get("content-type", "")).partition(";")[0]

    def json(self) -> Any:
        return json.loads(self.body)

    def without(self, name: str) -> tuple[int, dict[str, Any], str]:
        """Everything but the name it was asked for: what two answers are compared by."""
        return self.status, dict(self.headers), self.body.decode().replace(name, "*")


@dataclass
class Gateway:
    """The front, the stage behind it, a key for each caller, and the names of what there is."""

    front: Front
    stage: Stage
    keys: dict[str, str | None]
    names: dict[str, str]

    def __post_init__(self) -> None:
        self._rows = dict(self._table.rows)

    @property
    def _table(self) -> Any:
        return self.stage.plain.table

    def ask(
        self,
        method: str,
        path: str,
        caller: str = "nobody",
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request, as that caller."""
        sent = {"Content-Type": "application/json", **(headers or {})}
        key = self.keys[caller]
        if key is not None:
            sent["Authorization"] = key
        raw = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        return Answer(*self.front.answer(method, path, sent, raw))

    def restore(self) -> None:
        """Everything as it was before the first request."""
        self._table.rows = dict(self._rows)
        self.stage.company.jobs.clear()
        self.stage.world.memory.clear()
        self.stage.world.queues.sent.clear()  # type: ignore[attr-defined]
        self.stage.world.line.requests.clear()  # type: ignore[attr-defined]

    def has_done_something(self) -> bool:
        """True when a row was written, a nudge sent or a call made since it was restored."""
        world: Any = self.stage.world
        return bool(self._table.rows != self._rows or world.queues.sent or world.line.requests)

    def has_changed_something(self) -> bool:
        """True when a row that was there before the first request is another now, or gone."""
        return any(self._table.rows.get(key) != row for key, row in self._rows.items())


@contextmanager
def gateway() -> Iterator[Gateway]:
    """Noon in Shanghai, with an order, an upload, an endpoint and keys of `maison` and of the `health-office`."""
    from app import app

    on = stage(capacity=6)
    on.world.table.__class__ = StrictTable
    _connect(on)
    wiring.use(on.world)
    template = {"Resources": read(ROOT / ".chalice" / "resources.yaml")["Resources"]}
    front = Front(app, template, ttl_s=-1)
    try:
        yield Gateway(front, on, _keys(on), _names(on))
    finally:
        front.server.server_close()
        wiring.use(None)


ASSOCIATE = NewAssociate(name="Wang Secretive", countries=("CN",), locale="zh-CN")


WHATSAPP = {"access_token": "EAAG", "app_secret": "an app secret", "verify_token": "agreed on"}
CHANNEL = ChannelStatement(sender="Maison", phone_number_id="106540352242922")
PROGRAMME = NewProgramme.model_validate(
    {
        "tiers": [{"tier": "gold", "spend": {"amount": 10_000_000, "currency": "CNY"}}],
        "caps": [{"per": "client", "at_most": 5, "days": 7}],
    }
)


def _connect(on: Stage) -> None:
    """Every brand has WhatsApp, its account entered and its number stated."""
    for brand in ("maison", "autre-maison", "health-office"):
        on.world.secrets.by_account["whatsapp", brand] = [WHATSAPP]  # type: ignore[attr-defined]
        connect(on.world, brand, "whatsapp", CHANNEL, None)


def _keys(on: Stage) -> dict[str, str | None]:
    def made(role: Role, owner: str, *markets: str) -> str:
        return f"Bearer {enlist.create_key(on.world, role, owner, markets or None)}"

    disabled = enlist.create_key(on.world, Role.OPERATOR, "gone")
    enlist.disable_key(on.world, hash_of(disabled))
    _write_key(on, "of-tomorrow", {"role": "emperor"})
    operator = enlist.create_key(on.world, Role.OPERATOR, "control-room")
    for brand, name in (("maison", "anna"), ("maison", "bea"), ("autre-maison", "carla")):
        act_for.put_associate(on.world, brand, name, ASSOCIATE, None)
    for brand in ("maison", "autre-maison", "health-office"):
        set_up(on.world, brand, PROGRAMME, "brand", None)
        swaps.allow(on, swaps.way("flowers", items=[swaps.ROSES]), brand=brand)

    def associate(brand: str, name: str) -> str:
        return f"Bearer {enlist.create_key(on.world, Role.ASSOCIATE, brand, None, name)}"

    return {
        "nobody": None,
        "an empty header": "",
        "a key nobody has": "Bearer cordon_operator_made-up",
        "a disabled operator": f"Bearer {disabled}",
        "a role of tomorrow": "Bearer of-tomorrow",
        "an operator without the scheme": operator,
        "an operator by another scheme": f"Basic {operator}",
        "a hash instead of a key": f"Bearer {hash_of(operator)}",
        "partner yoga-studio": made(Role.PARTNER, "yoga-studio"),
        "brand maison": made(Role.BRAND, "maison"),
        "brand autre-maison": made(Role.BRAND, "autre-maison"),
        "operator control-room": f"Bearer {operator}",
        "source health-office": made(Role.SOURCE, "health-office"),
        "source other-office": made(Role.SOURCE, "other-office"),
        "source of-shanghai": made(Role.SOURCE, "health-office", "ROM", "SHA"),
        "source of-rome": made(Role.SOURCE, "health-office", "ROM"),
        "associate anna": associate("maison", "anna"),
        "associate bea": associate("maison", "bea"),
        "associate of-another-brand": associate("autre-maison", "carla"),
        # owners named like somebody else's: the role is what counts
        "brand health-office": made(Role.BRAND, "health-office"),
        "source maison": made(Role.SOURCE, "maison"),
    }


def _write_key(on: Stage, secret: str, changes: dict[str, Any]) -> None:
    key = AccessKey(key_hash=hash_of(secret), role=Role.OPERATOR, owner="x", created_at=NOON)
    row = key_row(key)
    body = json.dumps({**json.loads(row.body), **changes})
    _keep(on, Row(row.key, 1, body))


def _keep(on: Stage, row: Row, was: int | None = None) -> None:
    try:
        on.world.table.write(Keep(row, was=was))
    except Lost as error:
        raise AssertionError(f"{row.key} stands there") from error


def campaign_body() -> dict[str, Any]:
    """One gift for all the brand's clients."""
    told = {name: body()[name] for name in ("market", "gift", "pick_up")}
    hours = [{"start": "13:00", "end": "16:00"}]
    return {**told, "reference": "BOXES", "audience": {"rule": {}}, "day": "2022-04-11", "hours": hours}


def _campaigns(on: Stage) -> dict[str, str]:
    """One that is planned and reported on, and one that is being placed; both in their first version."""
    found = {}
    for name, state in (("planned", CampaignState.PLANNED), ("placing", CampaignState.PLACING)):
        new = NewCampaign.model_validate_json(json.dumps(campaign_body()))
        campaign = mount.mount(on.world, "maison", name, new)
        queues: Any = on.world.queues
        while told := next((one for one in queues.sent if one[0] is Topic.CAMPAIGN), None):
            queues.sent.remove(told)  # of the others none: orders stay in their first version
            drive.run(on.world, *told)
        if state is CampaignState.PLACING:
            mount.place(on.world, "maison", campaign.campaign_id, 3)
        mount.ask_report(on.world, campaign)
        while any(":report:" in told for _, told in on.world.queues.sent):  # type: ignore[attr-defined]
            drive.run(on.world, *on.world.queues.sent.pop())  # type: ignore[attr-defined]
        stands = mount.campaign_of(on.world, "maison", campaign.campaign_id)
        assert stands.state is state
        rows: Any = on.plain.table
        rows.rows[campaign_key(campaign.campaign_id)] = replace(
            campaign_row(stands.model_copy(update={"version": 1})), version=1
        )
        found[name] = campaign.campaign_id
    return found


def _proposed(on: Stage) -> str:
    """An order that waits for its kitchen, and something else was proposed in its place."""
    wish = client_wish(gift={"items": [swaps.CAKE]}, occasion="easter")
    order, _ = give(on.world, "maison", "gift-swap", wish, "associate:anna")
    shut = Outlook(
        decision=Decision.NO, reasons=(Reason.ORIGIN_CLOSED,), decided_at=NOON, next_look=NOON, digest=""
    )
    held = moved(order, NOON, outlook=shut)
    _keep(on, facts.order_row(held), was=1)
    substitute.propose(on.world, held)
    return order.order_id


def _names(on: Stage) -> dict[str, str]:
    client = enrol.enrol(on.world, "maison", "vic-1", new_client(associate_id="anna"))
    given = {
        "grant": "grant-1",
        "tier": "gold",
        "reason": "expected-to-spend",
        "expires_at": NOON + timedelta(days=9),
    }
    grant(on.world, client, NewGrant.model_validate(given), "staff:li.wei")
    order, _ = give(on.world, "maison", "gift-1", client_wish(), "associate:anna")
    left, _ = place(on.world, "maison", "gift-2", new_order())
    ended = {"at_gate": left.order_id}
    for name, state in (
        ("returned", OrderState.RETURNED),
        ("failed", OrderState.FAILED),
        ("ring", OrderState.BOOKED),
    ):
        new = ring() if name == "ring" else new_order()
        other, _ = place(on.world, "maison", f"gift-{name}", new)
        steps = (*other.history, Moved(state=state, at=NOON))
        _keep(on, facts.order_row(other.model_copy(update={"history": steps})), was=1)
        ended[name] = other.order_id
    told = {name: value for name, value in body().items() if name not in ("gift", "recipient", "tier")}
    piece = {
        "serial": "A1",
        "name": "Coat",
        "item_class": "fashion",
        "value": {"amount": 9, "currency": "CNY"},
    }
    visit = NewAppointment.model_validate_json(
        json.dumps({**told, "client": "vic-1", "minutes": 60, "pieces": [piece]})
    )
    ended["visit"] = give(on.world, "maison", "visit-1", visit.as_order(), "associate:anna")[0].order_id
    (item,) = body()["gift"]["items"]
    lasting = {"items": [{name: item[name] for name in ("name", "item_class", "value")}]}
    ended["waiting"] = place(on.world, "maison", "gift-waiting", new_order(gift=lasting))[0].order_id
    ended["swap"] = _proposed(on)
    history = (*left.history, Moved(state=OrderState.AT_GATE, at=NOON))
    decided = Evidence(
        evidence_id="0900",  # the planner writes its first
        order_id=order.order_id,
        step=Step.DISPATCH,
        decided_at=NOON,
        decision=Decision.HOLD,
        reasons=(Reason.RULES_MISSING,),
        rules_version=None,
        rules_digest=None,
        known_at=NOON,
    )
    _keep(on, facts.evidence_row(decided))
    shared = PlanReport(
        market_id="SHA", planned_at=NOON, orders=0, slots=0, pairs=0, served=0, left=0, nobody_may_go=0, value="0",
        bound="0", gap="0", is_proven=True, by_tier={}, by_brand={}, by_district={}, full_slots=0,
    )  # fmt: skip
    _keep(on, Row(plan_key("SHA"), 1, shared.model_dump_json()))
    _keep(on, facts.order_row(left.model_copy(update={"history": history, "version": 2})), was=1)
    upload = publish.begin(
        on.world, "SHA", "health-office", mode="amend", time_zone="Asia/Shanghai", datum="GCJ02"
    )
    publish.add_part(on.world, "SHA", upload.upload_id, 1, b'{"released": ["zone-Yongjia"]}')
    raw = json.dumps({"upload_id": upload.upload_id}).encode()
    question = ImpactQuestion.model_validate_json(raw)
    asked = inquire.ask(on.world, "SHA", "health-office", "question-1", question, raw)
    spare = enlist.create_key(on.world, Role.BRAND, "spare")
    sign_in.invite(on.world, "mei", "control-room")
    suspect.suspect(on.world, left, "paper-co", "closed_area")
    (suspicion,) = suspect.suspicions(on.world, "SHA")
    a_list = take_in.begin(on.world, "maison", ListStart(kind=ListKind.MEMBERS))
    take_in.add_part(on.world, "maison", a_list.list_id, 1, b"reference\nvic-1")
    ended |= _campaigns(on)
    recount.recount(on.world, "SHA")
    enrol.enrol(on.world, "maison", "vic-2", new_client("Bye", person={"name": "Bye"}))
    ended["leaving"] = forget.ask(on.world, "maison", "vic-2").reference
    return {
        **_digital(on),
        "token": "none-of-ours",
        "associate_id": "anna",
        "grant": "grant-1",
        "order_id": order.order_id,
        "who": "mei",
        "reference": client.reference,
        "list_id": a_list.list_id,
        "campaign_id": ended["planned"],
        "evidence_id": decided.evidence_id,
        **ended,
        "endpoint_id": "hook-1",
        "upload_id": upload.upload_id,
        "impact_id": asked.impact_id,
        "number": "1",
        "proposal": "1",
        "market_id": "SHA",
        "courier_id": "paper-co",
        "crew_id": "crew-1",
        "permit_id": "permit-1",
        "slot_id": "slot-1",
        "suspicion_id": suspicion.suspicion_id,
        "book_id": "italy",
        "kind": "whatsapp",
        "brand_id": "maison",
        "key_hash": hash_of(spare),
    }


def _digital(on: Stage) -> dict[str, str]:
    """A pass that is given, what it is of, and a gift that every brand has."""
    digital.put(on.world, "YOGA", digital.yoga())
    digital.put(on.world, "STUDIO", digital.listed())
    digital.load(on.world, "STUDIO", 2, "YOGA-0001")
    for brand in ("maison", "autre-maison", "health-office"):
        stock.put_gift(on.world, brand, "EACH", digital.new_gift(digital.yoga()))
    given, _ = place_digital(on.world, "maison", "gift-given", digital.wanted())
    passed = digital.pass_of(on.world, given.order_id)
    return {
        "gift": "YOGA",
        "listed": "STUDIO",
        "pass_id": passed.pass_id,
        "given": passed.pass_id,
        "code": redeem.code_of(on.world, passed).code,
    }
