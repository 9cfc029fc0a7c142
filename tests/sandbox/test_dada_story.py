"""A gift that goes with Dada, from the order to the door: the real flows, the real adapter, the company over HTTP.

Its word is a hint from end to end: what moves the order is what a look-up says.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from chalicelib.couriers.dada import Dada
from chalicelib.domain.dialect import Callback, Reply, Request
from chalicelib.domain.errors import Refused, Unanswered
from chalicelib.domain.fleet import Courier, Proof
from chalicelib.domain.legs import HINT, BookingState
from chalicelib.domain.orders import OrderState
from chalicelib.flows import enlist, receive
from chalicelib.flows.cancel import cancel
from chalicelib.flows.codes import codes_of
from chalicelib.flows.place import place
from sandbox import voices
from sandbox.conduct import Conduct
from sandbox.fleet import CourierCompany
from sandbox.ledger import CourierJob, Stage
from sandbox.voice import Letter
from tests import stage as on_stage
from tests.sandbox.company import HandClock

ACCOUNT = voices.account("dada", "dd")


class Story:
    """A stage on which the courier is Dada, and one gift of its afternoon."""

    def __init__(self) -> None:
        self.on = on_stage.stage()
        self.clock = HandClock()
        self.clock._now = self.on.clock()
        self.company = CourierCompany(
            voices.speaking("dada", ACCOUNT),
            self.clock,
            "https://cordon.test/",
            Conduct(seed=5),
            post=self.hear,
        )
        world = self.on.world
        world.dialects = {"dada": Dada()}
        world.secrets.by_account["dada", "dd"] = [{**ACCOUNT, "base_url": self.company.url}]  # type: ignore[attr-defined]
        brand = world.line.answer  # type: ignore[attr-defined]
        world.line.answer = lambda request: self.send(request) or brand(request)  # type: ignore[attr-defined]
        enlist.put_courier(
            world,
            Courier(
                courier_id="paper-co",
                market_id="SHA",
                dialect="dada",
                account="dd",
                proofs=frozenset({Proof.RECEIPT_CODE}),
            ),
        )
        self.order_id = place(world, "maison", "key-1", on_stage.new_order())[0].order_id
        self.on.settle()

    def send(self, request: Request) -> Reply | None:
        """What goes to the company goes over a real socket."""
        if not request.url.startswith(self.company.url):
            return None
        parts = urlsplit(request.url)
        line = http.client.HTTPConnection(parts.netloc, timeout=5)
        try:
            line.request(request.method, parts.path, request.body, dict(request.headers))
            answer = line.getresponse()
            return Reply(answer.status, {}, answer.read())
        except (OSError, http.client.HTTPException) as error:
            raise Unanswered(str(error)) from error
        finally:
            line.close()

    def hear(self, url: str, letter: Letter) -> int:
        callback = Callback(letter.method, letter.query, letter.headers, letter.body)
        try:
            receive.receive(self.on.world, "SHA", "paper-co", callback)
        except Refused as error:
            return error.status
        return 200

    def minutes(self, count: int) -> None:
        self.on.minutes(count, lambda: self.clock.turn(self.on.clock()))

    def until(self, stage: Stage) -> None:
        """Until the job has come so far, and a minute more."""
        for _ in range(600):
            if any(step.stage is stage for step in self.job.steps):
                break
            self.minutes(1)
        self.minutes(1)

    @property
    def job(self) -> CourierJob:
        (job,) = self.company.jobs.values()
        return job

    @property
    def state(self) -> OrderState:
        return self.on.order(self.order_id).state


@pytest.fixture
def story() -> Iterator[Story]:
    story = Story()
    yield story
    story.company.close()


def test_a_gift_goes_to_the_door_by_what_look_ups_say(story: Story) -> None:
    assert story.state is OrderState.BOOKED
    for stage, state in (
        (Stage.ASSIGNED, OrderState.BOOKED),
        (Stage.PICKED_UP, OrderState.PICKED_UP),
        (Stage.DELIVERED, OrderState.DELIVERED),
    ):
        story.until(stage)
        assert story.state is state
    (booking,) = story.on.order(story.order_id).leg.bookings
    assert booking.delivery_id == booking.reference
    assert booking.track.ended_at == story.job.handed_over_at
    assert booking.track.picked_up_at == story.job.picked_up_at


def test_the_brand_reads_the_receipt_code_before_the_gift_is_at_the_door(story: Story) -> None:
    assert story.job.order["is_finish_code_needed"] == 1
    assert codes_of(story.on.world, "maison", story.order_id) == {}
    story.until(Stage.PICKED_UP)
    assert set(codes_of(story.on.world, "maison", story.order_id)) == {"receipt_code"}


def test_whoever_knows_the_address_and_the_checksum_delivers_nothing(story: Story) -> None:
    story.company.conduct.forge = 1.0
    story.until(Stage.ASSIGNED)
    forged = [sent for sent in story.company.sent if sent.how == "forged"]
    assert {sent.answer for sent in forged} == {200}
    assert story.state is OrderState.BOOKED
    story.until(Stage.PICKED_UP)
    assert story.state is OrderState.PICKED_UP
    story.until(Stage.DELIVERED)
    assert story.state is OrderState.DELIVERED


def test_when_every_callback_is_lost_the_gift_is_found_by_asking(story: Story) -> None:
    story.company.conduct.lose = 1.0
    story.until(Stage.DELIVERED)
    story.minutes(20)
    assert story.state is OrderState.DELIVERED
    assert {sent.how for sent in story.company.sent} == {"lost"}


def test_a_brand_that_cancels_in_time_gets_its_gift_back_without_a_doubt(story: Story) -> None:
    story.until(Stage.ASSIGNED)
    order = story.on.order(story.order_id)
    cancel(story.on.world, "maison", story.order_id, order.version)
    story.minutes(2)
    assert story.state is OrderState.CANCELLED
    assert story.job.stage is Stage.CANCELLED
    (booking,) = story.on.order(story.order_id).leg.bookings
    assert booking.state is BookingState.CANCELLED
    assert story.on.left() == 3


@pytest.mark.parametrize("gate", ["none", "refused", "closed"])
def test_what_nobody_takes_comes_back(story: Story, gate: str) -> None:
    story.company.conduct.at_gate = lambda job: gate  # type: ignore[assignment,return-value]
    story.until(Stage.RETURNING)
    assert story.state is OrderState.RETURNING
    story.until(Stage.RETURNED)
    assert story.state is OrderState.RETURNED


def test_a_job_that_ends_on_the_way_keeps_the_gift_though_its_pick_up_was_never_told(story: Story) -> None:
    """Customer service cancels: its status is the same on both sides of the pick-up, and a look-up knows the side."""
    story.company.conduct.lose = 1.0
    story.until(Stage.PICKED_UP)
    story.company._step(story.job, Stage.CANCELLED, "courier_system")
    story.minutes(20)
    assert story.state is OrderState.FAILED
    assert story.on.left() == 2, "the gift is with a rider: nobody else is sent"


def test_what_was_heard_is_kept_as_a_hint(story: Story) -> None:
    story.until(Stage.DELIVERED)
    rows = [row for row in story.on.plain.table.read(story.order_id).rows if row.key.sk.startswith("event#")]
    assert any(f'"source":"{HINT}"' in row.body for row in rows)
    assert any('"source":"look_up"' in row.body for row in rows)
    assert not any('"source":"callback"' in row.body for row in rows)
    kept = "".join(row.body for row in rows)
    assert "李师傅" not in kept and "13800000000" not in kept
