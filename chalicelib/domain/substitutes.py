"""Something else in the place of a gift: the same from another shop, or another gift, as its brand has said beforehand.

    collection (pk)        place (sk)                     noun
    brand#<brand>          substitutes                    Substitutes, sealed under the brand's data key
    ord_...                proposal#<nnnn>                Proposal; sealed: whom to ask for at another shop

A substitute is proposed where the shop is closed, and where a gift of great value may not be handed over in person and
its brand would rather swap it. It is really something else: a box is never called food to make it pass as essential.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum, StrEnum
from typing import Annotated, Final, NamedTuple

from pydantic import Field, model_validator

from chalicelib.domain.due import in_pool
from chalicelib.domain.gifts import Gift, Item, ItemClass
from chalicelib.domain.orders import Contact, Order, PickUp
from chalicelib.domain.ports import Key, Row
from chalicelib.domain.safeguards import Contactless
from chalicelib.domain.shapes import Instant, Shape, Slug, as_name, by_name, fold, is_absent, names_of
from chalicelib.domain.verdicts import Reason

FOOD: Final = frozenset(
    {
        ItemClass.HOT_MEAL,
        ItemClass.CHILLED,
        ItemClass.FROZEN,
        ItemClass.AMBIENT_FOOD,
        ItemClass.ALCOHOL,
    }
)
"""What is eaten or drunk: nobody is handed any of it in the place of something else without a look at allergens."""
CURED: Final = frozenset({Reason.ORIGIN_CLOSED, Reason.SIGNATURE_CONFLICT})
"""What something else may help against."""
PROPOSALS: Final = "proposal#"
MOST_TRIED: Final = 20
"""Alternatives of one gift that are looked at, at most."""


class Say(IntEnum):
    """Who has to agree, the later the more."""

    NONE = 0
    BRAND = 1
    CLIENT = 2


SayName = Annotated[Say, by_name(Say), as_name(Say), names_of(Say)]


class Alternative(Shape):
    """What may go in the place of one thing. Of several things in a gift each needs one of the same name."""

    name: Slug = Field(description="Not personal.", examples=["pudong-kitchen"])
    items: tuple[Item, ...] | None = Field(
        default=None, min_length=1, max_length=10, description="What goes instead. Absent: the very same."
    )
    pick_up: PickUp | None = Field(
        default=None, description="Where it is fetched then. Absent: where it was."
    )
    consent: SayName = Field(
        default=Say.CLIENT,
        description="Who has to agree each time.",
        json_schema_extra={"default": "client"},
    )

    @model_validator(mode="after")
    def _is_something_else(self) -> Alternative:
        if self.items is None and self.pick_up is None:
            raise ValueError("other items, another pick-up, or both were expected")
        return self


class Rule(Shape):
    """What may go in the place of everything of one kind, the best first."""

    sku: Slug
    instead: tuple[Alternative, ...] = Field(min_length=1, max_length=20)


class NewSubstitutes(Shape):
    """All that a brand allows, whole."""

    rules: tuple[Rule, ...] = Field(max_length=200)

    @model_validator(mode="after")
    def _tells_things_apart(self) -> NewSubstitutes:
        kinds = [rule.sku for rule in self.rules]
        twice = sorted({sku for sku in kinds if kinds.count(sku) > 1})
        if twice:
            raise ValueError(f"one rule for each kind of thing was expected, {twice[0]!r} has several")
        for rule in self.rules:
            names = [one.name for one in rule.instead]
            if len(set(names)) < len(names):
                raise ValueError(f"each alternative of {rule.sku!r} has a name of its own")
        every = [item for rule in self.rules for one in rule.instead for item in one.items or ()]
        if relabelled(every, every):
            raise ValueError("one thing has one item_class: a box is not food because food may pass")
        return self


class Substitutes(NewSubstitutes):
    """The same as kept."""

    brand_id: str
    since: Instant
    version: int


class State(StrEnum):
    """Where a proposal stands."""

    OPEN = "open"
    ACCEPTED = "accepted"
    """And applied, in the same write."""
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    """What was proposed is not what its brand allows any more; whatever is now is proposed anew."""


class Proposal(Shape):
    """That something else go in the place of a gift. Nobody's name is in it; whom to ask for is sealed beside it."""

    order_id: str
    number: int
    name: Slug = Field(description="Of the alternative.")
    reason: Reason = Field(description="Why the gift cannot go as it is.")
    gift: Gift
    pick_up: str = Field(description="Where it would be fetched, by name.")
    needs: SayName = Field(description="Who has to agree.")
    state: State
    proposed_at: Instant
    answered_at: Instant | None = Field(default=None, exclude_if=is_absent)
    by: SayName | None = Field(default=None, exclude_if=is_absent, description="Who has answered.")
    evidence: Slug | None = Field(
        default=None, exclude_if=is_absent, description="What proves the client's answer, by name."
    )
    digest: str = Field(description="Of all that would go: what has changed since has to be agreed to anew.")
    version: int = 1


