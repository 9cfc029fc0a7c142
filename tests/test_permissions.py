"""Each function may do what it was seen to do on (emulated) AWS, and nothing else.

A day is played through the handlers that Lambda would call, on moto. Every AWS call is caught on botocore's own
hook, with what it was made on, and held against the function's policy file both ways. moto's table takes ten
milliseconds a call; so in the short run a table in memory answers, while the real one makes the same calls of it.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from chalice.test import Client

import app as front
from chalicelib import journal, wiring
from chalicelib.aws import clients, rotation
from chalicelib.aws import table as tables
from chalicelib.aws.mail import SesMailer
from chalicelib.aws.queues import SqsQueues
from chalicelib.aws.sealer import KmsSealer
from chalicelib.aws.secrets import SecretsManagerSecrets
from chalicelib.aws.table import DynamoTable
from chalicelib.domain import facts
from chalicelib.domain.breaker import FAILURES
from chalicelib.domain.campaigns import Calling, Kept
from chalicelib.domain.client_rows import data_key_of_client
from chalicelib.domain.dialect import Reply
from chalicelib.domain.errors import Delayed
from chalicelib.domain.keys import Role
from chalicelib.domain.passes import pass_id_of
from chalicelib.domain.ports import Drop, Letter, Topic, World
from chalicelib.domain.substitutes import substitutes_key
from chalicelib.flows import act, draw, enlist, follow, oversee, publish, receive, recount, sign_in, steer
from chalicelib.flows import dispatch as planning
from chalicelib.settings import Settings, read
from chalicelib.solver import FlowSolver
from cli import package
from tests import digital, drive, fakes, stage, swaps, talking
from tests.aws.cloud import make_cloud
from tests.conftest import ROOT, behind_its_lock
from tests.flows.test_take_in import file
from tests.paper import ACCOUNT, PricedPaperDialect

POLICIES = {path.stem.removeprefix("policy-"): path for path in (ROOT / ".chalice").glob("policy-*.json")}
POLLER = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
"""What Lambda's own poller does, with the function's role."""
SENDING = "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:identity/*/"
SECRETS = {
    "couriers": {"paper": {"main": [dict(ACCOUNT)]}},
    "channels": {
        "whatsapp": {"maison": [talking.ACCOUNT]},
        "email": {"maison": [{"domain": "maison.example"}]},
    },
}
RARE: dict[tuple[str, str], str] = {}
"""What a function may do though this day does not lead there, and what does."""


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


WRITES = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "ConditionCheck": "ConditionCheckItem",
    "Delete": "DeleteItem",
}


def needed(names: Mapping[str, str], service: str, operation: str, asked: dict[str, Any]) -> set[str]:
    """`action resource` for each permission that this call takes. `names`: what the template calls a table, queue,
    key or secret by what the calls call it."""
    if service == "dynamodb":
        if operation == "TransactWriteItems":
            pairs = [(WRITES[verb], one) for item in asked["TransactItems"] for verb, one in item.items()]
        elif operation == "BatchGetItem":
            pairs = [(operation, {"TableName": table}) for table in asked["RequestItems"]]
        else:
            pairs = [(operation, asked)]
        return {
            f"dynamodb:{action} {names[one['TableName']]}"
            + (f"/{one['IndexName']}" if "IndexName" in one else "")
            for action, one in pairs
        }
    if service == "sqs":
        return {f"sqs:{operation.removesuffix('Batch')} {names[asked['QueueUrl']]}"}
    if service == "kms":
        return {f"kms:{operation} {names[asked['KeyId']]}"}
    if service == "secretsmanager":
        return {f"secretsmanager:{operation} {names[asked['SecretId']]}"}
    if service == "sesv2":  # a message of our own making is a raw one
        assert operation == "SendEmail"
        return {f"ses:{action} {SENDING}" for action in ("SendEmail", "SendRawEmail")}
    raise AssertionError(f"nobody said what {service}:{operation} takes")


class Seen:
    """What each function was seen to do; which one runs is said from outside."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.by_function: dict[str, set[str]] = {name: set() for name in POLICIES}
        self.names = names
        self.now: str | None = None
        self.planned_in: set[str | None] = set()

    def note(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        """botocore's hook."""
        self.call(model.service_model.service_name, model.name, params)

    def call(self, service: str, operation: str, asked: dict[str, Any]) -> None:
        if self.now is not None:
            self.by_function[self.now] |= needed(self.names, service, operation, asked)

    @contextmanager
    def running(self, function: str) -> Iterator[None]:
        before, self.now = self.now, function
        try:
            yield
        finally:
            self.now = before


class Queues:
    """The real queues; what was sent waits here, too, to be handed to the listeners."""

    def __init__(self, queues: SqsQueues) -> None:
        self.queues = queues
        self.sent: list[tuple[Topic, str]] = []

    def nudge(self, topic: Topic, ids: Iterable[str]) -> None:
        names = list(ids)
        self.queues.nudge(topic, names)
        self.sent += [(topic, name) for name in names]

    def put_aside(self, topic: Topic, letter: Letter) -> None:
        self.queues.put_aside(topic, letter)

    def set_aside(self) -> Mapping[Topic, int]:
        return self.queues.set_aside()


class Shadowed(fakes.FakeTable):
    """A table in memory; the real one makes the calls, and nobody listens to their answers."""

    def __init__(self, real: DynamoTable) -> None:
        super().__init__()
        self.real = real

    def __getattribute__(self, verb: str) -> Any:
        answers = super().__getattribute__(verb)
        if verb not in ("get", "get_many", "read", "find_due", "find_shelved", "write"):
            return answers

        def both(*args: Any, **kwargs: Any) -> Any:
            getattr(self.real, verb)(*args, **kwargs)
            return answers(*args, **kwargs)

        return both


class Hollow:
    """A DynamoDB client that says what it is asked, and answers nothing."""

    def __init__(self, seen: Seen) -> None:
        self.seen = seen

    def __getattr__(self, verb: str) -> Any:
        operation = "".join(part.capitalize() for part in verb.split("_"))

        def ask(**asked: Any) -> dict[str, Any]:
            self.seen.call("dynamodb", operation, asked)
            return {"Responses": {}, "Items": []}

        return ask


class Process:
    """What a process of its own has: it knows no key and no secret until it asks."""

    def __init__(self, told: Settings, table: Any) -> None:
        self.told = told
        self.table = table
        self.by_account: dict[Any, Any] = {}
        """Where the stage puts the account; ours is in the secret."""
        self.hours = 0
        self.begin()

    def begin(self) -> None:
        self.hours += 1  # each begins in an hour that has no data key yet
        hour = stage.NOON + timedelta(hours=self.hours)
        self.sealer = KmsSealer(self.told.seal_key, self.table, clock=lambda: hour)
        self.secrets = SecretsManagerSecrets(self.told.secret, self.told.signing_key)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sealer if name in ("seal", "unseal") else self.secrets, name)


