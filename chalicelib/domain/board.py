"""What the board shows of a market: how many gifts are in trouble, and which come first.

Counted anew while somebody looks, and read by every poll: a poll costs its session and two rows, whatever the market
holds. Nothing here decides anything; whoever acts reads the order itself.

    collection (pk)   place (sk)            noun
    market#<market>   board                 Board        version: of the count
    market#<market>   watched               Watched      when a count was last asked for
    board#<market>    <round>#<nnnn>        some lines, the most at risk first, in `sealed`

Where a gift goes is personal, so lines are sealed; of the place they keep district, compound, and the point to half a
kilometre.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any, Final, NamedTuple

from pydantic import Field

from chalicelib.domain.legs import EventKind
from chalicelib.domain.orders import ENDED, Order, OrderState, Private, Tier
from chalicelib.domain.places import Datum
from chalicelib.domain.ports import Key, Row
from chalicelib.domain.shapes import Instant, Shape

FRESH: Final = timedelta(seconds=10)
"""A count that is older is made again while somebody looks."""
SHARE: Final = 5
"""Counting takes a fifth of the time at most: where one count takes long, the next waits so many times as long, ..."""
OLDEST: Final = timedelta(minutes=2)
"""... and no longer than this."""
ASK_AGAIN: Final = timedelta(seconds=30)
"""A count that was asked for and has not come is asked for again: its nudge may have been lost."""
LINES: Final = 1000
"""In one row."""
KEPT: Final = timedelta(hours=1)
"""So long the lines of a former count can be read: whoever has its head may be about to."""
LEFT: Final = timedelta(hours=1)
"""An open gift whose hours end within this and that nobody has been given is short of time."""
AFTERMATH_DAYS: Final = 3
"""So long an end that somebody should look at stays on the board."""
GRAIN: Final = 200
"""Points a degree: half a kilometre, in which nobody's door is told."""


class Risk(IntEnum):
    """Why a gift stands where it does, the worst first."""

    ASTRAY = 0
    """A courier has it that failed, or that was told to bring it back."""
    LATE = 1
    """Its hours are over, and it is not there."""
    STRANDED = 2
    """Nobody may go, and nothing more is tried."""
    SHORT = 3
    """Its hours are nearly over, and no courier has taken it."""
    HELD = 4
    BACK = 5
    """It came back, and somebody has to say what becomes of it."""
    DOUBTFUL = 6
    """Its courier does not answer, or would come after the hours asked for."""
    UNPROVEN = 7
    """Left at the gate, or handed over: that the client has it is not proven."""
    FINE = 8


class Line(NamedTuple):
    """One gift in the queue."""

    order_id: str
    version: int
    reference: str
    brand: str
    tier: int
    state: str
    risk: int
    reasons: tuple[str, ...]
    start: int
    """Of its hours, in epoch seconds; ..."""
    end: int
    courier: str | None
    district: str | None
    compound: str | None
    spot: tuple[float, float] | None
    """Longitude and latitude, coarse."""
    hub: str
    """Where it is fetched."""
    hub_spot: tuple[float, float] | None
    is_stopped: bool
    campaign: str | None = None


class Board(Shape):
    """The head of a count: what every poll reads."""

    market_id: str
    round: str = Field(description="Names the rows that hold its lines.")
    counted_at: Instant
    digest: str = Field(description="Of all that is shown: the same again is not sent again.")
    rows: int
    open: int = Field(
        description="Gifts that it shows: not ended, or ended so that somebody has to say what now."
    )
    held: int
    stranded: int
    late: int
    unproven: int
    letters: dict[str, int] = Field(default={}, description="Dead letters, by queue.")
    risks: dict[str, int] = Field(default={}, description="Gifts, by risk.")
    is_cut: bool = Field(default=False, description="There are more than were counted.")
    took_s: float = Field(default=0.0, description="Counting.")

    @property
    def fresh_for(self) -> timedelta:
        """So long it is not counted anew, whoever looks."""
        return min(OLDEST, max(FRESH, SHARE * timedelta(seconds=self.took_s)))


class Watched(Shape):
    """Somebody looks."""

    asked_at: Instant


def board_key(market_id: str) -> Key:
    return Key(f"market#{market_id}", "board")


def watched_key(market_id: str) -> Key:
    return Key(f"market#{market_id}", "watched")


def lines_key(market_id: str, round_: str, number: int) -> Key:
    return Key(f"board#{market_id}", f"{round_}#{number:04d}")


def board_of_row(row: Row) -> Board:
    return Board.model_validate_json(row.body)


# --- one gift -----------------------------------------------------------------------------------------------------


