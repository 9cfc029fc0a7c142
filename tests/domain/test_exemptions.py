"""Exemptions: what an authority has let off, of that policy, there, then, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from chalicelib.domain.atlas import Atlas
from chalicelib.domain.gifts import ItemClass
from chalicelib.domain.policies import Handover
from chalicelib.domain.reading import Faults, Reading
from chalicelib.domain.snapshots import content_of, pack, unpack_manifest, unpack_zones
from chalicelib.domain.uploads import Content, UploadStart
from chalicelib.domain.verdicts import Decision, Phase, Reason, Verdict
from chalicelib.domain.zones import Exemption
from tests import builders as b
from tests.domain.test_zones import night

R = Reason
STRICT = b.policy(
    "strict",
    handovers=["gate"],
    essential_only=True,
    curfews=[night("12:00", "18:00").model_dump()],
    requirements=[{"kind": "antigen", "max_age_hours": 12}],
    companies=["whitelist"],
    persons=["riders"],
)
"""Everything that can be lifted, at the client's; the defaults are to the letter against it."""
FLOWERS = b.delivery(gift=b.gift(b.item("flowers")))
NO_PERMITS = b.fleet(permits=[])
AGAINST = {
    "curfew": R.CURFEW,
    "items": R.ITEM_NOT_ALLOWED,
    "permit": R.PERMIT_MISSING,
    "requirements": R.CREDENTIAL_MISSING,
    "companies": R.COMPANY_UNLISTED,
    "persons": R.PERSON_UNLISTED,
}


def under(*exemptions: Exemption, policies: Any = (STRICT,), zones: Any = None) -> Atlas:
    soft = b.silent("soft", handovers=frozenset(Handover))
    default = [b.zone(b.KITCHEN, policy_id="soft"), b.zone(policy_id="strict")]
    return b.atlas(zones or default, [soft, *policies], exemptions=exemptions)


def ask(*exemptions: Exemption, of: Any = FLOWERS, **changes: Any) -> Verdict:
    return b.clear(on=under(*exemptions), of=of, with_fleet=NO_PERMITS, **changes)


def test_without_one_everything_stands() -> None:
    assert set(ask().reasons) == set(AGAINST.values())


@pytest.mark.parametrize("lift", AGAINST)
def test_each_lift_lifts_just_what_it_names(lift: str) -> None:
    lifted = ask(b.exemption("strict", lift))
    assert set(lifted.reasons) == set(AGAINST.values()) - {AGAINST[lift]}


def test_what_is_lifted_is_named_in_the_verdict() -> None:
    verdict = ask(b.exemption("strict", *AGAINST))
    assert verdict.decision is Decision.YES
    assert verdict.exemptions == ("but-strict",)
    assert verdict.handovers == (Handover.GATE,)
    with_door = ask(b.exemption("strict", "handover", *AGAINST))
    assert with_door.handovers == tuple(Handover)
    assert b.clear().exemptions == ()


def test_it_speaks_of_the_policy_it_names_and_of_no_other_that_says_the_same() -> None:
    assert set(ask(b.exemption("soft", *AGAINST)).reasons) == set(AGAINST.values())
    other = b.policy("other", requirements=[{"kind": "antigen", "max_age_hours": 24}])
    zones = [b.zone(b.KITCHEN), b.zone(policy_id="other"), b.zone(policy_id="strict")]
    on = under(b.exemption("strict", *AGAINST), policies=(STRICT, other), zones=zones)
    assert b.clear(on=on, of=FLOWERS, with_fleet=NO_PERMITS).reasons == (
        R.CREDENTIAL_MISSING,
        R.PERMIT_MISSING,
    )
    later = b.exemption("strict", *AGAINST).model_copy(update={"policy": "strict@2"})
    assert set(ask(later).reasons) == set(AGAINST.values())


