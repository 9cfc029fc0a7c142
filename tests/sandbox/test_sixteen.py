"""The scenario *sixteen to six*: who falls out when, what is known of it before, and who is served under which plan."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import pytest

from chalicelib.domain.clearance import Clearer
from chalicelib.domain.orders import Tier
from chalicelib.domain.pool import Pool
from chalicelib.solver import FlowSolver
from sandbox import __main__, attrition
from sandbox.rivals import GREEDY, MYOPIC, OURS, WAYS, Desk, Outcome, foreseen, hindsight, placed, play
from sandbox.sixteen import BEGINS, CREWS, HALVES, LOOKS, SUDDEN, End, Sixteen, moment

GIFTS = 360
"""A small week: every crew carries two gifts in half a day."""
SEEDS = (1, 2)


@cache
def week(seed: int) -> Sixteen:
    return Sixteen(seed, GIFTS)


@cache
def played(seed: int) -> tuple[Outcome, ...]:
    """All ways, and hindsight at last."""
    desk, assign = Desk(week(seed)), FlowSolver().assign
    return (*(play(week(seed), way, assign, desk) for way in WAYS), hindsight(week(seed), assign, desk))


def prefixes(seed: int, name: str) -> list[int]:
    return next(outcome for outcome in played(seed) if outcome.name == name).prefixes()


def going(clearer: Clearer, world: Sixteen, half: int) -> set[str]:
    """The crews that are cleared for at least one of the week's gifts in that half-day."""
    pool = Pool(clearer, [s for s in world.slots.values() if s.window.start == moment(half, BEGINS)])
    found = 0
    for wanted in world.orders:
        found |= pool.ask(wanted.delivery).yes
    return {slot.crew_id for slot in pool.slots_of(found)}


# --- the week -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_sixteen_crews_are_cleared_at_first_and_six_at_last(seed: int) -> None:
    world, desk = week(seed), Desk(week(seed))
    for half in range(HALVES):
        # who is struck without warning had set out
        lost = {loss.crew_id for loss in world.losses if loss.half < half + (loss.end not in SUDDEN)}
        assert going(desk.clearer(moment(half, LOOKS)), world, half) == set(world.names) - lost, half
    assert len(world.names) == CREWS == 16
    assert len(world.losses) == 10


def test_who_falls_out_as_was_known_is_no_supply_the_day_before_and_who_is_struck_still_is() -> None:
    world = week(1)
    for loss in world.losses:
        now = moment(loss.half - 2 - loss.half % 2, LOOKS)
        ahead = foreseen(world, now, 1)
        is_counted_on = loss.crew_id in going(ahead, world, loss.half + 1)
        assert is_counted_on is (loss.end in SUDDEN), loss
    assert Counter(loss.end in SUDDEN for loss in world.losses) == {False: 7, True: 3}
    assert {loss.end for loss in world.losses} == set(End)


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_known_before_its_time(seed: int) -> None:
    world = week(seed)
    for half in range(HALVES):
        now = moment(half, LOOKS)
        fleet = world.fleet_at(now)
        tests = [test for crew in fleet.crews.values() for test in crew.credentials]
        assert all(test.reported_at is not None and test.reported_at <= now for test in tests)
        assert all(p.revoked_at is None or p.revoked_at <= now for p in fleet.permits.values())
        assert all(zone.known_since <= now for zone in world.atlas_at(now).rules.zones)


def test_the_same_seed_is_the_same_week() -> None:
    one, other = Sixteen(4, 30), Sixteen(4, 30)
    assert one.orders == other.orders
    assert one.losses == other.losses
    assert one.zones == other.zones
    assert one.orders != Sixteen(5, 30).orders


# --- what becomes of it ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_under_every_way_slots_hold_what_they_hold_and_gifts_come_within_their_windows(seed: int) -> None:
    world = week(seed)
    windows = {wanted.order_id: wanted.delivery.window for wanted in world.orders}
    for outcome in played(seed):
        assert max(Counter(outcome.trips).values()) <= world.capacity
        assert outcome.turned_back >= 0
        for order, name in outcome.served.items():
            slot = world.slots[name].window
            assert windows[order].overlap(slot.start, slot.end)


@pytest.mark.parametrize("seed", SEEDS)
def test_ours_serves_at_least_as_many_of_every_tier_and_those_above_it(seed: int) -> None:
    for other in (GREEDY, MYOPIC):
        for mine, theirs in zip(prefixes(seed, OURS.name), prefixes(seed, other.name), strict=True):
            assert mine >= theirs, other.name


@pytest.mark.parametrize("seed", SEEDS)
def test_nobody_beats_hindsight(seed: int) -> None:
    *ways, best = played(seed)
    for outcome in ways:
        for served, most in zip(outcome.prefixes(), best.prefixes(), strict=True):
            assert served <= most, outcome.name


def test_the_same_week_under_the_same_way_is_the_same_outcome() -> None:
    one, other = (play(Sixteen(3, 60), OURS, FlowSolver().assign) for _ in range(2))
    assert one.served == other.served
    assert one.trips == other.trips


# --- what is told ---------------------------------------------------------------------------------------------


def test_where_luck_is_against_ours_the_report_says_so() -> None:
    # gifts that could have gone today are put off, and then a crew is struck: a few fewer than with a plan a day
    world, assign = week(8), FlowSolver().assign
    desk = Desk(world)
    ways = [play(world, way, assign, desk) for way in (GREEDY, MYOPIC, OURS)]
    short = attrition.shortfalls(ways)
    assert short
    assert all(line.endswith(tuple("0123456789")) and MYOPIC.name in line for line in short)
    text = attrition.report(world, ways[-1], ways, short)
    assert short[0] in text
    assert "at least as many" not in text


def test_the_table_has_a_row_for_each_way_and_adds_up() -> None:
    *ways, best = played(1)
    head, total, *rows = attrition.table(week(1), best, ways).splitlines()
    assert head.split()[:5] == [tier.name.lower() for tier in placed(week(1))]
    assert total.split() == ["placed", *map(str, placed(week(1)).values()), str(GIFTS)]
    assert [row.rsplit("  ", 9)[0].strip().split("  ")[0] for row in rows] == [o.name for o in (*ways, best)]


def test_the_command_writes_the_report_and_a_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attrition, "Sixteen", lambda seed: Sixteen(seed, 40))
    monkeypatch.setattr(attrition, "HOME", tmp_path)
    assert __main__.main(["sixteen", "3"]) == 0
    said = capsys.readouterr().out
    assert (tmp_path / attrition.REPORT).read_text(encoding="utf-8") in said
    picture = ElementTree.parse(tmp_path / attrition.PLOT).getroot()  # noqa: S314 - our own
    words = {text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")}
    assert {way.name for way in WAYS} <= words
    assert {tier.name.lower() for tier in Tier} <= words
