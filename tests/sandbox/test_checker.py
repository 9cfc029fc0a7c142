"""The checker can fail: each kind of wrong is put into a good day, and found."""

from __future__ import annotations

import ast
import sys
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from sandbox import checker
from sandbox.checker import (
    Crew,
    History,
    JobLine,
    Listing,
    Night,
    OrderLine,
    Pass,
    Slot,
    Test,
    Truth,
    Wish,
    check,
    standing,
)

LOCAL = timezone(timedelta(hours=8))


def at(hour: int, minute: int = 0, day: int = 11) -> datetime:
    return datetime(2022, 4, day, hour, minute, tzinfo=LOCAL)


SHOP = ("310101", "shop")
LOBBY = ("310101", "lobby")
SEALED = ("310104", "sealed")
CONTROLLED = ("310104", "controlled")
UNLISTED = ("310104", "unlisted")
HOME = ("310105", "home")
LATE = ("310105", "late")


def listing(site: checker.Site, rule: str, upload: str = "list", hour: int = 7) -> Listing:
    return Listing(site, rule, at(0), at(hour), upload)


def wish(reference: str, site: checker.Site, item: str = "chilled", **rest: object) -> Wish:
    fields: dict[str, object] = {
        "placed_at": at(8),
        "merchant": SHOP,
        "item_classes": frozenset({item}),
        "window_end": at(18),
    }
    return Wish(reference=reference, site=site, **{**fields, **rest})  # type: ignore[arg-type]


TRUTH = Truth(
    wishes=(
        wish("door", LOBBY),
        wish("gate", SEALED),
        wish("waits", UNLISTED, window_end=at(18, day=12)),
        wish("nobody", UNLISTED),
    ),
    listings=(
        listing(SHOP, "precautionary_lobby"),
        listing(LOBBY, "precautionary_lobby"),
        listing(SEALED, "sealed"),
        listing(CONTROLLED, "controlled"),
        listing(HOME, "precautionary_gate"),
        listing(LATE, "precautionary_lobby", "late", 10),
    ),
    tests=(
        Test("crew", "pcr", True, at(9, day=10), at(16, day=10)),
        Test("crew", "antigen", True, at(6, 30), at(7)),
        Test("other", "pcr", True, at(11, day=9), at(20, day=9)),
        Test("other", "antigen", True, at(6, 30), at(7)),
    ),
    passes=(
        Pass("p1", "A1", None, at(0), at(23)),
        Pass("p2", "A2", frozenset({"310101"}), at(0), at(16)),
    ),
    crews=(Crew("crew", "A1", HOME), Crew("other", "A2", None)),
    slots=(Slot("slot", "crew", 3), Slot("theirs", "other", 3)),
)


def order(reference: str, state: str, *steps: str, **rest: object) -> OrderLine:
    names = ("placed", *steps, state)
    history = tuple((name, at(8) + timedelta(minutes=10 * n)) for n, name in enumerate(names))
    return OrderLine(f"ord_{reference}", reference, state, history, **rest)  # type: ignore[arg-type]


def job(reference: str, how: str | None, hour: int = 10, **rest: object) -> JobLine:
    fields: dict[str, object] = {
        "crew_id": "crew",
        "slot_id": "slot",
        "booked_at": at(8, 30),
        "picked_up_at": at(hour, 0),
        "handed_over_at": at(hour, 30),
        "how": how,
        "ended_at": at(hour, 30),
    }
    return JobLine(job=f"{reference}-1", reference=reference, **{**fields, **rest})  # type: ignore[arg-type]


ORDERS = {
    "door": order("door", "delivered", "booked", "picked_up"),
    "gate": order("gate", "at_gate", "booked", "picked_up"),
    "waits": order("waits", "held", reasons=("zone_unknown",), next_look=at(22, 45)),
    "nobody": order("nobody", "stranded", "held", reasons=("zone_unknown", "slot_full")),
}
JOBS = {"door": job("door", "door"), "gate": job("gate", "gate")}
GOOD = History(
    truth=TRUTH,
    orders=tuple(ORDERS.values()),
    jobs=tuple(JOBS.values()),
    left={"slot": 1, "theirs": 3},
    published={"list": at(7), "late": at(10)},
    at=at(22, 30),
)