@pytest.fixture(scope="module", params=["shadowed", pytest.param("moto", marks=pytest.mark.long)])
def seen(request: pytest.FixtureRequest) -> Seen:
    """A day in the life: everything that the API, the queues and the schedules can be asked to do, once at least."""
    lines: list[str] = []
    with pytest.MonkeyPatch.context() as patch, behind_its_lock():
        make_cloud(patch)
        seen = Seen(_names())
        for made in ("dynamodb", "sqs", "kms", "secretsmanager", "sesv2"):
            clients.client(made).meta.events.register("provide-client-params.*.*", seen.note)
        journal.write_to(lines.append)
        try:
            _live(seen, patch, shadowed=request.param == "shadowed")
        finally:
            journal.write_to(None)
            wiring.use(None)
    assert [line for line in lines if '"failure"' in line] == []
    return seen


def _names() -> dict[str, str]:
    """What the template calls what the environment names."""
    variables = package.read(ROOT / ".chalice" / "resources.yaml")["Globals"]["Function"]["Environment"][
        "Variables"
    ]
    names = {}
    for variable, value in variables.items():
        if isinstance(value, dict) and "Fn::Sub" not in value and variable in os.environ:
            ((_, operand),) = value.items()
            names[os.environ[variable]] = operand if isinstance(operand, str) else operand[0]
    return names


