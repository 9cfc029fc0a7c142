"""Ask couriers what a gift would cost: all at once, within a deadline, and without whoever is slow.

A quote binds nobody. It stands in the place of the price that a slot states, so that the plan weighs what would
really be paid; where none comes in time, the stated price holds. To refuse one is to refuse the gift.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from chalicelib.domain import facts
from chalicelib.domain.dialect import Account, Dialect, Job, NotTaken, Quoted, Request, Unsure
from chalicelib.domain.errors import Delayed, Refused, Uncarriable
from chalicelib.domain.fleet import Courier
from chalicelib.domain.jobs import job_of
from chalicelib.domain.legs import Quote, Refusal, reference_of, replace_leg
from chalicelib.domain.orders import Order
from chalicelib.domain.ports import World
from chalicelib.domain.verdicts import Decision, Reason, Verdict
from chalicelib.flows import check
from chalicelib.flows.ask import ask

Asked = tuple[str, str]
"""(order, courier)."""


class Price(NamedTuple):
    """What a courier wants for a gift, and the slot for which it was asked."""

    quote: Quote
    slot_id: str

    def of(self, slot_id: str) -> Quote:
        """For that slot. At other hours it is a good guess at what will be paid, and no quote to remind anybody of: a
        company that keeps to one sends somebody at the hours of which it was asked, or says that it does not fit."""
        return self.quote if slot_id == self.slot_id else self.quote.model_copy(update={"quote_id": None})


Prices = Mapping[Asked, Price]

DEADLINE_S = 4.0
"""Seconds until the plan goes on with what there is."""
AT_ONCE = 8
MOST = 40
"""Quotes asked for in one round, at most; for the rest the stated prices hold."""


class _NamesNone(Refused):
    """This courier names no prices."""


@dataclass(frozen=True)
class Question:
    """One gift at one courier."""

    order_id: str
    courier: Courier
    slot_id: str
    job: Job


def quoted(
    world: World,
    orders: Sequence[Order],
    verdicts: dict[str, Sequence[Verdict]],
    on: check.Ground,
    now: datetime,
) -> tuple[Sequence[Order], Prices]:
    """The orders, with whatever was refused them; what couriers that are asked for their prices want for each. The
    verdicts of who refused become a no.

    The highest tier is asked about first, and of it what is due first. What was cleared together with many others is
    not asked about: a city would be asked about for hours.
    """
    if not any(courier.asks_price for courier in on.fleet.couriers.values()):
        return orders, {}
    by_id = {order.order_id: order for order in orders}
    questions = _questions(world, orders, verdicts, on, now)
    prices: dict[Asked, Price] = {}
    for asked, answer in quotes(world, questions).items():
        name, courier_id = asked
        question = next(q for q in questions if (q.order_id, q.courier.courier_id) == asked)
        if isinstance(answer, NotTaken):
            by_id[name] = _refused(by_id[name], question, answer, now)
            verdicts[name] = _without(verdicts[name], by_id[name].leg.refused_by(now), on)
        elif answer.fee.currency == on.fleet.slots[question.slot_id].price.currency:
            told = Quote(fee=answer.fee, quote_id=answer.quote_id, expires_at=answer.expires_at)
            prices[asked] = Price(told, question.slot_id)
        else:
            world.log("quote_missed", order=name, courier=courier_id, why="currency")
    return [by_id[order.order_id] for order in orders], prices


def _questions(
    world: World,
    orders: Sequence[Order],
    verdicts: Mapping[str, Sequence[Verdict]],
    on: check.Ground,
    now: datetime,
) -> list[Question]:
    found: list[Question] = []
    for order in sorted(orders, key=lambda o: (-int(o.tier), o.window.end, o.order_id)):
        first: dict[str, Verdict] = {}
        for verdict in verdicts.get(order.order_id, ()):
            slot = on.fleet.slots[verdict.slot_id]
            is_open = verdict.decision is Decision.YES and on.fleet.left.get(slot.slot_id, 0) > 0
            if is_open and verdict.start is not None and on.fleet.couriers[slot.courier_id].asks_price:
                first.setdefault(slot.courier_id, verdict)
        if not first or order.safeguard is not None:  # whom a price is asked of learns where it goes
            continue
        private = facts.unseal_private(world.sealer, order)
        reference = reference_of(order.order_id, order.leg.leg_no, order.leg.next_number)
        for courier_id, verdict in first.items():
            courier, given = on.fleet.couriers[courier_id], check.assigned(verdict, on, now)
            job = job_of(order, private, given, courier, reference, now)
            found.append(Question(order.order_id, courier, verdict.slot_id, job))
    return found


def _refused(order: Order, question: Question, answer: NotTaken, now: datetime) -> Order:
    refusal = Refusal(
        slot_id=question.slot_id,
        courier_id=question.courier.courier_id,
        reason=answer.reason,
        at=now,
        whole_courier=answer.whole_courier,
    )
    return order.model_copy(update={"legs": replace_leg(order.legs, order.leg.with_refusal(refusal))})


def _without(answers: Sequence[Verdict], refused_by: Collection[str], on: check.Ground) -> list[Verdict]:
    def is_refused(verdict: Verdict) -> bool:
        return verdict.slot_id in refused_by or on.fleet.slots[verdict.slot_id].courier_id in refused_by

    no, why = Decision.NO, (Reason.COURIER_REFUSED,)
    return [
        v._replace(decision=no, reasons=why, handovers=())
        if v.decision is Decision.YES and is_refused(v)
        else v
        for v in answers
    ]


def quotes(world: World, questions: Sequence[Question]) -> Mapping[Asked, Quoted | NotTaken]:
    """What was answered in time, of the first `MOST` questions."""
    some = questions[:MOST]
    if not some:
        return {}
    pool = ThreadPoolExecutor(min(AT_ONCE, len(some)), thread_name_prefix="quote")
    asked: dict[Future[Quoted | NotTaken | Unsure], Question] = {
        # each in the invocation under way: what couriers answered is counted, and has its trace
        pool.submit(copy_context().run, _quote, world, question): question
        for question in some
    }
    done, late = wait(asked, timeout=DEADLINE_S)
    pool.shutdown(wait=False, cancel_futures=True)
    found: dict[Asked, Quoted | NotTaken] = {}
    for future in done:
        order, courier = name = asked[future].order_id, asked[future].courier.courier_id
        try:
            answer = future.result()
        except Delayed as error:
            world.log("quote_missed", order=order, courier=courier, why=type(error).__name__)
            continue
        except Exception as error:  # a bug, and it rings; but it must not keep a market from being planned
            world.log("failure", order=order, courier=courier, why=type(error).__name__)
            continue
        if not isinstance(answer, Unsure):
            found[name] = answer
    for future in late:
        question = asked[future]
        world.log("quote_missed", order=question.order_id, courier=question.courier.courier_id, why="late")
    return found


def _quote(world: World, question: Question) -> Quoted | NotTaken | Unsure:
    job, now = question.job, world.clock()

    def speak(dialect: Dialect, account: Account, token: str) -> Request:
        request = dialect.quote(account, token, job, now)
        if request is None:
            raise _NamesNone("names no prices")
        return request

    try:
        return ask(
            world,
            question.courier,
            speak,
            lambda dialect, reply: dialect.quoted(reply, job, now),
            question.order_id,
        )
    except Uncarriable as error:
        return NotTaken(error.reason, whole_courier=error.whole_courier)
    except Refused as error:  # no account, no prices: that says nothing of the gift
        return Unsure(type(error).__name__)
