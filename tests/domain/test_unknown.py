"""Unknown is not open (house.md, law 7), also where somebody else has ruled: a policy can say that nobody knows."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.policies import Handover
from chalicelib.domain.verdicts import Decision, Phase, Reason
from chalicelib.domain.zones import Exemption, Lift
from tests import builders as b
from tests.domain.test_crossings import cross, river

NOBODY = b.silent("nobody", unknown=True)
R = Reason


@pytest.mark.parametrize("place", [b.HOME, b.KITCHEN])
def test_where_nobody_knows_a_gift_is_held_whatever_other_zones_allow(place: str) -> None:
    on = b.atlas([b.zone(b.KITCHEN), b.zone(), b.zone(place, "nobody", zone_id="nobody")], [NOBODY])
    verdict = b.clear(on=on)
    assert (verdict.decision, verdict.reasons) == (Decision.HOLD, (R.ZONE_UNKNOWN,))


def test_a_gift_on_its_way_no_longer_asks_for_its_shop() -> None:
    on = b.atlas([b.zone(b.KITCHEN), b.zone(), b.zone(b.KITCHEN, "nobody", zone_id="nobody")], [NOBODY])
    assert b.clear(on=on, phase=Phase.CARRIED).decision is Decision.YES


def test_a_crossing_of_which_nobody_knows_holds_what_has_to_cross() -> None:
    assert cross(river(b.crossing("nobody"), policies=[NOBODY])).reasons == (R.ZONE_UNKNOWN,)


def test_a_home_of_which_nobody_knows_is_no_place_to_set_out_from() -> None:
    fleet = b.fleet(crews=[b.crew(home=b.address("骑手公寓"))])
    homes: list[Any] = [b.zone("骑手公寓"), b.zone("骑手公寓", "nobody", zone_id="nobody")]
    on = b.atlas([b.zone(b.KITCHEN), b.zone(), *homes], [NOBODY])
    assert b.clear(on=on, with_fleet=fleet).reasons == (R.CREW_HOME_UNKNOWN,)


def test_no_exemption_makes_it_known() -> None:
    lifted = Exemption(
        exemption_id="e", policy="nobody@1", lifts=frozenset(Lift), valid_from=b.NOON - b.hours(9), known_since=b.NOON - b.hours(9), authority="A"
    )  # fmt: skip
    on = b.atlas(
        [b.zone(b.KITCHEN), b.zone(), b.zone(policy_id="nobody", zone_id="nobody")],
        [NOBODY],
        exemptions=(lifted,),
    )
    assert b.clear(on=on).reasons == (R.ZONE_UNKNOWN,)
    assert tuple(Handover) == b.clear().handovers
