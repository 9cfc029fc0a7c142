"""What every face of the simulated couriers has to keep, spoken to over real HTTP with its real adapter.

The faces are found by looking into `sandbox/voices`: a new one brings nothing here.
"""

from __future__ import annotations

import http.client
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import get_args
from urllib.parse import urlsplit

import pytest

from chalicelib.couriers import Folder
from chalicelib.domain.dialect import (
    Booked,
    CancelConfirmed,
    CancelRefused,
    CancelUnknown,
    Found,
    NotFound,
    NotTaken,
    Quoted,
    Unsure,
)
from chalicelib.domain.errors import CordonError, Unanswered
from chalicelib.domain.legs import ENDS, EventKind, fold, reference_of
from sandbox import voices
from sandbox.conduct import Conduct, Failure, Fate
from sandbox.fleet import CourierCompany
from sandbox.ledger import Delivered, Stage
from tests.couriers.jobs import NOON, ORDER_ID, REFERENCE, job
from tests.sandbox.company import Caller, Ear, HandClock

NAMES = sorted(
    path.stem for path in Path(voices.__file__).parent.glob("*.py") if not path.stem.startswith("_")
)
REFUSALS = ("no_rider", "out_of_area", "closed_area", "goods_refused", "account_unpaid")
GIVEN_BACK = {EventKind.RETURNED, EventKind.FAILED}
"""What a gift that nobody took comes to: brought back, or with the courier that says no more of it."""


class Scene:
    """One company in that dialect, our side of its line, and our ear."""

    def __init__(self, name: str) -> None:
        self.dialect = Folder()[name]
        self.account = voices.account(name, "sf")
        self.clock = HandClock()
        self.ear = Ear(self.clock, self.dialect, self.account)
        self.company = CourierCompany(
            voices.speaking(name, self.account), self.clock, self.ear.url, Conduct(seed=5)
        )
        self.caller = Caller(self.company, self.clock, self.dialect, self.account)

    def turn(self, **after: int) -> None:
        """To so long after noon, or through the whole day; logged in anew."""
        self.clock.turn(NOON + timedelta(**(after or {"days": 1})))
        self.caller.token = self.caller.login()

    def booked(self, reference: str = REFERENCE) -> str:
        """The company's name for the job that was booked."""
        answer = self.caller.book(reference)
        assert isinstance(answer, Booked), answer
        return answer.delivery_id

    def kind(self, reference: str = REFERENCE) -> EventKind | None:
        """What the callbacks of that job come to."""
        return fold(event for event in self.ear.events if event.reference == reference).kind

    def looked_up(self, delivery_id: str, reference: str = REFERENCE) -> EventKind | None:
        """What a look-up says of that job."""
        found = self.caller.look_up(reference, delivery_id)
        assert isinstance(found, Found), found
        return found.event and found.event.kind

    def close(self) -> None:
        self.company.close()
        self.ear.close()


@pytest.fixture(params=NAMES)
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    scene = Scene(request.param)
    yield scene
    scene.close()


def test_every_face_has_an_adapter_of_its_name() -> None:
    assert set(NAMES) <= set(Folder())


def test_a_job_goes_from_the_booking_to_the_door_inside_its_window(scene: Scene) -> None:
    scene.booked()
    scene.turn()
    told = scene.company.jobs[REFERENCE]
    assert told.handed_over == "door"
    wish = job()
    assert told.picked_up_at is not None and told.handed_over_at is not None and wish.pick_up_from is not None
    assert wish.pick_up_from <= told.picked_up_at
    assert wish.deliver_from <= told.handed_over_at <= wish.deliver_by
    track = fold(scene.ear.events)
    assert (track.kind, track.unreadable, scene.ear.refused) == (EventKind.DELIVERED, 0, 0)
    assert track.picked_up_at is not None and track.ended_at is not None
    assert abs(track.ended_at - told.handed_over_at) < timedelta(seconds=1)


def test_a_look_up_tells_what_the_callbacks_tell(scene: Scene) -> None:
    delivery_id = scene.booked()
    told = scene.company.jobs[REFERENCE]
    assert scene.looked_up(delivery_id) in (EventKind.ACCEPTED, None)
    for at in (told.timings.picked_up, told.timings.in_transit, told.timings.arrived):
        scene.clock.turn(at)
        scene.caller.token = scene.caller.login()
        assert scene.looked_up(delivery_id) is scene.kind()
    assert scene.kind() is EventKind.DELIVERED