def _live(seen: Seen, patch: pytest.MonkeyPatch, shadowed: bool) -> None:
    told = read()
    clients.client("secretsmanager").put_secret_value(SecretId=told.secret, SecretString=json.dumps(SECRETS))
    table = Shadowed(DynamoTable(told.table)) if shadowed else DynamoTable(told.table)
    process = Process(told, table)
    if shadowed:
        patch.setattr(tables, "client", lambda _: Hollow(seen))
    patch.setattr(fakes, "FakeTable", lambda: table)
    patch.setattr(fakes, "FakeQueues", lambda: Queues(SqsQueues(told.queue_urls(), told.letter_urls())))
    patch.setattr(fakes, "FakeSealer", lambda: process)
    patch.setattr(fakes, "FakeSecrets", lambda: process)
    patch.setattr(fakes, "FakeMailer", SesMailer)
    clients.client("sesv2").create_email_identity(EmailIdentity="maison.example")
    on = stage.stage(capacity=9)
    world = on.world
    wiring.use(world)

    def fresh() -> None:
        """A process that nothing is known to."""
        world.memory.clear()
        process.begin()

    def listen(world: World, topic: Topic, name: str) -> None:
        """What Lambda hands to the listener of that queue."""
        fresh()
        record = {
            "messageId": "m-1",
            "receiptHandle": "r-1",
            "body": json.dumps({"v": 1, "id": name}),
            "attributes": {"ApproximateReceiveCount": "1"},
            "eventSource": "aws:sqs",
            "eventSourceARN": f"arn:aws:sqs:eu-west-1:000000000000:{topic.value}",
        }
        with seen.running(f"on_{topic.value}"):
            said = getattr(front, f"on_{topic.value}")({"Records": [record]}, None)
        if said["batchItemFailures"] and name:
            raise Delayed("given back")

    def fire(function: str, world: World) -> None:
        fresh()
        with seen.running(function):
            getattr(front, function)(_SCHEDULED, None)

    plain = FlowSolver.assign

    def assign(engine: FlowSolver, *asked: Any) -> Any:
        seen.planned_in.add(seen.now)
        return plain(engine, *asked)

    patch.setattr(FlowSolver, "assign", assign)
    patch.setattr(drive, "run", listen)
    schedules = {name: functools.partial(fire, name) for name in ("tick", "sweep")}
    patch.setattr(drive, "sweep", SimpleNamespace(**schedules))
    with Client(front.app) as client:
        keys = {role: enlist.create_key(world, role, "maison") for role in Role}

        def ask(role: Role, method: str, path: str, sent: Any = None, **headers: str) -> Any:
            raw = sent if isinstance(sent, bytes) else b"" if sent is None else json.dumps(sent).encode()
            spoken = {"Authorization": f"Bearer {keys[role]}", "Content-Type": "application/json"}
            fresh()
            with seen.running("authorize"):
                assert front.authorize(_event(f"Bearer {keys[role]}"), None)["context"]["role"] == role.value
            fresh()
            with seen.running("api_handler"):
                answer = client.http.request(
                    method,
                    path,
                    headers={**spoken, **{k.replace("_", "-"): v for k, v in headers.items()}},
                    body=raw,
                )
            assert answer.status_code < 300, (method, path, answer.body)
            return json.loads(answer.body) if answer.body[:1] in (b"{", b"[") else None

        _play(seen, on, ask)
    _rotate(seen, told, patch)


_SCHEDULED = {
    "time": "2022-04-11T04:00:00Z",
    "region": "eu-west-1",
    "resources": [],
    "detail": {},
} | dict.fromkeys(("version", "account", "detail-type", "id", "source"), "")


def _event(token: str) -> dict[str, Any]:
    arn = "arn:aws:execute-api:eu-west-1:000000000000:abc/api/GET/v1/orders"
    return {"type": "TOKEN", "authorizationToken": token, "methodArn": arn}


def _rotate(seen: Seen, told: Settings, patch: pytest.MonkeyPatch) -> None:
    version, plain = "11111111-2222-3333-4444-555555555555", rotation._stages

    def begun(secret_id: str) -> dict[str, list[str]]:
        known = plain(secret_id)
        return known if version in known else {**known, version: ["AWSPENDING"]}

    patch.setattr(rotation, "_stages", begun)
    for step in ("createSecret", "setSecret", "testSecret", "finishSecret"):
        with seen.running("rotate"):
            front.rotate({"Step": step, "SecretId": told.signing_key, "ClientRequestToken": version}, None)


def _play(seen: Seen, on: stage.Stage, ask: Any) -> None:
    brand, operator, body = Role.BRAND, Role.OPERATOR, stage.body()

    def place(name: str) -> str:
        placed = ask(brand, "POST", "/v1/orders", body, Idempotency_Key=name)["order_id"]
        return str(placed)

    def say(order_id: str, *kinds: str) -> None:
        (booking,) = [b for b in on.order(order_id).leg.bookings if b.is_live]
        for kind in kinds:
            on.clock.forward(minutes=5)
            said = on.company.move(booking.reference, kind, on.clock.now)
            with seen.running("api_handler"):
                receive.receive(on.world, "SHA", "paper-co", said)
            on.settle()

    hook = ask(brand, "POST", "/v1/webhooks", {"url": "https://brand.example/more"})["endpoint_id"]
    names = [place(f"k-{n}") for n in range(3)]
    on.settle()
    _ask_everything(on, ask, hook, names)
    _ration(on, place)
    say(names[1], "picked_up", "delivered")
    # silent, refusing, and slow to cancel
    on.company.deaf.add("book")
    place("k-silent")
    on.settle()
    _pass(on, 5, 5)
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
    _meet_rare_moments(on, ask, place, say)
    _be_asked_for_prices_and_be_down(on, ask, place)
    # a brand that is down, and a compound that is closed while gifts are under way
    on.brand.answer = lambda request: Reply(503, {}, b"")
    stage.publish_rules(on.world, "amend", stage.zone("Yongjia", "banned@1", "sealed"))
    _pass(on, 5)
    stage.publish_rules(on.world, "amend", stage.zone("Yongjia"))
    on.brand.answer = None
    place_where_nobody_has_ruled = stage.body("Nowhere")
    held = ask(brand, "POST", "/v1/orders", place_where_nobody_has_ruled, Idempotency_Key="k-held")
    on.settle()
    _sit_at_the_board(seen, on, ask, held["order_id"])
    _pass(on, *[10] * 6)
    _stand_in(on, ask)
    _speak_to_clients(on, ask)
    _enrol_and_forget(on, ask)


