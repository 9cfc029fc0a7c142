"""A pool says of every pair what clearance says of it alone: on pools made by dice, with every word of the rule book."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.atlas import Atlas
from chalicelib.domain.clearance import Clearer
from chalicelib.domain.fleet import Courier, Crew, Fleet, Permit, Slot
from chalicelib.domain.policies import Handover, Policy
from chalicelib.domain.pool import Pool
from chalicelib.domain.verdicts import Decision, Delivery, Phase, Reason
from chalicelib.domain.zones import Exemption, Lift, Zone
from tests import builders
from tests.builders import HUANGPU, KITCHEN, NOON, XUHUI, hours

COMPOUNDS = (KITCHEN, "永嘉新村", "新天地", "建业里", "步高里")
CLASSES = ("chilled", "hot_meal", "flowers", "high_value", "alcohol", "ambient_food")
SIDES: Any = [[HUANGPU], [XUHUI]]


class Dice:
    """Everything a pool is made of, by chance; mostly permitted, so that a yes is no rarity."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.policies = [self.policy(f"p{n}") for n in range(3)]
        self.zones = self.made_zones()
        self.rules = Atlas(
            builders.rules(
                self.zones,
                self.policies,
                exemptions=tuple(self.exemption(n) for n in range(self.dice.choice((0, 0, 1, 2)))),
                stale_after_hours=self.dice.choice((36, 36, 36, 4)),
            )
        )
        couriers = [self.courier(f"c{n}") for n in range(2)]
        crews = [self.crew(f"crew-{n}", couriers) for n in range(4)]
        slots = [self.slot(f"slot-{n:02d}", crews) for n in self.dice.sample(range(20), 9)]
        self.fleet: Fleet = builders.fleet(
            couriers=couriers,
            crews=crews,
            permits=[self.permit(f"permit-{n}") for n in range(self.dice.randint(0, 6))],
            slots=slots,
        ).model_copy(update={"uses_left": {f"permit-{n}": 0 for n in self.some(range(6), 3)}})
        self.fleet.left.update({slot.slot_id: slot.capacity - 1 for slot in self.some(slots)})
        self.deliveries = [self.delivery() for _ in range(8)]
        self.down = ("c1",) if self.dice.random() < 0.1 else ()
        """A courier that does not answer."""

    def rarely(self, value: Any, otherwise: Any = None, chance: float = 0.15) -> Any:
        return value if self.dice.random() < chance else otherwise

    def some(self, values: Any, most: int = 3) -> list[Any]:
        return self.dice.sample(list(values), self.dice.randint(1, min(most, len(values))))

    def policy(self, name: str) -> Policy:
        curfew = {
            "start_local": self.dice.choice(("13:00", "15:00", "22:00")),
            "end_local": self.dice.choice(("14:00", "16:30", "05:00")),
            "item_classes": self.rarely(self.some(CLASSES)),
            "stops": self.some(("delivery", "collection", "hand_out")),
            "dates_from": self.rarely("2022-04-12"),
        }
        requirement = {
            "kind": self.dice.choice(("pcr", "antigen", "health_code")),
            "max_age_hours": self.dice.choice((24, 26, 48)),
            "age_from": self.dice.choice(("sampled", "reported")),
        }
        two = {"kind": "antigen", "max_age_hours": 24, "sequence": "2+2"}
        return builders.silent(
            name,
            handovers=self.rarely(self.some(Handover), self.rarely([], list(Handover), 0.1)),
            items=self.rarely(self.some(CLASSES, 6)),
            items_denied=self.rarely(self.some(CLASSES, 1), []),
            hand_out_denied=self.rarely(self.some(CLASSES, 1), []),
            essential_only=self.rarely(True, False, 0.1),
            curfews=self.rarely([curfew], [], 0.4),
            requirements=self.rarely([requirement], self.rarely([two], [], 0.1), 0.5),
            permit_needed=self.rarely(True, False, 0.5),
            gate={"rest_minutes": self.dice.choice((0, 0, 30)), "antigen_at_gate": self.rarely(True, False)},
            companies=self.rarely(["white"], []),
            persons=self.rarely(["named"], []),
            quotas=self.rarely([{"per": "zone", "limit": 1}], []),
        )

    def made_zones(self) -> list[Zone]:
        zones = []
        for number in range(self.dice.randint(3, 9)):
            district = self.dice.choice((HUANGPU, HUANGPU, XUHUI))
            compound = self.rarely(None, self.dice.choice(COMPOUNDS), 0.3)
            starts = NOON + hours(self.dice.choice((-24, -24, -24, 2, 4)))
            changes: dict[str, Any] = {
                "zone_id": f"z{number}",
                "building": self.rarely("3", None, 0.1) if compound else None,
                "district": district,
                "level": self.dice.choice((0, 2, 2, 3, 4)),
                "valid_from": starts,
                "valid_to": self.rarely(starts + hours(self.dice.choice((1, 27)))),
                "expected_end": self.rarely(starts + hours(3)),
                "known_since": NOON - hours(self.dice.choice((24, 24, -1))),
            }
            if self.rarely(True, False, 0.3):
                changes["polygons"] = ((builders.HUANGPU_RING,),)
                changes["precision_m"] = 20
            zones.append(builders.zone(compound, self.dice.choice(self.policies).policy_id, **changes))
        unit: dict[str, Any] = {"kind": "crossing", "crossing": "苏州河", "sides": SIDES}
        if self.rarely(True, False, 0.5):
            zones.append(zones[0].model_copy(update={"zone_id": "river", "unit": None, "polygons": ()}))
            stated = {**dict(zones.pop()), "unit": unit, "zone_id": "river"}
            zones.append(Zone.model_validate(stated))
        if self.rarely(True, False, 0.15):
            listed: dict[str, Any] = {"kind": "address", "district": HUANGPU, "address": "永嘉路580弄"}
            zones.append(Zone.model_validate({**dict(zones[0]), "unit": listed, "zone_id": "listed"}))
        return zones

    def exemption(self, number: int) -> Exemption:
        return Exemption(
            exemption_id=f"e{number}",
            policy=self.dice.choice(self.policies).reference,
            lifts=frozenset(self.some(Lift)),
            item_classes=self.rarely(frozenset(self.some(CLASSES))),
            valid_from=NOON - hours(9),
            valid_to=self.rarely(NOON + hours(3)),
            known_since=NOON - hours(9),
            authority="市商务委",
        )

    def listed(self, name: str) -> list[dict[str, Any]]:
        until = self.rarely(NOON + hours(3))
        return self.rarely([{"list_id": name, "since": NOON - hours(5), "until": until}], [], 0.7)  # type: ignore[no-any-return]

    def courier(self, name: str) -> Courier:
        return builders.courier(
            name,
            suspended=self.rarely(True, False, 0.1),
            proofs=self.rarely([], self.rarely(["photo"], ["receipt_code", "identity"], 0.2)),
            insured_limit=self.rarely(
                None, {"amount": self.dice.choice((10_000, 10_000_000)), "currency": "CNY"}
            ),
            insured_ways=self.rarely([self.insured_way() for _ in range(2)], [], 0.4),
            shared_up_to=self.rarely({"amount": 10_000, "currency": "CNY"}, None, 0.5),
            listed=self.listed("white"),
            data_region=self.rarely(self.dice.choice(("CN", "SG", "DE"))),
        )

    def insured_way(self) -> dict[str, Any]:
        first, last = (self.dice.choice((HUANGPU, XUHUI)) for _ in range(2))
        limit = {"amount": self.dice.choice((9_500, 10_000_000)), "currency": "CNY"}
        return {"origin": first, "destination": last, "limit": limit}

    def crew(self, name: str, couriers: list[Courier]) -> Crew:
        home = self.dice.choice(COMPOUNDS)
        return builders.crew(
            name,
            courier_id=self.dice.choice(couriers).courier_id,
            vehicle={
                "plate": f"沪A·D1234{self.dice.randint(0, 3)}",
                "compartments": self.rarely([], [{"min_c": 1, "max_c": 6}], 0.3),
            },
            home=self.rarely(builders.address(home, building=None), None, 0.3),
            credentials=[
                builders.credential(
                    self.dice.choice(("pcr", "pcr", "antigen", "health_code")),
                    self.dice.choice(("negative",) * 12 + ("positive", "pending")),
                    self.dice.choice((-30, -22, -20, -8)),
                )
                for _ in range(self.dice.randint(1, 5))
            ],
            withdrawn=self.rarely(True, False, 0.1),
            listed=self.listed("named"),
        )

    def permit(self, name: str) -> Permit:
        plate = self.rarely(None, f"沪AD1234{self.dice.randint(0, 3)}")
        return builders.permit(
            name,
            plate=plate,
            crew_id=self.rarely(f"crew-{self.dice.randint(0, 3)}", None if plate else "crew-1"),
            districts=self.dice.choice(("all", [HUANGPU], [HUANGPU, XUHUI])),
            zones=self.rarely([f"z{n}" for n in self.some(range(9), 6)], []),
            route=self.rarely({"origin": HUANGPU, "destination": XUHUI}, None, 0.1),
            crossings=self.rarely(["苏州河"], [], 0.5),
            item_classes=self.rarely(self.some(CLASSES, 6)),
            valid=builders.window(self.dice.choice((-24, -1, 1)), self.dice.choice((3, 5, 48))),
            daily_hours=self.rarely({"start_local": "08:00", "end_local": "16:00"}),
            single_use=self.rarely(True, False, 0.4),
            revoked_at=self.rarely(NOON + hours(self.dice.choice((-1, 4))), None, 0.1),
        )

    def slot(self, name: str, crews: list[Crew]) -> Slot:
        crew = self.dice.choice(crews)
        start = self.dice.choice((-3, -1, 0, 0, 1, 3))
        return builders.slot(
            name,
            crew_id=self.rarely("nobody", crew.crew_id, 0.05),
            courier_id=self.rarely("c0", crew.courier_id, 0.1),
            window=builders.window(start, start + self.dice.choice((3, 6, 9))),
            trip_minutes=self.dice.choice((20, 60)),
            return_minutes=self.dice.choice((0, 30)),
            item_classes=self.rarely(self.some(CLASSES, 6)),
            **({"visits": True, "capacity": 1} if self.rarely(True, False, 0.25) else {}),
        )

    def place(self) -> Any:
        compound = self.rarely(None, self.dice.choice(COMPOUNDS), 0.1)
        return builders.place(
            compound,
            lng=self.dice.choice((121.49, 121.49, 121.4601, 121.44)),
            precision_m=self.dice.choice((10.0, 60.0)),
            district=self.dice.choice((HUANGPU, HUANGPU, XUHUI)),
            building=self.dice.choice(("3号", "5号", None)) if compound else None,
            line=self.dice.choice(("上海市黄浦区永嘉路580弄3号", "上海市黄浦区南京东路", "永嘉路")),
            match_quality=self.rarely("centroid", "exact", 0.05),
        )

    def delivery(self) -> Delivery:
        items = [
            builders.item(
                item_class,
                value={"amount": self.dice.choice((9_000, 10_000, 10_001)), "currency": "CNY"},
                temperature=self.rarely({"min_c": 0, "max_c": 8}),
                dwell_limit_minutes=self.rarely(self.dice.choice((30, 60, 90))),
            )
            for item_class in self.some(CLASSES, 2)
        ]
        start = self.dice.choice((0, 1, 3))
        consent: dict[str, Any] = {"contactless": "code_seal_photo", "insurer_consent": "paper-7"}
        return builders.delivery(
            gift=builders.gift(*items),
            safeguard=self.rarely(self.rarely(consent, {}, 0.5), None, 0.5),
            pick_up=self.place(),
            drop_off=self.place(),
            window=builders.window(start, start + self.dice.choice((0.25, 2, 3))),
            stays_in=self.rarely(self.dice.choice(("CN", "FR"))),
            visit_minutes=self.rarely(self.dice.choice((30, 150)), 0, 0.3),
        )

    def refused(self) -> frozenset[str]:
        return frozenset(self.rarely(self.some(("slot-01", "slot-05", "slot-11", "c0", "c1"), 2), []))