def told(**changes: OrderLine | None) -> History:
    """The good day with other orders."""
    orders = {**ORDERS, **changes}
    return replace(GOOD, orders=tuple(line for line in orders.values() if line is not None))


def done(*jobs: JobLine, left: int = 1, theirs: int = 3, **changes: object) -> History:
    """The good day with other jobs."""
    mine = {**JOBS, **{line.reference: line for line in jobs[:1]}}
    return replace(GOOD, jobs=(*mine.values(), *jobs[1:]), left={"slot": left, "theirs": theirs}, **changes)


def rewritten(**changes: object) -> Truth:
    return replace(TRUTH, **changes)


def re_sited(reference: str, site: checker.Site, item: str = "chilled") -> Truth:
    wishes = tuple(
        replace(w, site=site, item_classes=frozenset({item})) if w.reference == reference else w
        for w in TRUTH.wishes
    )
    return rewritten(wishes=wishes)


def kinds(history: History) -> list[str]:
    return sorted({violation.kind for violation in check(history).violations})


def details(history: History) -> list[str]:
    return [violation.detail.split(" at ")[0] for violation in check(history).violations]


def test_a_good_day_is_clean() -> None:
    report = check(GOOD)
    assert report.violations == []
    assert report.is_clean
    assert report.notes == []


def test_the_checker_uses_only_the_standard_library() -> None:
    tree = ast.parse(Path(checker.__file__).read_text(encoding="utf-8"))
    modules = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert modules <= sys.stdlib_module_names


# --- orders ---


@pytest.mark.parametrize(
    ("kind", "history"),
    [
        ("order_lost", told(waits=None)),
        ("order_twice", replace(GOOD, orders=(*GOOD.orders, ORDERS["door"]))),
        ("order_unasked", told(more=order("more", "held", reasons=("window",), next_look=at(23)))),
        ("wait_unnamed", told(waits=order("waits", "held", next_look=at(23)))),
        ("wait_unnamed", told(nobody=order("nobody", "stranded"))),
        ("wait_unnamed", told(waits=replace(ORDERS["waits"], state="placed", history=(("placed", at(8)),)))),
        ("wait_forgotten", told(waits=order("waits", "held", reasons=("zone_unknown",)))),
        ("wait_forgotten", told(waits=order("waits", "held", reasons=("x",), next_look=at(21)))),
        ("wait_forgotten", told(nobody=order("nobody", "booked"))),
        ("wait_forgotten", told(nobody=order("nobody", "assigned"))),
        ("wait_too_long", told(nobody=order("nobody", "held", reasons=("x",), next_look=at(23)))),
        ("state_unknown", told(waits=order("waits", "mislaid"))),
        ("history_broken", told(door=replace(ORDERS["door"], history=ORDERS["door"].history[1:]))),
        ("history_broken", told(door=replace(ORDERS["door"], history=ORDERS["door"].history[:-1]))),
        (
            "history_broken",
            told(door=replace(ORDERS["door"], history=(("placed", at(9)), ("delivered", at(8, 59))))),
        ),
        ("end_invented", replace(GOOD, jobs=(JOBS["gate"],), left={"slot": 2, "theirs": 3})),
        ("end_invented", told(nobody=order("nobody", "returned"))),
        ("end_invented", told(nobody=order("nobody", "failed"))),
        ("end_untold", told(door=order("door", "stranded", reasons=("x",)))),
        ("gift_lost", told(nobody=order("nobody", "picked_up"))),
        ("gift_lost", told(nobody=order("nobody", "returning"))),
    ],
)
def test_an_order_that_is_not_where_it_is_said_to_be_is_found(kind: str, history: History) -> None:
    assert kind in kinds(history)


