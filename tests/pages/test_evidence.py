"""Whatever stands in evidence, the page is whole: all of it is told, in both looks, and nothing of it is markup."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.domain.evidence import Step
from chalicelib.domain.explanation import By, Instead
from chalicelib.domain.order_views import OrderView, view
from chalicelib.domain.policies import Handover
from chalicelib.domain.recall import Recalled
from chalicelib.domain.steps import placed
from chalicelib.domain.verdicts import Decision, Reason
from chalicelib.pages import evidence, html, text, words
from chalicelib.pages.evidence import Piece, Turned
from chalicelib.pages.explained import Explained, Near
from tests import builders as b
from tests.pages.test_looks import outline

NAMES = st.text(min_size=1, max_size=12)
TIMES = st.integers(-(10**8), 10**8).map(lambda seconds: b.NOON + timedelta(seconds=seconds))
SOME = st.lists(NAMES, max_size=3).map(tuple)
NEAR = st.builds(
    Near,
    st.lists(st.sampled_from([*Reason, "crew_not_cleared"]), min_size=1, max_size=2).map(tuple),
    st.integers(1, 9),
    st.none() | NAMES,
    st.none() | TIMES,
    st.none() | TIMES,
)
EXPLAINED = st.builds(
    Explained,
    by=st.none() | st.sampled_from([*By, "new_way"]),
    slots=st.integers(0, 9),
    would_serve=st.booleans(),
    lowest=st.none() | NAMES,
    slot=st.none() | NAMES,
    next_tier=st.sampled_from([None, "gold", "silver"]),
    short=st.none() | st.integers(0, 10**13),
    why=st.none() | st.sampled_from([*Instead, "new_way"]),
    less=st.none() | st.integers(0, 10**13),
    later=st.none() | st.integers(0, 1000),
    saves=st.none() | st.integers(0, 10**13),
    currency=st.sampled_from([None, "CNY", "JPY", "KWD"]),
    nearest=st.lists(NEAR, max_size=3).map(tuple),
)
PIECES = st.builds(
    Piece,
    evidence_id=NAMES,
    step=st.sampled_from([*Step, "new_step"]),
    decision=st.sampled_from(list(Decision)),
    reasons=st.lists(st.sampled_from([*Reason, "new_reason"]), max_size=3).map(tuple),
    decided_at=TIMES,
    known_at=TIMES,
    rules_version=st.none() | st.integers(1, 9),
    rules_digest=st.sampled_from([None, "known", "unknown"]),
    rules_published_at=st.none() | TIMES,
    zones=st.lists(st.sampled_from([zone.zone_id for zone in b.rules().zones] + ["<gone>"]), max_size=3).map(
        tuple
    ),
    client_zones=st.none() | st.lists(st.sampled_from([b.zone().zone_id, "<gone>"]), max_size=2).map(tuple),
    policies=st.lists(st.sampled_from(["precautionary@1", "gone@1"]), max_size=2).map(tuple),
    exemptions=SOME,
    handovers=st.lists(st.sampled_from(list(Handover)), max_size=3, unique=True).map(tuple),
    judged_from=st.none() | TIMES,
    judged_until=st.none() | TIMES,
    valid_until=st.none() | TIMES,
    courier=st.none() | NAMES,
    turned_down=st.lists(
        st.builds(Turned, st.sampled_from([*Reason, "crew_not_cleared"]), st.integers(1, 99), SOME),
        max_size=3,
    ).map(tuple),
    crew=st.none() | NAMES,
    slot=st.none() | NAMES,
    permits=st.none() | st.dictionaries(NAMES, st.none() | TIMES, max_size=2),
    credentials=st.none() | SOME,
    explained=st.none() | EXPLAINED,
)
RECALLED = Recalled(
    digest="known",
    time_zone="Europe/Rome",
    policies={policy.reference: policy for policy in b.rules().policies},
    zones={zone.zone_id: zone for zone in b.rules().zones},
    exemptions={},
)
AT = datetime(2022, 4, 12, tzinfo=UTC)


def order() -> OrderView:
    return view(placed(b.new_order(), "maison", "key", b.market(), b.NOON))


def piece(**changes: object) -> Piece:
    plain = Piece(
        evidence_id="0001",
        step="dispatch",
        decision="yes",
        reasons=(),
        decided_at=b.NOON,
        known_at=b.NOON,
        rules_version=1,
        rules_digest="known",
        rules_published_at=b.NOON,
        zones=(b.zone().zone_id,),
        client_zones=(b.zone().zone_id,),
        policies=("precautionary@1",),
        exemptions=(),
        handovers=("door",),
        judged_from=b.NOON,
        judged_until=b.NOON + timedelta(hours=4),
        valid_until=b.NOON + timedelta(hours=4),
        courier="sf",
        turned_down=(),
        permits={},
        credentials=(),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def told(*pieces: Piece) -> str:
    sheet = evidence.sheet(order(), pieces, {"known": RECALLED}, "maison", AT)
    return " ".join(text.rendered(sheet).split())


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(PIECES, max_size=3))
def test_no_evidence_breaks_the_page(pieces: list[Piece]) -> None:
    sheet = evidence.sheet(order(), pieces, {"known": RECALLED}, "maison", AT)
    page, plain = html.rendered(sheet), text.rendered(sheet)
    found = outline(page)
    assert found.open == []
    assert found.seen.count("h3") == len(pieces) + ("The rules that held" in plain) * len(
        {name for p in pieces for name in p.policies if p.rules_digest == "known" and name != "gone@1"}
    )
    for one in pieces:
        for reason in one.reasons:
            said = words.said(words.REASONS, reason)
            assert said in " ".join(plain.split()) or (one.step, reason) == ("rezone", "no_handover")


def test_decisions_are_told_in_order_of_time_whatever_order_they_come_in() -> None:
    later = piece(evidence_id="0002", decided_at=b.NOON + timedelta(hours=1), step="pick_up")
    said = told(later, piece())
    assert said.index("A courier may go") < said.index("Fetched, and rightly so")
    assert said == told(piece(), later)


def test_times_are_those_of_the_rules_clock() -> None:
    assert "Times are those of Europe/Rome (UTC+2 now)" in told(piece())
    assert "1. Mon 11 Apr 2022, 06:00 (04:00 UTC)" in told(piece())


def test_without_a_snapshot_times_are_those_of_the_window() -> None:
    assert "Times are those of Asia/Shanghai (UTC+8 now)" in told(piece(rules_digest="unknown"))


def test_what_a_zone_said_before_is_not_told_again_in_full() -> None:
    said = told(piece(), piece(evidence_id="0002", decided_at=b.NOON + timedelta(hours=1)))
    assert said.count("In force since") == 1
    assert f"As before: {b.zone().zone_id} at the client's place." in said


def test_zones_that_were_too_many_to_be_written_down_are_counted() -> None:
    assert "And 6992 more, which are read off the rules themselves." in told(piece(more_zones=6992))


def test_one_decision_and_many_are_counted_in_plain_english() -> None:
    assert "1 decision about it is on record" in told(piece())
    assert "2 decisions about it are on record" in told(piece(), piece(evidence_id="0002"))


def test_a_moment_is_judged_as_one() -> None:
    assert "Hours judged That moment." in told(piece(judged_until=b.NOON + timedelta(microseconds=1)))


def test_offers_that_are_not_named_are_counted() -> None:
    group = Turned("temperature", 12, ("slot-1", "slot-2"))
    said = told(piece(turned_down=(group,)))
    assert (
        "12 offers (slot-1, slot-2 and 10 more): The vehicle cannot keep the gift at the temperature" in said
    )
    assert "1 offer: The courier does not carry" in told(piece(turned_down=(Turned("not_carried", 1),)))


def test_a_test_that_is_written_in_a_way_nobody_knows_is_shown_as_it_is() -> None:
    assert "Closed loop since tuesday" in told(piece(credentials=("closed_loop since tuesday",)))