def _sit_at_the_board(seen: Seen, on: stage.Stage, ask: Any, order_id: str) -> None:
    """A dispatcher comes in, looks, acts on a gift, on a courier and on a suspicion, and leaves."""
    operator, world = Role.OPERATOR, on.world
    url = ask(operator, "POST", "/v1/board/links", {"who": "mei"})["url"]
    with seen.running("api_handler"):
        token, _ = sign_in.enter(world, url.partition("#")[2])
        sign_in.session_of(world, token)
        sign_in.prove(world, token, sign_in.proof_of(world, token))
        recount.watch(world, "SHA")
    on.settle()
    with seen.running("api_handler"):
        board = recount.watch(world, "SHA")
        assert board is not None
        recount.lines(world, board)
    ask(operator, "GET", "/v1/markets/SHA/board")
    ask(operator, "GET", "/v1/markets/SHA/zones?lng=121.49&lat=31.22")
    with seen.running("api_handler"):
        act.look_at(world, order_id, "mei", "control-room")
        version = on.order(order_id).version
        until = on.clock.now + timedelta(hours=1)
        act.hold(world, order_id, version, until, "mei")
        act.deeds_of(world, order_id)
        act.release(world, order_id, version + 1, "mei")
        for suspended in (True, False):
            oversee.suspend(world, "SHA", "paper-co", "mei", suspended=suspended)
        oversee.deeds(world, "SHA")
        (pointer, *_) = draw.versions(world, "SHA")
        draw.part(world, "SHA", pointer.digest, 1)
        sign_in.leave(world, token)
    _steer(seen, on, ask)
    ask(operator, "DELETE", "/v1/board/dispatchers/mei")
    on.settle()


def _steer(seen: Seen, on: stage.Stage, ask: Any) -> None:
    """A dispatcher has a campaign rest and go on, calls it off, and looks how far it is."""
    whole = {name: stage.body()[name] for name in ("market", "gift", "pick_up")}
    told = {
        "day": f"{on.clock.now:%Y-%m-%d}",
        "hours": [{"start": "00:00", "end": "23:59"}],
        "reference": "STEERED",
    }
    whole |= {**told, "audience": {"clients": [{"client": "vic-1"}]}, "at_once": True}
    at = ask(Role.BRAND, "POST", "/v1/campaigns", whole, Idempotency_Key="c-steered")["campaign_id"]
    on.settle()
    with seen.running("api_handler"):
        version = steer.campaign_at(on.world, "SHA", at).version
        steer.call_off(on.world, "SHA", at, version, Calling(orders=Kept.CANCELLED), "mei")
        steer.deeds_of(on.world, at)
    for _ in range(2):
        on.clock.forward(minutes=1)
        with seen.running("api_handler"):
            campaigns = follow.watch(on.world, "SHA")
        on.settle()
    assert campaigns is not None and campaigns.progress


