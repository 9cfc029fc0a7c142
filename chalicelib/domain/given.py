"""What was given to a client, and to a household, in a year: by it a brand's caps are kept.

A row a year holds what was given in it, and is written in the transaction that places the order: two at the same time
cannot both find the last gift allowed. What is listed stays listed when it is cancelled, for nothing is written then;
whoever finds a cap reached looks at the orders first, and strikes those that came to nothing.

    collection (pk)        place (sk)       noun
    cli_...                gifts#<yyyy>     Ledger, of a client: every gift
    home#<unreadable>      gifts#<yyyy>     Ledger, of a household at one brand: those that one of its caps counts
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Final, NamedTuple

from pydantic import Field

from chalicelib.domain.acts import Actor
from chalicelib.domain.ports import Key, Row
from chalicelib.domain.programme import Cap
from chalicelib.domain.shapes import Instant, Shape, Slug

PREFIX: Final = "gifts#"


class Given(Shape):
    """One gift, on the day its window begins, on the recipient's calendar."""

    order_id: str
    day: date
    occasion: Slug | None = None
    by: Actor | None = Field(default=None, description="Who ordered it; absent in a household's ledger.")
    at: Instant | None = Field(
        default=None, description="When it was ordered; absent in a household's ledger."
    )
    struck: bool = Field(default=False, description="It came to nothing, and counts no more.")


class Ledger(Shape):
    """The gifts of one year."""

    gifts: tuple[Given, ...] = ()
    closed_at: Instant | None = Field(
        default=None, description="The client is being forgotten: no more are entered."
    )


class Full(NamedTuple):
    """A cap that is reached, and the gifts that reach it."""

    cap: Cap
    gifts: tuple[Given, ...]


def counting(caps: Iterable[Cap], per: str, occasion: str | None) -> list[Cap]:
    """Those of these caps that count a gift for that occasion."""
    return [cap for cap in caps if cap.per == per and cap.occasion in (None, occasion)]


def full(cap: Cap, gifts: Iterable[Given], new: Given) -> Full | None:
    """Whether one gift more would be one too many: in its calendar year, or within so many days in a row, whichever of
    those days it is."""
    counted = sorted(
        (
            each
            for each in gifts
            if not each.struck and each.order_id != new.order_id and cap.occasion in (None, each.occasion)
        ),
        key=lambda each: each.day,
    )
    if cap.days is None:
        counted = [each for each in counted if each.day.year == new.day.year]
        return Full(cap, tuple(counted)) if len(counted) >= cap.at_most else None
    span = timedelta(days=cap.days - 1)
    near = [each for each in counted if new.day - span <= each.day <= new.day + span]
    # the fullest days in a row begin with a gift, or with the new one
    for first in sorted({new.day, *(each.day for each in near if each.day <= new.day)}):
        within = [each for each in near if first <= each.day <= first + span]
        if len(within) >= cap.at_most:
            return Full(cap, tuple(within))
    return None


def years_of(caps: Iterable[Cap], day: date) -> tuple[int, ...]:
    """The years whose gifts these caps may count with one on that day; its own among them."""
    span = timedelta(days=max((cap.days or 1 for cap in caps), default=1) - 1)
    return tuple(range((day - span).year, (day + span).year + 1))


def may_grow(year: int, earliest: date, latest: date) -> bool:
    """Whether gifts can still be entered in that year: `earliest` and `latest` are the days that orders of now may be
    for."""
    return earliest.year <= year <= latest.year


def entered(ledger: Ledger, new: Given, strike: Iterable[str] = ()) -> Ledger:
    """With that gift in it, once, and these struck."""
    struck = set(strike)
    others = tuple(
        each.model_copy(update={"struck": True}) if each.order_id in struck else each
        for each in ledger.gifts
        if each.order_id != new.order_id
    )
    return ledger.model_copy(update={"gifts": (*others, new)})


def without(ledger: Ledger, order_id: str) -> Ledger:
    """Without that gift, which is entered in another year now."""
    return ledger.model_copy(update={"gifts": tuple(g for g in ledger.gifts if g.order_id != order_id)})


def pruned(ledger: Ledger, caps: Sequence[Cap], earliest: date) -> Ledger:
    """A household's, without what no cap can count any more: behind a building's one door many may live. `caps`: all of
    households, whatever they are for, for the row holds the gifts of every occasion."""
    span = timedelta(days=max((cap.days or 1 for cap in caps), default=1))
    if any(cap.days is None for cap in caps):
        return ledger
    kept = tuple(each for each in ledger.gifts if each.day > earliest - span and not each.struck)
    return ledger.model_copy(update={"gifts": kept})


# --- how it is kept -------------------------------------------------------------------------------------------


def client_ledger_key(client_id: str, year: int) -> Key:
    return Key(client_id, f"{PREFIX}{year:04d}")


def home_ledger_key(unreadable: str, year: int) -> Key:
    return Key(f"home#{unreadable}", f"{PREFIX}{year:04d}")


def ledger_row(key: Key, ledger: Ledger, version: int, expires_at: int | None = None) -> Row:
    return Row(key, version, ledger.model_dump_json(exclude_defaults=True), expires_at=expires_at)


def ledger_of_row(row: Row | None) -> Ledger:
    return Ledger() if row is None else Ledger.model_validate_json(row.body)
