"""An independent recount of a day: was any gift lost, moved twice, or moved by somebody who might not?

It shares no code with what it judges: only the standard library, rules written down a second time from the
bulletins (lockdowns.md, 1.1 and 2.3, not the published policy documents), the scenario's own truth and the
couriers' ledger. What Cordon reports of its orders is compared with both. A move is judged by what was published
at that moment; what was asked to stop before it happened is the courier's doing, and noted instead.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Final, Literal

SHANGHAI: Final = timezone(timedelta(hours=8))
"""Shanghai has had no summer time since 1991."""

PCR_LASTS: Final = timedelta(hours=48)
ANTIGEN_LASTS: Final = timedelta(hours=24)
ESSENTIAL: Final = frozenset({"hot_meal", "chilled", "frozen", "ambient_food", "medicine"})
ATTENDED: Final = frozenset({"high_value"})
LEFT_BEHIND: Final = frozenset({"gate", "shelf", "collection_point"})
TO_THE_CLIENT: Final = frozenset({"door", "lobby"})
NO_WAY_OUT: Final = frozenset({"sealed", "no_access"})
"""A merchant in one of these hands nothing out, a crew at home in one does not leave."""

SETTLED: Final = timedelta(minutes=5)
"""A fresh order, or a look that is due, may wait so long before it counts as forgotten."""


@dataclass(frozen=True)
class Rule:
    """What one class of 11 April 2022 allows."""

    level: str
    handovers: frozenset[str]
    essential_only: bool = False
    antigen_of_the_day: bool = False


RULES: Final[Mapping[str, Rule]] = {
    "sealed": Rule("sealed", frozenset({"gate", "shelf"}), essential_only=True),
    "controlled": Rule(
        "controlled", frozenset({"shelf", "collection_point"}), essential_only=True, antigen_of_the_day=True
    ),
    "precautionary_lobby": Rule("precautionary", frozenset({"lobby", "gate", "shelf"})),
    "precautionary_gate": Rule("precautionary", frozenset({"gate", "shelf"})),
    "no_access": Rule("no_access", frozenset()),
}
_STRICTEST_FIRST: Final = ("no_access", "sealed", "controlled", "precautionary")

Site = tuple[str, str]
"""District code and compound."""


# --- the truth ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Listing:
    """A compound put on a list: since when it holds, and with which upload it became known."""

    site: Site
    rule: str
    valid_from: datetime
    known_since: datetime
    upload: str
    building: str | None = None
    """None: all of the compound."""


@dataclass(frozen=True)
class Night:
    """Hours of a district in which no courier fetches or hands over, and with which upload they became known."""

    district: str
    start: datetime
    end: datetime
    upload: str


@dataclass(frozen=True)
class Test:
    """One test of a crew. `negative` is None while the laboratory has not answered."""

    __test__ = False

    crew_id: str
    kind: Literal["pcr", "antigen"]
    negative: bool | None
    sampled_at: datetime
    reported_at: datetime | None


@dataclass(frozen=True)
class Pass:
    """A permit of a plate; `districts` None: the whole city."""

    permit_id: str
    plate: str
    districts: frozenset[str] | None
    valid_from: datetime
    valid_to: datetime
    revoked_at: datetime | None = None


@dataclass(frozen=True)
class Crew:
    """Who drives what, and where they sleep."""

    crew_id: str
    plate: str
    home: Site | None


@dataclass(frozen=True)
class Slot:
    """So many deliveries."""

    slot_id: str
    crew_id: str
    capacity: int


@dataclass(frozen=True)
class Wish:
    """An order as it was handed in."""

    reference: str
    placed_at: datetime
    site: Site
    merchant: Site
    item_classes: frozenset[str]
    window_end: datetime
    building: str | None = None


@dataclass(frozen=True)
class Truth:
    """Everything that was so on that day."""

    wishes: tuple[Wish, ...]
    listings: tuple[Listing, ...]
    tests: tuple[Test, ...]
    passes: tuple[Pass, ...]
    crews: tuple[Crew, ...]
    slots: tuple[Slot, ...]
    nights: tuple[Night, ...] = ()


# --- what was done and what was said --------------------------------------------------------------------------


@dataclass(frozen=True)
class JobLine:
    """One booking in a courier's ledger; crew and slot are those Cordon gave it."""

    job: str
    reference: str
    """The order's, as the brand calls it."""
    crew_id: str
    slot_id: str
    booked_at: datetime
    picked_up_at: datetime | None = None
    handed_over_at: datetime | None = None
    how: Literal["door", "gate"] | None = None
    cancelled_at: datetime | None = None
    returned_at: datetime | None = None
    ended_at: datetime | None = None
    recalled_at: datetime | None = None
    """When Cordon first asked for its end because nobody was cleared any more, whatever the courier made of that."""

    @property
    def is_live(self) -> bool:
        return self.ended_at is None

    @property
    def uses_the_slot(self) -> bool:
        """True unless it ended before the gift was fetched."""
        return self.is_live or self.picked_up_at is not None or self.handed_over_at is not None


