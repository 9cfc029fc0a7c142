"""Quotas: so many deliveries a local day into a zone, to a household, or by one courier into a zone; and permits that
are good for one delivery.

What is counted is what has been taken; it is compared with the limit that is known at that moment. So a policy that
raises or lowers a limit in the middle of a day needs no counter to be set anew, and what was taken stays taken.

A household has one counter a day whatever zone speaks of it: the zones that limit it may change during the day, and
the people who come out to fetch do not. A stay across midnight counts on both days, for nobody knows yet on which of
them it will be handed over.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from chalicelib.domain.address_keys import address_key
from chalicelib.domain.fleet import Permit
from chalicelib.domain.legs import QuotaTaken
from chalicelib.domain.places import Address, building_key, flat_in, unit_key
from chalicelib.domain.shapes import folded, zone_info
from chalicelib.domain.zones import Quoted

MOST = 60
"""Counters that one delivery may need: it has to fit into one transaction with its order, evidence and slot."""
KEPT = timedelta(days=15)
"""How long a counter is kept, from the beginning of its day or the end of its permit: longer than any slot (they last
seven days and are kept for seven more), so that whoever gives back a slot's place finds this one, too."""


class Need(NamedTuple):
    """What one delivery takes of a counter."""

    limit: int
    until: datetime
    """When the counter is of no more use to anybody."""
    amount: int = 1


Needs = Mapping[QuotaTaken, Need]

Household = Callable[[date], str]
"""The name of a household on that day, as it may stand in a key."""


def needed(
    quotas: Iterable[Quoted], courier_id: str, days: Iterable[date], household: Household
) -> dict[QuotaTaken, Need]:
    """What one delivery by that courier takes under these quotas on these days.

    Where several limit the same, the lowest counts.
    """
    days = tuple(days)
    found: dict[QuotaTaken, Need] = {}
    for zone_id, _, quota in quotas:
        for day in days:
            if quota.per == "household":
                name = household(day)
            else:
                name = zone_id if quota.per == "zone" else f"{zone_id}/{courier_id}"
            taken = QuotaTaken.model_construct(per=quota.per, name=name, day=day)
            had = found.get(taken)
            if had is None or quota.limit < had.limit:
                found[taken] = Need(quota.limit, datetime.combine(day, time(), UTC) + KEPT)
    return found


def once(permit: Permit) -> tuple[QuotaTaken, Need]:
    """The one use of a permit for a single use."""
    taken = QuotaTaken.model_construct(per="permit", name=permit.permit_id, day=None)
    return taken, Need(1, permit.valid.end + KEPT)


def local_days(start: datetime, end: datetime, time_zone: str) -> tuple[date, ...]:
    """The days of `[start, end)` on the clock of that zone: until 08:00 in Shanghai, UTC has the day before."""
    zone = zone_info(time_zone)
    last_moment = max(start, end - timedelta(microseconds=1))
    first, last = start.astimezone(zone).date(), last_moment.astimezone(zone).date()
    return tuple(first + timedelta(days=n) for n in range((last - first).days + 1))


def midnight(at: datetime, time_zone: str) -> datetime:
    """When the local day after that moment begins, and with it what is counted by the day."""
    zone = zone_info(time_zone)
    return datetime.combine(at.astimezone(zone).date() + timedelta(days=1), time(), zone).astimezone(UTC)


_WORDS = re.compile(r"单元|單元|[门門层層室房号號户戶]|apartment|floor|room|unit|flat|apt|rm|no|#")


def household_of(address: Address) -> str:
    """A household as it is counted: district, compound, building and flat, each however it is written.

    Without a compound the line of the address stands in its place; without a flat a building is one household, for
    what is not told apart has one quota together.
    """
    stated = f"{flat_in(address.building or '')}-{folded(address.unit or '')}"
    flat = "-".join(map(_plain, filter(None, _WORDS.sub("-", stated).split("-"))))
    if address.compound is not None:
        return f"{unit_key(address.district, address.compound, building_key(address.building or ''))}/{flat}"
    return f"{unit_key(address.district)}/@{address_key(address.line, address.district)}/{flat}"


def _plain(part: str) -> str:
    return part.lstrip("0") or "0" if part.isdigit() else part


def sealed_household(salt: bytes, market_id: str, address: Address, day: date) -> str:
    """Its name on that day: without the salt nobody finds an address by it, nor its name of the next day."""
    said = f"{market_id}\x00{day.isoformat()}\x00{household_of(address)}"
    return hmac.new(salt, said.encode(), hashlib.sha256).hexdigest()[:32]