def _speak_to_clients(on: stage.Stage, ask: Any) -> None:
    """One by WhatsApp, who answers, one by e-mail, one whom the brand speaks to; and what is answered to that."""
    brand, meta = Role.BRAND, talking.connected(on)
    on.clock.now = on.clock.now.replace(hour=4) + timedelta(days=1)
    ask(Role.OPERATOR, "PUT", "/v1/markets/SHA/slots/slot-1", _json(_slot_of_the_day(on)))
    ask(Role.OPERATOR, "PUT", "/v1/markets/SHA/crews/crew-1", _json(stage.crew(1, credentials=_tested(on))))
    permit = stage.permit(1, valid={"start": on.clock.now, "end": on.clock.now + timedelta(days=9)})
    ask(Role.OPERATOR, "PUT", "/v1/markets/SHA/permits/permit-1", _json(permit))
    stated = {
        "sender": "Maison",
        "phone_number_id": talking.NUMBER_ID,
        "data_region": "CN",
        "is_paused": True,
    }
    ask(brand, "PUT", "/v1/channels/whatsapp", stated, If_Match='"v1"')
    ask(brand, "PUT", "/v1/channels/whatsapp", {**stated, "is_paused": False}, If_Match='"v2"')
    ask(brand, "GET", "/v1/channels/email")

    def given(name: str, ahead: float = 1, **changes: Any) -> str:
        of_client = {field: changes.pop(field) for field in ("channels",) if field in changes}
        told = talking.client_body(**of_client)
        told["person"]["places"] = {"home": stage.place_at("Yongjia")}
        ask(brand, "PUT", f"/v1/clients/{name}", told)
        first, last = (on.clock.now + timedelta(hours=ahead + hours) for hours in (0, 3))
        window = {"start": first.isoformat(), "end": last.isoformat(), "time_zone": "Asia/Shanghai"}
        wish = stage.client_order(name, window=window, **changes)
        return str(ask(brand, "POST", "/v1/orders", wish, Idempotency_Key=f"k-{name}")["order_id"])

    def hears(body: Any) -> None:
        said = talking.signed(body)
        proof = said.headers["x-hub-signature-256"]
        ask(brand, "POST", "/v1/channels/whatsapp/maison", said.body, X_Hub_Signature_256=proof)

    talks = given("vic-w")
    on.settle()
    name = talking.name_of(meta.sent[-1])
    hears(talking.status(name, "read", on.clock.now))
    hears(talking.wrote("hello", on.clock.now, user_id=None))
    on.settle()
    ask(brand, "POST", "/v1/clients/vic-w/messages", {"text": "hello"}, Idempotency_Key="t-1")
    on.world.queues.sent.clear()  # type: ignore[attr-defined]  # the nudge is lost
    _pass(on, 1)
    for answer in ("other_time", "not_at_home"):
        on.clock.forward(minutes=1)
        hears(talking.pressed(f"{name}:{answer}", on.clock.now))
        on.world.queues.sent.clear()  # type: ignore[attr-defined]
        _pass(on, 1)
    hears(talking.wrote("stop", on.clock.now))
    on.settle()
    ask(brand, "GET", "/v1/clients/vic-w/messages")
    ask(brand, "GET", f"/v1/orders/{talks}/messages")
    given("vic-m", channels=["email"])
    on.settle()
    given("vic-b", channels=["webhook"])
    on.settle()
    _have_a_say(on, ask, meta, given, hears)


def _have_a_say(on: stage.Stage, ask: Any, meta: Any, given: Any, hears: Any) -> None:
    """Clients who would rather have it digital, who take what is offered, and who agree to flowers for a cake."""
    brand = Role.BRAND
    ask(brand, "PUT", "/v1/digital-gifts/STUDIO/codes/2", {"codes": ["YOGA-0003", "YOGA-0004", "YOGA-0005"]})

    def says(answer: str, kind: str) -> None:
        names = [talking.name_of(sent) for sent in meta.sent]
        name = next(name for name in reversed(names) if name.endswith(kind))
        on.clock.forward(seconds=10)
        hears(talking.pressed(f"{name}:{answer}", on.clock.now))
        on.settle()

    for name, wish in (("vic-d", "digital"), ("vic-o", "yes"), ("vic-n", "no")):
        order_id = given(name, 48, fallback="digital")
        on.settle()
        if wish == "digital":
            says(wish, "proposed")
            assert on.order(order_id).is_digital
            continue
        at = f'"v{on.order(order_id).version}"'
        ask(
            brand,
            "POST",
            f"/v1/orders/{order_id}/digital",
            {"action": "offer", "gift": "STUDIO"},
            If_Match=at,
        )
        on.settle()
        says(wish, "digital_offered")
        assert on.order(order_id).digital.outcome == ("given" if wish == "yes" else "declined")  # type: ignore[union-attr]
    stage.publish_rules(on.world, "amend", stage.zone("Second"))
    row = on.plain.table.get(substitutes_key("maison"))
    swaps.allow(on, {**swaps.FLOWERS, "consent": "client"}, version=None if row is None else row.version)
    stage.publish_rules(on.world, "amend", swaps.SEALED_KITCHEN)
    order_id = given("vic-s", gift={"items": [swaps.CAKE]})
    on.settle()
    _pass(on, 1)
    says("yes", "substitute_proposed")
    assert [item.name for item in on.order(order_id).gift.items] == ["Roses"]
    stage.publish_rules(on.world, "amend", swaps.OPEN_KITCHEN)


def _slot_of_the_day(on: stage.Stage) -> Any:
    return stage.slot(1, 30, window={"start": on.clock.now, "end": on.clock.now + timedelta(hours=30)})


def _tested(on: stage.Stage) -> list[dict[str, Any]]:
    sampled, reported = on.clock.now - timedelta(hours=20), on.clock.now - timedelta(hours=12)
    return [{"kind": "pcr", "result": "negative", "sampled_at": sampled, "reported_at": reported}]


