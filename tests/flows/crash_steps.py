"""The steps that stories of the crash test are made of. Each act in them is repeated by whoever was not answered."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial
from typing import Any

from chalicelib.domain import facts
from chalicelib.domain.appointments import PieceState, Word
from chalicelib.domain.dialect import Callback, Reply, Request
from chalicelib.domain.errors import Refused, Unanswered
from chalicelib.domain.keys import Caller, Role
from chalicelib.domain.orders import OrderState
from chalicelib.domain.places import HandOverPoint
from chalicelib.domain.ports import Topic
from chalicelib.domain.shapes import Window
from chalicelib.domain.substitutes import Say
from chalicelib.domain.wishes import NewAppointment
from chalicelib.flows import (
    consult,
    explain,
    links,
    look,
    publish,
    recall,
    receive,
    replay,
    reveal,
    substitute,
    track,
)
from chalicelib.flows.cancel import cancel as flow_cancel
from chalicelib.flows.cancel import receipt as flow_receipt
from chalicelib.flows.give import give as flow_give
from chalicelib.flows.manifest import record as flow_record
from chalicelib.flows.place import place as flow_place
from chalicelib.flows.prove import NewProof, made_anew
from chalicelib.flows.prove import prove as flow_prove
from chalicelib.flows.relay import relay as flow_relay
from chalicelib.flows.reschedule import reschedule as flow_reschedule
from chalicelib.flows.send_again import seen_back as flow_seen_back
from chalicelib.flows.send_again import send_again as flow_send_again
from tests import swaps
from tests.flows.crash_play import Play
from tests.paper import callback
from tests.stage import (
    CLOSED,
    CONTACTLESS,
    NOON,
    OPEN_TO_THE_DOOR,
    body,
    client_wish,
    new_order,
    place_at,
    zone,
)

Step = Callable[[Play], None]


def flat(*steps: Step | Iterable[Any]) -> tuple[Step, ...]:
    """Steps and lists of steps as one row."""
    return tuple(one for step in steps for one in ([step] if callable(step) else flat(*step)))


_Made = Callable[..., Step]


def same(make: _Made) -> _Made:
    """The same step for the same words, so that stories that begin alike are seen to."""
    made: dict[Any, Step] = {}

    def step(*args: Any, **kwargs: Any) -> Step:
        name = repr((args, sorted(kwargs.items())))
        return made.setdefault(name, make(*args, **kwargs))

    return step


# --- time and queues ----------------------------------------------------------------------------------------


def settle(play: Play) -> None:
    play.settle()


def minutes(count: int) -> list[Step]:
    return [Play.minute] * count


@same
def later(**span: float) -> Step:
    """Time in which nothing is owed; then the schedules fire again."""

    def step(play: Play) -> None:
        play.on.clock.forward(**span)
        play.minute()

    return step


@same
def only(*topics: Topic) -> Step:
    """What waits on these queues is delivered, what waits on the others is not."""

    def step(play: Play) -> None:
        while True:
            places = [at for at, (topic, _) in enumerate(play.queues.sent) if topic in topics]
            if not places:
                return
            play.deliver(places[0])

    return step


def only_publish(play: Play) -> None:
    """The upload is published; that all orders have to be decided again still waits."""
    play.deliver(next(at for at, (_, name) in enumerate(play.queues.sent) if name.startswith("publish:")))


def lose_nudges(play: Play) -> None:
    """Every nudge that waits is lost."""
    play.queues.sent.clear()


def meanwhile(when: str, step: Step) -> Step:
    """Have another process do that in the middle of something: `while planning`, `before cancel`, `before table.write`."""

    def arm(play: Play) -> None:
        play.known[when] = step

    return arm


@same
def expects(state: OrderState, key: str = "key-1") -> Step:
    """Undisturbed, it has come so far by now; a stopped play may take a minute longer."""

    def step(play: Play) -> None:
        if play.watch is not None:
            assert play.order(key).state is state, f"{key} is {play.order(key).state}, not yet {state}"

    return step


def refused(play: Play, do: Callable[[], Any]) -> Any:
    """Ask, and take a no for an answer: None."""

    def ask() -> Any:
        try:
            return do()
        except Refused:
            return None

    return play.act(ask)


# --- the brand ----------------------------------------------------------------------------------------------


@same
def place(key: str = "key-1", compound: str = "Yongjia", *, settled: bool = True, **changes: Any) -> Step:
    def step(play: Play) -> None:
        play.act(lambda: flow_place(play.on.world, "maison", key, new_order(compound, **changes)))
        if settled:
            play.settle()

    return step


@same
def cancel(key: str = "key-1", *, settled: bool = True) -> Step:
    """A brand wants the end of it; not answered, it sends the very same request again."""

    def step(play: Play) -> None:
        version = play.order(key).version
        refused(play, lambda: flow_cancel(play.on.world, "maison", play.order_id(key), version))
        if settled:
            play.settle()

    return step


@same
def send_again(key: str = "key-1", *, start: float = 2, end: float = 4.5, times: int = 1) -> Step:
    """A brand has it sent out again, in a window of so many hours after noon; not answered, it asks the very same."""

    def step(play: Play) -> None:
        version = play.order(key).version
        first, last = NOON + timedelta(hours=start), NOON + timedelta(hours=end)
        wish = Window(start=first, end=last, time_zone="Asia/Shanghai")
        for _ in range(times):
            refused(play, lambda: flow_send_again(play.on.world, "maison", play.order_id(key), wish, version))
        play.settle()

    return step


@same
def reschedule(
    key: str = "key-1", *, start: float = 2, end: float = 4.5, times: int = 1, settled: bool = True
) -> Step:
    """A brand wishes for another window, so many hours after noon; not answered, it asks the very same."""

    def step(play: Play) -> None:
        version = play.order(key).version
        first, last = NOON + timedelta(hours=start), NOON + timedelta(hours=end)
        wish = Window(start=first, end=last, time_zone="Asia/Shanghai")
        for _ in range(times):
            refused(play, lambda: flow_reschedule(play.on.world, "maison", play.order_id(key), wish, version))
        if settled:
            play.settle()

    return step


@same
def visit(key: str = "key-1", *, minutes: int = 60) -> Step:
    """A brand makes an appointment, with two coats."""
    told = {name: value for name, value in body().items() if name != "gift"}
    coat = {"name": "Coat", "item_class": "fashion", "value": {"amount": 9, "currency": "CNY"}}
    pieces = [{**coat, "serial": serial} for serial in ("A1", "A2")]
    asked = json.dumps({**told, "minutes": minutes, "pieces": pieces})
    made = NewAppointment.model_validate_json(asked).as_order().described
    assert made is not None

    def step(play: Play) -> None:
        play.act(lambda: flow_place(play.on.world, "maison", key, made))
        play.settle()

    return step


def page_is_read(play: Play) -> None:
    """The client opens the link, and reads where the gate is."""
    order = play.order()
    token = play.act(lambda: links.token_of(play.on.world, order))
    seen = play.act(lambda: links.opened(play.on.world, token))
    play.act(lambda: track.handing_over(play.on.world, seen))


@same
def on_the_page(do: str, key: str = "key-1") -> Step:
    """The client opens the link, reads, and asks for something by the form; not answered, the very same again."""

    def step(play: Play) -> None:
        world, order = play.on.world, play.order(key)
        token = play.act(lambda: links.token_of(world, order))
        seen = refused(play, lambda: links.opened(world, token))
        if seen is None:
            return
        play.act(lambda: track.handing_over(world, seen))
        form = play.act(lambda: links.form_of(world, seen, token))
        version = play.act(lambda: links.sent(world, token, form))
        start = NOON + timedelta(hours=2)
        asked: dict[str, Callable[[], Any]] = {
            "move": lambda: track.other_time(world, seen, start, version),
            "absent": lambda: track.not_at_home(world, seen, version),
            "revoke": lambda: links.revoke(world, "maison", seen.order_id, version),
        }
        for _ in range(2):
            refused(play, asked[do])
        play.settle()

    return step


@same
def count(key: str = "key-1", **states: str) -> Step:
    """Somebody in the boutique counts these pieces."""
    words = [Word(serial=serial, state=PieceState(state)) for serial, state in states.items()]

    def step(play: Play) -> None:
        refused(play, lambda: flow_record(play.on.world, "maison", play.order_id(key), words))
        play.settle()

    return step


@same
def relay(point: str, key: str = "key-1", *, times: int = 1) -> Step:
    """The dispatcher names a hand-over point for what waits."""

    def step(play: Play) -> None:
        version = play.order(key).version
        told = HandOverPoint.model_validate_json(json.dumps(point_at(point)))
        for _ in range(times):
            refused(play, lambda: flow_relay(play.on.world, play.order_id(key), told, version))
        play.settle()

    return step


def point_at(compound: str) -> dict[str, Any]:
    """A hand-over point there, in the middle of the day."""
    first, last = NOON + timedelta(minutes=30), NOON + timedelta(hours=3.5)
    hours = {"start": first.isoformat(), "end": last.isoformat(), "time_zone": "Asia/Shanghai"}
    return {"name": "Line desk", "place": place_at(compound), "hours": hours}


@same
def seen_back(key: str = "key-1", *, settled: bool = True) -> Step:
    """An operator has seen it in the shop."""

    def step(play: Play) -> None:
        refused(play, lambda: flow_seen_back(play.on.world, play.order_id(key)))
        if settled:
            play.settle()

    return step


@same
def proves(key: str = "key-1", *, times: int = 1, **parts: str) -> Step:
    """An operator sends in what was read at the door; a code of `right` is the one the client has."""

    def step(play: Play) -> None:
        private = facts.unseal_private(play.on.plain.sealer, play.order(key))
        told = {name: private.code if said == "right" else said for name, said in parts.items()}
        new = NewProof.model_validate(told)
        for _ in range(times):
            refused(play, lambda: flow_prove(play.on.world, play.order_id(key), new))
        play.settle()

    return step


@same
def new_code(key: str = "key-1") -> Step:
    """The brand has another code made."""

    def step(play: Play) -> None:
        refused(play, lambda: made_anew(play.on.world, "maison", play.order_id(key)))

    return step


@same
def looks_at_address(key: str = "key-1") -> Step:
    """Brand and operator read where it goes, and who has."""

    def step(play: Play) -> None:
        for who in (Caller(role=Role.OPERATOR, owner="room"), Caller(role=Role.BRAND, owner="maison")):
            name = play.order_id(key)
            refused(play, partial(reveal.reveal, play.on.world, who, name, "client-called"))
            play.act(partial(reveal.looks_at, play.on.world, who, name))

    return step


@same
def allows(*instead: Any, version: int | None = None) -> Step:
    """The brand says what may go in the place of a cake."""
    new = swaps.allowed(*instead)

    def step(play: Play) -> None:
        refused(play, lambda: substitute.put_substitutes(play.on.world, "maison", new, version))
        play.act(lambda: substitute.substitutes_of(play.on.world, "maison"))

    return step


@same
def answers(
    number: int = 1, *, yes: bool = True, times: int = 1, key: str = "key-1", settled: bool = True
) -> Step:
    """The brand says yes or no to a proposal; not answered, it says the same again."""

    def step(play: Play) -> None:
        name = play.order_id(key)
        play.act(lambda: substitute.proposals_of(play.on.world, name))
        for _ in range(times):
            refused(
                play,
                lambda: substitute.answer(
                    play.on.world,
                    name,
                    number,
                    is_accepted=yes,
                    consent=Say.CLIENT,
                    evidence="call-1",
                ),
            )
        if settled:
            play.settle()

    return step


@same
def gives(key: str = "key-1", **changes: Any) -> Step:
    """A gift to a client who is enrolled."""

    def step(play: Play) -> None:
        wish = client_wish(**changes)
        play.act(lambda: flow_give(play.on.world, "maison", key, wish, "brand"))
        play.settle()

    return step


@same
def receipt(key: str = "key-1", *, settled: bool = True) -> Step:
    def step(play: Play) -> None:
        refused(play, lambda: flow_receipt(play.on.world, play.order_id(key)))
        if settled:
            play.settle()

    return step


@same
def read_everything(key: str = "key-1") -> Step:
    """What brands and operators look at; nothing changes by it."""

    def step(play: Play) -> None:
        from chalicelib.flows import codes, enlist

        world, order_id = play.on.world, play.order_id(key)
        before = dict(play.table.rows)
        play.act(lambda: look.own_order(world, "maison", order_id))
        play.act(lambda: look.any_order(world, order_id))
        play.act(lambda: look.orders_of(world, "maison", 10, None))
        play.act(lambda: look.evidence_of(world, order_id))
        refused(play, lambda: explain.last(world, "SHA"))
        play.act(lambda: recall.recalled(world, look.evidence_of(world, order_id)))
        play.act(lambda: replay.replay(world, order_id, "0001"))
        refused(play, lambda: look.clearance(world, new_order()))
        play.act(lambda: codes.codes_of(world, "maison", order_id))
        play.act(lambda: enlist.fleet(world, "SHA"))
        play.act(lambda: enlist.markets(world))
        play.act(lambda: consult.in_force(world, "SHA"))
        play.act(lambda: consult.atlas(world, "SHA"))
        assert play.table.rows == before

    return step


def fine(play: Play, request: Request) -> Reply:
    return Reply(204, {}, b"")


def fails(play: Play, request: Request) -> Reply:
    return Reply(500, {}, b"")


def slow_down(play: Play, request: Request) -> Reply:
    return Reply(429, {"retry-after": "90"}, b"")


def gone(play: Play, request: Request) -> Reply:
    return Reply(410, {}, b"")


def silent(play: Play, request: Request) -> Reply:
    play.known["seconds"] = play.known.get("seconds", 0.0) + 6
    raise Unanswered("brand.example: timed out")


def slow(play: Play, request: Request) -> Reply:
    play.known["seconds"] = play.known.get("seconds", 0.0) + 4
    return Reply(204, {}, b"")


@same
def brand(answer: Callable[[Play, Request], Reply]) -> Step:
    """From now on the brand's receivers answer like this."""

    def step(play: Play) -> None:
        play.known["brand"] = answer

    return step


