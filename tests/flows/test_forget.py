"""A client is forgotten: at once what can be, the rest as each gift ends, wherever somebody stops in between."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain import facts
from chalicelib.domain.client_rows import (
    client_key,
    contacts_of_brand,
    data_key_of_client,
    seal_person,
)
from chalicelib.domain.clients import Client, Person, client_id_of
from chalicelib.domain.erasure import AFTERCARE, LOOK
from chalicelib.domain.errors import Clashing, Forgotten, Invalid, Missing
from chalicelib.domain.given import Ledger, client_ledger_key, ledger_of_row
from chalicelib.domain.order_views import view
from chalicelib.domain.orders import ERASED, Order, OrderState
from chalicelib.domain.ports import Keep, Key, Row, Topic
from chalicelib.domain.retention import BACKUPS, ERASED_WITHIN, MARK
from chalicelib.domain.shapes import Window
from chalicelib.domain.substitutes import Say
from chalicelib.domain.wishes import NewAppointment
from chalicelib.flows import act, enlist, forget, hear, receive, substitute
from chalicelib.flows.enrol import by_id, enrol, mark_of
from chalicelib.flows.give import give
from chalicelib.flows.send_again import send_again
from tests import drive
from tests.flows.test_visits import PIECES, team
from tests.paper import callback
from tests.ring import RING, with_ring_courier
from tests.stage import NOON, Stage, client_order, client_wish, new_client, stage
from tests.swaps import CAKE, FLOWERS, allow, seal_kitchen, two_kitchens

VIC = client_id_of("maison", "vic-1")
YEAR = client_ledger_key(VIC, 2022)
SECRETS = ("王女士", "8613800138000", "wang@example.com", "Yongjia, Huangpu")


def enrolled(**more: Any) -> Stage:
    on = stage(**more)
    enrol(on.world, "maison", "vic-1", new_client())
    return on


def given_to_client(on: Stage, key: str = "key-1") -> Order:
    return give(on.world, "maison", key, client_wish())[0]


def say(on: Stage, kind: str) -> None:
    for reference in list(on.company.jobs):
        receive.receive(on.world, "SHA", "paper-co", callback(reference, kind, on.clock.now))
    on.settle()


def erase(on: Stage) -> Client:
    forget.ask(on.world, "maison", "vic-1")
    on.settle()
    return mark_of(on.world, "maison", "vic-1")


def rows(on: Stage) -> dict[Key, Row]:
    return dict(on.plain.table.rows)  # type: ignore[attr-defined]


def test_a_client_without_a_gift_is_forgotten_at_once_and_stays_as_a_mark() -> None:
    on = enrolled()
    before = rows(on)[client_key(VIC)]
    mark = erase(on)
    assert (mark.erased_at, mark.sealed, mark.contacts, mark.consents) == (NOON, b"", (), ())
    assert on.world.table.get(data_key_of_client(VIC)) is None
    left = {key.sk.partition("#")[0] for key in rows(on) if key.pk == VIC}
    assert left == {"client", "consent", "act", "gifts"}
    with pytest.raises(Forgotten):  # not even with what a careless copy still has
        on.world.sealer.unseal(before.sealed, VIC)
    with pytest.raises(Forgotten):
        by_id(on.world, VIC)
    forget.forget(on.world, "cli_nobody")  # a nudge for nobody is no trouble


def test_what_is_kept_lapses_and_what_lapses_is_said() -> None:
    on = enrolled()
    erase(on)
    kept = {key.sk.partition("#")[0]: row for key, row in rows(on).items() if key.pk == VIC}
    assert kept.pop("client").expires_at == int((NOON + MARK.keeps).timestamp())
    assert all(row.expires_at is not None for row in kept.values())
    stones = on.world.table.read(contacts_of_brand("maison")).rows
    assert [row.key.sk.rpartition("#")[2] for row in stones] == ["erased", "erased"]
    assert all(row.expires_at is not None for row in stones)


def test_neither_the_name_nor_a_contact_is_enrolled_again() -> None:
    on = enrolled()
    erase(on)
    with pytest.raises(Clashing, match="erased"):
        enrol(on.world, "maison", "vic-1", new_client())
    with pytest.raises(Clashing, match="erased") as caught:
        enrol(on.world, "maison", "vic-2", new_client("Another name"))
    assert {fault.pointer for fault in caught.value.faults} == {"/person/phone", "/person/email"}
    assert enrol(on.world, "maison", "vic-2", new_client(returns="letter-1")).version == 1


def test_when_the_mark_has_lapsed_the_name_is_free_though_the_table_has_not_cleaned_up_yet() -> None:
    on = enrolled()
    erase(on)
    on.clock.forward(seconds=MARK.keeps.total_seconds())
    client = enrol(on.world, "maison", "vic-1", new_client())
    assert client.version > 1
    assert by_id(on.world, VIC) == client


def test_whoever_shares_the_number_stays_and_may_be_changed() -> None:
    on = enrolled()
    enrol(on.world, "maison", "vic-2", new_client("Another", person={"name": "B", "phone": "+8613800138000"}))
    erase(on)
    other = new_client("Another", person={"name": "C", "phone": "+8613800138000"})
    assert enrol(on.world, "maison", "vic-2", other, version=1).version == 2


def test_nobody_is_forgotten_who_is_not_there_and_twice_is_once() -> None:
    on = enrolled()
    with pytest.raises(Missing):
        forget.ask(on.world, "autre-maison", "vic-1")
    first = erase(on)
    before = rows(on)
    assert erase(on) == first
    assert rows(on) == before


# --- orders -------------------------------------------------------------------------------------------------


def test_what_waits_is_cancelled_and_then_erased() -> None:
    on = enrolled(capacity=0)
    order = given_to_client(on)
    on.minutes(2)
    assert on.order(order.order_id).state is OrderState.HELD
    assert erase(on).erased_at is not None
    left = on.order(order.order_id)
    assert (left.state, left.sealed, left.is_erased) == (OrderState.CANCELLED, b"", True)
    with pytest.raises(Forgotten):
        facts.unseal_private(on.world.sealer, left)


def test_what_is_booked_is_called_off_and_erased_when_the_courier_has_said_so() -> None:
    on = enrolled()
    order = given_to_client(on)
    on.minutes(2)
    assert on.order(order.order_id).state is OrderState.BOOKED
    erase(on)
    on.minutes(20)
    assert on.order(order.order_id).state is OrderState.CANCELLED
    assert on.order(order.order_id).is_erased
    assert mark_of(on.world, "maison", "vic-1").erased_at is not None
    assert on.left() == 3, "the place is free again"


def test_a_gift_on_its_way_is_brought_and_then_erased() -> None:
    on = enrolled()
    order = given_to_client(on)
    on.minutes(2)
    say(on, "picked_up")
    client = erase(on)
    assert (client.erased_at, client.sealed) == (None, b""), (
        "who it is for is forgotten, where it goes is not"
    )
    assert forget.waiting_for(on.world, client) == [order.order_id]
    assert facts.unseal_private(on.world.sealer, on.order(order.order_id)).recipient.name
    on.minutes(20)
    assert mark_of(on.world, "maison", "vic-1").erased_at is None
    say(on, "delivered")
    on.minutes(int(LOOK.total_seconds() // 60) + 1)
    assert on.order(order.order_id).state is OrderState.DELIVERED
    assert on.order(order.order_id).is_erased
    assert mark_of(on.world, "maison", "vic-1").erased_at is not None


def test_after_a_month_nothing_is_waited_for_any_more() -> None:
    on = enrolled()
    order = given_to_client(on)
    on.minutes(2)
    say(on, "picked_up")
    erase(on)
    on.clock.forward(days=ERASED_WITHIN.days)
    on.minutes(2)
    assert on.order(order.order_id).is_erased
    assert mark_of(on.world, "maison", "vic-1").erased_at is not None
    say(on, "delivered")
    assert on.order(order.order_id).state is OrderState.DELIVERED, "its courier is heard all the same"


@pytest.mark.parametrize("kind", ["picked_up", "delivered", "failed", "returned"])
def test_a_courier_that_corrects_itself_is_heard_of_an_erased_order(kind: str) -> None:
    """It had said that the job was over, and has the gift after all."""
    on = enrolled()
    order = given_to_client(on)
    on.minutes(2)
    erase(on)
    on.minutes(20)
    booking = on.order(order.order_id).leg.bookings[0]
    assert on.order(order.order_id).is_erased
    said = callback(booking.reference, kind, on.clock.now, reason="closed_area")
    receive.receive(on.world, "SHA", "paper-co", said)
    on.settle()
    on.minutes(3)
    left = on.order(order.order_id)
    assert left.is_erased
    assert left.leg.bookings[0].track.kind == kind


def test_an_erased_order_is_not_sent_again_and_says_why() -> None:
    on = enrolled(capacity=0)
    order = given_to_client(on)
    on.clock.forward(hours=9)
    on.minutes(2)
    assert on.order(order.order_id).state is OrderState.STRANDED
    erase(on)
    left = on.order(order.order_id)
    window = Window(start=on.clock.now + timedelta(hours=1), end=on.clock.now + timedelta(hours=3))
    with pytest.raises(Forgotten):
        send_again(on.world, "maison", left.order_id, window, left.version)
    with pytest.raises(Invalid, match="another body"):
        given_to_client(on)


def test_everything_sealed_in_an_orders_collection_goes_whoever_wrote_it() -> None:
    on = enrolled(capacity=0)
    order = given_to_client(on)
    row = Row(Key(order.order_id, "kept#0001#of-another-kind"), 1, "{}", sealed=b"sealed:secret")
    on.world.table.write(Keep(row, was=None))
    erase(on)
    assert not [row for key, row in rows(on).items() if key.pk == order.order_id and row.sealed]


# --- races --------------------------------------------------------------------------------------------------


def test_an_order_that_is_entered_while_the_books_close_is_seen_or_refused() -> None:
    """Whoever read the book before it was closed loses, for it is written anew."""
    on = enrolled()
    table = on.world.table

    class Slower:
        """The client is forgotten between this order's reading and its writing."""

        def __getattr__(self, verb: str) -> Any:
            return getattr(table, verb)

        def write(self, *changes: Any) -> None:
            if on.world.table is not table:
                on.world.table = table
                erase(on)
            table.write(*changes)

    on.world.table = Slower()  # type: ignore[assignment]
    with pytest.raises(Forgotten):
        given_to_client(on)
    assert mark_of(on.world, "maison", "vic-1").erased_at is not None
    assert not [key for key in rows(on) if key.pk.startswith("ord_")]
    assert ledger_of_row(on.world.table.get(YEAR)) == Ledger(closed_at=NOON)