class Candidate(NamedTuple):
    """One way in which a gift could go instead."""

    name: str
    gift: Gift
    pick_up: PickUp | None
    """None: where it was to be fetched."""
    needs: Say

    @property
    def digest(self) -> str:
        pick_up = "" if self.pick_up is None else self.pick_up.model_dump_json()
        said = f"{self.name}|{self.gift.model_dump_json()}|{pick_up}"
        return hashlib.sha256(said.encode()).hexdigest()[:32]


def reason_of(order: Order) -> Reason | None:
    """Why something else would help, or None: it waits in its shop, and for nothing that a substitute cures."""
    outlook = order.outlook
    if outlook is None or CURED.isdisjoint(outlook.reasons) or not in_pool(order):
        return None
    guard = order.safeguard
    if Reason.ORIGIN_CLOSED in outlook.reasons:
        found = Reason.ORIGIN_CLOSED
    elif (
        guard is not None
        and guard.contactless is Contactless.SWAP
        and Reason.SIGNATURE_CONFLICT in outlook.reasons
    ):
        found = Reason.SIGNATURE_CONFLICT
    else:
        return None
    is_whole = order.together is None and order.appointment is None and order.cancel_asked_at is None
    in_the_shop = order.leg.fetched_at is None and order.leg.taken_to is None and order.can_be_fetched
    return found if is_whole and in_the_shop and all(item.sku for item in order.gift.items) else None


def is_wanted(order: Order) -> bool:
    """True when something else has to be looked for: nothing is proposed, and something would help."""
    return order.substitution.proposed is None and reason_of(order) is not None


def relabelled(items: Iterable[Item], others: Iterable[Item]) -> bool:
    """True when one thing, by its kind or by its name, bears two classes: food may pass where a box may not."""
    others = list(others)
    return any(
        one.item_class is not other.item_class
        and ((one.sku is not None and one.sku == other.sku) or fold(one.name) == fold(other.name))
        for one in items
        for other in others
    )


def candidates(gift: Gift, rules: Iterable[Rule], passed: Sequence[str] = ()) -> Iterator[Candidate]:
    """The ways in which that gift could go instead, the best first; not those that were declined.

    Every thing in it needs an alternative of the same name, and all of them the same pick-up: one courier fetches them.
    """
    by_sku = {rule.sku: {one.name: one for one in rule.instead} for rule in rules}
    of_each = [by_sku.get(item.sku or "", {}) for item in gift.items]
    for name in of_each[0] if all(of_each) else ():
        chosen = [options.get(name) for options in of_each]
        if name in passed or any(one is None for one in chosen):
            continue
        known = [one for one in chosen if one is not None]
        places = {None if one.pick_up is None else one.pick_up.model_dump_json() for one in known}
        items = tuple(
            made
            for item, one in zip(gift.items, known, strict=True)
            for made in ([item] if one.items is None else one.items)
        )
        if len(places) > 1 or len(items) > MOST_TRIED or relabelled(items, gift.items):
            continue
        if len({item.value.currency for item in (*items, *gift.items)}) > 1:
            continue
        yield Candidate(name, Gift(items=items), known[0].pick_up, max(one.consent for one in known))


def agreed_to(candidate: Candidate, gift: Gift, allergens: frozenset[str] | None) -> Candidate | None:
    """The same, with whoever has to agree to it because of what is in it; None: its client must not have it.

    `allergens`: what the client must not eat; None: nobody here knows. What a thing does not say of itself is not known
    to be harmless: of a client who must not eat something it is not proposed, and of one of whom nobody knows only the
    client can say.
    """
    food = [item for item in candidate.gift.items if item.item_class in FOOD or item.allergens]
    same = set(gift.items)
    food = [item for item in food if item not in same]  # from another kitchen, and the very same
    if not food:
        return candidate
    if allergens is None:
        had = frozenset[str]().union(*(item.allergens or () for item in gift.items))
        is_known = all(item.allergens is not None and item.allergens <= had for item in food)
        return candidate if is_known else candidate._replace(needs=Say.CLIENT)
    if not allergens:
        return candidate
    if any(item.allergens is None or not item.allergens.isdisjoint(allergens) for item in food):
        return None
    return candidate


# --- rows -----------------------------------------------------------------------------------------------------


def substitutes_key(brand_id: str) -> Key:
    return Key(f"brand#{brand_id}", "substitutes")


def proposal_key(order_id: str, number: int) -> Key:
    return Key(order_id, f"{PROPOSALS}{number:04d}")


def proposal_row(proposal: Proposal, sealed: bytes = b"") -> Row:
    key = proposal_key(proposal.order_id, proposal.number)
    return Row(key, proposal.version, proposal.model_dump_json(exclude_defaults=True), sealed)


def proposal_of_row(row: Row) -> Proposal:
    found = Proposal.model_validate_json(row.body)
    return found.model_copy(update={"version": row.version})


def contact_of(candidate: Candidate, present: Contact) -> Contact:
    """Whom to ask for where it is fetched then."""
    return present if candidate.pick_up is None else candidate.pick_up.contact