def test_a_job_that_cordon_forgot_is_found() -> None:
    live = job("nobody", None, handed_over_at=None, ended_at=None, picked_up_at=None)
    assert "job_forgotten" in kinds(done(JOBS["door"], live, left=0))


def test_a_job_of_an_order_that_nobody_placed_is_found() -> None:
    assert "job_unasked" in kinds(done(JOBS["door"], job("ghost", "gate"), left=0))


def test_a_list_that_never_came_into_force_is_found() -> None:
    assert kinds(replace(GOOD, published={"list": at(7)})) == ["upload_unpublished"]


# --- doubles ---


def test_two_live_jobs_at_once_are_found() -> None:
    second = replace(
        JOBS["door"],
        job="door-2",
        booked_at=at(9),
        picked_up_at=None,
        handed_over_at=None,
        how=None,
        ended_at=at(9, 5),
    )
    assert kinds(done(JOBS["door"], second)) == ["booked_twice"]


def test_a_second_job_after_the_first_was_cancelled_is_no_fault() -> None:
    cancelled = replace(
        JOBS["door"],
        job="door-0",
        booked_at=at(8, 10),
        picked_up_at=None,
        handed_over_at=None,
        how=None,
        cancelled_at=at(8, 20),
        ended_at=at(8, 20),
    )
    assert kinds(done(JOBS["door"], cancelled)) == []


def test_two_deliveries_are_found() -> None:
    second = replace(
        JOBS["door"],
        job="door-2",
        booked_at=at(11),
        picked_up_at=at(12),
        handed_over_at=at(13),
        ended_at=at(13),
    )
    assert kinds(done(JOBS["door"], second, left=0)) == ["delivered_twice", "in_two_places"]


def test_a_gift_fetched_again_before_it_was_back_is_found() -> None:
    first = replace(
        JOBS["door"], job="door-0", booked_at=at(8, 5), picked_up_at=at(8, 10), handed_over_at=None, how=None,
        ended_at=at(10, 10), returned_at=at(10, 10),
    )  # fmt: skip
    assert "in_two_places" in kinds(done(JOBS["door"], first, left=0))


def test_a_gift_fetched_again_after_it_was_back_is_no_fault() -> None:
    first = replace(
        JOBS["door"], job="door-0", booked_at=at(8, 5), picked_up_at=at(8, 10), handed_over_at=None, how=None,
        ended_at=at(8, 30), returned_at=at(8, 30),
    )  # fmt: skip
    assert kinds(done(JOBS["door"], first, left=0)) == []


def test_a_hand_over_without_a_pick_up_is_found() -> None:
    assert kinds(done(replace(JOBS["door"], picked_up_at=None))) == ["gift_invented"]


# --- moves ---


def moved(truth: Truth = TRUTH, line: JobLine | None = None, **changes: object) -> list[str]:
    theirs = line is not None and line.slot_id == "theirs"
    return details(
        done(
            line or JOBS["door"],
            left=2 if theirs else 1,
            theirs=2 if theirs else 3,
            truth=truth,
            **changes,
        )
    )


def test_a_pcr_that_has_run_out_is_found_to_the_minute() -> None:
    theirs = job("door", "door", crew_id="other", slot_id="theirs")
    assert moved(line=theirs) == []
    on_the_dot = replace(theirs, handed_over_at=at(11), ended_at=at(11))
    assert moved(line=on_the_dot) == []
    too_late = replace(theirs, handed_over_at=at(11, 1), ended_at=at(11, 1))
    assert moved(line=too_late) == ["pcr"]


def test_a_pending_test_does_not_count() -> None:
    tests = (Test("crew", "pcr", None, at(9, day=10), None), TRUTH.tests[1])
    assert set(moved(rewritten(tests=tests))) == {"pcr"}