def _stand_in(on: stage.Stage, ask: Any) -> None:
    """Whoever tells of a stranded gift gives what needs no courier, and takes back an offer that nobody answered: of
    our codes, and of a partner's own."""
    brand, partner = Role.BRAND, Role.PARTNER
    ask(brand, "PUT", "/v1/digital-gifts/YOGA", digital.yoga(partner="maison"))
    version = 0

    def stranded(mode: str, gift: str, name: str) -> str:
        nonlocal version
        fallback = {"gift": gift, "mode": mode, "patience_minutes": 1, "offer_minutes": 1}
        more = {"If_Match": f'"v{version}"'} if version else {}
        version = ask(brand, "PUT", "/v1/programme", {"fallback": fallback}, **more)["version"]
        sent = stage.body("Nowhere", fallback="digital", window=window)
        order_id = ask(brand, "POST", "/v1/orders", sent, Idempotency_Key=name)["order_id"]
        on.settle()
        _pass(on, 2)
        assert on.order(order_id).digital is not None
        return str(order_id)

    start = on.clock.now + timedelta(hours=3)
    window = {"start": start.isoformat(), "end": (start + timedelta(hours=3)).isoformat()}
    first = stranded("send", "YOGA", "k-sent")
    shown = f"/v1/passes/{pass_id_of(first)}"
    for what in ("", "/code", "/invitation"):
        ask(brand, "GET", shown + what)
    code = ask(brand, "GET", f"{shown}/code")["code"]
    ask(partner, "POST", "/v1/redemptions", {"code": code}, Idempotency_Key="visit-1")
    ask(brand, "PUT", "/v1/digital-gifts/STUDIO", digital.listed(partner="maison"))
    ask(brand, "PUT", "/v1/digital-gifts/STUDIO/codes/1", {"codes": ["YOGA-0001", "YOGA-0002"]})
    lapsed = stranded("offer", "STUDIO", "k-offered")
    _pass(on, 2)
    assert on.order(lapsed).digital.outcome == "lapsed"  # type: ignore[union-attr]
    wished = {"action": "offer", "gift": "STUDIO"}
    for action in ("offer", "decline", "offer", "accept"):
        at = f'"v{on.order(lapsed).version}"'
        told = wished if action == "offer" else {"action": action}
        ask(brand, "POST", f"/v1/orders/{lapsed}/digital", told, If_Match=at)
    wanted = {"market": "SHA", "reference": "CLUB-1", "gift": "YOGA"}
    placed = ask(brand, "POST", "/v1/digital-orders", wanted, Idempotency_Key="k-digital")["order_id"]
    on.settle()
    ask(brand, "POST", f"/v1/passes/{pass_id_of(placed)}/withdraw", {})
    ask(brand, "GET", "/v1/digital-gifts")
    on.settle()


def _be_asked_for_prices_and_be_down(on: stage.Stage, ask: Any, place: Any) -> None:
    """Whoever asks a courier may find it down, and may be the one whose question brings it back."""
    plain, on.world.dialects = on.world.dialects, {"paper": PricedPaperDialect()}
    courier = enlist.courier(on.world, "SHA", "paper-co")
    ask(Role.OPERATOR, "PUT", "/v1/markets/SHA/slots/slot-2", _json(stage.slot(2, 60)))
    for asks_price in (True, False):
        changed = _json(courier.model_copy(update={"asks_price": asks_price}))
        ask(Role.OPERATOR, "PUT", "/v1/markets/SHA/couriers/paper-co", changed)
        on.company.deaf |= {"quote", "book", "look"}
        for number in range(FAILURES):
            place(f"k-down-{asks_price}-{number}")
            on.settle()
        on.company.deaf.clear()
        on.clock.forward(minutes=2)
        place(f"k-back-{asks_price}")
        on.settle()
        _pass(on, 5, 5)
    on.world.dialects = plain


def _ration(on: stage.Stage, place: Any) -> None:
    """Who names the first household of a market makes the secret for it: whoever decides again, or whoever plans."""
    quota = {"per": "household", "limit": 50}
    limited = {**stage.OPEN_TO_THE_DOOR, "policy_id": "limited", "quotas": [quota]}
    stage.publish_rules(on.world, "amend", stage.zone("Yongjia", "limited@1"), policies=[limited])
    on.world.table.write(Drop(facts.salt_key("SHA"), was=1), Drop(data_key_of_client("market#SHA"), was=1))
    _pass(on, 2)  # longer than a process knows a key that is gone
    place("k-counted")
    on.settle()
    stage.publish_rules(on.world, "amend", stage.zone("Yongjia"))


def _pass(on: stage.Stage, *spans: int) -> None:
    """Let so many minutes pass, again and again; after each the schedules fire, once."""
    for minutes in spans:
        on.clock.forward(minutes=minutes - 1)
        on.minutes(1)


