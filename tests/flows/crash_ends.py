"""What holds after a stop: between any two steps, and at the end of the story."""

from __future__ import annotations

from collections import Counter

from chalicelib.domain import facts, snapshots
from chalicelib.domain.due import due_at
from chalicelib.domain.evidence import Evidence, Step
from chalicelib.domain.fleet import Slot
from chalicelib.domain.legs import LIVE, Booking, BookingState
from chalicelib.domain.notices import Endpoint, notice_id_of
from chalicelib.domain.orders import ENDED, Order, OrderState
from chalicelib.domain.pass_rows import (
    FREE,
    GIFT,
    PASS,
    codes_collection,
    gift_of_row,
    pass_of_row,
    stock_key,
)
from chalicelib.domain.passes import HELD
from chalicelib.domain.uploads import UploadState
from chalicelib.domain.verdicts import Decision
from tests.flows.crash_play import Play, Recording, Story, record

GIVEN = frozenset(
    {BookingState.ATTEMPTED, BookingState.UNKNOWN, BookingState.BOOKED, BookingState.CANCELLING}
)

HOLDS_NO_PLACE = (
    OrderState.PLACED,
    OrderState.HELD,
    OrderState.STRANDED,
    OrderState.CANCELLED,
    OrderState.FULFILLED_DIGITALLY,
)


def bookings(order: Order) -> list[Booking]:
    return [booking for leg in order.legs for booking in leg.bookings]


def always(play: Play, stops: int = 0) -> None:
    """Between two steps, the queues being empty."""
    orders = play.orders()
    for order in orders:
        # an orphan that turns up beside the present booking is being ended; no second one is ever kept
        kept = [b for b in bookings(order) if b.is_live and b.state is not BookingState.CANCELLING]
        assert len(kept) <= 1, f"two live bookings of one leg: {[b.reference for b in kept]}"
    _assert_places(play, orders)
    _assert_quotas(play, orders)
    assert not play.on.company.doubled, f"the courier had two open jobs of a leg: {play.on.company.doubled}"
    _assert_evidence_is_whole(play, orders)
    _assert_seats(play)


def _assert_seats(play: Play) -> None:
    """Of every gift that needs no courier: what is left and what is held is all there is; no code is anybody else's."""
    rows = play.table.rows
    passes = [pass_of_row(row) for row in rows.values() if row.key.sk == PASS]
    for gift in (
        gift_of_row(row)
        for row in rows.values()
        if row.key.pk.startswith("digital#") and row.key.sk.startswith(GIFT)
    ):
        name, left = gift.reference, rows[stock_key(gift.brand_id, gift.reference)].counters[facts.LEFT]
        held = sum(passed.gift == name and passed.state in HELD for passed in passes)
        free = [
            row
            for row in rows.values()
            if row.key.pk == codes_collection(gift.brand_id, name) and row.key.sk.startswith(FREE)
        ]
        if gift.limit is None:
            assert left == len(free), f"{name}: {left} left, and {len(free)} codes"
        else:
            assert left + held == gift.limit, f"{name}: {left} left and {held} held, of {gift.limit}"
    codes = Counter(passed.code_name for passed in passes if passed.code_name)
    assert all(count == 1 for count in codes.values()), f"one code of two clients: {codes}"


def _assert_places(play: Play, orders: list[Order]) -> None:
    for order in orders:
        if order.state in HOLDS_NO_PLACE:
            assert order.leg.assignment is None, f"{order.state}, and a place is still kept for it"
    taken: Counter[str] = Counter()
    for given in (leg.assignment for order in orders for leg in order.legs if leg.assignment):
        taken[given.slot_id] += given.places
    slots = [row for row in play.table.rows.values() if row.key.sk.startswith("slot#")]
    for row in slots:
        slot, left = Slot.model_validate_json(row.body), row.counters[facts.LEFT]
        assert left >= 0, f"{slot.slot_id} is oversold: {left} left"
        given = taken[slot.slot_id]
        assert left + given == slot.capacity, (
            f"{slot.slot_id}: {left} left, {given} given, of {slot.capacity}"
        )


def _assert_quotas(play: Play, orders: list[Order]) -> None:
    """Every counter says how many hold one of it, and every one that is held is counted."""
    held = Counter(
        facts.quota_key(order.market_id, taken)
        for order in orders
        for leg in order.legs
        if leg.assignment
        for taken in leg.assignment.quotas
    )
    rows = [row for row in play.table.rows.values() if facts.TAKEN in row.counters]
    counted = {row.key: row.counters[facts.TAKEN] for row in rows}
    assert {key: count for key, count in counted.items() if count} == dict(held), (
        f"{counted} counted, {held} held"
    )


def _assert_evidence_is_whole(play: Play, orders: list[Order]) -> None:
    for order in orders:
        numbers = [piece.evidence_id for piece in evidence(play, order)]
        assert numbers == [f"{n:04d}" for n in range(1, order.evidence_count + 1)], "evidence is missing"


def evidence(play: Play, order: Order) -> list[Evidence]:
    rows = play.table.read(order.order_id, "evidence#").rows
    return [Evidence.model_validate_json(row.body) for row in rows]


def at_end(play: Play, stops: int = 0) -> None:
    """At the end of the story."""
    story = play.story
    always(play, stops)
    ends = {key: play.order(key).state for key in story.ends}
    assert all(ends[key] in _allowed(end) for key, end in story.ends.items()), f"the gifts ended so: {ends}"
    for order in play.orders():
        _assert_said_to_the_courier(play, order)
        _assert_evidence(play, order)
        if order.state in ENDED:
            assert due_at(order) is None, f"{order.order_id} has ended and something is still owed"
    _assert_told(play, stops)
    _assert_uploads_are_settled(play)
    story.at_end(play)