def rest_on_counters(clearer: Clearer, delivery: Delivery, slots: Any, refused: frozenset[str]) -> bool:
    """Asked pair by pair: would any yes take one of something?"""
    permits = clearer.fleet.permits
    near = [slot for slot in slots if delivery.window.overlap(slot.window.start, slot.window.end)]
    said = [clearer.clear(delivery, slot, refused, Phase.OPEN) for slot in near]
    return any(
        v.decision is Decision.YES and (v.quotas or any(permits[name].single_use for name in v.permit_ids))
        for v in said
    )


def said_alone(clearer: Clearer, delivery: Delivery, slots: Any, refused: frozenset[str]) -> Any:
    return {
        slot.slot_id: frozenset(clearer.clear(delivery, slot, refused, Phase.OPEN).reasons)
        for slot in slots
        if delivery.window.overlap(slot.window.start, slot.window.end)
    }


def given_together(pool: Pool, delivery: Delivery, refused: frozenset[str]) -> Any:
    verdicts = pool.verdicts(delivery, refused)
    assert all((v.decision is Decision.YES) == (not v.reasons) for v in verdicts)
    assert len({v.slot_id for v in verdicts}) == len(verdicts)
    return {verdict.slot_id: frozenset(verdict.reasons) for verdict in verdicts}


