"""Laws of clearance over generated rules, fleets, gifts and times."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from chalicelib.domain.clearance import Clearer
from chalicelib.domain.fleet import Credential, Fleet, Permit
from chalicelib.domain.gifts import Gift
from chalicelib.domain.policies import GateProtocol, Handover, Level, Policy
from chalicelib.domain.shapes import Window
from chalicelib.domain.survey import MOMENT, rest_of_stay
from chalicelib.domain.verdicts import Decision, Delivery, Phase, Verdict
from chalicelib.domain.zones import Exemption, Lift, Rules, Zone
from tests import builders as b

NAMES = ("first", "second", "third")


IN, AWAY, SHOP = ({stop} for stop in ("collection", "delivery", "hand_out"))
NIGHTS = [
    b.policy(curfews=[{"start_local": start, "end_local": end, **changes}]).curfews
    for start, end, changes in (
        ("22:00", "05:00", {}),
        ("15:00", "15:45", {}),
        ("12:00", "14:30", {"stops": SHOP}),
        ("18:00", "06:00", {"stops": IN}),
        ("16:30", "20:00", {"stops": IN | SHOP, "item_classes": ["hot_meal", "flowers"]}),
        ("00:00", "00:00", {"dates_from": "2022-04-12", "stops": IN | AWAY | SHOP}),
        ("14:15", "18:00", {"dates_until": "2022-04-12", "stops": IN}),
    )
]
NEEDS = [
    b.policy(requirements=[need]).requirements
    for need in (
        {"kind": "pcr", "max_age_hours": 24},
        {"kind": "antigen", "max_age_hours": 12, "age_from": "reported"},
        {"kind": "health_code", "max_age_hours": 24},
        {"kind": "closed_loop", "max_age_hours": 48},
        {"kind": "antigen", "max_age_hours": 24, "sequence": "2+2"},
    )
]


def seldom(*rare: Any, mostly: Any) -> st.SearchStrategy[Any]:
    """A policy under which some may still go: else every law holds of nothing."""
    return st.sampled_from([*rare, *([mostly] * (2 * len(rare)))])


def mild(name: str) -> st.SearchStrategy[Policy]:
    return st.builds(
        Policy,
        policy_id=st.just(name),
        version=st.just(1),
        title=st.just(name),
        handovers=st.sampled_from(WAYS),
        items_denied=seldom(frozenset({"flowers"}), mostly=frozenset()),
        essential_only=seldom(True, mostly=False),
        curfews=seldom(*NIGHTS, mostly=()),
        requirements=seldom(*NEEDS, mostly=()),
        permit_needed=st.booleans(),
        companies=seldom(frozenset({"whitelist"}), mostly=frozenset()),
        persons=seldom(frozenset({"riders"}), mostly=frozenset()),
        gate=st.sampled_from(
            [GateProtocol(), GateProtocol(rest_minutes=30), GateProtocol(antigen_at_gate=True)]
        ),
    )


H = Handover
WAYS = [None, frozenset(H), frozenset({H.DOOR, H.GATE}), frozenset({H.GATE, H.SHELF}), frozenset({H.GATE})]


def zones(name: str) -> st.SearchStrategy[Zone]:
    times = {
        "valid_from": st.integers(-60, 24).map(lambda n: b.NOON + b.minutes(n * 30)),
        "valid_to": st.none() | st.integers(25, 60).map(lambda n: b.NOON + b.minutes(n * 30)),
        "known_since": st.sampled_from([b.NOON - b.hours(24), b.NOON - b.hours(1)]),
    }
    level = seldom(Level.SEALED, mostly=Level.CONTROLLED)
    ends = st.builds(
        b.zone,
        st.sampled_from([b.HOME, b.KITCHEN]),
        st.just(name),
        zone_id=st.just(name),
        level=level,
        **times,
    )
    return ends | st.builds(b.crossing, st.just(name), zone_id=st.just(name), **times)


def exemptions(name: str) -> st.SearchStrategy[Exemption]:
    unit = {"kind": "compound", "district": b.HUANGPU, "compound": b.HOME}
    return st.builds(
        lambda lifts, **changes: b.exemption(name, *lifts, **changes),
        st.sampled_from([[lift] for lift in Lift] + [list(Lift)]),
        item_classes=st.sampled_from([None, ["flowers"], ["chilled", "flowers"]]),
        unit=st.sampled_from([None, unit]),
        valid_from=st.integers(-8, 8).map(lambda n: b.NOON + b.hours(n)),
        valid_to=st.none() | st.integers(9, 30).map(lambda n: b.NOON + b.hours(n)),
        known_since=st.just(b.NOON - b.hours(24)),
    )


PERMITS = st.builds(
    b.permit,
    st.sampled_from(["p1", "p2"]),
    plate=st.sampled_from(["沪AD12345", "沪A00000"]),
    crew_id=st.sampled_from([None, "crew-1"]),
    districts=st.sampled_from(["all", [b.HUANGPU, b.PUDONG], [b.HUANGPU]]),
    crossings=st.sampled_from([[], ["Huangpu River"]]),
    item_classes=st.sampled_from([None, ["chilled", "hot_meal"]]),
    valid=st.sampled_from([b.window(-24, 48), b.window(-24, 6), b.window(0, 9)]),
    daily_hours=st.sampled_from([None, {"start_local": "08:00", "end_local": "22:00"}]),
    single_use=st.booleans(),
    revoked_at=st.sampled_from([None, None, b.NOON + b.hours(5)]),
)
KINDS = ["pcr", "antigen", "health_code", "closed_loop"]
CREDENTIALS = st.lists(
    st.sampled_from(
        [b.credential(kind, sampled=at) for kind in KINDS for at in (-30, -24, -8, -4)]
        + [b.credential("pcr", "pending", -5)]
    ),
    max_size=4,
)
FRESH = [b.credential(kind, sampled=-5, reported_at=b.NOON - b.hours(1)) for kind in KINDS]


@st.composite
def fleets(draw: Any) -> Fleet:
    listed = st.sampled_from(
        [
            [{"list_id": name, "since": b.NOON - b.hours(48)} for name in ("whitelist", "riders")],
            [{"list_id": "riders", "since": b.NOON, "until": b.NOON + b.hours(5)}],
        ]
    )
    credentials: list[Credential] = [
        *draw(CREDENTIALS),
        *(FRESH if draw(st.sampled_from([True, True, False])) else []),
    ]
    crew = b.crew(
        credentials=credentials, listed=draw(listed), home=draw(st.sampled_from([None, b.address()]))
    )
    permits: list[Permit] = [*draw(st.lists(PERMITS, max_size=2)), b.permit("all", districts="all",
                             crossings=["Huangpu River"], valid=draw(seldom(b.window(2, 3), mostly=b.window(-1, 40))))]  # fmt: skip
    return b.fleet(
        couriers=[b.courier(listed=draw(listed))],
        crews=[crew],
        permits=permits,
        slots=[b.slot(window=b.window(draw(st.integers(0, 6)) / 2, draw(st.integers(16, 40)) / 2))],
    )


GIFTS: st.SearchStrategy[Gift] = st.sampled_from(
    [
        b.gift(),
        b.gift(b.item("hot_meal", dwell_limit_minutes=120)),
        b.gift(b.item("chilled"), b.item("flowers")),
        b.gift(),
        b.gift(b.item("high_value", value={"amount": 5_000_000, "currency": "CNY"})),
    ]
)


@st.composite
def deliveries(draw: Any) -> Delivery:
    begins = draw(st.integers(0, 12)) / 2
    return b.delivery(
        gift=draw(GIFTS),
        pick_up=b.place(b.KITCHEN, district=draw(st.sampled_from([b.HUANGPU, b.PUDONG]))),
        window=b.window(begins, begins + draw(st.integers(2, 12)) / 2),
    )


@st.composite
def books(draw: Any, few: int = 3) -> Rules:
    policies = [draw(mild(name)) for name in NAMES[:few]]
    listed = [draw(zones(name)) for name in NAMES[:few]]
    soft = b.silent("soft", handovers=frozenset(Handover))
    ends = [b.zone(b.KITCHEN, "soft", district=district) for district in (b.HUANGPU, b.PUDONG)]
    return b.rules(
        [*ends, b.zone(b.HOME, "soft"), *listed],
        [soft, *policies],
        exemptions=tuple({one.policy: one for one in draw(st.lists(st.sampled_from(NAMES).flatmap(exemptions), max_size=1))}.values()),
        stale_after_hours=200,
    )  # fmt: skip


def at(rules: Rules, **changes: Any) -> Any:
    return b.Atlas(rules.model_copy(update=changes))


def cleared(
    rules: Rules, fleet: Fleet, of: Delivery, phase: Phase = Phase.OPEN, now: datetime = b.NOON
) -> Verdict:
    return Clearer(at(rules), fleet, now).clear(of, fleet.slots["slot-1"], (), phase)


# --- what was right stays right ---------------------------------------------------------------------------------


def asked_later(
    rules: Rules,
    fleet: Fleet,
    of: Delivery,
    given_: Verdict,
    now: datetime,
    phase: Phase,
    moment: bool = False,
) -> Verdict:
    """As `flows.check` asks: the stay that was given, from now on."""
    assert given_.start and given_.hand_over_by
    start, end = rest_of_stay(given_.start, given_.hand_over_by, phase, now, moment=moment)
    stay = Window.model_construct(start=start, end=end, time_zone="UTC")
    slot = fleet.slots["slot-1"].model_copy(update={"window": stay})
    spent = fleet.model_copy(update={"uses_left": dict.fromkeys(given_.permit_ids, 0)})
    return Clearer(at(rules), spent, now).clear(
        of.model_copy(update={"window": stay}), slot, phase=phase, moment=moment, held=given_.permit_ids
    )


@settings(max_examples=120)
@given(books(), fleets(), deliveries(), st.integers(0, 100))
def test_clearance_at_assignment_is_clearance_at_every_later_check_of_what_was_known(
    rules: Rules, fleet: Fleet, of: Delivery, share: int
) -> None:
    first = cleared(rules, fleet, of)
    event(f"assigned: {first.decision is Decision.YES}")
    if first.decision is not Decision.YES:
        return
    assert first.start and first.hand_over_from and first.hand_over_by and first.end
    before = b.NOON + (first.start - b.NOON) * share / 100
    hours = first.hand_over_by - first.hand_over_from
    within = first.hand_over_from + hours * share / 101
    on_the_way = first.start + (first.hand_over_by - MOMENT - first.start) * share / 100
    for now, phase, moment in (
        (before, Phase.GIVEN, False),
        (first.start, Phase.GIVEN, True),
        (on_the_way, Phase.CARRIED, False),
        (within, Phase.CARRIED, True),
    ):
        later = asked_later(rules, fleet, of, first, now, phase, moment)
        said = (now, phase, moment, later.reasons)
        assert later.decision is Decision.YES, said
        assert set(first.handovers) <= set(later.handovers), said


# --- more rules, fewer ways -------------------------------------------------------------------------------------


def may(rules: Rules, fleet: Fleet, of: Delivery, phase: Phase, hours: Verdict) -> set[Handover]:
    """How it might be handed over in just those hours."""
    assert hours.hand_over_from and hours.hand_over_by
    window = Window(start=hours.hand_over_from, end=hours.hand_over_by)
    return set(cleared(rules, fleet, of.model_copy(update={"window": window}), phase).handovers)


@settings(max_examples=120)
@given(books(), fleets(), deliveries(), st.sampled_from(Phase), st.data())
def test_a_zone_more_never_permits_more(
    rules: Rules, fleet: Fleet, of: Delivery, phase: Phase, data: Any
) -> None:
    gone = data.draw(st.sampled_from(rules.zones[3:]))
    fewer = rules.model_copy(update={"zones": tuple(zone for zone in rules.zones if zone is not gone)})
    strict = cleared(rules, fleet, of, phase)
    if strict.decision is Decision.YES:
        assert cleared(fewer, fleet, of, phase).decision is Decision.YES
        assert set(strict.handovers) <= may(fewer, fleet, of, phase, strict)


@settings(max_examples=120)
@given(books(few=1), exemptions("first"), fleets(), deliveries(), st.sampled_from(Phase))
def test_an_exemption_only_ever_permits_more(
    rules: Rules, exemption: Exemption, fleet: Fleet, of: Delivery, phase: Phase
) -> None:
    plain = rules.model_copy(update={"exemptions": ()})
    strict = cleared(plain, fleet, of, phase)
    if strict.decision is Decision.YES:
        eased = plain.model_copy(update={"exemptions": (exemption,)})
        assert cleared(eased, fleet, of, phase).decision is Decision.YES
        assert set(strict.handovers) <= may(eased, fleet, of, phase, strict)


@settings(max_examples=60)
@given(books(), fleets(), deliveries(), st.permutations(range(6)))
def test_the_order_in_which_rules_were_published_does_not_matter(
    rules: Rules, fleet: Fleet, of: Delivery, order: list[int]
) -> None:
    shuffled = rules.model_copy(
        update={
            "zones": tuple(rules.zones[n] for n in order),
            "policies": rules.policies[::-1],
            "exemptions": rules.exemptions[::-1],
        }
    )
    assert cleared(rules, fleet, of) == cleared(shuffled, fleet, of)


@settings(max_examples=60)
@given(books(), fleets(), deliveries(), PERMITS)
def test_a_permit_or_a_test_more_never_permits_less(
    rules: Rules, fleet: Fleet, of: Delivery, more: Permit
) -> None:
    poor = cleared(rules, fleet, of)
    if poor.decision is Decision.YES:
        crew = fleet.crews["crew-1"]
        tested = crew.model_copy(update={"credentials": (*crew.credentials, FRESH[0])})
        permits = {**fleet.permits, "more": more.model_copy(update={"permit_id": "more"})}
        rich = fleet.model_copy(update={"permits": permits, "crews": {"crew-1": tested}})
        assert cleared(rules, rich, of).decision is Decision.YES