# --- the courier --------------------------------------------------------------------------------------------


@same
def courier(
    kind: str,
    *,
    times: int = 1,
    heard: bool = True,
    reason: str = "",
    key: str = "",
    number: int = 0,
    settled: bool = True,
    **read: str,
) -> Step:
    """Every open job at the courier comes to this; its callback arrives so many times. `read`: what its crew read at
    the door; of the code `right` is the one that the client has."""

    def step(play: Play) -> None:
        for reference, job in list(play.on.company.jobs.items()):
            is_meant = (not key or reference.startswith(play.order_id(key))) and (
                not number or reference.endswith(f"-{number}")
            )
            if job.is_open and is_meant:
                said = play.on.company.move(reference, kind, play.on.clock.now, reason)
                if read:
                    order = play.order("key-1")
                    right = facts.unseal_private(play.on.plain.sealer, order).code or ""
                    told = {name: right if text == "right" else text for name, text in read.items()}
                    said = callback(reference, kind, play.on.clock.now, reason=reason, **told)
                for _ in range(times if heard else 0):
                    _receive(play, said)
        if settled:
            play.settle()

    return step


def _receive(play: Play, said: Callback) -> None:
    play.act(lambda: receive.receive(play.on.world, "SHA", "paper-co", said))


@same
def says(
    kind: str,
    *,
    key: str = "key-1",
    minutes_ago: float = 0,
    courier_id: str = "paper-co",
    leg_no: int = 0,
) -> Step:
    """A callback about the last job that the courier had of this order (on that leg), whatever its own books say."""

    def step(play: Play) -> None:
        at = play.on.clock.now - timedelta(minutes=minutes_ago)
        of = f"{play.order_id(key)}-{leg_no or ''}"
        for reference in [r for r in play.on.company.jobs if r.startswith(of)][-1:]:
            said = callback(reference, kind, at)
            refused(play, partial(receive.receive, play.on.world, "SHA", courier_id, said))
        play.settle()

    return step


