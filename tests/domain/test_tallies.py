"""Counts of clients add up, in whatever order they come."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.tallies import DISTRICTS, OTHERS, Tally, as_rows, of_one, summed

ONE = st.builds(
    of_one,
    st.sampled_from(["yes", "no"]),
    st.lists(st.sampled_from(["cap_reached", "no_slots"]), unique=True),
    st.sampled_from(["310101", "310104", None]),
    st.sampled_from(["gold", None]),
)


@given(st.lists(ONE, max_size=12), st.randoms())
def test_it_does_not_matter_in_which_order_they_are_added(ones: list[Tally], chance: object) -> None:
    mixed = list(ones)
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    whole = summed(ones)
    assert summed(mixed) == whole
    assert sum(whole.outcomes.values()) == whole.clients == len(ones)


def test_a_tally_of_more_districts_than_a_city_has_keeps_the_largest_and_still_adds_up() -> None:
    many = summed(of_one("yes", district=f"d{n}") for n in range(DISTRICTS + 50))
    whole = summed([many, *(of_one("no", district="d349") for _ in range(3))])
    assert len(whole.districts) == DISTRICTS
    assert whole.districts["d349"]["no"] == 3 or whole.districts[OTHERS]["no"] == 3
    assert sum(sum(counts.values()) for counts in whole.districts.values()) == whole.clients


def test_a_tally_fits_into_a_row_however_long_the_names_of_its_districts_are() -> None:
    many = [of_one("yes", district=f"{n:03d}" + "路" * length) for n in range(400) for length in (61, 190)]
    whole = summed(many)
    assert whole.districts[OTHERS]["yes"] >= 400
    assert len(whole.model_dump_json().encode()) < 80_000  # a campaign keeps two, and its hours, in 400 KB


def test_a_tally_is_a_table() -> None:
    whole = summed([of_one("yes", district="310101", tier="gold"), of_one("no", ["no_slots"])])
    assert as_rows(whole) == [
        ("all", "", "no", 1), ("all", "", "yes", 1), ("reason", "no_slots", "", 1),
        ("tier", "gold", "yes", 1), ("district", "310101", "yes", 1),
    ]  # fmt: skip
