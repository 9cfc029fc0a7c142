"""Gifts that need no courier: stock, codes, orders that never had a parcel, and first use."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.domain.clients import client_id_of
from chalicelib.domain.errors import (
    Clashing,
    Forgotten,
    Invalid,
    Missing,
    Stale,
    TooOften,
    Unconditional,
)
from chalicelib.domain.facts import LEFT
from chalicelib.domain.orders import OrderState
from chalicelib.domain.pass_answers import seen
from chalicelib.domain.pass_rows import stock_key
from chalicelib.domain.passes import LETTERS, PassState, end_of, minted, order_id_of_pass, pass_id_of, plain
from chalicelib.domain.ports import Count, Drop, Keep
from chalicelib.domain.programme import NewProgramme
from chalicelib.flows import enrol, forget, look, redeem, stock
from chalicelib.flows.place_digital import first_view, place_digital
from chalicelib.flows.set_up import set_up
from tests import digital, stage
from tests.digital import HOST, STUDIO, at, wanted
from tests.stage import NOON, Stage


@pytest.fixture
def on() -> Stage:
    on = stage.stage()
    digital.put(on.world, "YOGA", digital.yoga())
    return on


def given(on: Stage, key: str = "key-1", gift: str = "YOGA", **changes: Any) -> str:
    """An order for that gift: its id."""
    order, _ = place_digital(on.world, "maison", key, wanted(gift, **changes))
    return order.order_id


def code_of(on: Stage, order_id: str) -> str:
    return redeem.code_of(on.world, redeem.pass_of(on.world, pass_id_of(order_id))).code


# --- what a brand says of one -----------------------------------------------------------------------------------


def test_a_gift_is_kept_as_said_and_says_how_many_are_left(on: Stage) -> None:
    found = stock.seen(on.world, "maison", "YOGA")
    assert (found.left, found.title, found.version) == (3, "Seven days of yoga", 1)
    given(on)
    assert stock.seen(on.world, "maison", "YOGA").left == 2
    with pytest.raises(Missing):
        stock.seen(on.world, "autre-maison", "YOGA")


def test_a_change_names_what_it_replaces_and_the_same_again_changes_nothing(on: Stage) -> None:
    digital.put(on.world, "YOGA", digital.yoga())
    assert stock.seen(on.world, "maison", "YOGA").version == 1
    with pytest.raises(Unconditional):
        digital.put(on.world, "YOGA", digital.yoga(title="Ten days"))
    with pytest.raises(Stale):
        digital.put(on.world, "YOGA", digital.yoga(title="Ten days"), 7)
    digital.put(on.world, "YOGA", digital.yoga(title="Ten days"), 1)
    assert stock.seen(on.world, "maison", "YOGA").version == 2


def test_a_limit_moves_what_is_left_and_is_never_less_than_was_given(on: Stage) -> None:
    given(on)
    given(on, "key-2")
    digital.put(on.world, "YOGA", digital.yoga(limit=5), 1)
    assert digital.left(on.world) == 3
    digital.put(on.world, "YOGA", digital.yoga(limit=2), 2)
    assert digital.left(on.world) == 0
    with pytest.raises(Invalid, match="at least what was given"):
        digital.put(on.world, "YOGA", digital.yoga(limit=1), 3)
    assert stock.seen(on.world, "maison", "YOGA").limit == 2


@pytest.mark.parametrize("changes", [{"partner": "another"}, {"kind": "seat"}, {"codes": "listed"}])
def test_what_clients_have_becomes_no_other_thing(on: Stage, changes: dict[str, Any]) -> None:
    told = digital.yoga(**changes)
    if changes.get("codes"):
        del told["limit"]
    if changes.get("kind"):
        told = digital.club()
    with pytest.raises(Clashing, match="stays"):
        digital.put(on.world, "YOGA", told, 1)


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (digital.yoga(limit=None), "limit is expected"),
        (digital.yoga(codes="listed"), "limit is expected"),
        (digital.yoga(days=None), "days are expected"),
        (digital.yoga(sessions=[digital.session()]), "a pass has no sessions"),
        (digital.facial(sessions=[]), "a lesson one"),
        (digital.club(sessions=[]), "at least one session"),
        (digital.club(sessions=[digital.session(), digital.session()]), "session_id of its own"),
        (digital.club(sessions=[digital.session(end=at(days=1))]), "ends after it starts"),
        (digital.yoga(link="http://yoga.example/"), "pattern"),
        (digital.yoga(link="https://yoga.example/ javascript:"), "pattern"),
    ],
)
def test_what_makes_no_sense_is_refused(told: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        digital.new_gift(told)


# --- orders that never had a parcel -----------------------------------------------------------------------------


def test_an_order_for_one_is_given_at_once_and_the_brand_is_told(on: Stage) -> None:
    order, repeated = place_digital(on.world, "maison", "key-1", wanted())
    assert not repeated
    on.settle()
    kept = on.order(order.order_id)
    assert [step.state for step in kept.history] == [OrderState.PLACED, OrderState.FULFILLED_DIGITALLY]
    assert kept.told
    assert [said["type"] for said in on.brand.heard] == ["order.placed", "order.fulfilled_digitally"]
    assert digital.left(on.world) == 2


def test_the_same_request_is_the_same_order_and_the_same_answer_whatever_has_happened(on: Stage) -> None:
    first, _ = place_digital(on.world, "maison", "key-1", wanted())
    told = first_view(first).model_dump_json()
    on.settle()
    redeem.withdraw(on.world, "maison", pass_id_of(first.order_id))
    on.settle()
    again, repeated = place_digital(on.world, "maison", "key-1", wanted())
    assert repeated
    assert first_view(again).model_dump_json() == told
    assert digital.left(on.world) == 3
    with pytest.raises(Invalid, match="another body"):
        place_digital(on.world, "maison", "key-1", wanted(reference="CLUB-2"))


def test_none_is_given_that_is_not_there_and_nothing_is_kept_of_who_asked(on: Stage) -> None:
    for n in range(3):
        given(on, f"key-{n}")
    before = dict(on.plain.table.rows)  # type: ignore[attr-defined]
    with pytest.raises(Clashing, match="none of 'YOGA' is left"):
        given(on, "one-too-many")
    assert on.plain.table.rows == before  # type: ignore[attr-defined]
    digital.put(on.world, "YOGA", digital.yoga(limit=4), 1)
    assert given(on, "one-too-many")


def test_an_unknown_gift_and_one_that_is_over_are_refused_by_field(on: Stage) -> None:
    with pytest.raises(Invalid) as caught:
        given(on, gift="NO-SUCH")
    assert caught.value.faults[0].pointer == "/gift"
    on.clock.forward(days=61)
    with pytest.raises(Invalid, match="not over"):
        given(on)
    with pytest.raises(Invalid) as caught:
        given(on, market="XXX")
    assert caught.value.faults[0].pointer == "/market"


def test_a_club_is_over_with_its_last_evening(on: Stage) -> None:
    digital.put(on.world, "CLUB", digital.club())
    assert given(on, gift="CLUB")
    on.clock.forward(days=25)
    with pytest.raises(Invalid, match="not over"):
        given(on, "key-2", gift="CLUB")


def test_an_order_that_is_not_told_is_found_by_the_sweep(on: Stage) -> None:
    order_id = given(on)
    on.world.queues.sent.clear()  # type: ignore[attr-defined]
    on.minutes(3)
    assert on.order(order_id).told


def test_no_courier_is_ever_looked_for(on: Stage) -> None:
    given(on)
    on.minutes(30)
    assert not on.company.jobs
    assert on.left() == 3


# --- codes ------------------------------------------------------------------------------------------------------


def test_a_code_has_130_bits_and_is_found_in_no_key_body_or_log(on: Stage) -> None:
    code = code_of(on, given(on))
    assert len(plain(code)) == LETTERS == 26
    assert plain(code).lower() == plain(code.lower()).lower()
    rows = on.plain.table.rows.values()  # type: ignore[attr-defined]
    for row in rows:
        for text in (row.key.pk, row.key.sk, row.body, str(row.sealed)):
            assert code not in text
            assert plain(code) not in text
    assert code not in str(on.world.log.lines)  # type: ignore[attr-defined]
    assert minted("a") != minted("b")


def test_who_read_a_code_is_on_record(on: Stage) -> None:
    order_id = given(on)
    code_of(on, order_id)
    assert {"event": "code_read", "order": order_id, "brand": "maison"} in on.world.log.lines  # type: ignore[attr-defined]


def test_a_partners_codes_are_loaded_in_parts_and_each_goes_to_one_client(on: Stage) -> None:
    digital.put(on.world, "STUDIO", digital.listed())
    assert digital.load(on.world, "STUDIO", 1, "YOGA-0001", "YOGA-0002").loaded == 2
    assert digital.load(on.world, "STUDIO", 2, "yoga 0002", "YOGA-0003").known == 1
    assert digital.left(on.world, "STUDIO") == 3
    codes = {code_of(on, given(on, f"key-{n}", gift="STUDIO")) for n in range(3)}
    assert {plain(code) for code in codes} == {"YOGA0001", "YOGA0002", "YOGA0003"}
    with pytest.raises(Clashing, match="none of"):
        given(on, "key-4", gift="STUDIO")


def test_the_same_part_again_is_the_same_answer_and_brings_no_code_back(on: Stage) -> None:
    digital.put(on.world, "STUDIO", digital.listed())
    first = digital.load(on.world, "STUDIO", 1, "YOGA-0001", "YOGA-0002")
    given(on, gift="STUDIO")
    assert digital.load(on.world, "STUDIO", 1, "YOGA-0002", "YOGA-0001") == first
    assert digital.left(on.world, "STUDIO") == 1
    with pytest.raises(Clashing, match="other codes"):
        digital.load(on.world, "STUDIO", 1, "YOGA-0009")
    assert digital.load(on.world, "STUDIO", 2, "YOGA-0001", "YOGA-0002").known == 2
    assert digital.left(on.world, "STUDIO") == 1


def test_a_code_that_was_loaded_once_more_just_when_it_was_given_goes_to_nobody_else(on: Stage) -> None:
    digital.put(on.world, "STUDIO", digital.listed())
    digital.load(on.world, "STUDIO", 1, "YOGA-0001")
    table: Any = on.plain.table
    key, row = next((k, r) for k, r in table.rows.items() if k.sk.startswith("free#"))
    given(on, gift="STUDIO")
    digital.load(on.world, "STUDIO", 2, "YOGA-0002")
    stocked = Count(stock_key("maison", "STUDIO"), LEFT, 1, floor=None)
    table.write(Keep(row, was=None), stocked)  # by a loader that had looked before
    assert key in table.rows
    assert plain(code_of(on, given(on, "key-2", gift="STUDIO"))) == "YOGA0002"


@pytest.mark.parametrize(
    ("codes", "pointer"),
    [(("YOGA-10", "yoga1x", "YOGA1X"), "/codes/2"), (("A---B---C", "YOGA-20"), "/codes/0")],
)
def test_a_part_with_a_wrong_code_says_which_and_loads_none(
    on: Stage, codes: tuple[str, ...], pointer: str
) -> None:
    digital.put(on.world, "STUDIO", digital.listed())
    with pytest.raises(Invalid) as caught:
        digital.load(on.world, "STUDIO", 1, *codes)
    assert caught.value.faults[0].pointer == pointer
    assert digital.left(on.world, "STUDIO") == 0


def test_codes_are_not_loaded_where_they_are_made_here(on: Stage) -> None:
    with pytest.raises(Clashing, match="made here"):
        digital.load(on.world, "YOGA", 1, "YOGA-0001")
    with pytest.raises(Missing):
        digital.load(on.world, "NO-SUCH", 1, "YOGA-0001")


# --- first use --------------------------------------------------------------------------------------------------


def test_first_use_fixes_how_long_a_pass_is_good_on_the_recipients_calendar(on: Stage) -> None:
    code = code_of(on, given(on, time_zone="America/New_York"))
    passed, repeated = redeem.redeem(on.world, STUDIO, "visit-1", code.lower().replace("-", " "))
    assert not repeated
    # noon in Shanghai is midnight in New York: the eleventh is the first of seven days
    assert passed.valid_until == datetime(2022, 4, 18, 4, tzinfo=UTC)
    assert passed.redeemed_at == NOON


@pytest.mark.parametrize(
    ("zone", "first", "end"),
    [
        ("Asia/Shanghai", "2022-04-11T04:00", "2022-04-17T16:00"),
        ("Europe/Paris", "2022-03-26T22:59", "2022-04-01T22:00"),  # the clocks go forward on the 27th
        ("Europe/Paris", "2022-03-26T23:00", "2022-04-02T22:00"),  # midnight: already the 27th
        ("America/New_York", "2022-11-05T12:00", "2022-11-12T05:00"),  # and back on the 6th
    ],
)
def test_seven_days_are_seven_days_of_a_calendar_whatever_the_clocks_do(
    zone: str, first: str, end: str
) -> None:
    used, over = (datetime.fromisoformat(f"{text}:00+00:00") for text in (first, end))
    assert end_of(7, zone, used) == over


def test_a_second_use_says_when_the_first_was_and_the_same_request_has_the_same_answer(on: Stage) -> None:
    code = code_of(on, given(on))
    passed, _ = redeem.redeem(on.world, STUDIO, "visit-1", code)
    on.clock.forward(hours=1)
    assert redeem.redeem(on.world, STUDIO, "visit-1", code) == (passed, True)
    with pytest.raises(
        Clashing, match=r"redeemed at 2022-04-11T04:00:00\+00:00; it is valid until 2022-04-17"
    ):
        redeem.redeem(on.world, STUDIO, "visit-2", code)


def test_the_key_of_one_redemption_redeems_no_other_code(on: Stage) -> None:
    first, second = code_of(on, given(on)), code_of(on, given(on, "key-2"))
    redeem.redeem(on.world, STUDIO, "visit-1", first)
    with pytest.raises(Invalid, match="Idempotency-Key was used with another body"):
        redeem.redeem(on.world, STUDIO, "visit-1", second)
    passed, repeated = redeem.redeem(on.world, STUDIO, "visit-2", second)
    assert (passed.redeemed_at, repeated) == (NOON, False)


def test_an_expired_code_opens_nothing_from_that_very_moment_on(on: Stage) -> None:
    code = code_of(on, given(on))
    on.clock.now = NOON + timedelta(days=60) - timedelta(seconds=1)
    early = code_of(on, given(on, "key-2"))
    redeem.redeem(on.world, STUDIO, "visit-1", early)
    on.clock.forward(seconds=1)
    with pytest.raises(Clashing, match="expired"):
        redeem.redeem(on.world, STUDIO, "visit-2", code)


def test_a_seat_is_good_until_its_last_evening_wherever_that_was_moved(on: Stage) -> None:
    digital.put(on.world, "CLUB", digital.club())
    code = code_of(on, given(on, gift="CLUB"))
    moved = [digital.session("evening-1", day=12), digital.session("evening-2", day=30)]
    digital.put(on.world, "CLUB", digital.club(sessions=moved), 1)
    passed, _ = redeem.redeem(on.world, HOST, "visit-1", code)
    assert passed.valid_until == NOON + timedelta(days=30, hours=8.5)


def test_another_partner_finds_nothing_and_neither_does_a_made_up_code(on: Stage) -> None:
    code = code_of(on, given(on))
    for partner, shown in ((HOST, code), (STUDIO, code[:-1] + "Z"), (STUDIO, "salt"), (STUDIO, "tried")):
        with pytest.raises(Missing, match="no such code"):
            redeem.redeem(on.world, partner, "visit-1", shown)
    assert digital.pass_of(on.world, order_id_of_pass(pass_id_of(given(on)))).state is PassState.GIVEN


def test_whoever_guesses_is_asked_to_wait_and_may_go_on_in_the_next_hour(on: Stage) -> None:
    code = code_of(on, given(on))
    for n in range(redeem.WRONG):
        with pytest.raises(Missing):
            redeem.redeem(on.world, STUDIO, "guess", f"GUESS-{n}")
    with pytest.raises(TooOften):
        redeem.redeem(on.world, STUDIO, "visit-1", code)
    on.clock.forward(hours=1)
    assert redeem.redeem(on.world, STUDIO, "visit-1", code)


def test_whose_data_key_is_gone_has_no_code_any_more(on: Stage) -> None:
    order_id = given(on)
    row = on.plain.table.get(digital.pass_key(order_id))
    assert row is not None
    passed = digital.pass_of(on.world, order_id).model_copy(update={"sealed": b""})
    with pytest.raises(Forgotten):
        redeem.code_of(on.world, passed)
    from chalicelib.domain.client_rows import data_key_of_client
    from chalicelib.domain.pass_rows import secrets_of

    on.world.table.write(Drop(data_key_of_client(secrets_of(STUDIO)), was=1))
    with pytest.raises(Forgotten):
        code_of(on, order_id)


# --- given back -------------------------------------------------------------------------------------------------


def test_a_pass_that_is_withdrawn_frees_its_seat_once_and_ends_its_order(on: Stage) -> None:
    order_id = given(on)
    on.settle()
    code = code_of(on, order_id)
    for _ in range(2):
        assert redeem.withdraw(on.world, "maison", pass_id_of(order_id)).state is PassState.WITHDRAWN
    on.settle()
    assert digital.left(on.world) == 3
    assert on.order(order_id).state is OrderState.CANCELLED
    assert on.brand.heard[-1]["type"] == "order.cancelled"
    with pytest.raises(Clashing, match="withdrawn"):
        redeem.redeem(on.world, STUDIO, "visit-1", code)
    with pytest.raises(Clashing, match="no code"):
        code_of(on, order_id)


def test_what_was_used_is_not_withdrawn_and_what_another_brand_has_is_not_there(on: Stage) -> None:
    order_id = given(on)
    with pytest.raises(Missing):
        redeem.withdraw(on.world, "autre-maison", pass_id_of(order_id))
    redeem.redeem(on.world, STUDIO, "visit-1", code_of(on, order_id))
    with pytest.raises(Clashing, match="redeemed"):
        redeem.withdraw(on.world, "maison", pass_id_of(order_id))
    assert digital.left(on.world) == 2


def test_a_partners_code_that_its_client_may_have_seen_goes_to_nobody_else(on: Stage) -> None:
    digital.put(on.world, "STUDIO", digital.listed())
    digital.load(on.world, "STUDIO", 1, "YOGA-0001")
    redeem.withdraw(on.world, "maison", pass_id_of(given(on, gift="STUDIO")))
    assert digital.left(on.world, "STUDIO") == 0
    with pytest.raises(Clashing, match="none of"):
        given(on, "key-2", gift="STUDIO")


def test_a_pass_says_how_it_stands_and_nothing_of_whose_it_is(on: Stage) -> None:
    order_id = given(on)
    told = seen(digital.pass_of(on.world, order_id), on.clock.now)
    assert (told.state, told.expired, told.days) == (PassState.GIVEN, False, 7)
    assert seen(digital.pass_of(on.world, order_id), NOON + timedelta(days=60)).expired
    redeem.redeem(on.world, STUDIO, "visit-1", code_of(on, order_id))
    passed = digital.pass_of(on.world, order_id)
    assert passed.valid_until is not None
    assert not seen(passed, passed.valid_until - timedelta(seconds=1)).expired
    assert seen(passed, passed.valid_until).expired
    assert "maison" not in seen(passed, NOON).model_dump_json()


# --- for a client who is enrolled -------------------------------------------------------------------------------


@pytest.fixture
def known(on: Stage) -> Stage:
    """A client in Paris, to whom one gift a year is given for a birthday."""
    enrol.enrol(on.world, "maison", "vic-1", stage.new_client(time_zone="Europe/Paris"))
    cap = {"per": "client", "at_most": 1, "occasion": "birthday"}
    set_up(on.world, "maison", NewProgramme.model_validate({"caps": [cap]}), "brand", None)
    return on


def test_a_gift_to_a_client_is_on_the_clients_clock_and_in_its_books(known: Stage) -> None:
    order = known.order(given(known, client="vic-1", occasion="birthday"))
    assert (order.window.time_zone, order.occasion) == ("Europe/Paris", "birthday")
    assert order.client_id == client_id_of("maison", "vic-1")
    assert [one.order_id for one in look.orders_of_client(known.world, order.client_id)] == [order.order_id]
    assert digital.pass_of(known.world, order.order_id).client_id == order.client_id


def test_caps_count_it_and_what_was_withdrawn_counts_no_more(known: Stage) -> None:
    first = given(known, client="vic-1", occasion="birthday")
    with pytest.raises(Clashing):
        given(known, "key-2", client="vic-1", occasion="birthday")
    assert digital.left(known.world) == 2, "nothing of the second was kept"
    assert given(known, "key-3", client="vic-1"), "for no occasion it is not counted so"
    known.settle()
    redeem.withdraw(known.world, "maison", pass_id_of(first))
    known.settle()
    assert given(known, "key-2", client="vic-1", occasion="birthday")


def test_an_unknown_client_and_an_occasion_without_one_are_refused(known: Stage) -> None:
    with pytest.raises(Invalid) as caught:
        given(known, client="vic-nobody")
    assert caught.value.faults[0].pointer == "/client"
    with pytest.raises(ValueError, match="goes with a client"):
        wanted(occasion="birthday")


def test_a_code_is_forgotten_with_its_client(known: Stage) -> None:
    order_id = given(known, client="vic-1")
    code = code_of(known, order_id)
    forget.ask(known.world, "maison", "vic-1")
    known.settle()
    known.minutes(3)
    known.world.memory.clear()
    with pytest.raises(Forgotten):
        code_of(known, order_id)
    assert code not in str(known.plain.table.rows)  # type: ignore[attr-defined]
    with pytest.raises((Forgotten, Invalid)):
        given(known, "key-2", client="vic-1")
