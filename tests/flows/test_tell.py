"""Telling the brand: every state, at least once, at most twice, whatever stops in between."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain import facts
from chalicelib.domain.dialect import Reply, Request
from chalicelib.domain.errors import Clashing, Forbidden, Missing, Unanswered
from chalicelib.domain.notices import RETRIES, NoticeState
from chalicelib.domain.ports import Keep, Topic
from chalicelib.flows import subscribe
from chalicelib.flows.tell import (
    ATTEMPTS_KEPT,
    LONGEST_PAUSE,
    PAUSE,
    SLOW_BUDGET_S,
    due_notices,
    replay,
    tell,
)
from tests import fakes
from tests.flows.receivers import PERSONAL, STEPS, Town, signs, status


class Stopped(BaseException):
    """The process was killed here."""


class Watched:
    """Counts the calls that leave the process, and stops before or after one of them."""

    def __init__(self, stop_at: int | None = None, after: bool = False) -> None:
        self.count = 0
        self.names: list[str] = []
        self.stop_at, self.after = stop_at, after

    def wrap(self, target: Any, *names: str) -> Any:
        watched = self

        class Proxy:
            def __getattr__(self, name: str) -> Any:
                real = getattr(target, name)
                return watched.call(name, real) if name in names else real

        return Proxy()

    def call(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any, **kwargs: Any) -> Any:
            number, self.count = self.count, self.count + 1
            self.names.append(name)
            if number == self.stop_at and not self.after:
                raise Stopped
            result = real(*args, **kwargs)
            if number == self.stop_at and self.after:
                raise Stopped
            return result

        return called


def watch(town: Town, watched: Watched) -> None:
    world = town.world
    world.table = watched.wrap(world.table, "get", "get_many", "read", "find_due", "find_shelved", "write")
    world.line = watched.wrap(world.line, "send")
    world.queues = watched.wrap(world.queues, "nudge")
    world.sealer = watched.wrap(world.sealer, "seal", "unseal")


def test_every_state_is_told_once_and_the_order_leaves_the_work_index() -> None:
    town = Town()
    receiver, _, secret = town.listen("one")
    order_id = town.ended()
    tell(town.world, order_id)
    tell(town.world, order_id)
    assert receiver.states() == list(STEPS)
    assert all(signs(secret, request) for request in receiver.requests)
    order = town.order(order_id)
    assert order.told
    row = town.world.table.get(facts.order_key(order_id))
    assert row is not None and row.work is None
    assert {notice.state for notice in town.notices(order_id)} == {NoticeState.DELIVERED}
    assert due_notices(town.world, 10) == []


def test_an_order_that_is_not_over_is_told_and_stays_open() -> None:
    town = Town()
    receiver, _, _ = town.listen("one")
    order_id = town.place()
    tell(town.world, order_id)
    assert receiver.states() == ["placed"]
    assert not town.order(order_id).told


def test_an_order_of_a_brand_that_does_not_listen_is_told_too() -> None:
    town = Town()
    order_id = town.ended()
    tell(town.world, order_id)
    assert town.order(order_id).told


def test_an_unknown_order_is_missing() -> None:
    with pytest.raises(Missing):
        tell(Town().world, "ord_none")


def test_a_good_notice_costs_one_read_and_one_single_write_once_the_endpoints_are_known() -> None:
    town = Town()
    town.listen("one")
    first, second = town.place("k1"), town.place("k2")
    tell(town.world, first)
    watched = Watched()
    watch(town, watched)
    tell(town.world, second)
    assert watched.names == ["read", "send", "write"]


def test_the_line_is_told_to_stay_public_unless_receivers_may_be_private() -> None:
    town = Town()
    town.listen("one")
    town.world.webhooks_may_be_private = False
    tell(town.world, town.place())
    assert town.public_only == [True]


@pytest.mark.parametrize("after", [False, True])
def test_whatever_call_stops_each_state_is_told_at_least_once_and_at_most_twice_with_one_id(
    after: bool,
) -> None:
    calls = Watched()
    whole = Town()
    whole.listen("one"), whole.listen("two")
    order_id = whole.ended()
    watch(whole, calls)
    tell(whole.world, order_id)
    assert {"read", "send", "write", "unseal"} <= set(calls.names)
    for number in range(calls.count):
        town = Town()
        receivers = [town.listen(name)[0] for name in ("one", "two")]
        order_id = town.ended()
        plain = (town.world.table, town.world.line, town.world.queues, town.world.sealer)
        watch(town, Watched(number, after))
        with pytest.raises(Stopped):
            tell(town.world, order_id)
        town.world.table, town.world.line, town.world.queues, town.world.sealer = plain
        town.world.memory.clear()  # another process
        tell(town.world, order_id)
        for receiver in receivers:
            ids = receiver.ids_by_sequence()
            assert sorted(ids) == [0, 1, 2], (number, calls.names[number])
            assert all(len(told) <= 2 and len(set(told)) == 1 for told in ids.values())
        assert sum(len(r.requests) for r in receivers) <= 9, "more than one run of notices was sent again"
        assert town.order(order_id).told


def test_a_double_nudge_at_the_same_time_ends_delivered_with_one_notice() -> None:
    town = Town()
    receiver, _, _ = town.listen("one")
    order_id = town.place()
    plain = receiver.answer

    def meanwhile(request: Request) -> Reply:
        receiver.answer = plain
        tell(town.world, order_id)  # the other listener does all of it in between
        return plain(request)

    receiver.answer = meanwhile
    tell(town.world, order_id)
    (notice,) = town.notices(order_id)
    assert notice.state is NoticeState.DELIVERED and len(notice.attempts) == 1
    assert [len(told) for told in receiver.ids_by_sequence().values()] == [2]


def test_a_success_beats_the_failure_that_another_listener_saved_meanwhile() -> None:
    town = Town()
    receiver, _, _ = town.listen("one")
    order_id = town.place()

    def meanwhile(request: Request) -> Reply:
        receiver.answer = status(500)
        tell(town.world, order_id)
        return Reply(200, {}, b"")

    receiver.answer = meanwhile
    tell(town.world, order_id)
    (notice,) = town.notices(order_id)
    assert notice.state is NoticeState.DELIVERED
    assert [attempt.status for attempt in notice.attempts] == [500, 200]
    assert due_notices(town.world, 10) == []


def test_a_failed_notice_waits_in_the_work_index_and_the_order_need_not() -> None:
    town = Town()
    receiver, endpoint_id, _ = town.listen("one", answer=status(500))
    order_id = town.ended()
    tell(town.world, order_id)
    assert len(receiver.requests) == 1, "the endpoint is paused after the first failure"
    assert town.order(order_id).told
    notices = town.notices(order_id)
    assert [len(notice.attempts) for notice in notices] == [1, 0, 0]
    paused = subscribe.find(town.world, "maison", endpoint_id).paused_until
    assert paused == town.clock.now + PAUSE
    assert all(n.state is NoticeState.PENDING and n.next_attempt_at >= paused for n in notices)  # type: ignore[operator]
    assert due_notices(town.world, 10) == []
    receiver.answer = status(200)
    town.minutes(1)
    assert receiver.states() == ["placed", *STEPS]
    assert {n.state for n in town.notices(order_id)} == {NoticeState.DELIVERED}
    healed = subscribe.find(town.world, "maison", endpoint_id)
    assert healed.paused_until is None and healed.failures == 0


def test_the_schedule_is_followed_to_its_end_and_then_the_notice_is_given_up() -> None:
    town = Town()
    receiver, _, _ = town.listen("one", answer=status(500))
    order_id = town.place()
    tell(town.world, order_id)
    for _ in range(200):
        (notice,) = town.notices(order_id)
        if notice.next_attempt_at is None:
            break
        assert notice.state is NoticeState.PENDING
        town.clock.now = notice.next_attempt_at - timedelta(milliseconds=1)
        assert due_notices(town.world, 10) == []
        town.clock.now = notice.next_attempt_at
        assert due_notices(town.world, 10) == [order_id]
        tell(town.world, order_id)
    assert notice.state is NoticeState.GIVEN_UP
    assert len(receiver.requests) == len(RETRIES) + 1 == len(notice.attempts)
    gaps = [b - a for a, b in zip(receiver.at, receiver.at[1:], strict=False)]
    for number, (gap, wanted) in enumerate(zip(gaps, RETRIES, strict=True)):
        pause = min(PAUSE * 2**number, LONGEST_PAUSE)
        assert max(wanted, pause) <= gap <= max(wanted * 1.1, pause)
    assert len({request.body for request in receiver.requests}) == 1, "byte for byte the same at every try"
    town.minutes(5)
    assert len(receiver.requests) == len(RETRIES) + 1


def test_a_replay_after_the_end_runs_the_whole_schedule_once_more() -> None:
    town = Town()
    receiver, endpoint_id, _ = town.listen("one", answer=status(500))
    order_id = town.place()
    tell(town.world, order_id)

    def to_the_end() -> int:
        count = 0
        while (when := town.notices(order_id)[0].next_attempt_at) is not None:
            town.clock.now = max(town.clock.now, when)
            tell(town.world, order_id)
            count += 1
        return count

    to_the_end()
    for _ in range(5):
        assert town.notices(order_id)[0].state is NoticeState.GIVEN_UP
        replay(town.world, "maison", endpoint_id, order_id=order_id)
        to_the_end()
    assert len(town.notices(order_id)[0].attempts) == ATTEMPTS_KEPT
    assert len(receiver.requests) >= 4 * (len(RETRIES) + 1)


def test_retry_after_is_honoured_for_the_notice_and_for_the_endpoint() -> None:
    town = Town()
    receiver, endpoint_id, _ = town.listen("one", answer=status(429, Retry_After="3600"))
    order_id = town.place()
    tell(town.world, order_id)
    until = town.clock.now + timedelta(hours=1)
    assert town.notices(order_id)[0].next_attempt_at == until
    assert subscribe.find(town.world, "maison", endpoint_id).paused_until == until
    town.minutes(59)
    assert len(receiver.requests) == 1


def test_410_disables_the_endpoint_and_gives_up_what_was_owed() -> None:
    town = Town()
    receiver, endpoint_id, _ = town.listen("one", answer=status(500))
    order_id, other = town.place("k1"), town.place("k2")
    tell(town.world, order_id)
    tell(town.world, other)
    receiver.answer = status(410)
    town.minutes(2)
    assert len(receiver.requests) == 2
    endpoint = subscribe.find(town.world, "maison", endpoint_id)
    assert endpoint.disabled and "410" in endpoint.disabled_reason
    for name in (order_id, other):
        assert [n.state for n in town.notices(name)] == [NoticeState.GIVEN_UP]
    later = town.ended("k3")
    tell(town.world, later)
    assert town.order(later).told
    assert [n.state for n in town.notices(later)] == [NoticeState.GIVEN_UP] * 3, "kept for a replay"
    assert len(receiver.requests) == 2


def test_a_stalling_brand_delays_a_quick_one_by_one_timeout_at_most() -> None:
    town = Town()
    slow, _, _ = town.listen("slow", brand="slow", answer=town.stall)
    quick, _, _ = town.listen("quick", brand="quick")
    nudged = []
    for number in range(20):
        nudged.append(town.ended(f"s{number}", "slow"))
        nudged.append(town.ended(f"q{number}", "quick"))
    began = town.clock.now
    for order_id in nudged:
        tell(town.world, order_id)
    town.drain()
    assert len(quick.requests) == 60
    assert max(quick.at) - began <= timedelta(seconds=5)
    assert len(slow.requests) == 1, "paused after its first timeout"
    town.minutes(30)
    assert town.clock.now - began < timedelta(minutes=32)
    assert 3 <= len(slow.requests) <= 8, "one timeout a pause, and the pauses grow"
    late = town.ended("late", "quick")
    before = town.clock.now
    tell(town.world, late)
    assert quick.states()[-3:] == list(STEPS) and quick.at[-1] == before


def test_several_stalling_endpoints_of_one_brand_make_way_after_the_first() -> None:
    town = Town()
    stalled = [town.listen(f"s{n}", answer=town.stall)[0] for n in range(4)]
    quick, _, _ = town.listen("quick")
    order_id = town.ended()
    before = town.clock.now
    tell(town.world, order_id)
    assert town.clock.now - before <= timedelta(seconds=5)
    assert town.world.queues.sent == [(Topic.TELL, order_id)]  # type: ignore[attr-defined]
    assert not town.order(order_id).told
    town.drain()
    assert town.order(order_id).told
    assert quick.states() == list(STEPS)
    assert [len(r.requests) for r in stalled] == [1, 1, 1, 1]


def test_the_sweep_takes_turns_between_endpoints() -> None:
    town = Town()
    _, endpoint_id, _ = town.listen("slow", brand="slow", answer=status(500))
    town.listen("quick", brand="quick", answer=status(500))
    for number in range(30):
        tell(town.world, town.place(f"s{number}", "slow"))
    town.clock.forward(seconds=1)
    fair = town.place("q", "quick")
    tell(town.world, fair)
    town.clock.forward(hours=1)
    subscribe.enable(town.world, "slow", endpoint_id)  # well again: all that waits is due at once
    assert fair in due_notices(town.world, 10)[:2]
    assert len(due_notices(town.world, 10)) == 10


def test_states_before_the_endpoint_are_not_told() -> None:
    town = Town()
    order_id = town.place()
    town.clock.forward(seconds=1)
    receiver, _, _ = town.listen("one")
    town.hold(order_id)
    tell(town.world, order_id)
    assert receiver.states() == ["held"]
    assert [n.sequence for n in town.notices(order_id)] == [1]


def test_an_endpoint_made_just_now_elsewhere_is_not_missed_when_the_order_closes() -> None:
    town = Town()
    town.listen("one")
    order_id = town.place()
    tell(town.world, order_id)  # remembers one endpoint
    remembered = copy.deepcopy(town.world.memory)
    town.clock.forward(seconds=1)
    second, _, _ = town.listen("two")
    town.world.memory = remembered  # as if the other one had been made by another process
    town.clock.forward(seconds=1)
    town.cancel(order_id)
    tell(town.world, order_id)
    assert second.states() == ["cancelled"]


def test_an_earlier_notice_that_waits_does_not_hold_the_later_ones() -> None:
    town = Town()
    receiver, endpoint_id, _ = town.listen("one", answer=status(500))
    order_id = town.place()
    tell(town.world, order_id)
    subscribe.enable(town.world, "maison", endpoint_id)  # well again, while the first still waits
    receiver.answer = status(200)
    town.hold(order_id)
    tell(town.world, order_id)
    assert receiver.states() == ["placed", "held"]
    town.minutes(1)
    assert receiver.states() == ["placed", "held", "placed"]


def test_both_secrets_prove_a_notice_during_a_rotation_and_only_the_new_one_after_it() -> None:
    town = Town()
    receiver, endpoint_id, old = town.listen("one")
    _, new = subscribe.rotate(town.world, "maison", endpoint_id)
    tell(town.world, town.place("k1"))
    town.clock.forward(hours=24)
    tell(town.world, town.place("k2"))
    during, after = receiver.requests
    assert signs(old, during) and signs(new, during)
    assert not signs(old, after) and signs(new, after)
    assert during.headers["webhook-signature"].count("v1,") == 2


@pytest.mark.parametrize("problem", [Unanswered("one.example: timed out"), Forbidden("one.example: private")])
def test_a_line_that_breaks_or_refuses_counts_as_a_failed_try(problem: Exception) -> None:
    def broken(request: Request) -> Reply:
        raise problem

    town = Town()
    town.listen("one", answer=broken)
    order_id = town.place()
    tell(town.world, order_id)
    (attempt,) = town.notices(order_id)[0].attempts
    assert attempt.status is None and attempt.problem == str(problem)
    assert town.notices(order_id)[0].state is NoticeState.PENDING


def test_replaying_an_order_tells_all_of_it_again_under_the_same_ids() -> None:
    town = Town()
    receiver, endpoint_id, _ = town.listen("one")
    order_id = town.ended()
    tell(town.world, order_id)
    done = replay(town.world, "maison", endpoint_id, order_id=order_id)
    assert done.count == 3 and done.after is None
    assert town.world.queues.sent == [(Topic.TELL, order_id)]  # type: ignore[attr-defined]
    assert due_notices(town.world, 10) == [order_id], "found again when the nudge is lost"
    town.drain()
    assert all(len(ids) == 2 and len(set(ids)) == 1 for ids in receiver.ids_by_sequence().values())
    assert [len(n.attempts) for n in town.notices(order_id)] == [2, 2, 2]


def test_replaying_since_a_moment_leaves_what_is_older() -> None:
    town = Town()
    receiver, endpoint_id, _ = town.listen("one")
    old = town.ended("old")
    town.clock.forward(hours=1)
    since = town.clock.now
    young = [town.ended(f"y{n}") for n in range(3)]
    for order_id in (old, *young):
        tell(town.world, order_id)
    heard = len(receiver.requests)
    assert replay(town.world, "maison", endpoint_id, since=since).count == 9
    town.drain()
    assert len(receiver.requests) == heard + 9
    assert [len(n.attempts) for n in town.notices(old)] == [1, 1, 1]


def test_replaying_much_goes_on_from_page_to_page() -> None:
    town = Town()
    receiver, endpoint_id, _ = town.listen("one")
    for number in range(70):
        tell(town.world, town.ended(f"k{number}"))
    first = replay(town.world, "maison", endpoint_id, since=fakes.NOON)
    assert first.count == 200 and first.after is not None
    second = replay(town.world, "maison", endpoint_id, since=fakes.NOON, after=first.after)
    assert second.count == 10 and second.after is None
    town.drain()
    assert len(receiver.requests) == 420


def test_a_replay_ends_the_pause() -> None:
    town = Town()
    receiver, endpoint_id, _ = town.listen("one", answer=status(500))
    order_id = town.place()
    tell(town.world, order_id)
    receiver.answer = status(200)
    replay(town.world, "maison", endpoint_id, order_id=order_id)
    town.drain()
    assert town.notices(order_id)[0].state is NoticeState.DELIVERED


def test_nothing_is_replayed_for_others_or_to_a_disabled_endpoint() -> None:
    town = Town()
    _, endpoint_id, _ = town.listen("one")
    foreign = town.place("k1", "atelier")
    own = town.place("k2")
    with pytest.raises(Missing):
        replay(town.world, "atelier", endpoint_id, order_id=foreign)
    with pytest.raises(Missing):
        replay(town.world, "maison", endpoint_id, order_id=foreign)
    with pytest.raises(Missing):
        replay(town.world, "maison", endpoint_id, order_id="ord_none")
    subscribe.disable(town.world, "maison", endpoint_id)
    with pytest.raises(Clashing):
        replay(town.world, "maison", endpoint_id, order_id=own)


def test_a_disabled_endpoint_hears_nothing_and_an_enabled_one_again() -> None:
    town = Town()
    receiver, endpoint_id, _ = town.listen("one")
    subscribe.disable(town.world, "maison", endpoint_id)
    order_id = town.ended()
    tell(town.world, order_id)
    assert receiver.requests == [] and town.order(order_id).told
    subscribe.enable(town.world, "maison", endpoint_id)
    replay(town.world, "maison", endpoint_id, order_id=order_id)
    town.drain()
    assert receiver.states() == list(STEPS)


def test_nothing_personal_leaves_or_is_logged_or_kept_with_a_notice() -> None:
    town = Town()
    receiver, _, secret = town.listen("one")
    order_id = town.ended()
    tell(town.world, order_id)
    logged = json.dumps(town.world.log.lines, default=str)  # type: ignore[attr-defined]
    kept = "".join(row.body for row in town.world.table.read(order_id, "notice#").rows)
    for text in (*PERSONAL, secret):
        for request in receiver.requests:
            assert text not in request.body.decode() and text not in str(request.headers)
        assert text not in logged and text not in kept
    endpoints = "".join(row.body for row in town.world.table.read("brand#maison").rows)
    assert secret not in endpoints and secret.removeprefix("whsec_") not in endpoints


def test_an_order_that_moved_on_meanwhile_is_not_closed() -> None:
    town = Town()
    receiver, _, _ = town.listen("one")
    order_id = town.ended()

    def meanwhile(request: Request) -> Reply:
        receiver.answer = status(200)
        order = town.order(order_id)
        town.world.table.write(
            Keep(facts.order_row(order.model_copy(update={"version": order.version + 1})), was=order.version)
        )
        return Reply(200, {}, b"")

    receiver.answer = meanwhile
    tell(town.world, order_id)
    assert not town.order(order_id).told
    tell(town.world, order_id)
    assert town.order(order_id).told
    assert receiver.states() == list(STEPS)


def test_a_state_that_closing_brings_to_light_is_told_too() -> None:
    town = Town()
    receiver, _, _ = town.listen("one")
    order_id = town.ended()
    order = town.order(order_id)
    late = order.model_copy(update={"received_at": town.clock(), "version": order.version + 1})
    town.world.table.write(facts.keep_order(late))
    tell(town.world, order_id)
    town.drain()
    assert receiver.states() == [*STEPS, "delivered"]
    assert town.order(order_id).told


def slowly(town: Town, seconds: float) -> Callable[[Request], Reply]:
    """Takes its time and then says yes."""

    def answer(request: Request) -> Reply:
        town.clock.forward(seconds=seconds)
        return Reply(204, {}, b"")

    return answer


def test_a_brand_that_says_yes_slowly_delays_a_quick_one_by_seconds_and_is_told_everything_in_time() -> None:
    town = Town()
    slow, endpoint_id, _ = town.listen("slow", brand="slow")
    quick, _, _ = town.listen("quick", brand="quick")
    nudged = [town.ended(f"s{number}", "slow") for number in range(60)] + [town.ended("q", "quick")]
    slow.answer = slowly(town, 4.9)
    began = town.clock.now
    for order_id in nudged:
        tell(town.world, order_id)
    assert quick.states() == list(STEPS)
    assert quick.at[-1] - began <= timedelta(seconds=SLOW_BUDGET_S + 5)
    paused = subscribe.find(town.world, "slow", endpoint_id)
    assert paused.slow and paused.paused_until is not None and paused.failures == 0
    for number in range(5):
        before = town.clock.now + timedelta(minutes=1)
        late = town.ended(f"late{number}", "quick")
        town.minutes(1)
        tell(town.world, late)
        assert quick.at[-1] - before <= timedelta(seconds=SLOW_BUDGET_S + 8)
    slow.answer = status(204)
    town.minutes(3)
    assert sorted(slow.ids_by_sequence()) == [0, 1, 2] and len(slow.requests) == 180
    healed = subscribe.find(town.world, "slow", endpoint_id)
    assert not healed.slow and healed.paused_until is None


def test_a_brand_that_is_slow_now_and_then_is_not_paused() -> None:
    town = Town()
    receiver, endpoint_id, _ = town.listen("one", answer=None)
    receiver.answer = slowly(town, 4.9)
    for number in range(5):
        tell(town.world, town.place(f"k{number}"))
        town.clock.forward(minutes=1)
    assert len(receiver.requests) == 5
    assert subscribe.find(town.world, "maison", endpoint_id).version == 1


def test_a_backlog_of_one_endpoint_hides_nothing_that_is_due_to_another() -> None:
    town = Town()
    town.listen("slow", brand="slow", answer=status(500))
    town.listen("quick", brand="quick", answer=status(500))
    for number in range(200):
        tell(town.world, town.place(f"s{number}", "slow"))
    town.clock.forward(seconds=1)
    late = town.place("q", "quick")
    tell(town.world, late)
    town.clock.forward(hours=1)
    assert late in due_notices(town.world, 2)


def test_a_failing_endpoint_is_probed_with_one_order_and_a_well_one_gets_all_that_waited() -> None:
    town = Town()
    receiver, _, _ = town.listen("one", answer=status(500))
    for number in range(30):
        tell(town.world, town.place(f"k{number}"))
    assert len(receiver.requests) == 1
    town.clock.forward(minutes=1)
    assert len(due_notices(town.world, 10)) == 1
    receiver.answer = status(200)
    town.minutes(1)
    assert len(receiver.requests) == 2
    assert len(due_notices(town.world, 10)) == 10
    town.minutes(1)
    assert len(receiver.requests) == 31


def test_more_failing_endpoints_than_places_all_come_to_their_turn() -> None:
    town = Town()
    for number in range(12):
        town.listen(f"h{number}", brand=f"b{number}", answer=status(500))
        tell(town.world, town.place("k", f"b{number}"))
    town.clock.forward(hours=1)
    seen: set[str] = set()
    for turn in range(12):
        town.world.dice = lambda turn=turn: turn / 12  # type: ignore[misc]
        found = due_notices(town.world, 3)
        assert len(found) == 3
        seen |= set(found)
    assert len(seen) == 12


def test_an_endpoint_leaves_the_work_index_only_when_nothing_has_waited_for_a_while() -> None:
    town = Town()
    receiver, endpoint_id, _ = town.listen("one", answer=status(500))

    def stands() -> bool:
        row = town.world.table.get(facts.endpoint_key("maison", endpoint_id))
        assert row is not None
        return row.work is not None

    assert not stands()
    tell(town.world, town.place())
    assert stands()
    receiver.answer = status(200)
    town.minutes(1)
    assert len(receiver.requests) == 2 and stands()
    town.minutes(10)
    assert not stands()
    watched = Watched()
    watch(town, watched)
    assert due_notices(town.world, 100) == []
    assert watched.names == ["find_due", "get_many"]


@pytest.mark.parametrize("after", [False, True])
def test_whatever_call_of_a_failed_try_stops_it_is_tried_again(after: bool) -> None:
    calls = Watched()
    whole = Town()
    whole.listen("one", answer=status(500))
    order_id = whole.ended()
    watch(whole, calls)
    tell(whole.world, order_id)
    for number in range(calls.count):
        town = Town()
        receiver, _, _ = town.listen("one", answer=status(500))
        order_id = town.ended()
        plain = (town.world.table, town.world.line, town.world.queues, town.world.sealer)
        watch(town, Watched(number, after))
        with pytest.raises(Stopped):
            tell(town.world, order_id)
        town.world.table, town.world.line, town.world.queues, town.world.sealer = plain
        town.world.memory.clear()
        receiver.answer = status(200)
        if not town.order(order_id).told:
            tell(town.world, order_id)  # the nudge that was not done is delivered again
        town.minutes(5)
        assert town.order(order_id).told
        states = {n.state for n in town.notices(order_id)}
        assert states == {NoticeState.DELIVERED}, (number, calls.names[number])


def test_replaying_since_a_moment_brings_what_was_missed_while_the_endpoint_was_disabled() -> None:
    town = Town()
    receiver, endpoint_id, _ = town.listen("one")
    begun = town.place("begun")
    tell(town.world, begun)
    town.clock.forward(minutes=1)
    subscribe.disable(town.world, "maison", endpoint_id)
    since = town.clock.now
    town.clock.forward(minutes=1)
    town.hold(begun)
    missed = town.ended("missed")
    for order_id in (begun, missed):
        tell(town.world, order_id)
    assert receiver.states() == ["placed"] and town.order(missed).told
    assert [n.state for n in town.notices(missed)] == [NoticeState.GIVEN_UP] * 3
    town.clock.forward(hours=1)
    subscribe.enable(town.world, "maison", endpoint_id)
    town.minutes(2)
    assert receiver.states() == ["placed"], "nothing comes that was not asked for"
    assert replay(town.world, "maison", endpoint_id, since=since).count == 4
    town.drain()
    assert sorted(receiver.states()[1:]) == sorted(["held", *STEPS])


def test_a_state_entered_just_after_enabling_is_told_by_a_process_that_has_not_heard_of_it() -> None:
    town = Town()
    receiver, endpoint_id, _ = town.listen("one")
    subscribe.disable(town.world, "maison", endpoint_id)
    tell(town.world, town.place("k1"))
    remembered = copy.deepcopy(town.world.memory)
    subscribe.enable(town.world, "maison", endpoint_id)
    town.world.memory = remembered  # as if another process had enabled it
    tell(town.world, town.place("k2"))
    assert receiver.states() == ["placed"]


def test_an_endpoint_that_was_forgotten_disabled_costs_nothing_after_a_month() -> None:
    town = Town()
    _, endpoint_id, _ = town.listen("one")
    subscribe.disable(town.world, "maison", endpoint_id)
    town.clock.forward(days=30)
    order_id = town.place()
    tell(town.world, order_id)
    assert town.notices(order_id) == []


def test_a_run_of_notices_that_meets_another_teller_is_saved_one_by_one() -> None:
    town = Town()
    receiver, _, _ = town.listen("one")
    order_id = town.ended()
    others: list[str] = []

    def answer(request: Request) -> Reply:
        sequence = json.loads(request.body)["data"]["sequence"]
        if sequence == 1 and not others:
            others.append("began")  # another process tells the same order now, and fails at its second state
            tell(town.world, order_id)
            others.append("ended")
        elif sequence == 1 and others == ["began"]:
            return Reply(500, {}, b"")
        return Reply(204, {}, b"")

    receiver.answer = answer
    tell(town.world, order_id)
    assert [notice.state for notice in town.notices(order_id)] == [NoticeState.DELIVERED] * 3
    sent = len(receiver.requests)
    town.minutes(60)
    assert len(receiver.requests) == sent, "what was received is not told again"


def test_what_arrived_is_not_sent_again_because_something_after_it_broke() -> None:
    town = Town()
    receiver, _, _ = town.listen("one")
    order_id = town.ended()

    def answer(request: Request) -> Reply:
        if len(receiver.requests) > 2:
            raise ZeroDivisionError  # a bug of ours on the way to the third
        return Reply(204, {}, b"")

    receiver.answer = answer
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            tell(town.world, order_id)
    assert receiver.states()[:3] == list(STEPS)
    assert receiver.states()[3:] == [STEPS[2]] * 2
    receiver.answer = status(204)
    tell(town.world, order_id)
    assert town.order(order_id).told


def test_an_endpoint_that_breaks_us_stops_no_other_of_its_brand() -> None:
    town = Town()
    receivers = [town.listen(name) for name in ("one", "two", "three")]
    broken = sorted(endpoint_id for _, endpoint_id, _ in receivers)[0]
    table: Any = town.world.table
    row = table.rows[facts.endpoint_key("maison", broken)]
    endpoint = facts.endpoint_of_row(row).model_copy(update={"secrets_sealed": ("bm90IHNlYWxlZA==",)})
    table.rows[row.key] = facts.endpoint_row(endpoint)
    town.world.memory.clear()
    order_id = town.ended()
    with pytest.raises(ValueError):
        tell(town.world, order_id)
    for receiver, endpoint_id, _ in receivers:
        assert receiver.states() == ([] if endpoint_id == broken else list(STEPS))
    assert not town.order(order_id).told, "it is owed still, and is not forgotten"