def test_what_was_never_booked_is_not_found(scene: Scene) -> None:
    scene.booked()
    assert isinstance(scene.caller.look_up(reference_of(ORDER_ID, 1, 9)), NotFound | Unsure)
    if not scene.dialect.cancels_by_id:
        assert isinstance(scene.caller.cancel("4711", reference_of(ORDER_ID, 1, 9)), CancelUnknown | Unsure)


def test_a_price_is_named_where_the_dialect_asks_for_one_and_nothing_is_made_of_it(scene: Scene) -> None:
    if scene.dialect.quote(scene.caller.account, scene.caller.token, job(), NOON) is None:
        pytest.skip("names no prices")
    quoted = scene.caller.quote()
    assert isinstance(quoted, Quoted), quoted
    assert quoted.fee.amount == scene.company.conduct.fee
    assert scene.company.jobs == {}


def test_booking_twice_under_one_reference_makes_one_job(scene: Scene) -> None:
    first = scene.booked()
    again = scene.caller.book()
    assert isinstance(again, Unsure) or (isinstance(again, Booked) and again.delivery_id == first)
    assert len(scene.company.jobs) == 1


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusal_is_understood(scene: Scene, refusal: str) -> None:
    scene.company.conduct.fates[REFERENCE] = Fate("refuse", refusal)
    answer = scene.caller.book()
    assert isinstance(answer, NotTaken), answer
    assert answer.reason
    assert scene.company.jobs == {}


@pytest.mark.parametrize(("fate", "made"), [("stall", True), ("stall_lost", False)])
def test_a_booking_without_an_answer_is_told_by_a_look_up(scene: Scene, fate: str, made: bool) -> None:
    scene.company.conduct.fates[REFERENCE] = Fate("stall" if fate == "stall" else "stall_lost")
    with pytest.raises(Unanswered):
        scene.caller.book()
    assert isinstance(scene.caller.look_up(), Found if made else NotFound | Unsure)
    assert len(scene.company.jobs) == int(made)


@pytest.mark.parametrize("failure", get_args(Failure))
def test_a_job_can_fail_before_its_pick_up(scene: Scene, failure: Failure) -> None:
    scene.company.conduct.fates[REFERENCE] = Fate(failure=failure)
    scene.booked()
    scene.turn()
    track = fold(scene.ear.events)
    assert track.kind in ENDS - {EventKind.DELIVERED, EventKind.RETURNED}
    assert track.unreadable == 0
    assert not scene.company.jobs[REFERENCE].is_live


@pytest.mark.parametrize("gate", get_args(Delivered))
def test_whatever_happens_at_the_destination_can_be_said(scene: Scene, gate: Delivered) -> None:
    scene.company.conduct.at_gate = lambda job: gate
    delivery_id = scene.booked()
    scene.turn()
    kind, unreadable = scene.kind(), fold(scene.ear.events).unreadable
    assert unreadable == 0
    if gate in ("door", "gate"):
        assert kind is EventKind.DELIVERED
    else:
        assert kind in GIVEN_BACK
        assert scene.company.jobs[REFERENCE].stage is Stage.RETURNED
        assert scene.looked_up(delivery_id) is not EventKind.DELIVERED


def test_a_cancellation_before_the_pick_up_is_taken_and_known_afterwards(scene: Scene) -> None:
    delivery_id = scene.booked()
    scene.turn(minutes=5)
    assert isinstance(scene.caller.cancel(delivery_id), CancelConfirmed)
    assert scene.company.jobs[REFERENCE].stage is Stage.CANCELLED
    found = scene.caller.look_up(REFERENCE, delivery_id)
    if isinstance(found, Found):
        assert found.event is not None and found.event.kind is EventKind.CANCELLED
    else:
        assert isinstance(found, NotFound), "or the job is gone"
    again = scene.caller.cancel(delivery_id)
    assert not isinstance(again, CancelRefused), "it is cancelled, and never said to be kept"
    scene.turn()
    assert scene.kind() in (None, EventKind.COURIER_ASSIGNED, EventKind.CANCELLED)


def test_a_cancellation_after_the_pick_up_leaves_the_gift_with_the_courier_until_it_is_back(
    scene: Scene,
) -> None:
    delivery_id = scene.booked()
    told = scene.company.jobs[REFERENCE]
    scene.clock.turn(told.timings.in_transit)
    scene.caller.token = scene.caller.login()
    answer = scene.caller.cancel(delivery_id)
    assert not (isinstance(answer, CancelConfirmed) and answer.returning is False), answer
    if isinstance(answer, CancelConfirmed):
        assert told.has_custody
        scene.turn()
        assert scene.kind() in GIVEN_BACK
        assert told.stage is Stage.RETURNED