@dataclass(frozen=True)
class OrderLine:
    """An order as Cordon reports it at the end."""

    order_id: str
    reference: str
    state: str
    history: tuple[tuple[str, datetime], ...]
    reasons: tuple[str, ...] = ()
    next_look: datetime | None = None
    handover: str | None = None
    courier: str | None = None


@dataclass(frozen=True)
class History:
    """One played day."""

    truth: Truth
    orders: tuple[OrderLine, ...]
    jobs: tuple[JobLine, ...]
    left: Mapping[str, int]
    """Slot to what Cordon says is left of it."""
    published: Mapping[str, datetime]
    """Upload to when the market's pointer moved to it."""
    at: datetime
    """When the day was looked at."""
    lag: timedelta = timedelta(0)
    """What became known less than this before a move is not held against it."""


@dataclass(frozen=True)
class Violation:
    """Something that must not be."""

    kind: str
    subject: str
    """An order's reference, a slot or an upload."""
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.subject}: {self.detail}"


@dataclass(frozen=True)
class Line:
    """So many orders came to this."""

    level: str
    outcome: str
    why: str
    count: int


@dataclass
class Report:
    """What the recount came to: no violation is good."""

    violations: list[Violation] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    summary: tuple[Line, ...] = ()

    @property
    def is_clean(self) -> bool:
        return not self.violations

    def table(self) -> str:
        """The summary as a person reads it: outcomes by level, then why orders wait."""
        totals: dict[tuple[str, str], int] = defaultdict(int)
        for line in self.summary:
            totals[line.level, line.outcome] += line.count
        levels = [name for name in LEVELS if any(level == name for level, _ in totals)]
        outcomes = [name for name in OUTCOMES if any(outcome == name for _, outcome in totals)]
        rows = [["", *levels, "all"]]
        for outcome in outcomes:
            counts = [totals[level, outcome] for level in levels]
            rows.append(
                [outcome.replace("_", " "), *(str(count or "-") for count in counts), str(sum(counts))]
            )
        sums = [sum(totals[level, outcome] for outcome in outcomes) for level in levels]
        rows.append(["all", *(str(count) for count in sums), str(sum(sums))])
        text = _columns(rows)
        reasons = [line for line in self.summary if line.why]
        if reasons:
            text += "\n\n" + _columns(
                [
                    [line.outcome, line.level.replace("_", " "), line.why.replace("_", " "), str(line.count)]
                    for line in reasons
                ]
            )
        return text


LEVELS: Final = ("precautionary", "controlled", "sealed", "no_access", "unlisted")
OUTCOMES: Final = (
    "delivered",
    "at_gate",
    "fulfilled_digitally",
    "returned",
    "returning",
    "failed",
    "cancelled",
    "held",
    "stranded",
    "placed",
    "assigned",
    "booked",
    "picked_up",
    "relayed",
    "missing",
)


def _columns(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if cell[:1].isdigit() or cell == "-" else cell.ljust(width)
            for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    )


# --- the recount ----------------------------------------------------------------------------------------------


def check(history: History) -> Report:
    """Recount the day."""
    return _Recount(history).run()


def standing(
    truth: Truth, at: datetime, published: Mapping[str, datetime] | None = None
) -> dict[str, tuple[str, ...]]:
    """Why each crew may not drive in the city at that moment; nothing when it may.

    Without `published`, what a list says counts from its own `known_since`.
    """
    book = _Book(truth, published)
    return {crew.crew_id: tuple(book.against_the_crew(crew, at, at, frozenset())) for crew in truth.crews}


def level_then(truth: Truth) -> Callable[[Site, datetime], str]:
    """Tells the level of a place at a moment, as it was known then."""
    book = _Book(truth, None)
    return lambda site, at: book.level(site, at, at)


