"""A policy in words: what it allows, what it asks for, and nothing where it is silent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

from chalicelib.domain.curfews import Curfew, Stop
from chalicelib.domain.policies import NEAREST_FIRST, AgeFrom, Policy, Quota, Requirement
from chalicelib.pages import words


def told(policy: Policy, *, whole: bool = True) -> Iterator[str]:
    """Its sentences; not `whole`: for a brand, which is not told what is counted by the household. With only that in
    force, *full* would say that somebody else has sent something to its client."""
    yield _handovers(policy)
    if policy.last_leg:
        who = words.listed(sorted(words.said(words.LAST_LEGS, name) for name in policy.last_leg), "or")
        yield f"From there to the flat it is brought by {who}."
    yield from _items(policy)
    yield from map(_curfew, policy.curfews)
    yield from map(_requirement, policy.requirements)
    if policy.companies:
        yield f"The courier company has to be on: {words.listed(sorted(policy.companies))}."
    if policy.persons:
        yield f"The crew has to be on: {words.listed(sorted(policy.persons))}."
    if policy.permit_needed:
        yield "The vehicle or its crew needs a permit that covers the place."
    if whole:
        yield from map(_quota, policy.quotas)
    elif policy.quotas:
        yield "Only so many deliveries a local day are let through."
    if policy.gate.antigen_at_gate:
        yield "The crew is tested at the gate before it hands over."
    if policy.gate.rest_minutes:
        yield f"What is brought rests {policy.gate.rest_minutes} minutes at the gate after disinfection."
    if policy.auto_release:
        yield "It ends by itself when its announced end comes."


def _handovers(policy: Policy) -> str:
    if policy.unknown:
        return "Nobody knows what holds there, and unknown is not open."
    if policy.handovers is None:
        return "It says nothing about where things change hands."
    if not policy.handovers:
        return "Nothing may be handed over."
    ways = [words.said(words.HANDOVERS, way) for way in NEAREST_FIRST if way in policy.handovers]
    return f"Things may change hands {words.listed(ways, 'or')}."


def _items(policy: Policy) -> Iterator[str]:
    if policy.items is not None:
        yield f"Only these come in: {classes(policy.items)}." if policy.items else "Nothing comes in."
    if policy.items_denied:
        yield f"These do not come in: {classes(policy.items_denied)}."
    if policy.hand_out_denied:
        yield (
            f"Shops here may not give out: {classes(policy.hand_out_denied)}; what comes from elsewhere may still be "
            "delivered."
        )
    if policy.essential_only:
        yield "Only what is needed to live comes in: food and medicine."


def classes(names: Iterable[str]) -> str:
    """Kinds of things, in words."""
    return words.listed(sorted(words.said(words.ITEM_CLASSES, name) for name in names))


def _curfew(curfew: Curfew) -> str:
    """`From 22:00 to 05:00 local time no courier is under way, from the night of 15 Mar 2021 on.`"""
    hours = f"From {curfew.start_local:%H:%M} to {curfew.end_local:%H:%M} local time"
    if curfew.start_local == curfew.end_local:
        hours = f"From {curfew.start_local:%H:%M} local time for a whole day"
    whats = words.listed([words.said(words.STOPS, stop) for stop in Stop if stop in curfew.stops])
    when = "" if len(set(curfew.days)) == 7 else f", begun on {_days(curfew.days)}"
    if curfew.dates_from is not None:
        when += f", from the night of {_day(curfew.dates_from)} on"
    if curfew.dates_until is not None:
        when += f", no more from that of {_day(curfew.dates_until)} on"
    what = "" if curfew.item_classes is None else f"; that is for {classes(curfew.item_classes)}"
    return f"{hours} {whats}{when}{what}."


def _days(days: Iterable[int]) -> str:
    return words.listed([words.DAYS[day] for day in sorted(set(days))])


def _day(day: date) -> str:
    return f"{day.day} {words.MONTHS[day.month - 1]} {day.year}"


def _requirement(need: Requirement) -> str:
    kind = words.said(words.CREDENTIALS, need.kind)
    since = "it was taken" if need.age_from is AgeFrom.SAMPLED else "its result was reported"
    article = "an" if kind[0] in "aeiou" else "a"
    text = f"The crew shows {article} {kind}, at most {need.max_age_hours:g} hours after {since}"
    if need.sequence is not None:
        text += f", in the order of “{need.sequence}”: two antigen tests one day, a PCR and an antigen test the next"
    return f"{text}."


def _quota(quota: Quota) -> str:
    most = "1 delivery" if quota.limit == 1 else f"{quota.limit} deliveries"
    return f"At most {most} a local day for each {words.said(words.QUOTAS, quota.per)}."
