"""The books that ship, and what a word of one comes to on a day."""

from __future__ import annotations

import json
from datetime import date
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from chalicelib.domain import bands
from chalicelib.domain.errors import Missing
from chalicelib.domain.gifts import ItemClass
from chalicelib.domain.policies import Level, Policy
from chalicelib.domain.rulebooks import Book, Days, Entry, layers, policy_on
from chalicelib.domain.zones import meet
from chalicelib.rulebooks import Shelf
from tests import builders as b
from tests.conftest import ROOT

BOOKS = Shelf()
ENTRIES = [(book.book_id, entry) for book in BOOKS.values() for entry in book.entries]
POLICIES = {entry.policy.reference: entry.policy for _, entry in ENTRIES}


def days(since: str, until: str | None = None) -> Days:
    return Days(since=date.fromisoformat(since), until=date.fromisoformat(until) if until else None)


def said(
    book: str, word: str, since: str, until: str | None = None, district: str | None = None
) -> list[str]:
    """Policy and days of each layer, as one line."""
    return [
        f"{layer.policy.reference} {layer.days.since} {layer.days.until}"
        for layer in layers(BOOKS[book], word, days(since, until), district)
    ]


# --- what ships -----------------------------------------------------------------------------------------------


def test_the_books_are_those_of_the_four_jurisdictions_each_under_its_own_name() -> None:
    assert tuple(BOOKS) == ("france", "germany", "italy", "shanghai")
    assert all(book.book_id == name for name, book in BOOKS.items())


@pytest.mark.parametrize(
    ("book", "entry"), ENTRIES, ids=[f"{name}-{e.policy.reference}-{e.in_force.since}" for name, e in ENTRIES]
)
def test_every_policy_of_every_book_is_a_policy_with_its_source(book: str, entry: Entry) -> None:
    assert Policy.model_validate_json(entry.policy.model_dump_json()) == entry.policy
    assert len(entry.policy.source) > 20
    assert entry.policy.policy_id.startswith(f"{book}-")
    assert Level[entry.level.upper()] is not None


def test_no_policy_stands_in_two_books() -> None:
    assert len(POLICIES) == len(ENTRIES)


def test_a_curfew_of_people_never_stops_a_courier_in_italy_or_germany() -> None:
    for name in ("italy", "germany"):
        for entry in BOOKS[name].entries:
            assert [c for c in entry.policy.curfews if c.stops != {"collection"}] == []
            assert "door" in (entry.policy.handovers or ())


def test_the_incidence_bands_name_policies_of_the_german_book() -> None:
    named = {bands.BELOW, *(threshold.policy for threshold in bands.BRAKE)}
    assert named == {entry.policy.reference for entry in BOOKS["germany"].entries}
    for entry in BOOKS["germany"].entries:
        assert (entry.in_force.since, entry.in_force.until) == bands.LAW


def test_a_book_that_nobody_wrote_is_not_there_whatever_lies_beside_them() -> None:
    for name in ("narnia", "../openapi", "", "__init__"):
        assert name not in BOOKS
        with pytest.raises(KeyError):
            BOOKS[name]
    assert len(BOOKS) == 4


def test_a_policy_is_found_by_its_reference() -> None:
    found = BOOKS["shanghai"].find("shanghai-sealed@2")
    assert found is not None and found.version == 2
    assert BOOKS["shanghai"].find("shanghai-sealed@9") is None


# --- words and days ---------------------------------------------------------------------------------------------


def test_a_list_that_spans_a_change_of_rules_gets_both_versions_back_to_back() -> None:
    assert said("italy", "yellow", "2021-05-10", "2021-05-24") == [
        "italy-yellow@1 2021-05-10 2021-05-19",
        "italy-yellow@2 2021-05-19 2021-05-24",
    ]


def test_precautionary_is_five_regimes_by_district_from_may_on_and_one_before() -> None:
    shanghai = BOOKS["shanghai"]
    for district in ("310101", "黄浦", "黄浦区", "Huangpu"):
        assert said("shanghai", "precautionary", "2022-04-30", "2022-05-02", district)[:2] == [
            "shanghai-precautionary@2 2022-04-30 2022-05-01",
            "shanghai-precautionary-centre@3 2022-05-01 2022-05-02",
        ]
    codes = [
        *("310101", "310104", "310105", "310106", "310107", "310109", "310110", "310112"),
        *("310113", "310114", "310115", "310116", "310117", "310118", "310120", "310151"),
    ]
    found = [policy_on(shanghai, "precautionary", date(2022, 5, 1), code).policy.policy_id for code in codes]
    assert len(set(found)) == 5
    assert found.count("shanghai-precautionary-centre") == 8
    with pytest.raises(Missing, match="does not know 'precautionary' on 2022-05-01"):
        policy_on(shanghai, "precautionary", date(2022, 5, 1))