def levels(truth: Truth, hours: Sequence[datetime]) -> Iterator[dict[Site, str]]:
    """Of each of these hours, in order of time, every place that was known to be listed, and its strictest level."""
    order = sorted(
        ((max(one.valid_from, one.known_since), RULES[one.rule].level, one.site) for one in truth.listings),
        key=lambda each: each[0],
    )
    now: dict[Site, str] = {}
    at = 0
    for hour in hours:
        while at < len(order) and order[at][0] <= hour:
            _, level, site = order[at]
            known = now.get(site)
            if known is None or _STRICTEST_FIRST.index(level) < _STRICTEST_FIRST.index(known):
                now[site] = level
            at += 1
        yield now


class _Book:
    """The truth, laid out to be asked what held and what was known."""

    def __init__(self, truth: Truth, published: Mapping[str, datetime] | None) -> None:
        self.truth = truth
        self.published = published
        self.listings: dict[Site, list[Listing]] = defaultdict(list)
        for listing in truth.listings:
            self.listings[listing.site].append(listing)
        self.tests: dict[str, list[Test]] = defaultdict(list)
        for test in truth.tests:
            self.tests[test.crew_id].append(test)
        self.passes: dict[str, list[Pass]] = defaultdict(list)
        for held in truth.passes:
            self.passes[held.plate].append(held)

    def known_from(self, listing: Listing) -> datetime | None:
        if self.published is None:
            return listing.known_since
        return self.published.get(listing.upload)

    def rules(
        self, site: Site, at: datetime, known_at: datetime | None, building: str | None = None
    ) -> list[Rule]:
        """The classes there at that moment; `known_at` None: whether known or not; `building` None: any of them."""
        found = []
        for listing in self.listings.get(site, ()):
            if listing.valid_from > at:
                continue
            if None not in (listing.building, building) and listing.building != building:
                continue
            if known_at is not None:
                known = self.known_from(listing)
                if known is None or known > known_at:
                    continue
            found.append(RULES[listing.rule])
        return found

    def level(self, site: Site, at: datetime, known_at: datetime | None, building: str | None = None) -> str:
        levels = {rule.level for rule in self.rules(site, at, known_at, building)}
        return next((level for level in _STRICTEST_FIRST if level in levels), "unlisted")

    def allowed(
        self, site: Site, at: datetime, known_at: datetime | None, building: str | None = None
    ) -> frozenset[str]:
        """The hand-overs that every class there allows; nothing where no list says anything."""
        rules = self.rules(site, at, known_at, building)
        if not rules:
            return frozenset()
        return frozenset.intersection(*(rule.handovers for rule in rules))

    def is_night(self, district: str, at: datetime, known_at: datetime) -> bool:
        """True when couriers were known to have to be off the streets of that district."""
        published = self.published or {}
        return any(
            night.district == district
            and night.start <= at < night.end
            and published.get(night.upload, night.start) <= known_at
            for night in self.truth.nights
        )

    def against_the_crew(
        self,
        crew: Crew,
        at: datetime,
        known_at: datetime,
        districts: frozenset[str],
        of_the_day: bool = False,
    ) -> list[str]:
        """What speaks against this crew driving to these districts at that moment."""
        faults = []
        known = [
            test
            for test in self.tests[crew.crew_id]
            if test.reported_at is not None and test.reported_at <= known_at and test.sampled_at <= at
        ]
        negatives = [test for test in known if test.negative]
        if not any(test.kind == "pcr" and at <= test.sampled_at + PCR_LASTS for test in negatives):
            faults.append("pcr")
        antigens = [test.sampled_at for test in negatives if test.kind == "antigen"]
        if not any(at <= sampled + ANTIGEN_LASTS for sampled in antigens):
            faults.append("antigen")
        today = at.astimezone(SHANGHAI).date()
        if of_the_day and not any(sampled.astimezone(SHANGHAI).date() == today for sampled in antigens):
            faults.append("antigen_of_the_day")
        positives = [test.sampled_at for test in known if test.negative is False]
        if positives and not any(
            test.kind == "pcr" and test.sampled_at > max(positives) for test in negatives
        ):
            faults.append("positive")  # an antigen test takes no PCR back
        if not any(
            held.valid_from <= at < held.valid_to
            and (held.revoked_at is None or held.revoked_at > known_at)
            and (held.districts is None or districts <= held.districts)
            for held in self.passes[crew.plate]
        ):
            faults.append("permit")
        if crew.home is not None and self.level(crew.home, at, known_at) in NO_WAY_OUT:
            faults.append("home_sealed")
        return faults