def _meet_rare_moments(on: stage.Stage, ask: Any, place: Any, say: Any) -> None:
    """What only two at once, a slow receiver, or somebody a moment too late leads to."""
    world, operator, sent = on.world, Role.OPERATOR, on.world.queues.sent  # type: ignore[attr-defined]

    def until(topic: Topic) -> None:
        """Deliver what comes before the first nudge of that topic."""
        while sent and sent[0][0] is not topic:
            drive.run(world, *sent.pop(0))
        assert sent

    place("k-two-planners")
    until(Topic.DISPATCH)
    solver, nested = world.solver, []

    def assign(*asked: Any) -> Any:
        if not nested:
            nested.append(True)
            drive.run(world, Topic.DISPATCH, "SHA")
        return solver.assign(*asked)

    world.solver = SimpleNamespace(assign=assign)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            planning, "UNLEASED", 0
        )  # as where many orders wait: the second meets the first one's lease
        on.settle()
    assert nested
    world.solver = solver

    place("k-another-permit")
    until(Topic.BOOK)
    ask(operator, "PUT", "/v1/markets/SHA/permits/permit-3", _json(stage.permit(3, plate="A0001")))
    ask(operator, "DELETE", "/v1/markets/SHA/permits/permit-1")
    ask(operator, "PUT", "/v1/markets/SHA/permits/permit-4", _json(stage.permit(4, plate="A0002")))
    ask(operator, "DELETE", "/v1/markets/SHA/permits/permit-2")
    on.settle()

    place("k-slow-receiver")
    until(Topic.TELL)
    watch, world.stopwatch = world.stopwatch, itertools.count(0, 1000).__next__
    drive.run(world, *sent[0])
    world.stopwatch = watch
    on.settle()

    late = place("k-sealed-at-pick-up")
    on.settle()
    upload = publish.begin(world, "SHA", "test", mode="amend", time_zone="Asia/Shanghai", datum="GCJ02")
    part = {"policies": [], "features": [stage.zone("Kitchen", "banned@1", "sealed")], "released": []}
    publish.add_part(world, "SHA", upload.upload_id, 1, json.dumps(part).encode())
    publish.finish(world, "SHA", upload.upload_id)
    until(Topic.RULES)
    drive.run(world, *sent[0])
    sent.clear()  # the nudge to decide again is lost
    say(late, "picked_up")
    stage.publish_rules(world, "amend", stage.zone("Kitchen"))

    for topic in Topic:
        drive.run(world, topic, "")  # not a nudge: to the dead letters


def _json(noun: Any) -> Any:
    return json.loads(noun.model_dump_json())


def _ask_everything(on: stage.Stage, ask: Any, hook: str, names: list[str]) -> None:
    """Every route once, and those that have two ways twice."""
    brand, operator = Role.BRAND, Role.OPERATOR
    page = ask(brand, "GET", "/v1/orders?limit=2")
    ask(brand, "GET", f"/v1/orders?limit=2&cursor={page['next_cursor']}")
    ask(brand, "GET", f"/v1/orders/{names[0]}")
    ask(operator, "GET", f"/v1/orders/{names[0]}/evidence")
    ask(operator, "GET", f"/v1/orders/{names[0]}/evidence/0001/replay")
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
    question = {"upload_id": upload}
    asked = ask(operator, "POST", f"{fleet}/impact", question, Idempotency_Key="q")["impact_id"]
    _pass(on, 1)
    ask(operator, "GET", f"{fleet}/impact/{asked}")
    ask(operator, "POST", f"{fleet}/impact", {"amendment": part}, Idempotency_Key="q2")
    ask(operator, "POST", f"{fleet}/rules/uploads/{upload}/finish", {"parts": 1})
    on.world.queues.sent.clear()  # type: ignore[attr-defined]  # the nudge is lost: the sweep finds the upload
    _pass(on, 3)
    _hand_in_lists(on, ask)
    _mount_campaigns(on, ask)
    made = ask(operator, "POST", "/v1/keys", {"role": "brand", "owner": "somebody"})
    ask(operator, "DELETE", f"/v1/keys/{made['key_hash']}")
    on.settle()


def _mount_campaigns(on: stage.Stage, ask: Any) -> None:
    """By a rule, off a list and by name; one is paused and goes on, all are called off, the last with its orders."""
    brand = Role.BRAND
    lists = [each for each in ask(brand, "GET", "/v1/lists")["data"] if each["state"] == "ready"]
    audiences = [{"rule": {"tier_at_least": "silver", "open_occasion": "easter"}}, {"rule": {}}]
    audiences += [{"list_id": lists[0]["list_id"]}, {"clients": [{"client": "vic-1"}, {"client": "vic-2"}]}]
    for number, audience in enumerate(audiences):
        whole = {name: stage.body()[name] for name in ("market", "gift", "pick_up")} | {"audience": audience}
        told = {"day": "2022-04-11", "hours": [{"start": "13:00", "end": "16:00"}], "reference": "BOXES"}
        made = ask(brand, "POST", "/v1/campaigns", {**whole, **told}, Idempotency_Key=f"c-{number}")
        at = f"/v1/campaigns/{made['campaign_id']}"

        def tell(verb: str, sent: Any = None, at: str = at) -> None:
            version = ask(brand, "GET", at)["version"]
            ask(brand, "POST", f"{at}/{verb}", sent, If_Match=f'"v{version}"')

        on.world.queues.sent.clear()  # type: ignore[attr-defined]  # the nudge is lost: the sweep finds its lanes
        _pass(on, 3)
        tell("plan")
        on.settle()
        tell("place")
        tell("pause")
        tell("place")
        if number == 3:  # called off before anybody has planned its orders
            waiting = [each for each in on.world.queues.sent if each[0] is Topic.CAMPAIGN]  # type: ignore[attr-defined]
            on.world.queues.sent.clear()  # type: ignore[attr-defined]
            for topic, nudge in waiting:
                drive.run(on.world, topic, nudge)
            tell("cancel", {"orders": "cancelled"})
        on.settle()
        ask(brand, "POST", f"{at}/report")
        on.settle()
        ask(brand, "GET", f"{at}/report")
        ask(brand, "GET", f"{at}/clients")
        if number != 3:
            tell("cancel", {"orders": "cancelled"})
        on.settle()
    ask(brand, "GET", "/v1/campaigns")
    _pass(on, 8, 1)