def test_it_covers_the_whole_stay_or_nothing() -> None:
    out = b.NOON + b.hours(4.5)
    for change, is_lifted in (
        ({"valid_to": out}, True),
        ({"valid_to": out - b.minutes(1)}, False),
        ({"valid_from": b.NOON}, True),
        ({"valid_from": b.NOON + b.minutes(1)}, False),
        ({"known_since": b.NOON + b.minutes(1)}, False),
    ):
        verdict = ask(b.exemption("strict", *AGAINST, **change))
        assert (verdict.decision is Decision.YES) is is_lifted, change


def test_what_was_done_before_it_was_known_is_not_put_right_by_it() -> None:
    from tests.domain.test_clearance import done

    late = b.exemption("strict", *AGAINST, known_since=b.NOON + b.hours(1), valid_from=b.NOON)
    for at, is_right in ((0.9, False), (1, True)):
        verdict = done(at, Phase.CARRIED, on=under(late), of=FLOWERS, with_fleet=NO_PERMITS)
        assert (verdict.decision is Decision.YES) is is_right


# --- for some classes -------------------------------------------------------------------------------------------


def test_an_exemption_for_flowers_lets_in_flowers_beside_what_comes_in_anyway() -> None:
    flowers = b.exemption("strict", *AGAINST, item_classes=["flowers"])
    only_items = b.exemption("strict", "items", item_classes=["flowers"])

    def items(exemption: Exemption, *classes: str) -> bool:
        gift = b.gift(*(b.item(item_class) for item_class in classes))
        return R.ITEM_NOT_ALLOWED not in ask(exemption, of=b.delivery(gift=gift)).reasons

    assert items(only_items, "flowers") and items(only_items, "flowers", "chilled")
    assert not items(only_items, "flowers", "alcohol") and not items(only_items, "alcohol")
    # but the curfew, the permit and the rest are lifted only for a gift that is flowers through and through
    assert ask(flowers).decision is Decision.YES
    mixed = ask(flowers, of=b.delivery(gift=b.gift(b.item("flowers"), b.item("chilled"))))
    assert set(mixed.reasons) == set(AGAINST.values()) - {R.ITEM_NOT_ALLOWED}


def test_where_two_policies_forbid_an_exemption_from_one_is_not_enough() -> None:
    no_flowers = b.silent("no-flowers", items_denied=frozenset({ItemClass.FLOWERS}))
    zones = [b.zone(b.KITCHEN), b.zone(), b.zone(policy_id="no-flowers"), b.zone(policy_id="essential")]
    essential = b.silent("essential", essential_only=True)

    def reasons(*exemptions: Exemption) -> tuple[Reason, ...]:
        on = under(*exemptions, policies=(no_flowers, essential), zones=zones)
        return b.clear(on=on, of=FLOWERS).reasons

    one, other = b.exemption("no-flowers", "items"), b.exemption("essential", "items")
    assert reasons(one) == reasons(other) == (R.ITEM_NOT_ALLOWED,)
    assert reasons(one, other) == ()


# --- there ------------------------------------------------------------------------------------------------------


def unit(kind: str, **names: Any) -> dict[str, Any]:
    return {"kind": kind, "district": b.HUANGPU, **names}


@pytest.mark.parametrize(
    ("where", "is_lifted"),
    [
        (unit("district"), True),
        (unit("district", district=b.XUHUI), False),
        (unit("compound", compound=b.HOME), True),
        (unit("compound", compound=b.KITCHEN), False),
        (unit("compound", compound=b.HOME, district=b.XUHUI), False),
        (unit("building", compound=b.HOME, building="3"), True),
        (unit("building", compound=b.HOME, building="4"), False),
        (unit("address", address="永嘉路580弄"), True),
        (unit("address", address="永嘉路58弄"), False),
        (unit("address", address="永嘉路"), False),  # a whole road is not stated to be let off
        ({"kind": "crossing", "crossing": "River", "sides": [["a"], ["b"]]}, False),
    ],
)
def test_it_holds_where_it_says_and_nowhere_else(where: dict[str, Any], is_lifted: bool) -> None:
    here = b.place(building="3号", line="上海市黄浦区永嘉路580弄3号")
    verdict = ask(
        b.exemption("strict", *AGAINST, unit=where), of=FLOWERS.model_copy(update={"drop_off": here})
    )
    assert (verdict.decision is Decision.YES) is is_lifted


