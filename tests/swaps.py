"""A cake that has a name, a second kitchen, and what a brand allows in its place."""

from __future__ import annotations

import json
from typing import Any

from chalicelib.domain.orders import NewOrder
from chalicelib.domain.substitutes import NewSubstitutes
from chalicelib.flows import substitute
from tests.stage import CONTACTLESS, Stage, body, new_order, place_at, publish_rules, stage, zone

CAKE: dict[str, Any] = {**body()["gift"]["items"][0], "sku": "CAKE", "allergens": ["milk"]}
ROSES: dict[str, Any] = {
    "name": "Roses",
    "item_class": "flowers",
    "value": {"amount": 66000, "currency": "CNY"},
    "sku": "ROSES",
}
NUT_CAKE: dict[str, Any] = {**CAKE, "name": "Nut cake", "sku": "NUT-CAKE", "allergens": ["milk", "nuts"]}
SECOND: dict[str, Any] = {
    "name": "Second kitchen",
    "place": place_at("Second"),
    "contact": {"name": "Zhou Discreet", "phone": "+8613900139000"},
}
SEALED_KITCHEN = zone("Kitchen", "sealed@1", "sealed")
OPEN_KITCHEN = zone("Kitchen")


def way(name: str, consent: str = "brand", **what: Any) -> dict[str, Any]:
    return {"name": name, "consent": consent, **what}


ELSEWHERE = way("second-kitchen", "none", pick_up=SECOND)
FLOWERS = way("flowers", "brand", items=[ROSES], pick_up=SECOND)
NUTS = way("nut-cake", "brand", items=[NUT_CAKE], pick_up=SECOND)


def cake(**changes: Any) -> NewOrder:
    return new_order(**{"gift": {"items": [CAKE]}, **changes})


def allowed(*instead: dict[str, Any], sku: str = "CAKE") -> NewSubstitutes:
    return NewSubstitutes.model_validate_json(
        json.dumps({"rules": [{"sku": sku, "instead": list(instead)}] if instead else []})
    )


def allow(
    on: Stage, *instead: dict[str, Any], version: int | None = None, sku: str = "CAKE", brand: str = "maison"
) -> None:
    substitute.put_substitutes(on.world, brand, allowed(*instead, sku=sku), version)


def two_kitchens(**more: Any) -> Stage:
    on = stage(**more)
    publish_rules(on.world, "amend", zone("Second"))
    return on


def seal_kitchen(on: Stage) -> None:
    publish_rules(on.world, "amend", SEALED_KITCHEN, policies=[CONTACTLESS])


def open_kitchen(on: Stage) -> None:
    publish_rules(on.world, "amend", OPEN_KITCHEN)
