"""Messages by themselves: their names, what is owed of an order, which channel is next, and words in any order."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.clients import ChannelKind
from chalicelib.domain.messages import (
    BUSY_WAITS,
    MOST_SENDS,
    SAID_OF,
    TRIES_KEPT,
    Message,
    MessageState,
    Named,
    Try,
    TryState,
    advanced,
    busy_until,
    next_channel,
    owed_of,
    read_name,
    settled,
)
from chalicelib.domain.orders import AHEAD, Moved, Order, OrderState
from chalicelib.domain.places import Market
from chalicelib.domain.steps import placed
from chalicelib.domain.templates import TEMPLATES, Choice, MessageKind
from chalicelib.flows.send_again import AGAIN
from tests.stage import MARKET, NOON, new_order

WHATSAPP, EMAIL, WEBHOOK = ChannelKind.WHATSAPP, ChannelKind.EMAIL, ChannelKind.WEBHOOK
HOME = "ord_" + "a" * 26


def message(*tries: Try, **changes: object) -> Message:
    made = Message(
        home=HOME,
        number=3,
        kind=MessageKind.BOOKED,
        brand_id="maison",
        client_id="cli_x",
        owed_at=NOON,
        tries=tries,
    )
    return made.model_copy(update=changes)


def tried(channel: ChannelKind, state: TryState) -> Try:
    return Try(channel=channel, at=NOON, state=state)


def order(*states: OrderState) -> Order:
    made = placed(new_order(), "maison", "k", Market.model_validate(MARKET), NOON)
    steps = [Moved(state=state, at=NOON + timedelta(minutes=n + 1)) for n, state in enumerate(states)]
    return made.model_copy(update={"history": (*made.history, *steps)})


# --- names ----------------------------------------------------------------------------------------------------


@given(st.integers(0, 99_999_999), st.sampled_from(MessageKind))
def test_a_name_is_read_back_as_it_was_written(number: int, kind: MessageKind) -> None:
    made = message(number=number, kind=kind)
    assert read_name(made.message_id) == Named(HOME, number, kind)
    assert len(made.message_id) < 64 and made.message_id.isascii()


@given(st.text(max_size=60))
def test_whatever_else_comes_back_is_no_name(text: str) -> None:
    named = read_name(text)
    assert named is None or message(home=named.home, number=named.number, kind=named.kind).message_id == text


@pytest.mark.parametrize(
    "text", ["", "some data", f"{HOME}.3.booked", f"{HOME}.0003.pigeon", "brand#x.0003.booked", f"{HOME}/../x.0003.booked",
             f"{HOME}.٠٠٠٣.booked", "ord_.0003.booked", f"key#{HOME}.0003.booked"],
)  # fmt: skip
def test_a_name_reaches_no_other_row(text: str) -> None:
    assert read_name(text) is None


# --- what is owed ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("states", "kind"),
    [
        ((), "announced"),
        ((OrderState.ASSIGNED,), "announced"),
        ((OrderState.ASSIGNED, OrderState.BOOKED), "booked"),
        ((OrderState.ASSIGNED, OrderState.BOOKED, OrderState.PICKED_UP), "on_its_way"),
        ((OrderState.HELD,), "announced"),
        ((OrderState.ASSIGNED, OrderState.HELD), "delayed"),
        ((OrderState.STRANDED,), "stranded"),
        ((OrderState.ASSIGNED, OrderState.BOOKED, OrderState.PICKED_UP, OrderState.RETURNING), "on_its_way"),
        ((OrderState.CANCELLED,), "cancelled"),
        ((OrderState.BOOKED, OrderState.PICKED_UP, OrderState.FAILED), "stranded"),
        ((OrderState.BOOKED, OrderState.PICKED_UP, OrderState.FAILED, OrderState.RETURNED), "failed"),
    ],
)
def test_the_last_step_counts_that_there_are_words_for(states: tuple[OrderState, ...], kind: str) -> None:
    owed = owed_of(order(*states), ())
    assert owed is not None and owed.kind.value == kind


def test_nobody_is_asked_for_another_time_who_can_have_none() -> None:
    """Under way and failed a gift is not in the shop: whoever would name another time is told that it is too late."""
    asks = {kind for kind, template in TEMPLATES.items() if Choice.OTHER_TIME in template.choices}
    assert {state for state, kind in SAID_OF.items() if kind in asks} <= AHEAD | AGAIN


@given(st.lists(st.sampled_from(OrderState), max_size=9))
def test_said_once_it_is_owed_no_more_and_never_twice_of_one_window(states: list[OrderState]) -> None:
    known: list[Message] = []
    for length in range(len(states) + 1):
        here = order(*states[:length])
        for _ in range(3):
            owed = owed_of(here, known)
            if owed is None:
                break
            known.append(message(number=owed.number, kind=owed.kind, about=owed.about, owed_at=owed.at))
        assert owed_of(here, known) is None
    said = [(m.kind, m.about) for m in known]
    assert len(said) == len(set(said))
    assert len({m.message_id for m in known}) == len(known)


# --- which channel --------------------------------------------------------------------------------------------


@given(
    st.lists(
        st.sampled_from([TryState.UNKNOWN, TryState.ATTEMPTED, TryState.BUSY, TryState.REFUSED]), max_size=30
    )
)
def test_it_goes_out_twice_at_most_whatever_the_channels_answer_and_comes_to_an_end(
    states: list[TryState],
) -> None:
    here, usable = message(), (WHATSAPP, EMAIL)
    for state in states:
        channel = next_channel(here, usable)
        if channel is None:
            break
        here = here.model_copy(update={"tries": (*here.tries, tried(channel, state))})
    sends = [t for t in here.tries if t.state in (TryState.UNKNOWN, TryState.ATTEMPTED)]
    assert len(sends) <= MOST_SENDS and len(here.tries) <= TRIES_KEPT
    if len(states) == 30:
        assert next_channel(here, usable) is None


def test_a_channel_that_refused_is_not_asked_again_and_one_that_was_silent_after_the_others() -> None:
    assert next_channel(message(), (WHATSAPP, EMAIL)) is WHATSAPP
    assert next_channel(message(tried(WHATSAPP, TryState.REFUSED)), (WHATSAPP, EMAIL)) is EMAIL
    assert next_channel(message(tried(WHATSAPP, TryState.REFUSED)), (WHATSAPP,)) is None
    assert next_channel(message(tried(WHATSAPP, TryState.UNKNOWN)), (WHATSAPP, EMAIL)) is EMAIL
    assert next_channel(message(tried(WHATSAPP, TryState.UNKNOWN)), (WHATSAPP,)) is WHATSAPP
    busy = [tried(WHATSAPP, TryState.BUSY)] * (len(BUSY_WAITS) + 1)
    assert next_channel(message(*busy[:-1]), (WHATSAPP, EMAIL)) is WHATSAPP
    assert next_channel(message(*busy), (WHATSAPP, EMAIL)) is EMAIL
    assert next_channel(message(*busy), (WHATSAPP,)) is None
    assert next_channel(message(), ()) is None


def test_a_busy_channel_is_asked_later_each_time_and_as_late_as_it_wants() -> None:
    waits = []
    for count in range(1, len(BUSY_WAITS) + 2):
        here = message(*[tried(WHATSAPP, TryState.BUSY)] * count)
        waits.append(busy_until(here, WHATSAPP, NOON, None) - NOON)
    assert waits == [*BUSY_WAITS, timedelta()]
    once = message(tried(WHATSAPP, TryState.BUSY))
    assert busy_until(once, WHATSAPP, NOON, timedelta(minutes=9)) == NOON + timedelta(minutes=9)
    assert busy_until(once, WHATSAPP, NOON, timedelta(days=9)) == NOON + timedelta(hours=1)


# --- words ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [*permutations((TryState.ACCEPTED, TryState.DELIVERED, TryState.READ))])
def test_words_of_a_channel_come_to_the_same_in_any_order_and_however_often(
    words: tuple[TryState, ...],
) -> None:
    here = message(tried(WHATSAPP, TryState.ATTEMPTED))
    for word in (*words, *words):
        here = advanced(here, WHATSAPP, word, "", NOON)
    assert here.state is MessageState.READ and here.next_attempt_at is None


def test_a_refusal_sends_it_to_the_next_channel_unless_it_had_arrived() -> None:
    taken = settled(message(tried(WHATSAPP, TryState.ACCEPTED)), NOON)
    refused = advanced(taken, WHATSAPP, TryState.REFUSED, "131049", NOON)
    assert (refused.state, refused.next_attempt_at) == (MessageState.PENDING, NOON)
    arrived = advanced(taken, WHATSAPP, TryState.DELIVERED, "", NOON)
    assert advanced(arrived, WHATSAPP, TryState.REFUSED, "131049", NOON) is arrived
    assert advanced(refused, WHATSAPP, TryState.REFUSED, "131049", NOON) is refused
    assert advanced(taken, EMAIL, TryState.READ, "", NOON) is taken, "that channel has said nothing of it"


def test_what_was_skipped_stays_skipped() -> None:
    here = message(state=MessageState.SKIPPED)
    assert settled(here, NOON) is here


# --- templates ------------------------------------------------------------------------------------------------


def test_every_kind_has_a_template_and_what_it_asks_can_be_answered() -> None:
    assert TEMPLATES.keys() == set(MessageKind)
    for template in TEMPLATES.values():
        assert len(template.choices) <= 10 and (
            Choice.AT not in template.choices or template.choices == (Choice.AT,)
        )
        assert template.name.isascii() and template.name == template.name.lower() and len(template.name) < 512
        if template.category is not None:
            assert template.parameters[:1] == ("name",) and "words" not in template.parameters
