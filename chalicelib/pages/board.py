"""What the board's templates are told: the nouns as sentences, in the market's own time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from chalicelib.domain.board import Board, Filter, Line, Risk
from chalicelib.domain.deeds import Deed
from chalicelib.domain.due import in_pool
from chalicelib.domain.legs import BookingState
from chalicelib.domain.looks import Look
from chalicelib.domain.orders import CAN_BE_DIGITAL, ENDED, Order, OrderState, Tier

RISKS: Final[dict[str, tuple[str, str]]] = {
    "astray": ("Astray", "!!"),
    "late": ("Late", "!"),
    "stranded": ("Stranded", "×"),
    "short": ("Short of time", "↧"),
    "held": ("Held", "‖"),
    "back": ("Came back", "↩"),
    "doubtful": ("Doubtful", "?"),
    "unproven": ("Awaiting proof", "◔"),
    "fine": ("On track", "✓"),
}
"""Each risk as it is read, and a sign, so that no colour has to be seen."""
SHOWN: Final = 100
"""Lines of the queue at first."""
MOST_SHOWN: Final = 2000


@dataclass(frozen=True)
class Row:
    """A line of the queue, as it is read."""

    order_id: str
    reference: str
    brand: str
    state: str
    courier: str | None
    district: str | None
    compound: str | None
    reasons: tuple[str, ...]
    is_stopped: bool
    risk_name: str
    risk_word: str
    sign: str
    tier_name: str
    hours: str


def row(line: Line, zone: ZoneInfo, now: datetime) -> Row:
    name = Risk(line.risk).name.lower()
    word, sign = RISKS[name]
    return Row(
        order_id=line.order_id,
        reference=line.reference,
        brand=line.brand,
        state=line.state,
        courier=line.courier,
        district=line.district,
        compound=line.compound,
        reasons=line.reasons,
        is_stopped=line.is_stopped,
        risk_name=name,
        risk_word=word,
        sign=sign,
        tier_name=Tier(line.tier).name.lower(),
        hours=_hours(line.start, line.end, zone, now),
    )


def _hours(start: int, end: int, zone: ZoneInfo, now: datetime) -> str:
    begins, ends = (datetime.fromtimestamp(at, UTC).astimezone(zone) for at in (start, end))
    today = now.astimezone(zone).date()
    day = "" if begins.date() == today else f"{begins:%d %b} "
    return f"{day}{begins:%H:%M}–{ends:%H:%M}"


def counters(board: Board) -> list[tuple[str, str, int, str]]:
    """(name, label, count, where it leads) of each."""
    return [
        ("held", "held", board.held, "?state=held"),
        ("stranded", "stranded", board.stranded, "?state=stranded"),
        ("late", "late", board.late, "?risk=late"),
        ("unproven", "awaiting proof", board.unproven, "?risk=unproven"),
        ("letters", "dead letters", sum(board.letters.values()), "/log"),
        ("open", "open in all", board.open, ""),
    ]


def queue(
    board: Board | None, lines: Sequence[Line], asked: Filter, limit: int, zone: ZoneInfo, now: datetime
) -> dict[str, Any]:
    """What the queue's template is told."""
    found = [line for line in lines if asked.lets(line)]
    query = {name: value for name, value in asked._asdict().items() if value}
    return {
        "board": board,
        "counters": [] if board is None else counters(board),
        "lines": [row(line, zone, now) for line in found[:limit]],
        "found": len(found),
        "total": len(lines),
        "is_filtered": bool(query),
        "more": "?" + urlencode({**query, "limit": min(MOST_SHOWN, 4 * limit)}),
        "query": "?" + urlencode(query) if query else "",
    }


def choices(lines: Iterable[Line]) -> dict[str, list[str]]:
    """What can be filtered by."""
    lines = list(lines)
    return {
        "risks": list(RISKS),
        "states": [state.value for state in OrderState],
        "tiers": [tier.name.lower() for tier in reversed(Tier)],
        "brands": sorted({line.brand for line in lines}),
        "couriers": sorted({line.courier for line in lines if line.courier}),
        "districts": sorted({line.district for line in lines if line.district}),
    }


