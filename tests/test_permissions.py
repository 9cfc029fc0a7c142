"""Each function may do what its flows do, and nothing else: its policy file against what it was seen to call."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from chalice.test import Client

import app as front
from chalicelib import wiring
from chalicelib.domain.dialect import Reply
from chalicelib.domain.keys import Role
from chalicelib.domain.ports import Change, Count, Drop, Keep, Key, KeyPage, Page, Require, Row, Topic, World
from chalicelib.flows import hear
from tests import drive, stage
from tests.conftest import ROOT

POLICIES = {path.stem.removeprefix("policy-"): path for path in (ROOT / ".chalice").glob("policy-*.json")}
SPARE = {
    # reads that a flow may choose between without its policy having to follow each time
    *((name, f"dynamodb:{read} FactsTable")
      for name in ("on_dispatch", "on_book", "on_hear", "on_rules") for read in ("GetItem", "BatchGetItem", "Query")),
    # steps that only a race, a slow receiver, or a compound sealed at the very pick-up leads to
    ("on_hear", "sqs:SendMessage BookQueue"),
    ("on_dispatch", "sqs:SendMessage DispatchQueue"),
    ("on_tell", "sqs:SendMessage TellQueue"),
    # the way of what cannot be done: tests/aws/test_letters.py
    *((f"on_{topic.value}", f"sqs:SendMessage {topic.value.title()}DeadLetters") for topic in Topic),
}  # fmt: skip


def allowed(function: str) -> set[str]:
    """`action resource` for each pair that the policy allows, the log left out."""
    found = set()
    for statement in json.loads(POLICIES[function].read_text())["Statement"]:
        assert statement["Effect"] == "Allow"
        if statement["Sid"] == "Logs":
            continue
        for resource in statement["Resource"]:
            ((verb, operand),) = resource.items()
            name = {"Fn::GetAtt": lambda o: o[0], "Ref": str, "Fn::Sub": _index}[verb](operand)
            found |= {f"{action} {name}" for action in statement["Action"]}
    return found


def _index(text: str) -> str:
    table, _, index = text.partition(".Arn}/index/")
    return f"{table.removeprefix('${')}/{index}"


class Seen:
    """What each function was seen to do; which one runs is said from outside."""

    def __init__(self) -> None:
        self.by_function: dict[str, set[str]] = {}
        self.now: str | None = None

    def note(self, action: str, resource: str = "FactsTable") -> None:
        if self.now is not None:
            self.by_function.setdefault(self.now, set()).add(f"{action} {resource}")

    @contextmanager
    def running(self, function: str) -> Iterator[None]:
        before, self.now = self.now, function
        try:
            yield
        finally:
            self.now = before


@dataclasses.dataclass
class RecordingTable:
    """A table that says which of DynamoDB's actions each call is."""

    table: Any
    seen: Seen

    def __getattr__(self, name: str) -> Any:
        return getattr(self.table, name)

    def get(self, key: Key) -> Row | None:
        self.seen.note("dynamodb:GetItem")
        row: Row | None = self.table.get(key)
        return row

    def get_many(self, keys: Sequence[Key]) -> list[Row]:
        if keys:
            self.seen.note("dynamodb:BatchGetItem")
        rows: list[Row] = self.table.get_many(keys)
        return rows

    def read(self, *args: Any, **kwargs: Any) -> Page:
        self.seen.note("dynamodb:Query")
        page: Page = self.table.read(*args, **kwargs)
        return page

    def find_due(self, *args: Any) -> KeyPage:
        self.seen.note("dynamodb:Query", "FactsTable/work")
        page: KeyPage = self.table.find_due(*args)
        return page

    def find_shelved(self, *args: Any) -> KeyPage:
        self.seen.note("dynamodb:Query", "FactsTable/shelf")
        page: KeyPage = self.table.find_shelved(*args)
        return page

    def write(self, *changes: Change) -> None:
        for change in changes:
            self.seen.note(f"dynamodb:{_action(change)}")
        self.table.write(*changes)


def _action(change: Change) -> str:
    if isinstance(change, Keep):
        return "PutItem" if change.was is None else "UpdateItem"
    return {Count: "UpdateItem", Require: "ConditionCheckItem", Drop: "DeleteItem"}[type(change)]


@dataclasses.dataclass
class Recording:
    """Queues, sealer and secrets that say what each call is."""

    world: World
    seen: Seen
    sent: list[tuple[Topic, str]] = dataclasses.field(default_factory=list)

    def nudge(self, topic: Topic, ids: Iterable[str]) -> None:
        names = list(ids)
        if names:
            self.seen.note("sqs:SendMessage", f"{topic.value.title()}Queue")
        self.sent += [(topic, name) for name in names]

    def seal(self, plain: bytes, context: str) -> bytes:
        self.seen.note("kms:GenerateDataKey", "SealKey")
        return self.world.sealer.seal(plain, context)

    def unseal(self, sealed: bytes, context: str) -> bytes:
        self.seen.note("kms:Decrypt", "SealKey")
        return self.world.sealer.unseal(sealed, context)

    def accounts(self, dialect: str, account: str) -> Any:
        self.seen.note("secretsmanager:GetSecretValue", "CordonSecret")
        return self.world.secrets.accounts(dialect, account)

    def signing_keys(self) -> Any:
        self.seen.note("secretsmanager:GetSecretValue", "CordonSigningKey")
        return self.world.secrets.signing_keys()