def said_together(pool: Pool, delivery: Delivery, refused: frozenset[str]) -> Any:
    answer = pool.ask(delivery, refused)
    found: dict[str, set[Reason]] = {slot.slot_id: set() for slot in pool.slots_of(answer.near)}
    for reason, slots in answer.against.items():
        for slot in pool.slots_of(slots):
            found[slot.slot_id].add(reason)
    yes = {slot.slot_id for slot in pool.slots_of(answer.yes)}
    assert yes == {name for name, reasons in found.items() if not reasons}
    return {name: frozenset(reasons) for name, reasons in found.items()}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_a_pool_says_of_every_pair_what_clearance_says_of_it_alone(seed: int) -> None:
    dice = Dice(seed)
    slots = list(dice.fleet.slots.values())
    pool = Pool(Clearer(dice.rules, dice.fleet, NOON, dice.down), slots)
    for delivery in dice.deliveries:
        refused = dice.refused()
        alone = said_alone(Clearer(dice.rules, dice.fleet, NOON, dice.down), delivery, slots, refused)
        assert said_together(pool, delivery, refused) == alone
        assert given_together(pool, delivery, refused) == alone
        if rest_on_counters(Clearer(dice.rules, dice.fleet, NOON, dice.down), delivery, slots, refused):
            assert pool.ask(delivery, refused).is_rationed


