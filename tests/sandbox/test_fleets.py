"""What whole fleets do, each by its name, spoken to over real HTTP with a real adapter."""

from __future__ import annotations

import http.client
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from chalicelib.couriers.wechat import WeChat
from chalicelib.domain.dialect import Booked, CancelUnknown, Found, NotFound, NotTaken, Reply, Unsure
from chalicelib.domain.errors import Unanswered
from chalicelib.domain.legs import EventKind, fold, reference_of
from sandbox import profiles
from sandbox.conduct import Conduct, Down, Fate
from sandbox.fleet import CourierCompany
from sandbox.ledger import Stage
from sandbox.voices.wechat import WeChat as Face
from tests.couriers.jobs import NOON, ORDER_ID, REFERENCE
from tests.couriers.samples_wechat import ACCOUNT
from tests.sandbox.company import Caller, Ear, HandClock

dialect = WeChat()
EVENING = NOON + timedelta(hours=9)
REFERENCES = [reference_of(ORDER_ID, 1, number) for number in range(1, 61)]
Open = Callable[..., tuple[CourierCompany, Caller]]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def ear(clock: HandClock) -> Iterator[Ear]:
    ear = Ear(clock, dialect, ACCOUNT)
    yield ear
    ear.close()


@pytest.fixture
def opened(clock: HandClock, ear: Ear) -> Iterator[Open]:
    """Opens the company of that name."""
    companies = []

    def open(name: str, **more: object) -> tuple[CourierCompany, Caller]:
        conduct = profiles.conduct(name, 7, NOON, EVENING, **more)
        companies.append(CourierCompany(Face(ACCOUNT), clock, ear.url, conduct))
        return companies[-1], Caller(companies[-1], clock, dialect, ACCOUNT)

    yield open
    for company in companies:
        company.close()


def all_booked(caller: Caller) -> Counter[str]:
    """What comes of booking them all."""
    came: Counter[str] = Counter()
    for reference in REFERENCES:
        try:
            answer = caller.book(reference)
            came[answer.reason if isinstance(answer, NotTaken) else type(answer).__name__] += 1
        except Unanswered:
            came["Unanswered"] += 1
    return came


def test_every_fleet_that_is_told_of_can_be_had() -> None:
    told = [line.split()[0] for line in (profiles.__doc__ or "").strip().splitlines()[2:]]
    assert told == list(profiles.FLEETS)
    for name in told:
        assert isinstance(profiles.conduct(name, 1, NOON, EVENING), Conduct)


def test_the_same_name_and_seed_is_the_same_fleet() -> None:
    for name in profiles.FLEETS:
        one, two = (profiles.conduct(name, 7, NOON, EVENING) for _ in range(2))
        assert [one.fate_of(reference) for reference in REFERENCES] == [
            two.fate_of(reference) for reference in reversed(REFERENCES)
        ][::-1]
        assert one.down == two.down
    assert profiles.conduct("down", 7, NOON, EVENING).down != profiles.conduct("down", 8, NOON, EVENING).down


def test_a_fast_fleet_rides_in_half_the_time(opened: Open, clock: HandClock) -> None:
    company, caller = opened("fast")
    caller.book()
    clock.turn()
    job = company.jobs[REFERENCE]
    assert job.handed_over_at is not None and job.picked_up_at is not None
    assert (job.handed_over_at - job.picked_up_at) * 2 == Conduct().ride


def test_a_slow_fleet_holds_its_answers_back_and_loses_some(opened: Open) -> None:
    company, caller = opened("slow", slow_seconds=0.02)
    began = time.monotonic()
    came = all_booked(caller)
    assert time.monotonic() - began >= 0.02 * len(REFERENCES)
    assert set(came) == {"Booked", "Unanswered"}
    assert len(company.jobs) == len(REFERENCES), "each was taken, heard of or not"


def test_a_refusing_fleet_says_no_for_all_its_reasons(opened: Open) -> None:
    company, caller = opened("refusing")
    came = all_booked(caller)
    assert set(came) == {
        "Booked", "no_rider", "out_of_area", "closed_area", "goods_refused", "account_unpaid",
    }  # fmt: skip
    assert len(company.jobs) == came["Booked"] < len(REFERENCES) / 2