@pytest.fixture(scope="module")
def seen() -> Iterator[Seen]:
    """Days in the life: everything that the API and the queues can be asked to do, once at least."""
    seen = Seen()
    with pytest.MonkeyPatch.context() as patch:
        _live(seen, patch)
    yield seen
    wiring.use(None)


def _live(seen: Seen, patch: pytest.MonkeyPatch) -> None:
    from chalicelib.flows import enlist

    def recording(world: World) -> World:
        wrapped = Recording(world, seen)
        table: Any = RecordingTable(world.table, seen)
        every: Any = wrapped
        return dataclasses.replace(
            world, table=table, queues=every, sealer=every, secrets=every, memory={}, dice=world.dice
        )

    on = stage.stage(capacity=9, wrap=recording)
    world = on.world
    plain_run = drive.run

    def run(world: World, topic: Topic, name: str) -> None:
        world.memory.clear()  # a fresh process each time: nothing is known
        with seen.running(f"on_{topic.value}"):
            plain_run(world, topic, name)

    patch.setattr(drive, "run", run)
    for name in ("tick", "sweep"):
        flow = getattr(drive.sweep, name)
        patch.setattr(drive.sweep, name, _running(seen, name, flow))
    wiring.use(world)
    with Client(front.app) as client:
        keys = {role: enlist.create_key(on.plain, role, "maison") for role in Role}

        def ask(role: Role, method: str, path: str, sent: Any = None, **headers: str) -> Any:
            world.memory.clear()
            raw = sent if isinstance(sent, bytes) else b"" if sent is None else json.dumps(sent).encode()
            spoken = {"Authorization": f"Bearer {keys[role]}", "Content-Type": "application/json"}
            with seen.running("authorize"):
                assert front.authorize(_event(f"Bearer {keys[role]}"), None)["context"]["role"] == role.value
            with seen.running("api_handler"):
                answer = client.http.request(
                    method,
                    path,
                    headers={**spoken, **{k.replace("_", "-"): v for k, v in headers.items()}},
                    body=raw,
                )
            assert answer.status_code < 300, (method, path, answer.body)
            return json.loads(answer.body) if answer.body[:1] in (b"{", b"[") else None

        _play(on, ask)


def _running(seen: Seen, name: str, flow: Callable[[World], None]) -> Callable[[World], None]:
    def run(world: World) -> None:
        with seen.running(name):
            flow(world)

    return run


def _event(token: str) -> dict[str, Any]:
    arn = "arn:aws:execute-api:eu-west-1:000000000000:abc/api/GET/v1/orders"
    return {"type": "TOKEN", "authorizationToken": token, "methodArn": arn}


def _play(on: stage.Stage, ask: Any) -> None:
    brand, operator, body = Role.BRAND, Role.OPERATOR, stage.body()

    def place(name: str) -> str:
        placed = ask(brand, "POST", "/v1/orders", body, Idempotency_Key=name)["order_id"]
        return str(placed)

    def say(order_id: str, *kinds: str) -> None:
        (booking,) = [b for b in on.order(order_id).leg.bookings if b.is_live]
        for kind in kinds:
            on.clock.forward(minutes=5)
            said = on.company.move(booking.reference, kind, on.clock.now)
            with on_api():
                hear.receive(on.world, "SHA", "paper-co", said)
            on.settle()

    def on_api() -> Any:
        return on.world.table.seen.running("api_handler")  # type: ignore[attr-defined]

    hook = ask(brand, "POST", "/v1/webhooks", {"url": "https://brand.example/more"})["endpoint_id"]
    names = [place(f"k-{n}") for n in range(3)]
    on.settle()
    _ask_everything(on, ask, hook, names)
    say(names[1], "picked_up", "delivered")
    # silent, refusing, and slow to cancel
    on.company.deaf.add("book")
    place("k-silent")
    on.settle()
    on.minutes(10)
    on.company.deaf.clear()
    on.company.refuse["book"] = "no_riders"
    place("k-refused")
    on.settle()
    on.company.refuse.clear()
    ask(operator, "PUT", "/v1/markets/SHA/crews/crew-2", _json(stage.crew(2)))
    ask(operator, "PUT", "/v1/markets/SHA/permits/permit-2", _json(stage.permit(2)))
    ask(operator, "PUT", "/v1/markets/SHA/slots/slot-2", _json(stage.slot(2, 9)))
    on.settle()
    failing, carried = place("k-failing"), place("k-carried")
    on.settle()
    say(failing, "pick_up_failed")
    say(carried, "picked_up")
    # a brand that is down, and a compound that is closed while gifts are under way
    on.brand.answer = lambda request: Reply(503, {}, b"")
    stage.publish_rules(on.world, "amend", stage.zone("Yongjia", "banned@1", "sealed"))
    on.minutes(5)
    stage.publish_rules(on.world, "amend", stage.zone("Yongjia"))
    on.brand.answer = None
    on.minutes(60)