class _Recount:
    def __init__(self, history: History) -> None:
        self.history = history
        self.truth = history.truth
        self.book = _Book(history.truth, history.published)
        self.report = Report()
        self.wishes = {wish.reference: wish for wish in self.truth.wishes}
        self.crews = {crew.crew_id: crew for crew in self.truth.crews}
        self.slots = {slot.slot_id: slot for slot in self.truth.slots}
        self.told: dict[str, list[OrderLine]] = defaultdict(list)
        for order in history.orders:
            self.told[order.reference].append(order)
        self.jobs: dict[str, list[JobLine]] = defaultdict(list)
        for job in sorted(history.jobs, key=lambda job: (job.booked_at, job.job)):
            self.jobs[job.reference].append(job)

    def run(self) -> Report:
        self._uploads()
        self._orders()
        for reference, wish in self.wishes.items():
            self._jobs_of(wish, self.jobs.get(reference, []))
        self._slots()
        self.report.summary = self._summary()
        return self.report

    def _found(self, kind: str, subject: str, detail: str) -> None:
        self.report.violations.append(Violation(kind, subject, detail))

    def _uploads(self) -> None:
        for upload in sorted({listing.upload for listing in self.truth.listings}):
            if upload not in self.history.published:
                self._found("upload_unpublished", upload, "its lists never came into force")

    # --- every order, once, with an end or a named wait ---

    def _orders(self) -> None:
        for reference, wish in self.wishes.items():
            told = self.told.get(reference, [])
            if wish.placed_at > self.history.at:
                continue
            if not told:
                self._found("order_lost", reference, "was placed and is not there")
            elif len(told) > 1:
                self._found("order_twice", reference, f"is there {len(told)} times")
            for order in told:
                self._order(wish, order, self.jobs.get(reference, []))
        for reference in self.told.keys() - self.wishes.keys():
            self._found("order_unasked", reference, "is there and nobody placed it")
        for reference in self.jobs.keys() - self.wishes.keys():
            self._found("job_unasked", reference, "has a job and nobody placed it")

    def _order(self, wish: Wish, order: OrderLine, jobs: Sequence[JobLine]) -> None:
        at, name, state = self.history.at, order.reference, order.state
        self._history_of(order)
        done = [job for job in jobs if job.handed_over_at is not None]
        live = [job for job in jobs if job.is_live]
        if state in ("delivered", "at_gate"):
            if not done:
                self._found("end_invented", name, f"is said to be {state}, and no courier handed it over")
        elif done:
            self._found("end_untold", name, f"was handed over, and is said to be {state}")
        if state == "returned" and not any(job.returned_at is not None for job in jobs):
            self._found("end_invented", name, "is said to be returned, and no courier brought it back")
        if state == "failed" and not any(job.picked_up_at and job.ended_at for job in jobs):
            self._found("end_invented", name, "is said to have failed, and no courier had it")
        if state in ("picked_up", "returning") and not any(job.picked_up_at for job in live):
            self._found("gift_lost", name, f"is said to be {state}, and no courier has it")
        if state in _AT_REST and live:
            self._found("job_forgotten", name, f"is said to be {state}, and {live[0].job} is still live")
        if state in ("held", "stranded") and not order.reasons:
            self._found("wait_unnamed", name, f"is {state} and nothing says why")
        if state == "held":
            if wish.window_end + SETTLED < at:
                self._found(
                    "wait_too_long", name, f"is still held after its window, {wish.window_end.isoformat()}"
                )
            elif order.next_look is None or order.next_look + SETTLED < at:
                self._found("wait_forgotten", name, f"is held and next looked at {order.next_look!s}")
        elif state == "placed" and wish.placed_at + SETTLED < at:
            self._found("wait_unnamed", name, "was placed and nobody has looked at it")
        elif state in ("assigned", "booked") and not live and wish.window_end < at:
            self._found("wait_forgotten", name, f"is {state} after its window and no courier has it")
        elif state not in _STATES:
            self._found("state_unknown", name, f"is in state {state!r}")

    def _history_of(self, order: OrderLine) -> None:
        steps = order.history
        if not steps or steps[0][0] != "placed" or steps[-1][0] != order.state:
            self._found("history_broken", order.reference, "does not run from placed to its state")
        if any(later[1] < sooner[1] for sooner, later in zip(steps, steps[1:], strict=False)):
            self._found("history_broken", order.reference, "runs backwards")

    # --- every job ---

    def _jobs_of(self, wish: Wish, jobs: Sequence[JobLine]) -> None:
        for number, job in enumerate(jobs):
            for other in jobs[number + 1 :]:
                if job.ended_at is None or other.booked_at < job.ended_at:
                    self._found(
                        "booked_twice", wish.reference, f"{job.job} was live when {other.job} was booked"
                    )
                if self._both_have_it(job, other):
                    self._found("in_two_places", wish.reference, f"{job.job} and {other.job} both had it")
        done = [job for job in jobs if job.handed_over_at is not None]
        if len(done) > 1:
            self._found("delivered_twice", wish.reference, " and ".join(job.job for job in done))
        for job in jobs:
            if job.picked_up_at is not None:
                self._move(wish, job, job.picked_up_at, "pick_up")
            if job.handed_over_at is not None:
                if job.picked_up_at is None or job.picked_up_at > job.handed_over_at:
                    self._found("gift_invented", wish.reference, f"{job.job} handed over what it never had")
                self._move(wish, job, job.handed_over_at, "hand_over")
                self._how(wish, job, job.handed_over_at)

    @staticmethod
    def _both_have_it(one: JobLine, other: JobLine) -> bool:
        """True when the gift was fetched again before it could be back at the shop."""
        first, second = sorted((one, other), key=lambda job: (job.picked_up_at is None, job.picked_up_at))
        if first.picked_up_at is None or second.picked_up_at is None:
            return False
        return first.returned_at is None or second.picked_up_at < first.returned_at

    def _move(self, wish: Wish, job: JobLine, at: datetime, step: str) -> None:
        faults = self._against(wish, job, at, at, step)
        if faults and self.history.lag:
            faults = [
                fault
                for fault in faults
                if fault in self._against(wish, job, at, at - self.history.lag, step)
            ]
        for fault in faults:
            if step == "hand_over" and _was_recalled(job):
                self.report.notes.append(f"{wish.reference}: handed over though stopped ({fault})")
            else:
                self._found(f"{step}_not_cleared", wish.reference, f"{fault} at {at.isoformat()} ({job.job})")

    def _against(self, wish: Wish, job: JobLine, at: datetime, known_at: datetime, step: str) -> list[str]:
        book = self.book
        rules = book.rules(wish.site, at, known_at, wish.building)
        faults = []
        if book.is_night((wish.merchant if step == "pick_up" else wish.site)[0], at, known_at):
            faults.append("curfew")
        crew = self.crews.get(job.crew_id)
        if crew is None:
            faults.append("crew_unknown")
        else:
            districts = frozenset({wish.site[0], wish.merchant[0]})
            of_the_day = any(rule.antigen_of_the_day for rule in rules)
            faults += book.against_the_crew(crew, at, known_at, districts, of_the_day)
        if step == "pick_up":
            level = book.level(wish.merchant, at, known_at)
            if level in NO_WAY_OUT:
                faults.append("merchant_sealed")
            elif level == "unlisted":
                faults.append("merchant_unlisted")
        allowed = book.allowed(wish.site, at, known_at, wish.building)
        if not rules:
            faults.append("destination_unlisted")
        elif not allowed:
            faults.append("no_hand_over")
        elif wish.item_classes & ATTENDED and "door" not in allowed:
            faults.append("left_unattended")
        if any(rule.essential_only for rule in rules) and not wish.item_classes <= ESSENTIAL:
            faults.append("item_class")
        return faults

    def _how(self, wish: Wish, job: JobLine, at: datetime) -> None:
        """The way it changed hands was open, and is told as it was."""
        known = self.book.allowed(wish.site, at, at, wish.building)
        before = self.book.allowed(wish.site, at, at - self.history.lag, wish.building)
        there = self.book.allowed(wish.site, at, None, wish.building)
        state = next((order.state for order in self.told.get(wish.reference, [])), "missing")
        if job.how is None:
            self._found("how_unknown", wish.reference, f"{job.job} does not say how it handed over")
            return
        open_ways = TO_THE_CLIENT if job.how == "door" else LEFT_BEHIND
        if not open_ways & there:
            self._found(
                "way_closed", wish.reference, f"{job.how} at {at.isoformat()}, open was {sorted(there)!r}"
            )
        if job.how == "door" and not TO_THE_CLIENT & (known | before) and not _was_recalled(job):
            self._found(
                "way_not_cleared", wish.reference, f"door at {at.isoformat()}, cleared {sorted(known)!r}"
            )
        if state == "delivered" and job.how == "gate":
            if TO_THE_CLIENT & (known | before) and not TO_THE_CLIENT & there:
                self.report.notes.append(
                    f"{wish.reference}: left at a gate that was not yet known to be closed"
                )
            else:
                self._found("told_wrong", wish.reference, "is said to be delivered, and was left at the gate")
        if state == "at_gate" and job.how == "door":
            self._found("told_wrong", wish.reference, "is said to be at the gate, and the client has it")
        if state == "at_gate" and TO_THE_CLIENT & known & before and TO_THE_CLIENT & there:
            self._found(
                "gate_without_need", wish.reference, f"the client could be reached at {at.isoformat()}"
            )

    # --- every slot ---

    def _slots(self) -> None:
        sure: Counter[str] = Counter()
        perhaps: Counter[str] = Counter()
        for job in self.history.jobs:
            if job.slot_id not in self.slots:
                self._found("slot_unknown", job.slot_id, f"{job.job} was booked on it")
            elif self.slots[job.slot_id].crew_id != job.crew_id:
                self._found("slot_of_another", job.slot_id, f"{job.job} has crew {job.crew_id!r}")
            if job.uses_the_slot:
                given_back = job.ended_at is not None and job.handed_over_at is None
                (perhaps if given_back else sure)[job.slot_id] += 1
        unbooked = sum(order.state == "assigned" for order in self.history.orders)
        for slot in self.truth.slots:
            left = self.history.left.get(slot.slot_id)
            used = sure[slot.slot_id]
            if used + perhaps[slot.slot_id] > slot.capacity:
                used_up = used + perhaps[slot.slot_id]
                self._found("slot_oversold", slot.slot_id, f"{used_up} deliveries on {slot.capacity}")
            if left is None:
                self._found("slot_missing", slot.slot_id, "Cordon does not say what is left")
            elif left < 0 or left > slot.capacity - used:
                self._found(
                    "slot_miscounted", slot.slot_id, f"{left} left of {slot.capacity} with {used} used"
                )
            elif left < slot.capacity - used - perhaps[slot.slot_id] - unbooked:
                self._found(
                    "slot_leaked", slot.slot_id, f"{left} left of {slot.capacity} with only {used} used"
                )

    # --- the table ---

    def _summary(self) -> tuple[Line, ...]:
        counted: Counter[tuple[str, str, str]] = Counter()
        for reference, wish in self.wishes.items():
            if wish.placed_at > self.history.at:
                continue
            order = next(iter(self.told.get(reference, [])), None)
            ends = [job.handed_over_at for job in self.jobs.get(reference, []) if job.handed_over_at]
            at = ends[-1] if ends else min(self.history.at, wish.window_end)
            level = self.book.level(wish.site, at, self.history.at, wish.building)
            outcome = order.state if order else "missing"
            why = order.reasons[0] if order and order.reasons and outcome in ("held", "stranded") else ""
            counted[level, outcome, why] += 1
        return tuple(
            Line(*key, count=count)
            for key, count in sorted(counted.items(), key=lambda pair: (*_place(pair[0]), -pair[1]))
        )


def _place(key: tuple[str, str, str]) -> tuple[int, int]:
    level, outcome, _ = key
    outcomes: Iterable[str] = OUTCOMES
    order = {name: number for number, name in enumerate(outcomes)}
    return order.get(outcome, len(order)), LEVELS.index(level)


_AT_REST: Final = frozenset(
    {
        "placed",
        "held",
        "stranded",
        "delivered",
        "at_gate",
        "failed",
        "returned",
        "cancelled",
        "fulfilled_digitally",
    }
)
_STATES: Final = _AT_REST | {"assigned", "booked", "picked_up", "returning"}


def _was_recalled(job: JobLine) -> bool:
    """True when the courier had been told before it handed over: what it did then is its own doing."""
    return (
        job.recalled_at is not None
        and job.handed_over_at is not None
        and job.recalled_at < job.handed_over_at
    )
