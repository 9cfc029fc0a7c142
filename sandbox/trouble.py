"""`python -m sandbox trouble`: four fleets misbehave, each in its own way, and every gift arrives all the same, once.

What happened is told twice and compared: from the companies' ledgers, and from what Cordon kept of each gift.
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from chalicelib.domain import facts
from chalicelib.domain.breaker import FAILURES, OPEN_MINUTES
from chalicelib.domain.fleet import Courier
from chalicelib.domain.legs import Booking, BookingState, Refusal
from chalicelib.domain.orders import Order
from sandbox import profiles, shanghai
from sandbox.clock import VirtualClock
from sandbox.conduct import Conduct
from sandbox.day import Day, Outcome
from sandbox.fleets import Fleet, Fleets
from sandbox.ledger import Stage
from sandbox.stand import HOME, Stand

GRAIN = timedelta(minutes=1)
OWNS_UP = timedelta(minutes=45)
"""Somebody rings the liar up about a job that it knows nothing of, and it reports it as cancelled: what
`docs/operate.md` has an operator do (Vanished bookings)."""


@dataclass(frozen=True)
class Told:
    """One gift: what Cordon kept of it."""

    reference: str
    order: Order
    pieces: tuple[Mapping[str, Any], ...]
    """Its evidence."""

    @property
    def bookings(self) -> tuple[Booking, ...]:
        return tuple(booking for leg in self.order.legs for booking in leg.bookings)

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        return tuple(refusal for leg in self.order.legs for refusal in leg.refusals)

    @property
    def had_trouble(self) -> bool:
        return len(self.bookings) > 1 or bool(self.refusals)


@dataclass(frozen=True)
class Row:
    """One fleet in the table: what it did is from its ledger, how it answered from Cordon's log."""

    fleet: Fleet
    taken: int
    forgot: int
    boasted: int
    delivered: int
    asked: int
    refused: int
    unsure: int
    """Answered with an error of its own."""
    unanswered: int
    spared: int
    """Not asked, because it was left in peace."""


@dataclass(frozen=True)
class Boast:
    """A courier said that it had delivered."""

    reference: str
    courier_id: str
    said_at: datetime
    delivered_at: datetime | None
    """When it had."""


@dataclass(frozen=True)
class Account:
    """The played day, and what is to be told of it."""

    outcome: Outcome
    rows: tuple[Row, ...]
    told: tuple[Told, ...]
    boasts: tuple[Boast, ...]
    breaks: tuple[tuple[str, str, datetime], ...]
    """Courier, `breaker_opened` or `breaker_closed`, when."""
    wrong: tuple[str, ...]