def test_a_test_reported_after_the_move_does_not_count() -> None:
    tests = (Test("crew", "pcr", True, at(9, day=10), at(10, 15)), TRUTH.tests[1])
    found = check(replace(GOOD, truth=rewritten(tests=tests))).violations
    assert [(v.kind, v.subject) for v in found] == [
        ("pick_up_not_cleared", "door"),
        ("pick_up_not_cleared", "gate"),
    ]


def test_an_old_antigen_is_found() -> None:
    tests = (TRUTH.tests[0], Test("crew", "antigen", True, at(6, day=10), at(7, day=10)))
    assert set(moved(rewritten(tests=tests))) == {"antigen"}


def test_a_controlled_compound_wants_an_antigen_of_the_day() -> None:
    tests = (TRUTH.tests[0], Test("crew", "antigen", True, at(20, day=10), at(21, day=10)))
    assert moved(rewritten(tests=tests)) == []
    truth = replace(re_sited("gate", CONTROLLED), tests=tests)
    assert set(details(replace(GOOD, truth=truth))) == {"antigen_of_the_day"}
    assert details(replace(GOOD, truth=re_sited("gate", CONTROLLED))) == []


def test_a_positive_that_was_known_is_found_and_no_antigen_takes_it_back() -> None:
    positive = Test("crew", "pcr", False, at(20, day=10), at(10, 10))
    found = check(done(JOBS["door"], truth=rewritten(tests=(*TRUTH.tests, positive))))
    assert {(v.kind, v.subject) for v in found.violations} == {
        ("hand_over_not_cleared", "door"),
        ("hand_over_not_cleared", "gate"),
    }
    again = Test("crew", "pcr", True, at(6), at(10, 5))
    assert moved(rewritten(tests=(*TRUTH.tests, positive, again))) == []


@pytest.mark.parametrize(
    "held",
    [
        Pass("p1", "A1", None, at(0), at(10, 15)),
        Pass("p1", "A1", None, at(10, 15), at(23)),
        Pass("p1", "A1", None, at(0), at(23), revoked_at=at(9)),
        Pass("p1", "A1", frozenset({"310104"}), at(0), at(23)),
        Pass("p1", "A9", None, at(0), at(23)),
    ],
    ids=["over", "not yet", "revoked", "elsewhere", "another plate"],
)
def test_a_permit_that_does_not_cover_the_move_is_found(held: Pass) -> None:
    assert set(moved(rewritten(passes=(held,)))) == {"permit"}


def test_a_permit_for_both_districts_is_needed() -> None:
    both = Pass("p1", "A1", frozenset({"310101", "310104"}), at(0), at(23))
    assert moved(rewritten(passes=(both,))) == []


def test_a_crew_whose_home_is_sealed_is_found() -> None:
    assert set(moved(rewritten(listings=(*TRUTH.listings, listing(HOME, "sealed"))))) == {"home_sealed"}


def test_a_sealed_merchant_is_found_at_pick_up_only() -> None:
    sealed = Listing(SHOP, "sealed", at(10, 15), at(10, 15), "list")
    assert moved(rewritten(listings=(*TRUTH.listings, sealed))) == []
    sooner = replace(sealed, valid_from=at(9, 30), known_since=at(9, 30))
    history = done(JOBS["door"], truth=rewritten(listings=(*TRUTH.listings, sooner)))
    assert kinds(history) == ["pick_up_not_cleared"]
    assert set(details(history)) == {"merchant_sealed"}


def test_a_merchant_on_no_list_is_found() -> None:
    listings = tuple(known for known in TRUTH.listings if known.site != SHOP)
    assert set(moved(rewritten(listings=listings))) == {"merchant_unlisted"}


def test_a_move_to_a_compound_nobody_has_listed_yet_is_found() -> None:
    truth = re_sited("door", LATE)
    found = check(done(JOBS["door"], truth=truth, published={"list": at(7), "late": at(10, 10)}))
    assert [(v.kind, v.detail.split(" at ")[0]) for v in found.violations] == [
        ("pick_up_not_cleared", "destination_unlisted")
    ]