def test_what_is_not_stated_is_not_exempt() -> None:
    """The other way round than with zones, where it is taken to be the strictest."""
    building = b.exemption("strict", *AGAINST, unit=unit("building", compound=b.HOME, building="3"))
    nowhere = FLOWERS.model_copy(update={"drop_off": b.place(building=None)})
    assert ask(building).decision is Decision.YES
    assert R.CURFEW in ask(building, of=nowhere).reasons
    vague = FLOWERS.model_copy(update={"drop_off": b.place(building="1-3号楼")})
    assert R.CURFEW in ask(building, of=vague).reasons


def test_an_exemption_at_the_client_says_nothing_about_the_shop() -> None:
    zones = [b.zone(b.KITCHEN, policy_id="strict"), b.zone(policy_id="strict")]
    at_home = b.exemption("strict", *AGAINST, unit=unit("compound", compound=b.HOME))
    on = under(at_home, zones=zones)
    assert set(b.clear(on=on, of=FLOWERS, with_fleet=NO_PERMITS).reasons) == set(AGAINST.values())
    carried = b.clear(on=on, of=FLOWERS, with_fleet=NO_PERMITS, phase=Phase.CARRIED)
    assert carried.decision is Decision.YES


def test_a_crossing_is_let_off_by_its_name() -> None:
    across = b.delivery(pick_up=b.place(b.KITCHEN, district=b.PUDONG))
    closed = b.silent("closed", handovers=frozenset())
    zones = [b.zone(b.KITCHEN, district=b.PUDONG), b.zone(), b.crossing("closed")]
    fleet = b.fleet(permits=[b.permit(districts="all")])

    def reasons(name: str) -> tuple[Reason, ...]:
        where = {"kind": "crossing", "crossing": name, "sides": [[b.HUANGPU], [b.PUDONG]]}
        lifted = b.exemption("closed", "handover", unit=where)
        return b.clear(on=under(lifted, policies=(closed,), zones=zones), of=across, with_fleet=fleet).reasons

    assert reasons("Suzhou Creek") == (R.CROSSING_CLOSED,)
    assert reasons("huangpu river") == ()


# --- handed in --------------------------------------------------------------------------------------------------


def stated(**changes: Any) -> dict[str, Any]:
    return {
        "exemption_id": "flowers",
        "policy": "precautionary@1",
        "lifts": ["items"],
        "item_classes": ["flowers"],
        "valid_from": "2022-05-01T00:00:00+08:00",
        "authority": "Shanghai Municipal Commission of Commerce",
        **changes,
    }


def read(
    *exemptions: dict[str, Any], mode: str = "replace", base: Content | None = None, at: Any = b.NOON
) -> Content | Faults:
    start = UploadStart.model_validate({"mode": mode, "time_zone": "Asia/Shanghai", "datum": "GCJ02"})
    reading = Reading(b.market(), start)
    part: dict[str, Any] = {"exemptions": exemptions}
    if mode == "replace":
        properties = {
            "zone_id": "home",
            "level": "precautionary",
            "policy": "precautionary@1",
            "unit": {"kind": "compound", "district": b.HUANGPU, "compound": b.HOME},
            "valid_from": "2022-04-11T00:00:00+08:00",
        }
        part["features"] = [{"type": "Feature", "geometry": None, "properties": properties}]
        part["policies"] = [b.policy().model_dump(mode="json")]
    reading.read(1, json.dumps(part).encode())
    return reading.settle(base, at)


def taken(*exemptions: dict[str, Any], **changes: Any) -> Content:
    found = read(*exemptions, **changes)
    assert isinstance(found, Content), found
    return found


def test_it_is_published_with_the_rules_and_known_from_then_on() -> None:
    content = taken(stated())
    (exemption,) = content.exemptions
    assert exemption.known_since == b.NOON
    packed = pack(content)
    manifest = unpack_manifest(packed.manifest, packed.digest)
    again = content_of(manifest, [unpack_zones(chunk, name) for name, chunk in packed.chunks.items()])
    assert again.exemptions == content.exemptions
    assert list(again.zones) == list(content.zones)
    assert pack(taken()).digest != packed.digest