def another_says(kind: str) -> Step:
    """Another courier, with an account of its own, signs that it has this order's job."""

    def step(play: Play) -> None:
        for reference in list(play.on.company.jobs):
            said = callback(reference, kind, play.on.clock.now, secret="another secret")
            play.act(partial(receive.receive, play.on.world, "SHA", "other-co", said))
        play.settle()

    return step


def says_of_nobody(play: Play) -> None:
    """A callback about an order that is not here."""
    said = callback(f"{play.order_id('never placed')}-1-1", "delivered", play.on.clock.now)
    play.act(lambda: receive.receive(play.on.world, "SHA", "paper-co", said))
    play.settle()


@same
def company(**changes: Any) -> Step:
    """The courier changes its ways: `silent`, `deaf` and `refuse` are replaced."""

    def step(play: Play) -> None:
        for name, value in changes.items():
            setattr(play.on.company, name, type(value)(value))

    return step


def forget_jobs(play: Play) -> None:
    """The courier loses what it had taken."""
    play.on.company.jobs.clear()


# --- sources and operators ----------------------------------------------------------------------------------

POLICIES = (OPEN_TO_THE_DOOR, CONTACTLESS, CLOSED)
BANNED = zone("Yongjia", "banned@1", "no_access")
AT_THE_GATE = zone("Yongjia", "sealed@1", "sealed")
OPEN = zone("Yongjia")
NEW_POLICY = {**CLOSED, "version": 2}