def risk_of(order: Order, now: datetime, down: frozenset[str] = frozenset()) -> Risk:
    """How much at risk it is; `down`: couriers that do not answer or are suspended."""
    state, leg = order.state, order.leg
    live = leg.live_booking
    if state is OrderState.FAILED or (
        live is not None
        and live.track.has_custody
        and (bool(live.cancel_reason) or live.track.kind is EventKind.RETURNING)
    ):
        return Risk.ASTRAY
    if state is OrderState.STRANDED:
        return Risk.STRANDED
    if state is OrderState.AT_GATE:
        return Risk.UNPROVEN
    if state is OrderState.RETURNED:
        return Risk.BACK
    if order.awaits_proof:
        return Risk.UNPROVEN
    if state in ENDED:
        return Risk.FINE
    if now >= order.window.end:
        return Risk.LATE
    is_taken = leg.assignment is not None
    if not is_taken and order.window.end - now <= LEFT:
        return Risk.SHORT
    if state is OrderState.HELD:
        return Risk.HELD
    if leg.assignment is not None and (
        leg.assignment.courier_id in down or leg.assignment.hand_over_by > order.window.end
    ):
        return Risk.DOUBTFUL
    return Risk.FINE


def line_of(
    order: Order, private: Private | None, now: datetime, datum: Datum, down: frozenset[str] = frozenset()
) -> Line:
    """The gift as the queue shows it. `private` None: its seal does not open, and where it goes is not shown."""
    address = None if private is None else private.recipient.place.address
    spot = None
    if private is not None and private.recipient.place.coordinate is not None:
        spot = _coarse(*private.recipient.place.coordinate.within(datum))
    shop = None if order.pick_up_place is None else order.pick_up_place.coordinate
    waits = order.outlook if order.state in (OrderState.HELD, OrderState.STRANDED) else None
    return Line(
        order_id=order.order_id,
        version=order.version,
        reference=order.reference,
        brand=order.brand_id,
        tier=int(order.tier),
        state=order.state.value,
        risk=int(risk_of(order, now, down)),
        reasons=tuple(reason.value for reason in waits.reasons[:3]) if waits else (),
        start=int(order.window.start.timestamp()),
        end=int(order.window.end.timestamp()),
        courier=None if order.leg.assignment is None else order.leg.assignment.courier_id,
        district=None if address is None else address.district,
        compound=None if address is None else address.compound,
        spot=spot,
        hub=order.pick_up_name,
        hub_spot=None if shop is None else shop.within(datum),
        is_stopped=order.is_stopped(now),
        campaign=order.campaign_id,
    )


def _coarse(lng: float, lat: float) -> tuple[float, float]:
    return round(lng * GRAIN) / GRAIN, round(lat * GRAIN) / GRAIN


def by_risk(lines: Iterable[Line]) -> list[Line]:
    """The most at risk first: of equal risk the higher tier, then whose hours end first."""
    return sorted(lines, key=lambda line: (line.risk, -line.tier, line.end, line.order_id))


# --- all of them --------------------------------------------------------------------------------------------------


def packed(lines: Sequence[Line]) -> list[bytes]:
    """The lines as they are kept, so many to a row."""
    return [
        json.dumps(lines[start : start + LINES], ensure_ascii=False, separators=(",", ":")).encode()
        for start in range(0, len(lines), LINES)
    ]


def unpacked(raw: bytes) -> list[Line]:
    return [_line(told) for told in json.loads(raw)]


_REASONS, _SPOTS = Line._fields.index("reasons"), [Line._fields.index(name) for name in ("spot", "hub_spot")]


def _line(told: list[Any]) -> Line:
    told[_REASONS] = tuple(told[_REASONS])
    for at in _SPOTS:
        if told[at] is not None:
            told[at] = (told[at][0], told[at][1])
    return Line(*told)  # one that was kept before a part was added has the part's default


def counted(lines: Iterable[Line]) -> dict[str, Any]:
    """What the counters show."""
    lines = list(lines)
    risks = Counter(Risk(line.risk).name.lower() for line in lines)
    states = Counter(line.state for line in lines)
    return {
        "open": len(lines),
        "held": states[OrderState.HELD.value],
        "stranded": states[OrderState.STRANDED.value],
        "late": risks[Risk.LATE.name.lower()],
        "unproven": risks[Risk.UNPROVEN.name.lower()],
        "risks": dict(sorted(risks.items())),
    }


class Filter(NamedTuple):
    """Which of the lines somebody wants to see; each part absent lets all through."""

    risk: str | None = None
    state: str | None = None
    brand: str | None = None
    tier: str | None = None
    courier: str | None = None
    campaign: str | None = None
    district: str | None = None
    find: str | None = None
    """Of an order's id or reference, a part."""

    def lets(self, line: Line) -> bool:
        """True for a line that is to be seen."""
        return (
            (self.risk is None or Risk(line.risk).name.lower() == self.risk)
            and (self.state is None or line.state == self.state)
            and (self.brand is None or line.brand == self.brand)
            and (self.tier is None or Tier(line.tier).name.lower() == self.tier)
            and (self.courier is None or line.courier == self.courier)
            and (self.campaign is None or line.campaign == self.campaign)
            and (self.district is None or line.district == self.district)
            and (
                self.find is None
                or self.find.lower() in line.order_id
                or self.find.lower() in line.reference.lower()
            )
        )