def test_whose_erasure_was_asked_for_gets_nothing_new() -> None:
    on = enrolled()
    forget.ask(on.world, "maison", "vic-1")  # and nobody has come to it yet
    with pytest.raises(Forgotten):
        given_to_client(on)


def test_an_enrolment_that_was_under_way_does_not_bring_the_person_back() -> None:
    on = enrolled()
    before = rows(on)
    table = on.world.table

    class Slower:
        """The client is forgotten between this enrolment's reading and its writing."""

        def __getattr__(self, verb: str) -> Any:
            return getattr(table, verb)

        def write(self, *changes: Any) -> None:
            if on.world.table is not table:
                on.world.table = table
                erase(on)
            table.write(*changes)

    on.world.table = Slower()  # type: ignore[assignment]
    with pytest.raises(Clashing):
        enrol(on.world, "maison", "vic-1", new_client("Again", locale="en"), replaces=True)
    assert mark_of(on.world, "maison", "vic-1").sealed == b""
    assert before[client_key(VIC)].sealed


def test_what_comes_in_just_then_goes_a_day_later() -> None:
    """Somebody sealed for the client after its key was dropped, and so made it a new one."""
    on = enrolled()
    erase(on)
    person = Person(name="王女士")
    sealed = seal_person(on.world.sealer, person, VIC)
    on.world.table.write(Keep(Row(Key(VIC, "talk#1"), 1, "{}", sealed=sealed), was=None))
    assert on.world.table.get(data_key_of_client(VIC)) is not None
    on.clock.forward(seconds=AFTERCARE.total_seconds())
    on.minutes(2)
    assert on.world.table.get(data_key_of_client(VIC)) is None
    assert on.world.table.get(Key(VIC, "talk#1")) is None
    assert not on.world.table.find_due("erasures", on.clock.now + timedelta(days=3650), 5).keys