def test_a_gift_that_a_sealed_compound_refuses_is_found() -> None:
    found = details(replace(GOOD, truth=re_sited("gate", SEALED, "flowers")))
    assert set(found) == {"item_class"}


def test_a_ring_left_unattended_is_found() -> None:
    assert "left_unattended" in details(replace(GOOD, truth=re_sited("door", LOBBY, "high_value")))


def test_a_banned_compound_is_found() -> None:
    truth = rewritten(listings=(*TRUTH.listings, listing(LOBBY, "no_access")))
    assert {"no_hand_over", "way_closed"} <= {
        v.kind if v.kind.startswith("way") else v.detail.split(" at ")[0]
        for v in check(done(JOBS["door"], truth=truth)).violations
    }


def test_an_unknown_crew_is_found() -> None:
    assert "crew_unknown" in moved(line=job("door", "door", crew_id="ghost"))


def test_what_became_known_within_the_lag_is_not_held_against_a_move() -> None:
    sealed = Listing(SHOP, "sealed", at(9, 59), at(9, 59), "just-now")
    history = replace(
        GOOD,
        truth=rewritten(listings=(*TRUTH.listings, sealed)),
        published={**GOOD.published, "just-now": at(9, 59)},
    )
    assert kinds(history) == ["pick_up_not_cleared"]
    assert kinds(replace(history, lag=timedelta(minutes=2))) == []
    assert kinds(replace(history, lag=timedelta(seconds=30))) == ["pick_up_not_cleared"]


def test_a_parcel_that_was_stopped_and_handed_over_all_the_same_is_noted() -> None:
    positive = Test("crew", "pcr", False, at(20, day=10), at(10, 10))
    truth = rewritten(tests=(*TRUTH.tests, positive))
    before, after = timedelta(minutes=-5), timedelta(minutes=5)

    def recalled(by: timedelta) -> tuple[JobLine, ...]:
        return tuple(
            replace(line, recalled_at=line.handed_over_at + by) if line.handed_over_at else line
            for line in GOOD.jobs
        )

    report = check(replace(GOOD, jobs=recalled(before), truth=truth))
    assert report.violations == []
    assert len(report.notes) == 2
    assert kinds(replace(GOOD, jobs=recalled(after), truth=truth)) == ["hand_over_not_cleared"]


# --- how it changed hands ---


def test_a_hand_over_at_the_door_of_a_sealed_compound_is_found() -> None:
    assert kinds(done(JOBS["door"], truth=re_sited("door", SEALED))) == ["way_closed", "way_not_cleared"]


def test_a_hand_over_that_does_not_say_how_is_found() -> None:
    assert kinds(done(replace(JOBS["door"], how=None))) == ["how_unknown"]


def test_delivered_that_was_left_at_the_gate_is_found() -> None:
    assert kinds(done(replace(JOBS["door"], how="gate"))) == ["told_wrong"]


def test_a_gate_that_closed_before_anybody_could_know_is_noted() -> None:
    closed = Listing(LOBBY, "sealed", at(10, 20), at(10, 20), "soon")
    history = done(
        replace(JOBS["door"], how="gate"),
        truth=rewritten(listings=(*TRUTH.listings, closed)),
        published={**GOOD.published, "soon": at(10, 40)},
    )
    report = check(history)
    assert report.violations == []
    assert "not yet known" in report.notes[0]


def test_at_gate_that_the_client_has_is_found() -> None:
    history = told(door=order("door", "at_gate", "booked"))
    assert kinds(history) == ["gate_without_need", "told_wrong"]


def test_at_gate_without_need_is_found() -> None:
    history = replace(
        told(door=order("door", "at_gate", "booked")), jobs=(replace(JOBS["door"], how="gate"), JOBS["gate"])
    )
    assert kinds(history) == ["gate_without_need"]