def _json(noun: Any) -> Any:
    return json.loads(noun.model_dump_json())


def _ask_everything(on: stage.Stage, ask: Any, hook: str, names: list[str]) -> None:
    """Every route once, and those that have two ways twice."""
    brand, operator = Role.BRAND, Role.OPERATOR
    page = ask(brand, "GET", "/v1/orders?limit=2")
    ask(brand, "GET", f"/v1/orders?limit=2&cursor={page['next_cursor']}")
    ask(brand, "GET", f"/v1/orders/{names[0]}")
    ask(operator, "GET", f"/v1/orders/{names[0]}/evidence")
    assert ask(brand, "GET", f"/v1/orders/{names[0]}/codes")["codes"]
    order = ask(brand, "GET", f"/v1/orders/{names[0]}")
    ask(brand, "POST", f"/v1/orders/{names[0]}/cancel", If_Match=f'"v{order["version"]}"')
    on.settle()
    late = ask(brand, "POST", "/v1/orders", stage.body(), Idempotency_Key="k-late")["order_id"]
    ask(brand, "POST", f"/v1/orders/{late}/cancel", If_Match='"v1"')
    question = {name: stage.body()[name] for name in ("market", "gift", "pick_up", "recipient", "window")}
    for role in (brand, operator):
        ask(role, "POST", "/v1/clearances", question)
    at = f"/v1/webhooks/{hook}"
    ask(brand, "GET", "/v1/webhooks")
    ask(brand, "POST", f"{at}/rotate", {})
    ask(brand, "GET", f"{at}/attempts?limit=1")
    ask(brand, "POST", f"{at}/replay", {"order_id": names[1]})
    ask(brand, "POST", f"{at}/replay", {"since": (stage.NOON - timedelta(days=1)).isoformat()})
    ask(brand, "POST", f"{at}/disable", {})
    ask(brand, "POST", f"{at}/enable", {})
    fleet = "/v1/markets/SHA"
    ask(operator, "GET", "/v1/markets")
    ask(operator, "PUT", fleet, stage.MARKET)
    ask(operator, "GET", f"{fleet}/fleet")
    ask(operator, "PUT", f"{fleet}/crews/crew-9", _json(stage.crew(9)))
    ask(operator, "PUT", f"{fleet}/permits/permit-9", _json(stage.permit(9)))
    ask(operator, "PUT", f"{fleet}/slots/slot-9", _json(stage.slot(9, 1)))
    ask(operator, "PUT", f"{fleet}/slots/slot-9", _json(stage.slot(9, 2)))
    for name in ("slots/slot-9", "permits/permit-9", "crews/crew-9"):
        ask(operator, "GET", f"{fleet}/{name}")
        ask(operator, "DELETE", f"{fleet}/{name}")
    ask(operator, "GET", f"{fleet}/rules")
    start = {"mode": "amend", "time_zone": "Asia/Shanghai", "datum": "GCJ02"}
    upload = ask(operator, "POST", f"{fleet}/rules/uploads", start)["upload_id"]
    part = {"policies": [], "features": [stage.zone("Elsewhere")], "released": []}
    for text in (json.dumps(part) + " " * 700_000, json.dumps(part)):
        ask(operator, "PUT", f"{fleet}/rules/uploads/{upload}/parts/1", text.encode())
    ask(operator, "POST", f"{fleet}/rules/uploads/{upload}/finish", {"parts": 1})
    on.world.queues.sent.clear()  # type: ignore[attr-defined]  # the nudge is lost: the sweep finds the upload
    on.minutes(3)
    made = ask(operator, "POST", "/v1/keys", {"role": "brand", "owner": "somebody"})
    ask(operator, "DELETE", f"/v1/keys/{made['key_hash']}")
    on.settle()


@pytest.mark.parametrize("function", sorted(POLICIES))
def test_a_function_may_do_everything_that_its_flows_do(seen: Seen, function: str) -> None:
    assert seen.by_function[function] - allowed(function) == set()


@pytest.mark.parametrize("function", sorted(POLICIES))
def test_a_function_may_do_nothing_that_no_flow_of_it_does(seen: Seen, function: str) -> None:
    listens = {
        pair
        for pair in allowed(function)
        if pair.split()[0] in ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
    }  # Lambda's own poller does these, with the function's role
    spare = {pair for name, pair in SPARE if name == function}
    assert allowed(function) - seen.by_function[function] - listens - spare == set()


def test_only_who_opens_a_seal_may_decrypt() -> None:
    may = {name for name in POLICIES if "kms:Decrypt SealKey" in allowed(name)}
    assert may == {"api_handler", "on_dispatch", "on_book", "on_hear", "on_rules", "on_tell"}
