"""The scenario *sealed on the way*: what closes, whom it touches, and a report that can fail."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain.orders import NewOrder
from sandbox import checker, sealed, travels
from sandbox.sealed import CHANGES, Sealed
from sandbox.shanghai import Put, Strike, Upload, local

BY_NAME = {change.name: change for change in CHANGES}


@pytest.fixture
def day() -> Sealed:
    return Sealed()


def wish(day: Sealed, site: checker.Site, **changes: Any) -> checker.Wish:
    found = next(day.wish(o.reference) for o in day.orders if o.site == site)
    return replace(found, **changes)


def test_some_forty_gifts_are_orders_that_a_brand_could_hand_in(day: Sealed) -> None:
    assert 38 <= len(day.orders) <= 45
    assert len({order.reference for order in day.orders}) == len(day.orders)
    for order in day.orders:
        NewOrder.model_validate_json(json.dumps(order.body))


def test_the_same_day_twice_is_the_same_day(day: Sealed) -> None:
    again = Sealed()
    assert again.orders == day.orders
    assert again.happenings == day.happenings
    assert again.truth() == day.truth()


def test_every_list_that_is_published_stands_in_the_truth(day: Sealed) -> None:
    uploads = {h.what.name for h in day.happenings if isinstance(h.what, Upload)}
    truth = day.truth()
    assert uploads == {entry.upload for entry in (*truth.listings, *truth.nights)}


def test_every_place_that_closes_has_gifts_on_their_way_and_gifts_to_come(day: Sealed) -> None:
    for name in ("compound", "gate", "building", "district"):
        change = BY_NAME[name]
        ends = [day.wish(o.reference) for o in day.orders]
        touched = [w for w in ends if change.touches(w, "booked", None, None)]
        arrivals = {w.window_end for w in touched}
        assert min(arrivals) < max(arrivals), name
        assert all(end > change.when for end in arrivals), name


@pytest.mark.parametrize(
    ("name", "site", "changes", "state", "crew", "is_touched"),
    [
        ("compound", sealed.OSMANTHUS, {}, "booked", None, True),
        ("compound", sealed.OSMANTHUS, {}, "picked_up", None, True),
        ("compound", sealed.PLANE, {}, "booked", None, False),
        ("building", sealed.TWIN, {"building": "3"}, "picked_up", None, True),
        ("building", sealed.TWIN, {"building": "5"}, "picked_up", None, False),
        ("kitchen", sealed.PLANE, {"merchant": sealed.CLOUD}, "booked", None, True),
        ("kitchen", sealed.PLANE, {"merchant": sealed.CLOUD}, "picked_up", None, False),
        ("district", sealed.RIVER, {}, "held", None, True),
        ("district", sealed.PLANE, {}, "held", None, False),
        ("pass-revoked", sealed.PLANE, {}, "picked_up", "crew-2", True),
        ("pass-revoked", sealed.PLANE, {}, "picked_up", "crew-3", False),
        ("pass-revoked", sealed.PLANE, {}, "held", None, False),
    ],
)
def test_a_change_touches_whom_it_bears_on(
    day: Sealed,
    name: str,
    site: checker.Site,
    changes: dict[str, Any],
    state: str,
    crew: str | None,
    is_touched: bool,
) -> None:
    assert BY_NAME[name].touches(wish(day, site, **changes), state, crew, "crew-2") is is_touched


def test_whoever_carries_most_loses_the_pass_and_the_next_the_clearance(day: Sealed) -> None:
    carried = {"a": "crew-2", "b": "crew-2", "c": "crew-3", "d": "crew-3", "e": "crew-4"}
    revoked = day.strike(Strike("pass-revoked", "sealed", 1), local(11, 20), carried)
    positive = day.strike(Strike("positive", "sealed", 1), local(11, 25), carried)
    assert isinstance(revoked, Put)
    assert isinstance(positive, Put)
    assert (revoked.name, positive.name) == ("pass-2", "crew-3")
    assert revoked.body["revoked_at"]
    assert Counter(test["result"] for test in positive.body["credentials"]) == {"negative": 2, "positive": 1}
    standing = checker.standing(day.truth(), local(11, 30))
    assert {crew: found for crew, found in standing.items() if found} == {
        "crew-2": ("permit",),
        "crew-3": ("positive",),
    }


def test_with_nothing_under_way_nobody_is_struck(day: Sealed) -> None:
    assert day.strike(Strike("positive", "sealed", 1), local(11, 25), {}) is None


@pytest.mark.parametrize(
    ("site", "building", "way"),
    [
        (sealed.PLANE, "1", "door"),
        (sealed.OSMANTHUS, "1", "gate"),
        (sealed.GINKGO, "1", "gate"),
        (sealed.TWIN, "3", "none"),
        (sealed.TWIN, "5", "door"),
        (sealed.MAPLE, "1", "gate"),
    ],
)
def test_what_a_courier_meets_in_the_end(day: Sealed, site: checker.Site, building: str, way: str) -> None:
    reference = next(
        o.reference for o in day.orders if o.site == site and day.wish(o.reference).building == building
    )
    assert day.physical(local(7, 45), reference) == "door"
    assert day.physical(local(13), reference) == way


# --- the report -----------------------------------------------------------------------------------------------


def one(**changes: Any) -> travels.Touched:
    piece = {
        "evidence_id": "0003",
        "step": "rezone",
        "decision": "no",
        "reasons": ["item_not_allowed"],
        "rules_version": 2,
        "decided_at": "2022-04-11T02:40:00Z",
    }
    told = {
        "change": BY_NAME["compound"],
        "order_id": "ord_x",
        "reference": "MC-04",
        "kind": "flowers",
        "was": "picked up",
        "pieces": (piece,),
        "end": "returned",
        "ended_at": datetime(2022, 4, 11, 3, 20, tzinfo=UTC),
        **changes,
    }
    return travels.Touched(**told)


def account(*touched: travels.Touched) -> travels.Account:
    outcome: Any = None
    return travels.Account(outcome, touched, 0, 0, ())


def test_a_row_says_who_was_how_far_and_what_was_decided_when_under_which_rules_and_what_came_of_it() -> None:
    assert list(travels.lines(account(one()))) == [
        "\n10:40  Osmanthus Court is sealed: 1 gift touched",
        "  MC-04  flowers  picked up  10:40  stopped: item not allowed  rules 2  no. 3  returned 11:20",
    ]


def test_a_gift_about_which_nothing_was_decided_stands_out() -> None:
    assert "NOTHING WAS DECIDED" in "\n".join(travels.lines(account(one(pieces=()))))


@pytest.mark.long
def test_every_gift_that_is_touched_has_evidence_and_none_is_moved_uncleared(
    own_environment: None, tmp_path: Path
) -> None:
    said: list[str] = []
    told = travels.play(said.append, tmp_path / "pages", tmp_path / "log")
    assert told.wrong == ()
    assert {one.change.name for one in told.touched} == set(BY_NAME)
    assert len({one.order_id for one in told.touched}) >= 25
    assert told.replayed == told.decisions > 100
    ends = {name: {one.end for one in told.touched if one.change.name == name} for name in BY_NAME}
    assert ends["compound"] == {"at gate", "returned", "stranded"}
    assert ends["gate"] == {"at gate"}
    assert ends["building"] == {"returned", "stranded"}
    assert ends["kitchen"] == {"stranded"}
    assert ends["late"] == {"at gate"}
    assert "returned" in ends["pass-revoked"] & ends["positive"]
    for touched in told.touched:
        for end in (".html", ".txt", ".brand.html", ".brand.txt"):
            page = (tmp_path / "pages" / f"{touched.reference}{end}").read_text(encoding="utf-8")
            assert "虚构" not in page
            assert "+861700000" not in page
        assert "crew-" not in (tmp_path / "pages" / f"{touched.reference}.brand.txt").read_text()
    assert len(list(travels.lines(told))) == len(told.touched) + len(BY_NAME)
