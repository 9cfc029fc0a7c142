"""A town in which five couriers have been booked, and a storm of what they call: shuffled, doubled, a part of it forged.

The five dialects are the real ones. Every gift is booked through the flows by couriers on paper that bear their names;
then the real dialects take over, and whatever is heard is heard by `receive`, `hear` and, of hints, `book`.
"""

from __future__ import annotations

import dataclasses
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

from chalicelib.couriers import Folder
from chalicelib.domain import facts
from chalicelib.domain.dialect import Account, Callback, Dialect, Reply, Request
from chalicelib.domain.errors import Malformed, Unanswered, Unauthorised
from chalicelib.domain.evidence import Evidence
from chalicelib.domain.fleet import Courier
from chalicelib.domain.legs import Event, fold
from chalicelib.domain.orders import Order
from chalicelib.domain.places import Market
from chalicelib.domain.ports import Keep, Topic, World
from chalicelib.domain.shapes import zone_info
from chalicelib.flows import enlist, receive, sweep
from chalicelib.flows.place import place
from tests import drive, fakes, stage
from tests.couriers import (
    samples_dada,
    samples_onfleet,
    samples_partner,
    samples_uber_direct,
    samples_wechat,
)
from tests.couriers.contract.recordings import account_in, recorded_in
from tests.paper import PaperCompany, PaperDialect
from tests.simulation.store import Store

SAMPLES: Mapping[str, ModuleType] = {
    "wechat": samples_wechat,
    "dada": samples_dada,
    "onfleet": samples_onfleet,
    "uber_direct": samples_uber_direct,
    "partner": samples_partner,
}
STORIES: Mapping[str, Sequence[tuple[str, ...]]] = {
    "wechat": (
        ("101", "102", "201", "202", "301", "302"),
        ("101", "102", "201", "202", "304", "401"),
        ("101", "102", "204"),
        ("101", "103"),
        ("101", "102", "201", "202", "301"),
    ),
    "dada": (
        ("1", "2", "100", "3", "4"),
        ("1", "2", "100", "3", "9", "10"),
        ("1", "2", "5"),
        ("1", "2", "100", "3"),
        ("1", "2", "3", "5"),
    ),
    "onfleet": (
        ("taskCreated", "taskAssigned", "taskStarted", "taskEta", "taskArrival", "taskCompleted"),
        ("taskCreated", "taskAssigned", "taskStarted", "taskArrival", "taskFailed"),
        ("taskCreated", "taskAssigned", "taskDeleted"),
        ("taskCreated", "taskAssigned", "taskUnassigned", "taskAssigned", "taskStarted", "taskDelayed"),
    ),
    "uber_direct": (
        ("pending", "pickup", "pickup_complete", "dropoff", "delivered"),
        ("pending", "pickup", "pickup_complete", "dropoff", "canceled", "returned"),
        ("pending", "pickup", "canceled"),
        ("pending", "pickup", "pickup_complete", "dropoff"),
    ),
    "partner": (
        ("accepted", "courier_assigned", "at_pick_up", "picked_up", "in_transit", "delivered"),
        ("accepted", "courier_assigned", "picked_up", "returning", "returned"),
        ("accepted", "courier_assigned", "pick_up_failed"),
        ("accepted", "cancelled"),
        ("accepted", "courier_assigned", "picked_up", "in_transit", "failed"),
        ("accepted", "courier_assigned", "at_pick_up", "picked_up"),
    ),
}
"""What happens to jobs, in each courier's own words: handed over, brought back, never fetched, still on its way.

One story is not among them: a bare *cancelled* after the pick-up, of a courier whose word does not say where the gift
is. Where it overtakes the word of the pick-up the gift counts as never fetched (docs/decisions.md, three ends without a
hand-over), and no order of arrival can put that right.
"""
LIES: Mapping[str, Sequence[str]] = {
    "wechat": ("302", "401", "501", "204"),
    "dada": ("4", "10", "5", "1000"),
    "onfleet": ("taskCompleted", "taskFailed", "taskDeleted"),
    "uber_direct": ("delivered", "canceled", "returned"),
    "partner": ("delivered", "returned", "cancelled", "failed"),
}
RECORDED = Path(samples_partner.__file__).parent / "recorded"
BEGINS = stage.NOON + timedelta(minutes=70)
"""The first word of a story; all gifts may be fetched and handed over from then on for hours."""
STORM = stage.NOON + timedelta(hours=5)
"""By then everything has happened, ..."""
ENDS = stage.NOON + timedelta(hours=12)
"""... and till then nobody is late."""