def _assert_uploads_are_settled(play: Play) -> None:
    rows = [row for row in play.table.rows.values() if row.key.sk == "upload"]
    waiting = [
        u.upload_id for row in rows if (u := snapshots.upload_of_row(row)).state is UploadState.VALIDATING
    ]
    assert not waiting, f"finished, and neither published nor refused: {waiting}"


def _allowed(end: OrderState | frozenset[OrderState]) -> frozenset[OrderState]:
    return end if isinstance(end, frozenset) else frozenset({end})


def _assert_said_to_the_courier(play: Play, order: Order) -> None:
    company = play.on.company
    ours = {b.reference for b in bookings(order) if b.state in LIVE and not b.track.has_ended}
    theirs = {
        job.reference for job in company.jobs.values()
        if job.is_open and job.reference.startswith(order.order_id)
    }  # fmt: skip
    assert theirs <= ours, f"the courier still has {theirs - ours}, and we do not know"
    if order.state is OrderState.CANCELLED:
        assert not theirs, f"cancelled, and the courier still has {theirs}"
    asked = Counter(reference for verb, reference in company.calls if verb == "book")
    twice = [reference for reference, times in asked.items() if times > 1 and not _asked_to_log_in(play)]
    assert not twice, f"a courier without idempotency would have two jobs of {twice}"
    attempts = {b.reference for b in bookings(order)}
    said = {reference for _, reference in company.calls if reference.startswith(order.order_id)}
    assert said <= attempts, f"said to the courier and not saved: {said - attempts}"


def _asked_to_log_in(play: Play) -> bool:
    """Such a courier is asked again with a fresh token, having taken nothing."""
    return play.on.company.logins > 0


def _assert_evidence(play: Play, order: Order) -> None:
    """Every verdict that the order was moved by has its evidence."""
    pieces = evidence(play, order)
    steps = Counter((piece.step, piece.decision is Decision.YES) for piece in pieces)
    states = Counter(step.state for step in order.history)
    slots = {piece.slot for piece in pieces if piece.step is Step.DISPATCH and piece.decision is Decision.YES}
    used = {booking.slot_id for booking in bookings(order)}
    used |= {leg.assignment.slot_id for leg in order.legs if leg.assignment}
    assert used <= slots, f"no evidence for {used - slots}"
    tracks = [booking.track for booking in bookings(order)]
    picked = sum(track.picked_up_at is not None for track in tracks)
    assert steps[Step.PICK_UP, True] + steps[Step.PICK_UP, False] == picked, f"{picked} pick-ups, {steps}"
    handed = sum(str(track.kind) == "delivered" for track in tracks)
    assert steps[Step.HAND_OVER, True] + steps[Step.HAND_OVER, False] == handed, (
        f"{handed} hand-overs, {steps}"
    )
    if states[OrderState.HELD] or states[OrderState.STRANDED]:
        refused = sum(count for (_, yes), count in steps.items() if not yes)
        assert refused or order.leg.refusals, "it waited, and nothing says why"


def _assert_told(play: Play, stops: int) -> None:
    """Every state to every endpoint, tried in the order's sequence, and none taken more than twice. One that was tried
    and not taken waits for its next try, and keeps no other waiting (docs/simulation.md judges by the same)."""
    brand = play.on.brand
    took = [notice for notice, fine in zip(brand.heard, brand.took, strict=True) if fine]
    times = Counter(notice["id"] for notice in took)
    told = {notice["id"] for notice in took}
    first = {name: n for n, name in reversed(list(enumerate(notice["id"] for notice in brand.heard)))}
    most = play.story.most_told - 1 + stops
    assert max(times.values(), default=0) <= most, f"told {max(times.values())} times, at most {most}"
    for endpoint in endpoints(play):
        if endpoint.disabled:
            continue
        for order in play.orders():
            ids = [
                notice_id_of(order.order_id, endpoint.endpoint_id, sequence)
                for sequence, step in enumerate(order.history)
                if step.at >= endpoint.created_at
            ]
            untold = [number for number, name in enumerate(ids) if name not in told]
            assert not untold, f"of {[str(s.state) for s in order.history]} these were not told: {untold}"
            assert [first[name] for name in ids] == sorted(first[name] for name in ids), (
                "tried out of sequence"
            )


def endpoints(play: Play) -> list[Endpoint]:
    rows = play.table.read("brand#maison", "hook#").rows
    return [facts.endpoint_of_row(row) for row in rows]


def play_undisturbed(story: Story, *, eager: bool = False) -> Recording:
    """Play it without a stop and see that all is well."""
    first = record(story, always, eager=eager)
    at_end(first.play, stops=0)
    if story.by_itself:
        assert_goes_by_itself(first)
    return first


def assert_goes_by_itself(first: Recording) -> None:
    """Undisturbed, nothing waits for the sweep: what is assigned is booked and every state told at once."""
    play = first.play
    heard = {notice["id"]: at for notice, at in reversed(list(zip(first.heard, first.heard_at, strict=True)))}
    for order in play.orders():
        for number, step in enumerate(order.history):
            for endpoint in endpoints(play):
                name = notice_id_of(order.order_id, endpoint.endpoint_id, number)
                if step.at >= endpoint.created_at and name in heard:
                    late = heard[name] - step.at
                    assert not late, f"{step.state} was told {late} late: only the sweep had it told"
    for order in play.orders():
        given = [piece.decided_at for piece in evidence(play, order)
                 if piece.step is Step.DISPATCH and piece.decision is Decision.YES]  # fmt: skip
        first_tries = {}
        for booking in bookings(order):
            first_tries.setdefault(booking.slot_id, booking.attempted_at)
        for at in first_tries.values():
            assert at in given, f"assigned at {given} and booked at {at}: only the sweep had it booked"