def test_a_company_may_keep_what_it_has_fetched(scene: Scene) -> None:
    scene.company.conduct.cancel_after_pick_up = "refused"
    delivery_id = scene.booked()
    told = scene.company.jobs[REFERENCE]
    scene.clock.turn(told.timings.in_transit)
    scene.caller.token = scene.caller.login()
    assert isinstance(scene.caller.cancel(delivery_id), CancelRefused | Unsure)
    scene.turn()
    assert scene.kind() is EventKind.DELIVERED


def test_what_is_over_cannot_be_cancelled(scene: Scene) -> None:
    delivery_id = scene.booked()
    scene.turn()
    assert isinstance(scene.caller.cancel(delivery_id), CancelRefused | Unsure)
    assert scene.looked_up(delivery_id) is EventKind.DELIVERED


def test_in_its_name_nobody_else_is_believed(scene: Scene) -> None:
    """Where the callbacks prove nothing, the dialect says so: what it hears is a hint."""
    scene.company.conduct.forge = 1.0
    scene.booked()
    scene.clock.turn(scene.company.jobs[REFERENCE].timings.assigned)
    assert any(sent.how == "forged" for sent in scene.company.sent)
    assert scene.company.voice.proves is (scene.dialect.trust != "hint")
    if scene.company.voice.proves:
        assert scene.ear.refused > 0
        assert scene.kind() is not EventKind.DELIVERED


@pytest.mark.parametrize("spoils", ["double", "reorder"])
def test_doubled_and_reordered_callbacks_come_to_the_same(scene: Scene, spoils: str) -> None:
    setattr(scene.company.conduct, spoils, 1.0 if spoils == "double" else 0.5)
    references = [reference_of(ORDER_ID, 1, number) for number in range(1, 9)]
    for reference in references:
        scene.booked(reference)
    scene.turn()
    for reference in references:
        mine = [event for event in scene.ear.events if event.reference == reference]
        assert fold(mine) == fold(reversed(mine))
        assert fold(mine).kind is EventKind.DELIVERED
    counts = Counter((event.reference, event.event_id) for event in scene.ear.events)
    assert set(counts.values()) == ({2} if spoils == "double" else {1})


def test_a_callback_that_is_not_taken_is_tried_again(scene: Scene) -> None:
    assert scene.company.voice.retries
    scene.ear.failing = 1
    scene.booked()
    scene.turn(days=3)
    assert scene.kind() is EventKind.DELIVERED
    assert [sent.answer for sent in scene.company.sent].count(503) == 1


def test_with_a_wrong_secret_nothing_is_booked(scene: Scene) -> None:
    known = {**scene.caller.account}
    refused = set()
    for name, value in known.items():
        if name == "base_url":
            continue
        scene.caller.account = {**known, name: f"{value[:-2]}00" if value[-2:] != "00" else f"{value[:-2]}11"}
        try:
            scene.caller.token = scene.caller.login()
            if not isinstance(scene.caller.book(), Booked):
                refused.add(name)
        except (CordonError, ValueError):
            refused.add(name)
        scene.company.jobs.clear()
    assert refused, "a company that asks for no proof is no test of an adapter"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"\xff", b'{"reference":5}', b"a=%ff"])
def test_junk_is_answered_and_not_a_crash(scene: Scene, method: str, body: bytes) -> None:
    of = scene.dialect.book(scene.caller.account, scene.caller.token, job(), NOON)
    line = http.client.HTTPConnection(urlsplit(scene.company.url).netloc, timeout=2)
    paths = (urlsplit(of.url)._replace(scheme="", netloc="").geturl(), "/", "/elsewhere?x=1&x=%ff")
    for path in paths:
        for headers in (dict(of.headers), {}, {"authorization": "Basic \xe9"}):
            line.request(method, path, body, headers)
            answer = line.getresponse()
            answer.read()
            assert answer.status < 500
    line.close()
    assert scene.company.jobs == {}


def test_an_invented_account_follows_from_its_name() -> None:
    for name in NAMES:
        one = voices.account(name, "sf")
        assert one == voices.account(name, "sf")
        assert one != voices.account(name, "another")
        assert "base_url" not in one