@dataclasses.dataclass(frozen=True)
class Word:
    """One thing that a courier says of one job."""

    courier: str
    reference: str
    status: str
    at: datetime

    is_fetched: bool = False

    def sent(self, account: Account, at: datetime) -> Callback:
        if self.courier == "uber_direct":  # its waypoints say on which side of the pick-up a delivery ended
            of = samples_uber_direct
            said = of.delivery(self.reference, "del_SF1", self.status, self.at)
            said["pickup"] = {**said["pickup"], "status": "completed" if self.is_fetched else "failed"}  # type: ignore[dict-item]
            return of.signed(account, of.escaped(of.webhook(said, at)))
        told = SAMPLES[self.courier].told(account, self.reference, "SF1", self.status, self.at, at)
        assert isinstance(told, Callback)
        return told


@dataclasses.dataclass
class Town:
    """A market in which every courier of the folder carries some gifts, and what is true of them."""

    world: World
    clock: fakes.FakeClock
    stories: Mapping[str, Sequence[Word]]
    """By reference, in the order in which it happened."""
    so_far: Counter[str]
    """How many words of each story have come true: what a courier that is looked up goes by."""
    looks: int = 0

    @property
    def store(self) -> Store:
        table = self.world.table
        assert isinstance(table, Store)
        return table

    def again(self) -> Town:
        """The same town, of which nothing has been heard."""
        clock = fakes.FakeClock(BEGINS)
        store = Store(clock)
        for row in self.store.rows.values():
            store.write(Keep(row, was=None))
        town = Town(self.world, clock, self.stories, Counter())
        town.world = dataclasses.replace(
            self.world,
            table=store,
            queues=fakes.FakeQueues(),
            log=fakes.FakeLog(),
            clock=clock,
            line=fakes.FakeLine(town.looked_up),
            memory={},
        )
        return town

    def hears(self, courier: str, callback: Callback) -> None:
        receive.receive(self.world, "SHA", courier, callback)

    def goes_on(self) -> None:
        """What queues hold for whoever hears and looks up; nobody plans or tells here."""
        queues: Any = self.world.queues
        while queues.sent:
            for topic, name in queues.take():
                if topic in (Topic.HEAR, Topic.BOOK):
                    drive.run(self.world, topic, name)

    def calms_down(self) -> None:
        """The minutes after: what was put off is looked into."""
        for _ in range(4):
            self.clock.forward(minutes=1)
            sweep.sweep(self.world)
            self.goes_on()

    def looked_up(self, request: Request) -> Reply:
        """Dada's answer about a job, by what has come true of it so far; no other courier is asked anything."""
        if "imdada" not in request.url:
            raise Unanswered(request.url)
        self.looks += 1
        reference = json.loads(json.loads(request.body)["body"])["order_id"]
        true = self.stories[reference][: self.so_far[reference]]
        names = {"1": "create", "2": "accept", "100": "arrive", "3": "fetch", "4": "finish", "5": "cancel"}
        times = {
            f"{names[word.status]}Time": word.at.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")
            for word in true
            if word.status in names
        }
        status = int(true[-1].status) if true else 0
        answer: Reply = samples_dada._yes(orderId=reference, statusCode=status, **times)
        return answer

    # --- what has come of it -----------------------------------------------------------------------------------

    def outcomes(self) -> dict[str, object]:
        """By reference: everything that has been made of what was said of it, but for when we heard it."""
        return {
            reference: self._outcome(reference, words[0].courier) for reference, words in self.stories.items()
        }

    def _outcome(self, reference: str, courier: str) -> object:
        order = self.order(reference)
        (booking,) = order.leg.bookings
        refusals = [(refusal.slot_id, refusal.reason) for refusal in order.leg.refusals]
        common = (order.state, booking.state, booking.is_live, refusals, order.leg.assignment is not None)
        if self.world.dialects[courier].trust == "hint":
            return common  # steps between two look-ups are never learned
        steps = Counter(
            Evidence.model_validate_json(row.body).step
            for row in self.store.read(order.order_id, "evidence#").rows
        )
        said = fold(
            Event.model_validate_json(row.body) for row in self.store.read(order.order_id, "event#").rows
        )
        kept = booking.track.model_dump(include={"picked_up_at", "ended_at", "unreadable"})
        return common, said, kept, steps

    def order(self, reference: str) -> Order:
        return facts.load_order(self.store, reference.split("-")[0])

    def left(self) -> dict[str, int]:
        """Places left of each courier's slot."""
        found = {}
        for number, courier in enumerate(SAMPLES, start=1):
            row = self.store.get(facts.slot_key("SHA", f"slot-{number}"))
            assert row is not None
            found[courier] = row.counters[facts.LEFT]
        return found