def test_amending_keeps_what_stands_and_what_is_said_again_is_as_old_as_it_was() -> None:
    base = taken(stated())
    later = b.NOON + b.hours(5)
    other = taken(stated(exemption_id="other"), mode="amend", base=base, at=later)
    assert [one.exemption_id for one in other.exemptions] == ["flowers", "other"]
    again = taken(stated(), mode="amend", base=base, at=later)
    assert pack(again).digest == pack(base).digest
    ended = taken(stated(valid_to="2022-05-03T00:00:00+08:00"), mode="amend", base=base, at=later)
    assert ended.exemptions[0].known_since == later
    assert taken(base=base).exemptions == ()


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"policy": "unheard-of@1"}, "/exemptions/0/policy"),
        ({"policy": "precautionary"}, "/exemptions/0/policy"),
        ({"lifts": []}, "/exemptions/0/lifts"),
        ({"lifts": ["everything"]}, "/exemptions/0/lifts/0"),
        ({"item_classes": []}, "/exemptions/0/item_classes"),
        ({"authority": None}, "/exemptions/0/authority"),
        ({"valid_to": "2022-04-30T00:00:00+08:00"}, "/exemptions/0/valid_to"),
        ({"known_since": "2022-04-30T00:00:00+08:00"}, "/exemptions/0/known_since"),
        ({"unit": {"kind": "compound", "district": "黄浦", "compound": "滑动查看更多"}}, "/exemptions/0/unit/compound"),
    ],
)  # fmt: skip
def test_a_faulty_one_is_named_by_its_place_and_nothing_is_taken(
    changes: dict[str, Any], pointer: str
) -> None:
    found = read(stated(**changes))
    assert isinstance(found, Faults)
    assert pointer in [fault.pointer for fault in found.listed]


def test_one_exemption_stands_there_once() -> None:
    found = read(stated(), stated(lifts=["permit"]))
    assert isinstance(found, Faults)
    assert "/exemptions/1/exemption_id" in [fault.pointer for fault in found.listed]


def test_an_exemption_ends_after_it_begins() -> None:
    with pytest.raises(ValidationError, match="valid_to lies after"):
        b.exemption("strict", "items", valid_to=b.NOON - b.hours(24))


# --- an announced end that counts -------------------------------------------------------------------------------


def ending(auto_release: bool, **changes: Any) -> Content | Faults:
    start = UploadStart.model_validate({"mode": "replace", "time_zone": "Asia/Shanghai", "datum": "GCJ02"})
    reading = Reading(b.market(), start)
    properties = {
        "zone_id": "home",
        "level": "sealed",
        "policy": "precautionary@1",
        "unit": {"kind": "district", "district": b.HUANGPU},
        "valid_from": "2022-04-11T00:00:00+08:00",
        "expected_end": "2022-04-15T05:00:00+08:00",
        **changes,
    }
    part = {
        "features": [{"type": "Feature", "geometry": None, "properties": properties}],
        "policies": [b.policy(auto_release=auto_release).model_dump(mode="json")],
    }
    reading.read(1, json.dumps(part).encode())
    return reading.settle(None, b.NOON)


def test_an_announced_end_ends_a_zone_only_under_a_policy_that_says_so() -> None:
    for auto_release in (False, True):
        found = ending(auto_release)
        assert isinstance(found, Content)
        (zone,) = found.zones
        assert zone.expected_end is not None
        assert zone.valid_to == (zone.expected_end if auto_release else None)


def test_a_stated_end_stands_and_an_announced_one_before_the_beginning_is_a_fault() -> None:
    stated_end = ending(True, valid_to="2022-04-20T05:00:00+08:00")
    assert isinstance(stated_end, Content)
    assert stated_end.zones[0].valid_to == b.NOON + b.hours(8 * 24 + 17)
    early = ending(True, expected_end="2022-04-10T05:00:00+08:00")
    assert isinstance(early, Faults)
    assert [fault.pointer for fault in early.listed] == ["/features/0/properties/expected_end"]
