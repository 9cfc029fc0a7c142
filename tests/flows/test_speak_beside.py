"""What a client hears beside the steps of an order: the code of a hand-over, and what is offered in a gift's place."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.instead import DigitalOutcome
from chalicelib.domain.messages import MessageState
from chalicelib.domain.orders import OrderState
from chalicelib.domain.ports import Keep
from chalicelib.domain.substitutes import Proposal, Say, State, proposal_key, proposal_of_row, proposal_row
from chalicelib.domain.templates import MessageKind
from chalicelib.domain.verdicts import Reason
from chalicelib.flows import tell
from chalicelib.flows.codes import OWN, codes_of
from chalicelib.flows.prove import made_anew
from tests import digital, stage
from tests.ring import RING, with_ring_courier
from tests.stage import NOON, publish_rules, zone
from tests.swaps import CAKE, FLOWERS, allow, seal_kitchen, two_kitchens
from tests.talking import Talking, connected, enrolled, keep, name_of, talking


@pytest.fixture
def ringing() -> Talking:
    on = with_ring_courier()
    return Talking(on, connected(on), enrolled(on.plain))


@pytest.fixture
def shut() -> Talking:
    """Nobody may go to Yongjia, and a pass is offered in the place of what is stranded."""
    talk = talking()
    digital.put(talk.world, "YOGA", digital.yoga())
    digital.programme(talk.world, gift="YOGA", mode="offer", offer_minutes=120)
    publish_rules(talk.world, "amend", zone("Yongjia", "banned@1", "no_access"))
    return talk


def kinds(talk: Talking) -> list[str]:
    return talk.meta.kinds()


def test_the_code_of_a_hand_over_reaches_the_client_once_a_courier_has_the_job(ringing: Talking) -> None:
    order_id = ringing.place(gift=RING, safeguard={})
    assert "hand_over_code" not in kinds(ringing)
    ringing.on.settle()
    assert ringing.order(order_id).state is OrderState.BOOKED
    for _ in range(2):
        tell.tell(ringing.world, order_id)
    assert kinds(ringing).count("hand_over_code") == 1
    said = next(
        one for one in ringing.meta.sent if one["biz_opaque_callback_data"].endswith("hand_over_code")
    )
    code = codes_of(ringing.world, "maison", order_id)[OWN]
    texts = [one["text"] for one in said["template"]["components"][0]["parameters"]]
    assert texts == ["Wang Secretive", "Maison Céladon", code]
    rows = ringing.on.plain.table.rows  # type: ignore[attr-defined]
    assert not [row for key, row in rows.items() if key.sk.startswith("message#") and code in row.body]


def test_a_code_that_is_made_anew_is_told_anew(ringing: Talking) -> None:
    order_id = ringing.place(gift=RING, safeguard={})
    ringing.on.settle()
    order = ringing.order(order_id)
    assert order.leg.handing is not None
    handing = order.leg.handing.model_copy(update={"codes": 2})
    leg = order.leg.model_copy(update={"handing": handing})
    keep(ringing.on.plain, order.model_copy(update={"legs": (leg,), "version": order.version + 1}))
    tell.tell(ringing.world, order_id)
    assert kinds(ringing).count("hand_over_code") == 2


@pytest.mark.parametrize("is_late", [False, True])
def test_a_code_that_its_brand_has_made_anew_reaches_the_client_also_when_the_window_is_over(
    ringing: Talking, is_late: bool
) -> None:
    order_id = ringing.place(gift=RING, safeguard={})
    ringing.on.settle()
    if is_late:
        ringing.on.clock.now = ringing.order(order_id).window.end + timedelta(minutes=10)
    fresh = made_anew(ringing.world, "maison", order_id)
    ringing.on.settle()
    said = [one for one in ringing.meta.sent if name_of(one).endswith("hand_over_code")]
    assert len(said) == 2
    assert said[-1]["template"]["components"][0]["parameters"][-1]["text"] == fresh


def test_a_gift_without_a_code_speaks_of_none(ringing: Talking) -> None:
    ringing.place()
    ringing.on.settle()
    assert "hand_over_code" not in kinds(ringing)


def stranded(talk: Talking, **changes: Any) -> str:
    order_id = talk.place(**changes)
    talk.on.settle()
    talk.on.clock.now = NOON + timedelta(hours=4)
    talk.on.minutes(6)
    return order_id


@pytest.mark.parametrize(
    ("answer", "outcome", "state"),
    [
        ("yes", DigitalOutcome.GIVEN, OrderState.FULFILLED_DIGITALLY),
        ("no", DigitalOutcome.DECLINED, OrderState.STRANDED),
    ],
)
def test_what_is_offered_in_the_gifts_place_is_taken_or_left_with_a_button(
    shut: Talking, answer: str, outcome: DigitalOutcome, state: OrderState
) -> None:
    order_id = stranded(shut, fallback="digital")
    (offer,) = [m for m in shut.messages(order_id) if m.kind is MessageKind.DIGITAL_OFFERED]
    assert offer.state is MessageState.SENT
    shut.press(offer, answer)
    order = shut.order(order_id)
    assert order.digital is not None
    assert (order.digital.outcome, order.state) == (outcome, state)
    shut.on.clock.forward(minutes=1)
    shut.press(offer, "yes")
    assert shut.order(order_id).state is state, "a second word comes too late"
    assert ("digital_sent" in kinds(shut)) is (answer == "yes")


def test_an_offer_is_answered_before_it_ends_or_not_at_all(shut: Talking) -> None:
    order_id = stranded(shut, fallback="digital")
    (offer,) = [m for m in shut.messages(order_id) if m.kind is MessageKind.DIGITAL_OFFERED]
    shut.on.clock.forward(hours=3)
    shut.on.minutes(1)
    shut.press(offer, "yes")
    assert shut.order(order_id).state is OrderState.STRANDED
    answered = next(m for m in shut.messages(order_id) if m.kind is MessageKind.DIGITAL_OFFERED)
    assert [a.result for a in answered.answers] == ["too_late"]


def test_whoever_would_rather_have_it_digital_gets_what_the_brand_would_send(shut: Talking) -> None:
    window = {
        "start": (NOON + timedelta(hours=25)).isoformat(),
        "end": (NOON + timedelta(hours=27)).isoformat(),
        "time_zone": "Asia/Shanghai",
    }
    order_id = shut.place(fallback="digital", window=window)
    shut.on.settle()
    (proposed,) = [m for m in shut.messages(order_id) if m.kind is MessageKind.PROPOSED]
    shut.press(proposed, "digital")
    assert shut.order(order_id).state is OrderState.FULFILLED_DIGITALLY
    shut.press(proposed, "digital")
    assert digital.left(shut.world) == 2


def test_a_message_carries_the_link_to_the_orders_own_page(shut: Talking) -> None:
    shut.on.world.public_url = "https://gifts.example"
    shut.client = enrolled(shut.on.plain, "vic-2", channels=["email"], locale="fr")
    shut.place()
    shut.on.settle()
    from email import message_from_bytes, policy

    (mail,) = shut.mails
    read = message_from_bytes(mail.raw, policy=policy.default)
    body = read.get_body(("plain",))
    assert body is not None
    assert "Voir votre cadeau: https://gifts.example/t/" in body.get_content()
    assert stage.MARKET


def proposed(talk: Talking, order_id: str, needs: str) -> None:
    """Another gift is proposed in the place of this one, with the consent that it needs."""
    order = talk.order(order_id)
    proposal = Proposal(
        order_id=order_id,
        number=1,
        name="tea",
        reason=Reason.ORIGIN_CLOSED,
        gift=order.gift,
        pick_up="Tea house",
        needs=needs,
        state=State.OPEN,
        proposed_at=talk.on.clock.now,
        digest="d",
    )
    talk.world.table.write(Keep(proposal_row(proposal), was=None))


def test_a_substitute_is_proposed_to_the_client_where_the_client_has_a_say_and_only_there() -> None:
    for needs, said in (("client", 1), ("brand", 0)):
        talk = talking()
        order_id = talk.place()
        proposed(talk, order_id, needs)
        for _ in range(2):
            tell.tell(talk.world, order_id)
        assert kinds(talk).count("substitute_proposed") == said
    body = talking_of_client(talk := talking())
    texts = [one["text"] for one in body["template"]["components"][0]["parameters"]]
    assert texts[-1] == "Cake"
    assert talk.meta.sent


def talking_of_client(talk: Talking) -> Any:
    order_id = talk.place()
    proposed(talk, order_id, "client")
    tell.tell(talk.world, order_id)
    return next(
        one for one in talk.meta.sent if one["biz_opaque_callback_data"].endswith("substitute_proposed")
    )


@pytest.mark.parametrize(("answer", "result"), [("no", "declined"), ("yes", "too_late")])
def test_what_the_client_says_of_a_substitute_is_the_clients_own_word(answer: str, result: str) -> None:
    talk = talking()
    order_id = talk.place()
    proposed(talk, order_id, "client")
    tell.tell(talk.world, order_id)
    message = next(m for m in talk.messages(order_id) if m.kind is MessageKind.SUBSTITUTE_PROPOSED)
    talk.press(message, answer)
    after = next(m for m in talk.messages(order_id) if m.kind is MessageKind.SUBSTITUTE_PROPOSED)
    assert [a.result for a in after.answers] == [result], (
        "the kitchen is open, and nothing is to be substituted"
    )
    row = talk.on.plain.table.get(proposal_key(order_id, 1))
    assert row is not None
    stands = proposal_of_row(row)
    if answer == "no":
        assert (stands.state, stands.by) == (State.DECLINED, Say.CLIENT)


def test_who_is_offered_something_in_its_place_is_not_told_as_well_that_it_cannot_come(shut: Talking) -> None:
    stranded(shut, fallback="digital")
    assert "stranded" not in kinds(shut)


def test_the_client_says_yes_to_flowers_and_they_are_what_goes() -> None:
    on = two_kitchens()
    talk = Talking(on, connected(on), enrolled(on.plain))
    allow(on, {**FLOWERS, "consent": "client"})
    seal_kitchen(on)
    order_id = talk.place(gift={"items": [CAKE]})
    on.settle()
    talk.on.minutes(2)
    message = next(m for m in talk.messages(order_id) if m.kind is MessageKind.SUBSTITUTE_PROPOSED)
    said = next(one for one in talk.meta.sent if one["biz_opaque_callback_data"] == message.message_id)
    assert said["template"]["components"][0]["parameters"][-1]["text"] == "Roses"
    talk.press(message, "yes")
    order = talk.order(order_id)
    assert [item.name for item in order.gift.items] == ["Roses"]
    row = talk.on.plain.table.get(proposal_key(order_id, 1))
    assert row is not None
    stands = proposal_of_row(row)
    assert (stands.state, stands.by) == (State.ACCEPTED, Say.CLIENT)
    assert stands.evidence is not None and order_id[-8:] in stands.evidence
    talk.press(message, "no", talk.on.clock.now + timedelta(minutes=1))
    assert [item.name for item in talk.order(order_id).gift.items] == ["Roses"]