CHINA = zone_info("Asia/Shanghai")


class _AsOnPaper(PaperDialect):
    """Books with a company on paper under whatever courier's name."""


def town(jobs: int, seed: int) -> Town:
    """`jobs` gifts booked with each courier, and what will happen to them."""
    clock = fakes.FakeClock()
    company = PaperCompany(clock)
    on_paper = fakes.FakeSecrets()
    world = dataclasses.replace(
        stage.bare(clock, company, stage.Brand()), table=Store(clock), secrets=on_paper
    )
    world.dialects = dict.fromkeys(SAMPLES, _AsOnPaper())
    on_paper.by_account.update({(name, "main"): [{"secret": "paper"}] for name in SAMPLES})
    enlist.put_market(world, Market.model_validate(stage.MARKET))
    open_zones = (stage.zone("Yongjia"), stage.zone("Kitchen"))
    stage.publish_rules(world, "replace", *open_zones, policies=[stage.OPEN_TO_THE_DOOR])
    for number, name in enumerate(SAMPLES, start=1):
        enlist.put_courier(world, Courier(courier_id=name, market_id="SHA", dialect=name, account="main"))
        enlist.put_crew(world, stage.crew(number, courier_id=name))
        enlist.put_permit(world, stage.permit(number))
        enlist.put_slot(
            world, stage.slot(number, jobs, courier_id=name, window={"start": stage.NOON, "end": ENDS})
        )
    window = {
        "start": (stage.NOON + timedelta(hours=1)).isoformat(),
        "end": (ENDS - timedelta(hours=1)).isoformat(),
        "time_zone": "Asia/Shanghai",
    }
    orders = [
        place(world, "maison", f"key-{number}", stage.new_order(window=window))[0].order_id
        for number in range(jobs * len(SAMPLES))
    ]
    drive.settle(world, limit=50 * len(orders))
    chance = random.Random(seed)
    stories: dict[str, Sequence[Word]] = {}
    for order_id in orders:
        (booking,) = facts.load_order(world.table, order_id).leg.bookings
        stories[booking.reference] = _story(chance, booking.courier_id, booking.reference)
    of_each = Counter(words[0].courier for words in stories.values())
    assert of_each == dict.fromkeys(SAMPLES, jobs), of_each
    world.dialects = Folder()
    world.secrets = fakes.FakeSecrets()
    world.secrets.by_account.update({(name, "main"): [of.ACCOUNT] for name, of in SAMPLES.items()})
    return Town(world, clock, stories, Counter())


def _story(chance: random.Random, courier: str, reference: str) -> Sequence[Word]:
    at, words = BEGINS + timedelta(seconds=chance.randrange(3600)), []
    fetched = False
    for status in chance.choice(STORIES[courier]):
        fetched |= status == "pickup_complete"
        words.append(Word(courier, reference, status, at, fetched))
        at += timedelta(seconds=chance.randrange(90, 900))
    return words


def hear_in_order(calm: Town) -> None:
    """The truth: each word as it comes true, taken up at once, and no other."""
    words = sorted((word for story in calm.stories.values() for word in story), key=lambda word: word.at)
    for word in words:
        calm.clock.now = word.at + timedelta(seconds=5)
        calm.so_far[word.reference] += 1
        calm.hears(word.courier, word.sent(SAMPLES[word.courier].ACCOUNT, calm.clock.now))
        calm.goes_on()
    calm.clock.now = STORM
    calm.calms_down()


@dataclasses.dataclass
class Arrived:
    """What came in a storm."""

    genuine: int = 0
    recorded: int = 0
    forged: int = 0
    refused: int = 0
    hinted: int = 0
    """Forged so well that nothing tells them from genuine ones."""