class Trouble(Day):
    """A day on which each company is one of `profiles`."""

    scenario: Fleets

    def conduct_of(self, courier: Courier) -> Conduct:
        fleet = next(fleet for fleet in self.scenario.fleets if fleet.courier_id == courier.courier_id)
        more = {"own_up_after": OWNS_UP} if fleet.conduct == "lying" else {}
        return profiles.conduct(
            fleet.conduct,
            self.scenario.seed,
            self.scenario.begins,
            self.scenario.ends,
            at_gate=self._at_gate,
            **more,
        )

    def account(self, outcome: Outcome, log: Path) -> Account:
        told = tuple(self._told_of(order_id) for order_id in self.references)
        wrong = [*map(str, outcome.report.violations), *outcome.faults]
        for one in told:
            wrong += self._against(one)
        lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines() if "event" in line]
        breaks = tuple(
            (line["courier"], line["event"], datetime.fromisoformat(line["at"]))
            for line in lines
            if line.get("event") in ("breaker_opened", "breaker_closed")
        )
        wrong += self._pestered(lines)
        rows = tuple(self._rows(lines))
        return Account(outcome, rows, told, tuple(self._boasts()), breaks, tuple(wrong))

    def _told_of(self, order_id: str) -> Told:
        row = self.stand.world.table.get(facts.order_key(order_id))
        assert row is not None
        pieces = self.operator("GET", f"/v1/orders/{order_id}/evidence")["data"]
        return Told(self.references[order_id], facts.order_of_row(row), tuple(pieces))

    def _against(self, one: Told) -> Iterator[str]:
        """What is wrong with what became of this gift, or with what was kept of it."""
        name, order = one.reference, one.order
        if order.state.value != "delivered":
            yield f"not_delivered: {name}: could have been, and is {order.state.value}"
        for booking in one.bookings:
            job = self.companies[booking.courier_id].jobs.get(booking.reference)
            said, was = booking.track.ended_at, job.handed_over_at if job else None
            if booking.track.kind == "delivered" and (was is None or (said and said < was)):
                yield f"boast_believed: {name}: {booking.courier_id} had not delivered it by {said}"
            if not booking.unsent and self._gone(booking.courier_id, booking.attempted_at):
                yield f"in_doubt: {name}: {booking.courier_id} was asked nothing, and the gift waited for it"
            if booking.unsent and not any(_says_down(piece, booking) for piece in one.pieces):
                yield f"no_evidence: {name}: {booking.courier_id} took no connection, and nothing says so"
        for refusal in one.refusals:
            if not any(_names(piece, refusal) for piece in one.pieces):
                yield f"no_evidence: {name}: {refusal.courier_id} refused it ({refusal.reason}), and nothing says so"
        handed_over = any(piece["step"] == "hand_over" and piece["decision"] == "yes" for piece in one.pieces)
        if order.state.value == "delivered" and not handed_over:
            yield f"no_evidence: {name}: nothing says that it might be handed over"

    def _gone(self, courier_id: str, at: datetime) -> bool:
        downs = self.companies[courier_id].conduct.down
        return any(down.how == "gone" and down.start <= at < down.end for down in downs)

    def _pestered(self, lines: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        """Couriers that were asked while they were gone as if nothing were the matter."""
        asked = Counter(
            line["courier"]
            for line in lines
            if (line.get("event"), line.get("answer")) == ("courier_asked", "Unanswered")
            and self._gone(line["courier"], datetime.fromisoformat(line["at"]))
        )
        for name, times in asked.items():
            downs = self.companies[name].conduct.down
            gone = sum((down.end - down.start for down in downs if down.how == "gone"), timedelta())
            # until it opens; then once at the end of each time of peace, which grows to the last of these
            most = FAILURES + len(OPEN_MINUTES) + gone // timedelta(minutes=OPEN_MINUTES[-1])
            if times > most:
                yield f"pestered: {name}: asked {times} times while nobody took the connection, {most} at most"

    def _boasts(self) -> Iterator[Boast]:
        for name, company in self.companies.items():
            for job in company.jobs.values():
                said = next((step.at for step in job.steps if step.stage is Stage.ASSIGNED), None)
                if job.fate.boasts and said is not None:
                    yield Boast(self._reference(job), name, said, job.handed_over_at)

    def _rows(self, lines: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
        answers: dict[str, Counter[str]] = defaultdict(Counter)
        for line in lines:
            if line.get("event") == "courier_asked":
                answers[line["courier"]][line["answer"]] += 1
        boasts = Counter(boast.courier_id for boast in self._boasts())
        for fleet in self.scenario.fleets:
            company, answer = self.companies[fleet.courier_id], answers[fleet.courier_id]
            yield Row(
                fleet,
                taken=len(company.jobs.keys() | company.forgotten.keys()),
                forgot=len(company.forgotten),
                boasted=boasts[fleet.courier_id],
                delivered=sum(job.is_delivered for job in company.jobs.values()),
                asked=answer.total() - answer["Spared"],
                refused=answer["NotTaken"],
                unsure=answer["Unsure"],
                unanswered=answer["Unanswered"],
                spared=answer["Spared"],
            )


def _says_down(piece: Mapping[str, Any], booking: Booking) -> bool:
    """Whether this decision says that the courier could not be asked."""
    decided = datetime.fromisoformat(piece["decided_at"])
    return piece["step"] == "book" and decided >= booking.attempted_at and "courier_down" in piece["reasons"]


def _names(piece: Mapping[str, Any], refusal: Refusal) -> bool:
    """Whether this decision says that the courier had refused."""
    return datetime.fromisoformat(piece["decided_at"]) >= refusal.at and any(
        entry["reason"] == "courier_refused" for entry in piece.get("turned_down", ())
    )


# --- the report -----------------------------------------------------------------------------------------------

_HOW: Mapping[BookingState, str] = {
    BookingState.REFUSED: "refused",
    BookingState.LOST: "never got it",
    BookingState.CANCELLED: "let go of it",
}


def table(rows: Sequence[Row]) -> str:
    """The fleets, what each did, and how it answered."""
    head = ("fleet", "dialect", "is", *_COUNTED)
    cells = [
        (
            row.fleet.courier_id,
            row.fleet.dialect.replace("_", " "),
            row.fleet.conduct,
            *(str(getattr(row, name)) for name in _COUNTED),
        )
        for row in rows
    ]
    return _columns([head, *cells])


_COUNTED = ("taken", "forgot", "boasted", "delivered", "asked", "refused", "unsure", "unanswered", "spared")


def lines(account: Account) -> Iterator[str]:
    """Every gift that did not go straight, and how it went."""
    rows = [
        (one.reference, "; ".join([*(_of_booking(one, b) for b in one.bookings), _end(one)]))
        for one in account.told
        if one.had_trouble
    ]
    return iter(_columns(rows).splitlines()) if rows else iter(())


def _of_booking(one: Told, booking: Booking) -> str:
    said = f"{_clock(booking.attempted_at)} {booking.courier_id}"
    if booking.unsent:
        return f"{said} took no connection"
    if booking.track.kind == "delivered":
        return said
    refusal = next(
        (r for r in one.refusals if r.slot_id == booking.slot_id and r.at >= booking.attempted_at), None
    )
    how = _HOW.get(booking.state, booking.state.value)
    why = refusal.reason if refusal else booking.cancel_reason
    return f"{said} {how}" + (f" ({why.replace('_', ' ')})" if why else "")


def boasts(account: Account) -> Iterator[str]:
    """Every time a courier said that it had delivered and had not."""
    rows = [
        (
            boast.reference,
            f"{boast.courier_id} said so at {_clock(boast.said_at)}",
            f"and did so at {_clock(boast.delivered_at)}" if boast.delivered_at else "and did not",
        )
        for boast in account.boasts
        if boast.delivered_at is None or boast.said_at < boast.delivered_at
    ]
    return iter(_columns(rows).splitlines()) if rows else iter(())


def breaks(account: Account) -> Iterator[str]:
    """Who was left in peace, how often, and until when."""
    for courier in dict.fromkeys(courier for courier, _, _ in account.breaks):
        opened = [at for name, what, at in account.breaks if (name, what) == (courier, "breaker_opened")]
        closed = [at for name, what, at in account.breaks if (name, what) == (courier, "breaker_closed")]
        times = "once" if len(opened) == 1 else f"{len(opened)} times"
        back = f"; asked again as ever from {_clock(closed[-1])} on" if closed else ""
        yield f"{courier} was left in peace {times}, first at {_clock(opened[0])}{back}"


def _end(one: Told) -> str:
    last = one.order.history[-1]
    return f"{_clock(last.at)} {last.state.value.replace('_', ' ')}"


def _clock(at: datetime) -> str:
    return f"{at.astimezone(shanghai.LOCAL):%H:%M}"


def _columns(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if cell.isdigit() else cell.ljust(width)
            for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    )


def play(scenario: Fleets, say: Any, log: Path) -> Account:
    """The whole of it."""
    clock = VirtualClock(scenario.begins, grain=GRAIN)
    day = Trouble(scenario, clock, say)
    try:
        with Stand(clock, day.secrets(), log=log) as stand:
            return day.account(day.play(stand), log)
    finally:
        day.close()


def main(seed: int) -> int:
    """Play and print; 1 when a gift did not arrive, went twice, or what became of it cannot be told."""
    scenario = Fleets(seed)
    print(
        f"Trouble (seed {seed}): {len(scenario.orders)} gifts in one day, four fleets of four dialects over HTTP: one "
        "down, one slow,\none refusing, one lying."
    )
    log = HOME / "trouble.log"
    account = play(scenario, lambda line: print(line, flush=True), log)
    print(f"\n{table(account.rows)}\n")
    for line in breaks(account):
        print(line)
    print("\nSaid to be delivered, and not believed:\n")
    for line in boasts(account):
        print(line)
    print("\nGifts that did not go straight:\n")
    for line in lines(account):
        print(line)
    outcome = account.outcome
    print(f"\n{outcome.report.table()}\n")
    for note in outcome.report.notes:
        print(f"note: {note}")
    for fault in account.wrong:
        print(f"WRONG: {fault}", file=sys.stderr)
    if account.wrong:
        print(f"\n{len(account.wrong)} things are wrong.", file=sys.stderr)
        return 1
    print(
        f"{outcome.placed} gifts, all delivered, none twice. Recounted from the companies' own ledgers; every refusal "
        f"stands in the\nevidence of its gift. {outcome.seconds:.0f} seconds; log: {log}"
    )
    return 0