@dataclass(frozen=True)
class Action:
    """Something that can be done with an order, or with a campaign, now."""

    name: str
    label: str
    tone: str = ""
    needs_why: bool = True
    why_is_required: bool = False
    has_courier: bool = False
    until: str = ""
    start: str = ""
    end: str = ""


def actions(order: Order, now: datetime, zone: ZoneInfo) -> list[Action]:
    """What the order as it stands allows; whoever does it finds out whether it still does."""
    found = []
    live, state = order.leg.live_booking, order.state
    has_custody = live is not None and live.track.has_custody
    is_ending = live is not None and (
        live.state is BookingState.CANCELLING or bool(live.cancel_reason) or bool(live.cancel_answer)
    )
    given = state in (OrderState.ASSIGNED, OrderState.BOOKED) and not has_custody and not is_ending
    waits = in_pool(order)
    if order.is_stopped(now):
        found.append(Action("release", "Let it go", needs_why=False))
    if waits and not order.is_stopped(now):
        found.append(Action("redispatch", "Look again now"))
    if given:
        found.append(Action("redispatch", "Give it to somebody else", has_courier=True))
    if (waits or given) and not order.is_stopped(now):
        found.append(Action("hold", "Hold", until=_field(now + timedelta(hours=2), zone)))
    if state in (OrderState.RETURNED, OrderState.STRANDED):
        start, end = _field(now + timedelta(hours=1), zone), _field(now + timedelta(hours=4), zone)
        found.append(Action("send_again", "Send again", start=start, end=end))
    if state is OrderState.FAILED:
        found.append(Action("seen_back", "It is back in the shop"))
    if state is OrderState.AT_GATE:
        found.append(Action("received", "The client has it"))
    if (state in CAN_BE_DIGITAL or given) and not (order.digital is not None and order.digital.is_given):
        found.append(Action("send_digitally", "Digital instead"))
    if has_custody and not is_ending:
        found.append(Action("recall", "Recall", "grave", why_is_required=True))
    can_end = state not in ENDED and state not in (OrderState.PICKED_UP, OrderState.RETURNING)
    if can_end and order.cancel_asked_at is None:
        found.append(Action("cancel", "Cancel the order", "grave", why_is_required=True))
    return found


def _field(at: datetime, zone: ZoneInfo) -> str:
    """As a field for a local time wants it, on the next full five minutes."""
    local = at.astimezone(zone).replace(second=0, microsecond=0)
    return f"{local + timedelta(minutes=-local.minute % 5):%Y-%m-%dT%H:%M}"


@dataclass(frozen=True)
class Happened:
    """One step on the way."""

    at: datetime
    kind: str
    text: str
    why: str = ""


def timeline(order: Order, deeds: Iterable[Deed], looks: Iterable[Look] = ()) -> list[Happened]:
    """States, bookings, deeds and looks at the address of one order, the first first."""
    steps = [Happened(step.at, "state", step.state.value.replace("_", " ")) for step in order.history]
    for leg in order.legs:
        for booking in leg.bookings:
            said = booking.state.value.replace("_", " ")
            steps.append(
                Happened(
                    booking.attempted_at,
                    "booking",
                    f"asked {booking.courier_id}, attempt {booking.number} on leg {leg.leg_no}: {said}",
                )
            )
        for refusal in leg.refusals:
            reason = refusal.reason.replace("_", " ")
            steps.append(Happened(refusal.at, "refusal", f"{refusal.courier_id} will not be tried: {reason}"))
    for deed in deeds:
        what = deed.what.value.replace("_", " ")
        steps.append(Happened(deed.at, "deed", f"{deed.who} {_DID.get(deed.what.value, what)}", deed.why))
    for look in looks:
        steps.append(
            Happened(look.at, "deed", f"{look.staff or look.by} looked at whom it is for", look.reason)
        )
    return sorted(steps, key=lambda step: step.at)


_DID = {
    "redispatched": "had it dispatched again",
    "sent_again": "sent it out again",
    "held": "held it",
    "released": "let it go",
    "cancelled": "asked for its end",
    "recalled": "called it back",
    "seen_back": "saw it back in the shop",
    "received": "noted that the client has it",
    "sent_digitally": "sent something digital instead",
}