def _hand_in_lists(on: stage.Stage, ask: Any) -> None:
    """A list of clients, one that is refused, and one of members, whose first nudge is lost."""
    brand, kind = Role.BRAND, "text/csv"
    for start, raw in (({}, file(3)), ({}, file(1, phone="1")), ({"kind": "members"}, b"reference\nvic-1")):
        name = ask(brand, "POST", "/v1/lists", start)["list_id"]
        for text in (bytes(10), raw):
            ask(brand, "PUT", f"/v1/lists/{name}/parts/1", text, Content_Type=kind)
        ask(brand, "POST", f"/v1/lists/{name}/finish", {"parts": 1})
        on.world.queues.sent.clear()  # type: ignore[attr-defined]  # the nudge is lost: the sweep finds the list
        _pass(on, 3)
        ask(brand, "GET", f"/v1/lists/{name}/faults")
    ask(brand, "GET", "/v1/lists")


def _enrol_and_forget(on: stage.Stage, ask: Any) -> None:
    """A client who changes number and mind, and is forgotten with a gift that waits."""
    brand, at = Role.BRAND, "/v1/clients/vic-leaving"
    ask(brand, "PUT", at, stage.client_body())
    moved = stage.client_body(person={"name": "Wang", "phone": "+8613900139000"})
    ask(brand, "PUT", at, moved, If_Match='"v1"')
    ask(brand, "GET", at)
    ask(brand, "GET", "/v1/clients?limit=5")
    ask(brand, "POST", "/v1/clients/search", {"phone": "+8613900139000"})
    window = {**stage.body()["window"], "start": on.clock.now.isoformat()}
    window["end"] = (on.clock.now + timedelta(hours=30)).isoformat()
    wish = stage.client_order("vic-leaving", window=window)
    ask(brand, "PUT", at, stage.client_body(), If_Match='"v2"')
    ask(brand, "POST", "/v1/orders", wish, Idempotency_Key="k-leaving")
    gone = {"purpose": "cross_border", "withdrawn_at": stage.NOON.isoformat(), "evidence": "letter-1"}
    ask(brand, "POST", f"{at}/consents", {"withdrawn": gone})
    on.settle()
    ask(brand, "DELETE", at)
    _pass(on, 1)
    ask(brand, "GET", f"{at}/erasure")
    _pass(on, 16, 24 * 60)


@pytest.mark.parametrize("function", sorted(POLICIES))
def test_a_function_may_do_everything_that_it_was_seen_to_do(seen: Seen, function: str) -> None:
    assert seen.by_function[function] - allowed(function) == set()


@pytest.mark.parametrize("function", sorted(POLICIES))
def test_a_function_may_do_nothing_that_it_was_not_seen_to_do(seen: Seen, function: str) -> None:
    poller = {pair for pair in allowed(function) if pair.split()[0] in POLLER}
    rare = {pair for name, pair in RARE if name == function}
    assert allowed(function) - seen.by_function[function] - poller - rare == set()


def test_what_is_called_rare_is_allowed_and_was_not_seen(seen: Seen) -> None:
    for function, pair in RARE:
        assert pair in allowed(function), f"{function} may not {pair}"
        assert pair not in seen.by_function[function], f"{function} was seen to {pair}: it is not rare"


def test_only_a_function_that_carries_the_engine_asks_it_for_a_plan(seen: Seen) -> None:
    carry = {name for name in POLICIES if name.title().replace("_", "") in package.LAYERS}
    assert seen.planned_in == carry == {"on_dispatch"}


def test_only_who_opens_a_seal_may_decrypt() -> None:
    may = {name for name in POLICIES if "kms:Decrypt SealKey" in allowed(name)}
    assert may == {"api_handler", "on_dispatch", "on_book", "on_hear", "on_rules", "on_tell"} | {
        "on_campaign"
    }