def test_stopped_at_any_write_it_goes_on_and_ends_the_same() -> None:
    """The sweep finds it, whichever write was the last."""

    def played(stop_at: int | None) -> tuple[int, dict[Key, Row]]:
        on = enrolled()
        given_to_client(on)
        on.minutes(2)
        say(on, "picked_up")
        say(on, "delivered")
        given_to_client(on, "key-2")
        table, count = on.world.table, 0

        class Stopping:
            def __getattr__(self, verb: str) -> Any:
                return getattr(table, verb)

            def write(self, *changes: Any) -> None:
                nonlocal count
                table.write(*changes)
                count += 1
                if count - 1 == stop_at:
                    raise drive.Stopped

        on.world.table = Stopping()  # type: ignore[assignment]
        while True:
            try:
                forget.ask(on.world, "maison", "vic-1")
                on.world.queues.take(Topic.RULES)  # type: ignore[attr-defined]
                forget.forget(on.world, VIC)
                break
            except drive.Stopped:
                continue
        writes = count
        on.world.table = table
        on.minutes(40)
        assert mark_of(on.world, "maison", "vic-1").erased_at is not None
        return writes, {
            key: replace(row, version=0, body="", due=None, expires_at=None)
            for key, row in rows(on).items()
            if key.pk.startswith(("cli_", "ord_", "contact#")) and not key.sk.startswith(("act#", "notice#"))
        }

    writes, undisturbed = played(None)
    assert writes > 6
    for at in range(writes):
        assert played(at)[1] == undisturbed, f"stopped at write {at}"


# --- what the brand reads -----------------------------------------------------------------------------------


