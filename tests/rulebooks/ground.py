"""Places under the words of a book, asked at an hour of its own clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from chalicelib.domain.atlas import Atlas
from chalicelib.domain.curfews import curfew_spans
from chalicelib.domain.gifts import ItemClass
from chalicelib.domain.policies import Level, Policy
from chalicelib.domain.rulebooks import Book, Days, layers
from chalicelib.domain.verdicts import Phase, Verdict
from chalicelib.domain.zones import Regime, Zone
from chalicelib.rulebooks import Shelf
from tests import builders as b

BOOKS = Shelf()

Listed = tuple[str, str, str | None]
"""A word of a book, and the local days for which a list says it."""


def moment(book: Book, local: str) -> datetime:
    """`2021-05-18 22:15` on the book's clock."""
    return datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(book.time_zone)).astimezone(UTC)


def midnight(book: Book, day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), ZoneInfo(book.time_zone)).astimezone(UTC)


def zones(book: Book, compound: str, *listed: Listed, known_since: datetime | None = None) -> list[Zone]:
    """One zone for each layer of each word."""
    made = []
    where = "shop" if compound == b.KITCHEN else "home"
    for number, (word, since, until) in enumerate(listed):
        days = Days(since=date.fromisoformat(since), until=date.fromisoformat(until) if until else None)
        for at, layer in enumerate(layers(book, word, days, b.HUANGPU)):
            made.append(
                b.zone(
                    compound,
                    zone_id=f"{where}-{word}-{number}-{at}",
                    policy_id=layer.policy.policy_id,
                    policy_version=layer.policy.version,
                    level=Level[layer.entry.level.upper()],
                    valid_from=midnight(book, layer.days.since),
                    valid_to=midnight(book, layer.days.until),
                    known_since=known_since or moment(book, "2020-01-01 00:00"),
                )
            )
    return made


@cache
def policies(book: Book) -> tuple[Policy, ...]:
    return tuple(entry.policy for entry in book.entries)


def atlas(book: Book, at: datetime, origin: Sequence[Listed], destination: Sequence[Listed]) -> Atlas:
    return b.atlas(
        [*zones(book, b.KITCHEN, *origin), *zones(book, b.HOME, *destination)],
        policies(book),
        time_zone=book.time_zone,
        published_at=at - b.hours(1),
    )


def regime(name: str, local: str, *listed: Listed, minutes: int = 60) -> Regime:
    """What holds at the client's for so long from then."""
    book = BOOKS[name]
    at = moment(book, local)
    return atlas(book, at, (), listed).regime(b.address(), None, 0, at, at + b.minutes(minutes), at)


def verdict(
    name: str,
    local: str,
    *destination: Listed,
    of: str | Sequence[str] = "hot_meal",
    origin: Sequence[Listed] | None = None,
    minutes: int = 60,
    phase: Phase = Phase.OPEN,
    crew: Mapping[str, Any] | None = None,
    company: Mapping[str, Any] | None = None,
) -> Verdict:
    """May one that has fresh tests and a permit bring this from next door within so many minutes from then?

    `crew` and `company`: what is different about them.
    """
    book = BOOKS[name]
    at = moment(book, local)
    span = {"start": at, "end": at + b.minutes(minutes)}
    classes = [of] if isinstance(of, str) else of
    delivery = b.delivery(gift=b.gift(*(b.item(name) for name in classes)), window=span)
    slot = b.slot(window=span, trip_minutes=1, return_minutes=0)
    tests = [b.credential(kind, sampled_at=at - b.hours(5), reported_at=at - b.hours(4)) for kind in TESTS]
    fleet = b.fleet(
        couriers=[b.courier(**(company or {}))],
        crews=[b.crew(**{"credentials": tests, **(crew or {})})],
        permits=[b.permit(valid={"start": at - b.hours(24), "end": at + b.hours(24)})],
        slots=[slot],
    )
    on = atlas(book, at, destination if origin is None else origin, destination)
    return b.clear(of=delivery, by=slot, on=on, with_fleet=fleet, now=at, phase=phase)


TESTS = ("pcr", "antigen", "health_code")


def stopped(name: str, local: str, stop: str, *listed: Listed, of: str = "hot_meal") -> bool:
    """Is that among what the curfews stop at that moment for such a gift?"""
    book = BOOKS[name]
    at = moment(book, local)
    there = regime(name, local, *listed, minutes=1)
    return any(
        stop in curfew.stops
        and (curfew.item_classes is None or ItemClass(of) in curfew.item_classes)
        and any(low <= at < high for low, high in curfew_spans(curfew, book.time_zone, at, at + MINUTE))
        for curfew in there.curfews
    )


MINUTE = timedelta(minutes=1)