def part(*features: Any, policies: Any = (), released: Any = ()) -> bytes:
    return json.dumps(
        {"policies": list(policies), "features": list(features), "released": list(released)}
    ).encode()


@same
def rules(*features: Any, mode: str = "amend", policies: Any = (), settled: bool = True) -> Step:
    """A source publishes: begins, hands in one part, finishes; the queue does the rest."""

    def step(play: Play) -> None:
        upload(mode=mode)(play)
        add(1, *features, policies=policies)(play)
        finish(settled=settled)(play)

    return step


@same
def upload(name: str = "upload", mode: str = "amend") -> Step:
    def step(play: Play) -> None:
        begun = play.act(
            lambda: publish.begin(
                play.on.world, "SHA", "test", mode=mode, time_zone="Asia/Shanghai", datum="GCJ02"
            )
        )
        play.known[name] = begun.upload_id

    return step


@same
def add(number: int, *features: Any, name: str = "upload", policies: Any = ()) -> Step:
    raw = part(*features, policies=policies)

    def step(play: Play) -> None:
        play.act(lambda: publish.add_part(play.on.world, "SHA", play.known[name], number, raw))

    return step


@same
def finish(name: str = "upload", *, parts: int | None = None, settled: bool = True) -> Step:
    def step(play: Play) -> None:
        upload_id = play.known.pop(name)
        play.act(lambda: publish.finish(play.on.world, "SHA", upload_id, parts))
        if settled:
            play.settle()

    return step


def operator(do: Callable[[Play], Any], *, settled: bool = True) -> Step:
    """An operator asks for something, and takes a no."""

    def step(play: Play) -> None:
        refused(play, lambda: do(play))
        if settled:
            play.settle()

    return step