def test_a_failing_fleet_fails_before_the_pick_up_in_all_its_ways(
    opened: Open, clock: HandClock, ear: Ear
) -> None:
    company, caller = opened("failing")
    all_booked(caller)
    clock.turn()
    ends = Counter(job.steps[-1].reason for job in company.jobs.values())
    assert set(ends) == {"", "courier_reason", "merchant_fault", "courier_system", "force_majeure"}
    failed = [job for job in company.jobs.values() if job.steps[-1].reason]
    assert all(job.picked_up_at is None and not job.is_delivered for job in failed)
    assert 20 < len(failed) < 40
    assert all(fold(e for e in ear.events if e.reference == job.reference).has_ended for job in failed)


def test_a_lying_fleet_calls_delivered_what_is_at_the_shop_and_forgets_what_it_took(
    opened: Open, clock: HandClock, ear: Ear
) -> None:
    company, caller = opened("lying")
    assert all_booked(caller) == {"Booked": len(REFERENCES)}
    assert 20 < len(company.forgotten) < 40
    assert len(company.forgotten) + len(company.jobs) == len(REFERENCES)
    for reference in company.forgotten:
        assert caller.look_up(reference) == NotFound()
        assert caller.cancel("4711", reference) == CancelUnknown()
    clock.turn(NOON + timedelta(minutes=10))
    boasted = {event.reference for event in ear.events if event.kind is EventKind.DELIVERED}
    assert 5 < len(boasted) < len(company.jobs)
    for reference in boasted:
        assert not company.jobs[reference].is_delivered
        found = caller.look_up(reference)
        assert isinstance(found, Found) and found.event is not None
        assert found.event.kind is EventKind.COURIER_ASSIGNED, "asked, it tells the truth"


def test_a_company_can_find_out_that_it_forgot_a_job_and_say_that_it_is_cancelled(
    opened: Open, clock: HandClock, ear: Ear
) -> None:
    company, caller = opened("lying", forget=1.0, own_up_after=timedelta(minutes=30))
    caller.book()
    clock.turn(NOON + timedelta(minutes=29))
    assert (company.jobs, ear.events) == ({}, [])
    clock.turn()
    assert company.jobs[REFERENCE].ended_at == NOON + timedelta(minutes=30)
    assert fold(ear.events).kind is EventKind.CANCELLED


def test_who_is_down_cannot_call_either(opened: Open, clock: HandClock, ear: Ear) -> None:
    company, caller = opened("silent", lose=0.0, down=(Down(NOON + timedelta(minutes=1), EVENING),))
    caller.book()
    clock.turn()
    assert company.delivered_jobs(ORDER_ID) == 1
    assert ear.events == []
    assert {sent.answer for sent in company.sent} == {None}


def test_in_the_name_of_a_forged_fleet_strangers_call_and_nobody_believes_them(
    opened: Open, clock: HandClock, ear: Ear
) -> None:
    company, caller = opened("forged")
    caller.book()
    clock.turn()
    how = Counter(sent.how for sent in company.sent)
    assert how["forged"] == how["true"] == ear.refused == len(ear.events)


def test_of_a_fleet_out_of_order_the_same_comes_as_of_another(
    opened: Open, clock: HandClock, ear: Ear
) -> None:
    _, caller = opened("out_of_order")
    all_booked(caller)
    clock.turn()
    ways = {tuple(ear.statuses(reference)) for reference in REFERENCES}
    assert len(ways) > 3
    for reference in REFERENCES:
        track = fold(event for event in ear.events if event.reference == reference)
        assert (track.kind, track.events) == (EventKind.DELIVERED, 5)


def test_a_doubling_fleet_says_everything_twice(opened: Open, clock: HandClock, ear: Ear) -> None:
    _, caller = opened("doubling")
    caller.book()
    clock.turn()
    assert set(Counter(ear.statuses()).values()) == {2}