def test_the_dice_fall_on_every_reason_that_clearance_gives() -> None:
    counted: Counter[str] = Counter()
    for seed in range(300):
        dice = Dice(seed)
        clearer = Clearer(dice.rules, dice.fleet, NOON, dice.down)
        for delivery in dice.deliveries:
            for slot in dice.fleet.slots.values():
                verdict = clearer.clear(delivery, slot, dice.refused(), Phase.OPEN)
                counted.update(verdict.reasons or ("yes",))
    of_others = {
        Reason.RULES_MISSING,
        Reason.NO_SLOTS,
        Reason.SLOT_FULL,
        Reason.NO_ROOM,
        Reason.COMPANIONS_MISSING,
        Reason.GIFT_ELSEWHERE,
        Reason.HELD_BY_HAND,
        Reason.CLOSURE_SUSPECTED,
        Reason.OUTRANKED,
        Reason.QUOTA_FULL,
    }
    assert not set(Reason) - of_others - set(counted), "what is not met is not compared"
    assert counted["yes"] > 50


def test_slots_are_given_by_their_ids() -> None:
    slots = [builders.slot(f"s{n}") for n in (3, 1, 2)]
    fleet = builders.fleet(slots=slots)
    pool = Pool(Clearer(builders.atlas(), fleet, NOON), slots)
    answer = pool.ask(builders.delivery())
    assert [slot.slot_id for slot in pool.slots_of(answer.yes)] == ["s1", "s2", "s3"]
    later = builders.delivery(window=builders.window(9, 12))
    assert pool.ask(later) == (0, 0, {}, False)


def test_a_yes_of_the_pool_is_a_yes_of_clearance_with_all_it_rests_on() -> None:
    slots = [builders.slot()]
    clearer = Clearer(builders.atlas(), builders.fleet(slots=slots), NOON)
    assert Pool(clearer, slots).ask(builders.delivery()).yes == 1
    assert clearer.clear(builders.delivery(), slots[0], phase=Phase.OPEN).decision is Decision.YES
    assert slots[0].window.end - slots[0].window.start > timedelta(hours=1)