def test_the_brand_reads_how_far_it_is_and_when_nobody_can_restore_it() -> None:
    from chalicelib.domain.erasure import erasure_view

    on = enrolled()
    order = given_to_client(on)
    on.minutes(2)
    say(on, "picked_up")
    client = erase(on)
    asked = client.erasure_asked_at
    assert asked is not None
    view = erasure_view(client, tuple(forget.waiting_for(on.world, client)))
    assert (view.state, view.waiting_for, view.by) == ("waiting", (order.order_id,), asked + ERASED_WITHIN)
    say(on, "delivered")
    on.minutes(16)
    client = mark_of(on.world, "maison", "vic-1")
    assert client.erased_at is not None
    done = erasure_view(client, ())
    assert (done.state, done.out_of_backups_at) == ("erased", client.erased_at + BACKUPS)


def test_nothing_of_the_person_is_in_a_row_or_a_line_afterwards() -> None:
    on = enrolled()
    given_to_client(on)
    on.minutes(2)
    erase(on)
    on.minutes(20)
    seen = repr(on.world.log.lines)  # type: ignore[attr-defined]
    for row in rows(on).values():
        try:
            plain = (
                on.world.sealer.unseal(row.sealed, row.key.pk).decode(errors="replace") if row.sealed else ""
            )
        except (ValueError, Forgotten):
            plain = ""
        seen += f"{row.key} {row.body} {row.shelf} {row.place_on_shelf} {plain}"
    assert not [secret for secret in SECRETS if secret in seen]


def test_of_what_took_a_gifts_place_and_of_what_was_done_by_hand_no_words_are_left() -> None:
    on = two_kitchens()
    enrol(on.world, "maison", "vic-1", new_client())
    allow(on, FLOWERS)
    seal_kitchen(on)
    named = {"gift": {"items": [{**CAKE, "name": "Cake for Mrs Wang"}]}}
    order_id = give(on.world, "maison", "key-1", client_wish(**named))[0].order_id
    on.settle()
    act.redispatch(on.world, order_id, on.order(order_id).version, "mei", "Mrs Wang called")
    on.settle()
    substitute.answer(on.world, order_id, 1, is_accepted=True, consent=Say.CLIENT, evidence="call-1")
    on.settle()
    assert "Mrs Wang" in repr(rows(on))
    erase(on)
    on.minutes(20)
    assert on.order(order_id).is_erased and on.order(order_id).substitution.seen
    assert "Mrs Wang" not in repr(rows(on))
    assert [proposal.gift.items[0].name for proposal in substitute.proposals_of(on.world, order_id)] == [
        ERASED
    ]
    assert [deed.why for deed in act.deeds_of(on.world, order_id)] == [""]


def test_of_a_visit_the_serial_numbers_are_left_for_what_is_out_has_to_be_found() -> None:
    on = stage()
    enlist.put_slot(on.world, team())
    enrol(on.world, "maison", "vic-1", new_client())
    told = {name: value for name, value in client_order().items() if name != "gift"}
    visit = {**told, "minutes": 60, "pieces": [{**PIECES[0], "name": "Watch for Mrs Wang"}]}
    wish = NewAppointment.model_validate_json(json.dumps(visit)).as_order()
    order_id = give(on.world, "maison", "visit-1", wish)[0].order_id
    on.minutes(2)
    say(on, "picked_up")
    say(on, "delivered")
    erase(on)
    on.minutes(20)
    assert on.order(order_id).is_erased
    shown = view(on.order(order_id)).appointment
    assert shown is not None and shown.missing == ("W-1",)
    assert "Mrs Wang" not in repr(rows(on))


def test_what_the_courier_of_a_ring_says_after_its_client_was_forgotten_is_heard() -> None:
    on = with_ring_courier()
    enrol(on.world, "maison", "vic-1", new_client())
    wish = client_wish(gift=RING, safeguard={})
    order_id = give(on.world, "maison", "ring-1", wish)[0].order_id
    on.settle()
    on.clock.forward(minutes=65)
    reference = f"{order_id}-1-1"
    for kind, said in (("picked_up", {"seal": "S-1"}), ("in_transit", {"said": "000000"}), ("failed", {})):
        on.clock.forward(minutes=1)
        receive.receive(on.world, "SHA", "paper-co", callback(reference, kind, on.clock.now, **said))
        on.settle()
    assert on.order(order_id).leg.handing.tries == 1  # type: ignore[union-attr]
    assert "said_sealed" in repr(rows(on))
    erase(on)
    assert on.order(order_id).is_erased
    assert "said_sealed" not in repr(rows(on))
    later = callback(reference, "delivered", on.clock.now, seal="S-1", said="123456", proofs="identity")
    receive.receive(on.world, "SHA", "paper-co", later)
    hear.hear(on.world, order_id)
    known = on.order(order_id).leg.handing
    assert known is not None and (known.seal_read_at, known.identity) == (on.clock.now, "identity-1")