def storm(
    wild: Town, seed: int, forged: float, recorded: Sequence[tuple[str, Account, Callback, datetime]]
) -> Arrived:
    """Every word twice, in any order, with lies among them; what is heard is taken up now or later."""
    chance, came = random.Random(seed), Arrived()
    wild.clock.now = STORM
    wild.so_far.update({reference: len(words) for reference, words in wild.stories.items()})
    words = [word for story in wild.stories.values() for word in story] * 2
    references = list(wild.stories)
    acts: list[Callable[[], None]] = [lambda word=word: _genuine(wild, word, came) for word in words]  # type: ignore[misc]
    acts += [lambda one=one: _recorded(wild, *one, came) for one in recorded for _ in (1, 2)]  # type: ignore[misc]
    lies = round(len(acts) * forged / (1 - forged))
    acts += [lambda: _forged(wild, chance, chance.choice(references), came) for _ in range(lies)]
    chance.shuffle(acts)
    for act in acts:
        wild.clock.forward(seconds=chance.random())
        act()
        if chance.random() < 0.5:
            wild.goes_on()
    wild.goes_on()
    wild.calms_down()
    return came


def _genuine(wild: Town, word: Word, came: Arrived) -> None:
    wild.hears(word.courier, word.sent(SAMPLES[word.courier].ACCOUNT, wild.clock.now))
    came.genuine += 1


def _recorded(
    wild: Town, courier: str, account: Account, callback: Callback, came_at: datetime, came: Arrived
) -> None:
    """As it came, at the time it came at: somebody else's job."""
    now, secrets = wild.clock.now, wild.world.secrets
    accounts: dict[Any, Any] = secrets.by_account  # type: ignore[attr-defined]
    known = accounts[courier, "main"]
    wild.clock.now, accounts[courier, "main"] = came_at, [account]
    try:
        heard = receive.receive(wild.world, "SHA", courier, callback)
        assert not wild.stories.keys() & {event.reference for event in heard.events}
    finally:
        wild.clock.now, accounts[courier, "main"] = now, known
    came.recorded += 1


def _forged(wild: Town, chance: random.Random, reference: str, came: Arrived) -> None:
    courier = wild.stories[reference][0].courier
    dialect = wild.world.dialects[courier]
    at = STORM - timedelta(seconds=chance.randrange(600))
    lie = Word(courier, reference, chance.choice(LIES[courier]), at)
    came.forged += 1
    if dialect.trust == "hint" and chance.random() < 0.5:
        wild.hears(courier, lie.sent(SAMPLES[courier].ACCOUNT, wild.clock.now))
        came.hinted += 1
        return
    rows = dict(wild.store.rows)
    refuses = (Unauthorised, Malformed) if dialect.trust == "hint" else (Unauthorised,)
    try:
        wild.hears(courier, _spoiled(chance, dialect, lie, wild.clock.now))
    except refuses:
        came.refused += wild.store.rows == rows  # and without a trace


def _spoiled(chance: random.Random, dialect: Dialect, lie: Word, now: datetime) -> Callback:
    """As the courier would say it, but for the proof: under another key, for another message, changed, or without."""
    of = SAMPLES[lie.courier]
    told = lie.sent(of.ACCOUNT, now)
    where, name = chance.choice(
        [*(("query", name) for name in of.PROOF_QUERY), *(("headers", name) for name in of.PROOF_HEADERS)]
    )
    parts: dict[str, str] = dict(getattr(told, where))
    how = chance.randrange(4)
    if how == 0:
        return lie.sent(of.ROTATED, now)
    if how == 1 and dialect.trust != "hint":  # the proof of another message of the courier's
        other = dataclasses.replace(lie, status=of.STATUSES[0], at=lie.at - timedelta(hours=1))
        return dataclasses.replace(other.sent(of.ACCOUNT, now), body=told.body)
    if how == 2:
        at = chance.randrange(len(parts[name]))
        parts[name] = parts[name][:at] + chr(ord(parts[name][at]) ^ 1) + parts[name][at + 1 :]
    else:
        del parts[name]
    return dataclasses.replace(told, **{where: parts})


def recorded_of_all(folder: Path) -> Iterator[tuple[str, Account, Callback, datetime]]:
    """What was recorded from real couriers of the five, and what the partners' guide prints."""
    for name, of in SAMPLES.items():
        if hasattr(of, "recorded"):
            for account, callback, came_at in of.recorded(folder).values():
                yield name, account, callback, came_at
        for sent in recorded_in(RECORDED / name, account_in(RECORDED / name)):
            yield name, sent.account, sent.callback, sent.came_at