def test_pudong_has_rules_that_nobody_found_and_so_says_no_hand_over() -> None:
    assert (
        policy_on(BOOKS["shanghai"], "precautionary", date(2022, 5, 2), "浦东新区").policy.handovers is None
    )


def test_a_day_the_book_does_not_know_is_refused_and_not_taken_for_open() -> None:
    with pytest.raises(Missing) as caught:
        layers(BOOKS["shanghai"], "sealed", days("2022-03-31", "2022-04-02"))
    assert caught.value.detail == (
        "book 'shanghai' does not know 'sealed' on 2022-03-31: it means shanghai-sealed@1 from 2022-04-01 "
        "until 2022-04-11; shanghai-sealed@2 from 2022-04-11"
    )
    with pytest.raises(Missing, match="on 2021-07-01"):
        layers(BOOKS["germany"], "over-150", days("2021-06-20"))
    with pytest.raises(Missing, match="its words are 100-150, below-100, over-150"):
        policy_on(BOOKS["germany"], "purple", date(2021, 5, 1))


@given(st.data())
def test_layers_cover_the_days_of_a_list_and_no_others(data: st.DataObject) -> None:
    entry = data.draw(st.sampled_from(BOOKS["italy"].entries))
    first = data.draw(st.dates(date(2021, 3, 1), date(2021, 8, 1)))
    last = data.draw(st.dates(first, date(2021, 12, 1)).filter(lambda day: day > first))
    made = layers(BOOKS["italy"], entry.word, Days(since=first, until=last))
    base = [layer for layer in made if layer.overlay is None]
    assert (base[0].days.since, base[-1].days.until) == (first, last)
    assert all(a.days.until == z.days.since for a, z in pairwise(base))
    for layer in made:
        assert first <= layer.days.since and layer.days.until is not None and layer.days.until <= last


# --- what a book may not say -----------------------------------------------------------------------------------


def raw(**changes: Any) -> dict[str, Any]:
    whole: dict[str, Any] = json.loads((ROOT / "chalicelib" / "rulebooks" / "italy.json").read_bytes())
    return whole | changes


def refused(book: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as caught:
        Book.model_validate_json(json.dumps(book))
    return str(caught.value)


def test_a_word_with_two_meanings_on_one_day_is_refused() -> None:
    entries = raw()["entries"]
    entries[1]["in_force"]["until"] = "2021-05-20"
    assert "'yellow' means 'italy-yellow@1' and 'italy-yellow@2' on the same days" in refused(
        raw(entries=entries)
    )


def test_a_version_that_stands_twice_an_overlay_of_no_word_and_days_that_end_first_are_refused() -> None:
    entries = raw()["entries"]
    assert "once" in refused(raw(entries=[*entries, entries[0]]))
    overlays = raw()["overlays"]
    overlays[0]["adds"] = "purple"
    assert "'yellow-as-orange-2021' names 'purple'" in refused(raw(overlays=overlays))
    entries[0]["in_force"]["until"] = "2021-03-01"
    assert "until lies after since (2021-03-01)" in refused(raw(entries=entries))
    entries[0]["level"] = "SEALED"
    assert "one of open, curfew_only" in refused(raw(entries=entries))


# --- and they meet ---------------------------------------------------------------------------------------------

SOME = st.lists(st.sampled_from(sorted(POLICIES)), min_size=1, max_size=5, unique=True)


def met(names: list[str]) -> Any:
    zones = [
        b.zone(policy_id=name.rpartition("@")[0], policy_version=int(name.rpartition("@")[2]))
        for name in names
    ]
    return meet(zones, POLICIES)


@given(SOME, st.sampled_from(sorted(POLICIES)))
def test_one_more_policy_of_a_book_never_permits_more(names: list[str], another: str) -> None:
    less, more = met(names), met([*names, another])
    if less.handovers is not None:
        assert more.handovers is not None and more.handovers <= less.handovers
    assert not [c for c in ItemClass if more.permits(c) and not less.permits(c)]
    for field in ("curfews", "hand_out_denied", "companies", "persons"):
        assert set(getattr(less, field)) <= set(getattr(more, field))
    for field in ("permit_needed", "rest_minutes", "antigen_at_gate", "level"):
        assert getattr(more, field) >= getattr(less, field)
    asked = {(need.kind, need.age_from, need.sequence): need.max_age_hours for need in more.requirements}
    for need in less.requirements:
        assert asked[need.kind, need.age_from, need.sequence] <= need.max_age_hours


@given(SOME, st.randoms(use_true_random=False))
def test_policies_of_books_meet_in_any_order(names: list[str], dice: Any) -> None:
    other = list(names)
    dice.shuffle(other)
    one, two = met(names), met(other)
    assert set(one.curfews) == set(two.curfews)
    assert one.model_copy(update={"curfews": ()}) == two.model_copy(update={"curfews": ()})