def test_of_a_silent_fleet_only_a_look_up_tells(opened: Open, clock: HandClock, ear: Ear) -> None:
    company, caller = opened("silent")
    caller.book()
    clock.turn()
    assert company.delivered_jobs(ORDER_ID) == 1
    assert ear.events == []
    caller.token = caller.login()
    found = caller.look_up()
    assert isinstance(found, Found) and found.event is not None
    assert found.event.kind is EventKind.DELIVERED


def test_a_fleet_that_goes_down_is_unavailable_then_gone_then_back_at_the_same_address(
    opened: Open, clock: HandClock
) -> None:
    company, caller = opened("down")
    unavailable, gone = company.conduct.down
    url, place = company.url, urlsplit(company.url)
    kept = http.client.HTTPConnection(place.netloc, timeout=2)
    kept.request("GET", "/")
    kept.getresponse().read()
    assert isinstance(caller.book(), Booked)
    clock.turn(unavailable.start)
    assert caller.book(REFERENCES[1]) == Unsure("http_503")
    clock.turn(gone.start)
    assert kept.sock.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((place.hostname or "", place.port or 0), timeout=2)
    with pytest.raises(Unanswered, match="refused"):
        caller.book(REFERENCES[1])
    clock.turn(gone.end)
    assert company.url == url
    caller.token = caller.login()
    assert isinstance(caller.book(REFERENCES[1]), Booked)
    clock.turn()
    assert company.delivered_jobs(ORDER_ID) == 2


def test_the_day_of_a_fleet_that_goes_down_holds_both_times() -> None:
    for seed in range(50):
        unavailable, gone = profiles.conduct("down", seed, NOON, EVENING).down
        assert NOON < unavailable.start < unavailable.end == gone.start < gone.end < EVENING
        assert (gone.end - gone.start) * 4 == EVENING - NOON


def test_a_company_can_close_while_it_is_gone(clock: HandClock) -> None:
    company = CourierCompany(Face(ACCOUNT), clock, conduct=Conduct(down=(Down(NOON, EVENING),)))
    clock.turn(NOON + timedelta(minutes=1))
    company.close()
    clock.turn()  # nothing opens again


def test_a_busy_fleet_puts_off_and_says_for_how_long(opened: Open) -> None:
    company, caller = opened("busy")
    replies: list[Reply] = []
    for reference in REFERENCES:
        while True:
            request = dialect.look_up(caller.account, caller.token, reference, None, NOON)
            replies.append(caller.send(request))
            if replies[-1].status == 200:
                break
    put_off = [reply for reply in replies if reply.status == 429]
    assert {reply.headers["retry-after"] for reply in put_off} == {"30"}
    assert 30 < len(put_off) < 120
    assert len(company.asked) == len(replies)


def test_couriers_whose_passes_have_lapsed_turn_back_with_the_gift(
    opened: Open, clock: HandClock, ear: Ear
) -> None:
    company, caller = opened("lapsed")
    all_booked(caller)
    clock.turn()
    ends = Counter(job.stage for job in company.jobs.values())
    assert set(ends) == {Stage.DELIVERED, Stage.RETURNED}
    assert 10 < ends[Stage.RETURNED] < 30
    back = [job for job in company.jobs.values() if job.stage is Stage.RETURNED]
    assert {job.steps[-2].reason for job in back} == {"cannot_access_location"}
    assert all(
        fold(e for e in ear.events if e.reference == job.reference).kind is EventKind.RETURNED for job in back
    )


def test_a_door_that_was_closed_to_a_courier_is_closed_whatever_the_scenario_has_there(
    opened: Open, clock: HandClock
) -> None:
    company, caller = opened("fast", at_gate=lambda job: "gate")
    company.conduct.fates[REFERENCE] = Fate(at_gate="closed")
    caller.book()
    caller.book(REFERENCES[1])
    clock.turn()
    assert company.jobs[REFERENCE].stage is Stage.RETURNED
    assert company.jobs[REFERENCES[1]].handed_over == "gate"
