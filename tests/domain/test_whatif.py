"""The board's question: a place or a zone that there is, a policy and a moment, as an amendment that can be read."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.errors import Invalid
from chalicelib.domain.policies import Level
from chalicelib.domain.whatif import ASKED, Said, amendment_of, question_of, said
from chalicelib.domain.zones import NamedUnit, Zone
from tests import builders as b

NOW = b.NOON.isoformat()
LATER = (b.NOON + timedelta(hours=3)).isoformat()
UNIT = NamedUnit(kind="compound", district=b.HUANGPU, compound="Garden Court")
SQUARE = ((((121.4, 31.2), (121.5, 31.2), (121.5, 31.3), (121.4, 31.2)),),)


def a_zone(**changes: Any) -> Zone:
    return Zone.model_validate(
        {
            "zone_id": "Z-1",
            "level": Level.CONTROLLED,
            "policy_id": "precautionary",
            "policy_version": 1,
            "unit": UNIT,
            "valid_from": b.NOON - timedelta(days=1),
            "known_since": b.NOON - timedelta(days=1),
            **changes,
        }
    )


def none_is_here(_name: str) -> None:
    return None


def asked(zone: Zone, **fields: str) -> dict[str, Any]:
    form = {"zone_id": zone.zone_id, "policy": "banned@1", "level": "6", **fields}
    return amendment_of(form, NOW, {zone.zone_id: zone}.get)


def test_a_zone_that_there_is_goes_on_as_it_is_until_then_and_under_the_policy_from_then_on() -> None:
    told = asked(a_zone(polygons=SQUARE, valid_to=b.NOON + timedelta(days=2)), at=LATER)
    (feature,) = told["features"]
    assert told["released"] == [{"zone_id": "Z-1", "valid_to": LATER}]
    stated = feature["properties"]
    assert stated["zone_id"] == ASKED and stated["valid_from"] == LATER and stated["level"] == "no_access"
    assert stated["unit"] == UNIT.model_dump(mode="json", exclude_none=True)
    assert stated["valid_to"] == (b.NOON + timedelta(days=2)).isoformat()
    assert feature["geometry"]["type"] == "MultiPolygon"
    assert said(json.loads(json.dumps(told))) == [Said("Z-1", UNIT, "banned@1", Level.NO_ACCESS)]


def test_a_zone_that_has_not_begun_begins_when_it_would_have() -> None:
    begins = b.NOON + timedelta(hours=6)
    told = asked(a_zone(valid_from=begins), at=LATER)
    assert "released" not in told
    stated = told["features"][0]["properties"]
    assert (stated["zone_id"], stated["valid_from"]) == ("Z-1", begins.isoformat())


def test_a_zone_that_is_over_by_then_is_not_made_longer_and_its_place_begins_anew() -> None:
    told = asked(a_zone(valid_to=b.NOON + timedelta(hours=3)), at=LATER)
    assert "released" not in told
    stated = told["features"][0]["properties"]
    assert (stated["zone_id"], stated["valid_from"]) == (ASKED, LATER) and "valid_to" not in stated


def test_places_that_are_typed_are_taken_before_those_of_the_zone() -> None:
    told = asked(a_zone(), district="310104")
    assert "released" not in told and told["features"][0]["properties"]["unit"] == {
        "kind": "district",
        "district": "310104",
    }


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"policy": "banned@1"}, "district"),
        ({"policy": "banned@1", "zone_id": "Z-9"}, "zone_id"),
        ({}, "zone_id"),
        ({"policy": "banned@1", "compound": "Garden"}, "district"),
        ({"policy": "banned@1", "district": "310101", "level": "9"}, "level"),
        ({"policy": "banned@1", "corners": "121.4, 31.2\n121.5, 31.2"}, "corners"),
    ],
)
def test_a_form_that_names_no_place_is_told_which_field_it_lacks(form: dict[str, str], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        question_of(form, NOW, none_is_here)
    assert f"/{field}: " in refused.value.detail


def test_of_a_change_that_cannot_be_read_nothing_is_said_and_the_rest_is() -> None:
    junk: Any = {"features": [1, {"type": "Feature"}, None], "released": [{"zone_id": 3}, 4, "Z-2", None]}
    assert said(junk) == [Said("Z-2", None, None, None)]
    assert said({}) == []
