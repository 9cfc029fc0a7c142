"""What may go in the place of a gift: the rules of its brand, what its client must not eat, and no box that is called
food."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from chalicelib.domain.gifts import Gift, ItemClass
from chalicelib.domain.substitutes import (
    FOOD,
    Candidate,
    NewSubstitutes,
    Rule,
    Say,
    agreed_to,
    candidates,
    relabelled,
)
from tests import builders

SKUS = ("CAKE", "FLAN", "ROSES", "BOX")
NAMES = ("pudong", "flowers", "voucher")
ALLERGENS = ("nuts", "milk", "gluten")


def thing(sku: str, item_class: str = "chilled", **changes: Any) -> dict[str, Any]:
    value = {"amount": 88000, "currency": "CNY"}
    return {"name": sku.title(), "item_class": item_class, "value": value, "sku": sku, **changes}


def gift(*things: dict[str, Any]) -> Gift:
    return Gift.model_validate_json(json.dumps({"items": things}))


def substitutes(*rules: dict[str, Any]) -> NewSubstitutes:
    return NewSubstitutes.model_validate_json(json.dumps({"rules": rules}))


def kitchen(name: str = "Pudong kitchen") -> dict[str, Any]:
    pick_up: dict[str, Any] = builders.order_body()["pick_up"]
    return {**pick_up, "name": name}


def rule(sku: str, *instead: dict[str, Any]) -> dict[str, Any]:
    return {"sku": sku, "instead": list(instead)}


def found(of: Gift, *rules: dict[str, Any], passed: tuple[str, ...] = ()) -> list[Candidate]:
    return list(candidates(of, substitutes(*rules).rules, passed))


def test_the_same_from_another_kitchen_and_something_else_in_the_brands_order() -> None:
    cake = gift(thing("CAKE"))
    rules = rule(
        "CAKE",
        {"name": "pudong", "pick_up": kitchen(), "consent": "none"},
        {"name": "flowers", "items": [thing("ROSES", "flowers")]},
    )
    first, second = found(cake, rules)
    assert (first.name, first.gift, first.needs) == ("pudong", cake, Say.NONE)
    assert first.pick_up is not None and first.pick_up.name == "Pudong kitchen"
    assert (second.name, second.pick_up, second.needs) == ("flowers", None, Say.CLIENT)
    assert [item.sku for item in second.gift.items] == ["ROSES"]
    assert [one.name for one in found(cake, rules, passed=("pudong",))] == ["flowers"]


def test_of_several_things_each_needs_an_alternative_of_the_same_name_and_place() -> None:
    both = gift(thing("CAKE"), thing("FLAN"))
    there = {"name": "pudong", "pick_up": kitchen(), "consent": "brand"}
    (one,) = found(both, rule("CAKE", there), rule("FLAN", {**there, "consent": "client"}))
    assert (one.needs, len(one.gift.items)) == (Say.CLIENT, 2)
    assert found(both, rule("CAKE", there)) == []
    elsewhere = {**there, "pick_up": kitchen("Third kitchen")}
    assert found(both, rule("CAKE", there), rule("FLAN", elsewhere)) == []
    unnamed = gift(thing("CAKE"), {k: v for k, v in thing("FLAN").items() if k != "sku"})
    assert found(unnamed, rule("CAKE", there), rule("FLAN", there)) == []


@pytest.mark.parametrize(
    "other",
    [
        thing("BOX", "ambient_food"),
        thing("FOOD-BOX", "ambient_food", name="Box"),
        thing("FOOD-BOX", "ambient_food", name=" b.o.x "),
    ],
)
def test_a_box_is_never_called_food(other: dict[str, Any]) -> None:
    box = gift(thing("BOX", "cosmetics"))
    assert found(box, rule("BOX", {"name": "food", "items": [other]})) == []
    assert relabelled(gift(other).items, box.items)


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        (
            [rule("CAKE", {"name": "a", "items": [thing("BOX", "cosmetics"), thing("BOX", "hot_meal")]})],
            "one thing has one item_class",
        ),
        ([rule("CAKE", {"name": "a"})], "other items, another pick-up, or both"),
        (
            [rule("CAKE", {"name": "a", "pick_up": kitchen()}, {"name": "a", "pick_up": kitchen()})],
            "a name of its own",
        ),
        ([rule("CAKE", {"name": "a", "pick_up": kitchen()})] * 2, "'CAKE' has several"),
        ([rule("CAKE", {"name": "a", "pick_up": kitchen(), "consent": "whoever"})], "none, brand, client"),
    ],
)
def test_rules_that_say_nothing_or_two_things_are_refused(rules: list[Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        substitutes(*rules)


def test_what_a_client_must_not_eat_is_not_proposed_and_what_does_not_say_is_not_known_to_be_harmless() -> (
    None
):
    cake = gift(thing("CAKE", allergens=["milk"]))
    nuts = Candidate("a", gift(thing("FLAN", allergens=["milk", "nuts"])), None, Say.NONE)
    silent = Candidate("b", gift(thing("FLAN")), None, Say.NONE)
    plain = Candidate("c", gift(thing("FLAN", allergens=[])), None, Say.NONE)
    roses = Candidate("d", gift(thing("ROSES", "flowers")), None, Say.NONE)
    eats_no_nuts = frozenset({"nuts"})
    assert agreed_to(nuts, cake, eats_no_nuts) is None
    assert agreed_to(silent, cake, eats_no_nuts) is None
    assert agreed_to(plain, cake, eats_no_nuts) == plain
    assert agreed_to(roses, cake, eats_no_nuts) == roses
    assert agreed_to(nuts, cake, frozenset()) == nuts
    # of whom nobody knows, only the client can say, unless nothing new is in it
    assert agreed_to(nuts, cake, None) == nuts._replace(needs=Say.CLIENT)
    assert agreed_to(silent, cake, None) == silent._replace(needs=Say.CLIENT)
    milk = Candidate("e", gift(thing("FLAN", allergens=["milk"])), None, Say.NONE)
    assert agreed_to(milk, cake, None) == milk
    same = Candidate("f", cake, None, Say.NONE)
    assert agreed_to(same, cake, None) == same


def test_whatever_would_go_has_another_digest() -> None:
    cake = gift(thing("CAKE"))
    there = {"name": "pudong", "pick_up": kitchen(), "consent": "none"}
    (one,) = found(cake, rule("CAKE", there))
    (asked,) = found(cake, rule("CAKE", {**there, "consent": "client"}))
    (moved,) = found(cake, rule("CAKE", {**there, "pick_up": kitchen("Third")}))
    (other,) = found(cake, rule("CAKE", {**there, "items": [thing("FLAN")]}))
    assert one.digest == asked.digest and len({one.digest, moved.digest, other.digest}) == 3


_CLASSES = {"CAKE": "chilled", "FLAN": "hot_meal", "ROSES": "flowers", "BOX": "cosmetics"}
_things = st.builds(
    lambda sku, allergens, item_class: thing(sku, item_class or _CLASSES[sku], **allergens),
    st.sampled_from(SKUS),
    st.one_of(
        st.just({}),
        st.builds(lambda some: {"allergens": sorted(some)}, st.sets(st.sampled_from(ALLERGENS))),
    ),
    st.one_of(st.none(), st.sampled_from(("ambient_food", "cosmetics"))),
)
_gifts = st.builds(lambda things: gift(*things), st.lists(_things, min_size=1, max_size=3))
_alternatives = st.builds(
    lambda name, items, has_place, consent: {
        "name": name,
        "consent": consent,
        **({} if items is None else {"items": items}),
        **({"pick_up": kitchen()} if has_place or items is None else {}),
    },
    st.sampled_from(NAMES),
    st.one_of(st.none(), st.lists(_things, min_size=1, max_size=2)),
    st.booleans(),
    st.sampled_from(("none", "brand", "client")),
)
_rules = st.lists(
    st.builds(
        lambda sku, instead: Rule.model_validate_json(json.dumps(rule(sku, *instead))),
        st.sampled_from(SKUS),
        st.lists(_alternatives, min_size=1, max_size=3, unique_by=lambda one: str(one["name"])),
    ),
    max_size=4,
    unique_by=lambda one: one.sku,
)


@given(_gifts, _rules, st.sets(st.sampled_from(NAMES)))
def test_nothing_goes_that_was_declined_or_bears_another_class_or_stands_in_no_rule(
    of: Gift, rules: list[Rule], passed: set[str]
) -> None:
    by_sku = {one.sku: {each.name: each for each in one.instead} for one in rules}
    seen = set()
    for one in candidates(of, rules, tuple(passed)):
        assert one.name not in passed and one.name not in seen
        seen.add(one.name)
        assert not relabelled(one.gift.items, of.items)
        for item in of.items:
            allowed = by_sku[item.sku or ""][one.name]
            assert allowed.consent <= one.needs
            assert all(made in one.gift.items for made in allowed.items or [item])
        classes = {item.sku: item.item_class for item in of.items}
        assert all(classes.get(item.sku, item.item_class) is item.item_class for item in one.gift.items)


@given(_gifts, _gifts, st.one_of(st.none(), st.sets(st.sampled_from(ALLERGENS))), st.sampled_from(Say))
def test_nobody_is_handed_what_he_must_not_eat_and_consent_is_never_lowered(
    of: Gift, other: Gift, must_not: set[str] | None, needs: Say
) -> None:
    allergens = None if must_not is None else frozenset(must_not)
    found = agreed_to(Candidate("a", other, None, needs), of, allergens)
    eaten = [i for i in other.items if i not in of.items and (i.item_class in FOOD or i.allergens)]
    if found is None:
        assert allergens and eaten
        return
    assert found.needs >= needs and found.gift == other
    if allergens:
        assert all(i.allergens is not None and i.allergens.isdisjoint(allergens) for i in eaten)
    if allergens is None and any(i.allergens is None for i in eaten):
        assert found.needs is Say.CLIENT


def test_every_class_is_food_or_is_not() -> None:
    assert set(ItemClass) > FOOD and ItemClass.FLOWERS not in FOOD
