"""Why a gift stays, goes dearer, or what would have let it go: one decision's explanation in plain words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from chalicelib.pages import words
from chalicelib.pages.sheet import Line, Moment

HOURS = frozenset({"window", "no_slots"})
"""Who lacks these was asked nothing else."""


@dataclass(frozen=True)
class Near:
    """What would have opened so many offers; `slot`: one of them, None: kept back from this reader."""

    reasons: tuple[str, ...]
    slots: int
    slot: str | None = None
    hours_from: datetime | None = None
    hours_until: datetime | None = None


@dataclass(frozen=True)
class Explained:
    """An explanation as this reader may know it; None: not so, or kept back."""

    by: str | None = None
    """It was out-ranked, so; of so many slots that might have taken it: """
    slots: int = 0
    would_serve: bool = False
    lowest: str | None = None
    slot: str | None = None
    next_tier: str | None = None
    short: int | None = None
    why: str | None = None
    """It goes dearer, so."""
    less: int | None = None
    later: int | None = None
    saves: int | None = None
    currency: str | None = None
    nearest: tuple[Near, ...] = ()


def out_ranked(told: Explained, own: str) -> Iterator[Line]:
    """`own`: the rank of the gift itself."""
    if told.by is None:
        return
    offers = "1 offer" if told.slots == 1 else f"{told.slots} offers"
    line = f"{offers} might have taken it. {words.said(words.OUT_RANKED, told.by)}"
    if told.lowest is not None and told.by in ("higher_tier", "same_tier"):
        line += f" The lowest rank that has one is {told.lowest}."
    yield (line,)
    where = f" in {told.slot}" if told.slot is not None else ""
    if told.would_serve:
        yield (f"One more place{where} would have gone to this gift.",)
    elif told.next_tier is not None and told.next_tier != own:
        yield (f"One more place{where} would have gone to a gift of {told.next_tier} rank first.",)
    elif told.next_tier is not None:
        less = ", which drew the better lot"
        if told.short and told.currency is not None:
            less = f", which costs {words.money(told.short, told.currency)} less, its lateness included"
        yield (f"One more place{where} would have gone to another gift of the same rank{less}.",)


def dearer(told: Explained) -> Iterator[Line]:
    """Of who goes, and not with the cheapest."""
    if told.why is None:
        return
    why = words.said(words.INSTEAD, told.why)
    if told.less is None or told.currency is None:
        yield (f"Another courier would have cost less, and {why}.",)
        return
    less = words.money(told.less, told.currency)
    if told.why == "later":
        later = f": {told.later} more of a thousand are late there" if told.later else ""
        yield (f"{told.slot} has a price that is {less} lower, and {why}{later}.",)
        return
    line = f"{told.slot} would have cost {less} less, its lateness included, and {why}."
    if told.lowest is not None:
        line += f" The lowest rank that has one is {told.lowest}."
    if told.next_tier is not None:
        line += f" One more there would have served one more gift, of {told.next_tier} rank."
    elif told.saves is not None:
        line += f" One more there would have saved {words.money(told.saves, told.currency)}, and served nobody more."
    yield (line,)


def nearest(told: Explained, hour: Callable[[datetime], Moment]) -> Iterator[Line]:
    """What would have let somebody go; `hour` puts a time into words."""
    for near in told.nearest:
        what = words.listed([words.said(words.CHANGES, reason) for reason in near.reasons])
        line: list[str | Moment] = [f"With {what}"]
        if near.hours_from is not None and near.hours_until is not None:
            line += [" (", hour(near.hours_from), " to ", hour(near.hours_until), ")"]
        offers = "1 offer" if near.slots == 1 else f"{near.slots} offers"
        such = (
            "" if near.slot is None else f" ({near.slot})" if near.slots == 1 else f" (such as {near.slot})"
        )
        if HOURS.isdisjoint(near.reasons):
            line.append(f", {offers}{such} would have been open to it.")
        else:
            line.append(f", {offers}{such} might have been: whether the crew may go then has not been asked.")
        yield tuple(line)


def worth(slot: str, tiers: Mapping[str, int], saves: int, currency: str) -> str:
    """What one more place in that slot would be worth, as a sentence.

    `tiers`: gifts served more by rank, below 0: fewer. `saves`: minor units, below 0: that is what it costs.
    """
    more = [f"{_counted(count)} of {tier} rank" for tier, count in tiers.items() if count > 0]
    fewer = [f"{_counted(-count)} of {tier} rank" for tier, count in tiers.items() if count < 0]
    does = f"serve {words.listed(more)} more" if more else "serve nobody more"
    if fewer:
        does += f" and {words.listed(fewer)} fewer"
    money = words.money(abs(saves), currency)
    spends = f"save {money}" if saves >= 0 else f"cost {money}"
    return f"One more place in {slot} would {does}, and {spends}, lateness included."


def _counted(count: int) -> str:
    return "one gift" if count == 1 else f"{count} gifts"