def test_a_closed_building_counts_for_that_building_and_for_whoever_does_not_state_one() -> None:
    closed = Listing(LOBBY, "no_access", at(9), at(9), "list", building="3")
    for building, found in (("3", True), ("5", False), (None, True)):
        wishes = tuple(replace(w, building=building) if w.reference == "door" else w for w in TRUTH.wishes)
        truth = rewritten(wishes=wishes, listings=(*TRUTH.listings, closed))
        assert ("hand_over_not_cleared" in kinds(replace(GOOD, truth=truth))) is found, building


@pytest.mark.parametrize(
    ("start", "end", "upload", "kind"),
    [
        (at(10, 15), at(20), "list", "hand_over_not_cleared"),
        (at(9, 45), at(10, 15), "list", "pick_up_not_cleared"),
        (at(10, 31), at(20), "list", None),
        (at(10, 15), at(20), "late", "hand_over_not_cleared"),
        (at(9, 45), at(10, 0), "late", None),
    ],
)
def test_a_district_without_couriers_stops_what_is_fetched_and_handed_over_there(
    start: datetime, end: datetime, upload: str, kind: str | None
) -> None:
    truth = rewritten(nights=(Night(LOBBY[0], start, end, upload),))
    found = [k for k in kinds(replace(GOOD, truth=truth)) if k.endswith("not_cleared")]
    assert found == ([kind] if kind else [])


def test_a_night_that_nobody_knew_of_yet_is_not_held_against_a_move() -> None:
    truth = rewritten(nights=(Night(LOBBY[0], at(9), at(20), "late"),))
    early = job("door", "door", 9, booked_at=at(8, 30))
    found = check(replace(done(early), truth=truth)).violations
    assert [violation for violation in found if violation.subject == "door"] == []


# --- slots ---


def test_an_oversold_slot_is_found() -> None:
    truth = rewritten(slots=(Slot("slot", "crew", 1), TRUTH.slots[1]))
    assert kinds(replace(GOOD, truth=truth, left={"slot": 0, "theirs": 3})) == [
        "slot_miscounted",
        "slot_oversold",
    ]


@pytest.mark.parametrize(
    ("kind", "left"),
    [
        ("slot_miscounted", {"slot": 2, "theirs": 3}),
        ("slot_miscounted", {"slot": -1, "theirs": 3}),
        ("slot_leaked", {"slot": 0, "theirs": 3}),
        ("slot_missing", {"slot": 1}),
    ],
)
def test_a_counter_that_does_not_add_up_is_found(kind: str, left: dict[str, int]) -> None:
    assert kinds(replace(GOOD, left=left)) == [kind]


def test_a_job_on_an_unknown_or_foreign_slot_is_found() -> None:
    assert "slot_unknown" in kinds(done(job("door", "door", slot_id="nowhere"), left=2))
    assert "slot_of_another" in kinds(done(job("door", "door", slot_id="theirs"), left=2, theirs=2))


# --- the table and the fleet ---


def test_the_summary_counts_every_order_once_by_level_outcome_and_reason() -> None:
    report = check(GOOD)
    assert {(line.level, line.outcome, line.why, line.count) for line in report.summary} == {
        ("precautionary", "delivered", "", 1),
        ("sealed", "at_gate", "", 1),
        ("unlisted", "held", "zone_unknown", 1),
        ("unlisted", "stranded", "zone_unknown", 1),
    }
    assert report.table().splitlines() == [
        "           precautionary  sealed  unlisted  all",
        "delivered              1       -         -    1",
        "at gate                -       1         -    1",
        "held                   -       -         1    1",
        "stranded               -       -         1    1",
        "all                    1       1         2    4",
        "",
        "held      unlisted  zone unknown  1",
        "stranded  unlisted  zone unknown  1",
    ]


def test_a_crew_that_stands_well_has_nothing_against_it() -> None:
    assert standing(TRUTH, at(12)) == {"crew": (), "other": ("pcr",)}
    assert standing(TRUTH, at(16)) == {"crew": (), "other": ("pcr", "permit")}
    assert standing(TRUTH, at(7, day=12))["crew"] == ("antigen", "permit")
