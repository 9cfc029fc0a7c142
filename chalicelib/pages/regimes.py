"""A policy in words: what it allows, what it asks for, and nothing where it is silent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from chalicelib.domain.curfews import Curfew
from chalicelib.domain.policies import NEAREST_FIRST, AgeFrom, Policy, Requirement
from chalicelib.pages import words


def told(policy: Policy) -> Iterator[str]:
    """Its sentences."""
    yield _handovers(policy)
    yield from _items(policy)
    for curfew in policy.curfews:
        yield _curfew(curfew)
    for need in policy.requirements:
        yield _requirement(need)
    if policy.permit_needed:
        yield "The vehicle or its crew needs a permit that covers the place."
    if policy.gate.antigen_at_gate:
        yield "The crew is tested at the gate before it hands over."
    if policy.gate.rest_minutes:
        yield f"What is brought rests {policy.gate.rest_minutes} minutes at the gate after disinfection."


def _handovers(policy: Policy) -> str:
    if policy.handovers is None:
        return "It says nothing about where things change hands."
    if not policy.handovers:
        return "Nothing may be handed over."
    ways = [words.said(words.HANDOVERS, way) for way in NEAREST_FIRST if way in policy.handovers]
    return f"Things may change hands {words.listed(ways, 'or')}."


def _items(policy: Policy) -> Iterator[str]:
    if policy.items is not None:
        yield f"Only these come in: {_classes(policy.items)}." if policy.items else "Nothing comes in."
    if policy.items_denied:
        yield f"These do not come in: {_classes(policy.items_denied)}."
    if policy.essential_only:
        yield "Only what is needed to live comes in: food and medicine."


def _classes(names: Iterable[str]) -> str:
    return words.listed(sorted(words.said(words.ITEM_CLASSES, name) for name in names))


def _curfew(curfew: Curfew) -> str:
    hours = f"from {curfew.start_local:%H:%M} to {curfew.end_local:%H:%M}"
    if curfew.start_local == curfew.end_local:
        hours = f"from {curfew.start_local:%H:%M} for a whole day"
    days = "" if len(set(curfew.days)) == 7 else f", begun on {_days(curfew.days)}"
    what = "" if curfew.item_classes is None else f" for {_classes(curfew.item_classes)}"
    return f"Curfew{what} {hours} local time{days}."


def _days(days: Iterable[int]) -> str:
    return words.listed([words.DAYS[day] for day in sorted(set(days))])


def _requirement(need: Requirement) -> str:
    kind = words.said(words.CREDENTIALS, need.kind)
    since = "it was taken" if need.age_from is AgeFrom.SAMPLED else "its result was reported"
    return f"The crew shows a {kind}, at most {need.max_age_hours:g} hours after {since}."
