"""Why it was decided so, on one page, for a regulator, a brand or a client adviser: in order of time, in plain words.

Whom the gift is for is not on it, nor where the client lives, nor what the gift is called: the kind is enough. What
a brand may not know of a crew has been taken out before it comes here (`routes/disclosure.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from chalicelib.domain.curfews import Stop
from chalicelib.domain.handing import HandingView
from chalicelib.domain.looks import Look
from chalicelib.domain.order_views import OrderView
from chalicelib.domain.orders import Moved
from chalicelib.domain.policies import FETCHED, NEAREST_FIRST, Handover, Policy
from chalicelib.domain.recall import Recalled
from chalicelib.domain.shapes import zone_info
from chalicelib.domain.substitutes import Proposal
from chalicelib.domain.zones import Zone
from chalicelib.pages import explained, regimes, words
from chalicelib.pages.sheet import (
    Block,
    Bullets,
    Facts,
    Line,
    Moment,
    Paragraph,
    Section,
    Sheet,
    ahead,
    brief,
    moment,
    span,
)

SHOWN_OF_A_HASH = 16
A_MOMENT = timedelta(seconds=1)
LEFT_OVER = frozenset({"outranked", "slot_full"})
"""Reasons of a gift that somebody might have gone with."""
ABOUT_HANDOVERS = frozenset({"no_handover", "signature_conflict"})
"""Reasons that lie in where things change hands."""


@dataclass(frozen=True)
class Turned:
    """So many offers that could not, for one reason."""

    reason: str
    count: int
    named: tuple[str, ...] = ()


@dataclass(frozen=True)
class Piece:
    """One decision as this reader may know it."""

    evidence_id: str
    step: str
    decision: str
    reasons: tuple[str, ...]
    decided_at: datetime
    known_at: datetime
    rules_version: int | None
    rules_digest: str | None
    rules_published_at: datetime | None
    zones: tuple[str, ...]
    client_zones: tuple[str, ...] | None
    """None: written before that was kept."""
    policies: tuple[str, ...]
    exemptions: tuple[str, ...]
    handovers: tuple[str, ...]
    judged_from: datetime | None
    judged_until: datetime | None
    valid_until: datetime | None
    courier: str | None
    turned_down: tuple[Turned, ...]
    crew: str | None = None
    slot: str | None = None
    permits: Mapping[str, datetime | None] | None = None
    """Each with its end; None: kept back from this reader."""
    credentials: tuple[str, ...] | None = None
    """As they were written down; None: kept back from this reader."""
    more_zones: int = 0
    """How many more there were than are named."""
    explained: explained.Explained | None = None


def sheet(
    order: OrderView,
    pieces: Sequence[Piece],
    recalled: Mapping[str, Recalled],
    brand: str,
    at: datetime,
    looks: Sequence[Look] = (),
    proposals: Sequence[Proposal] = (),
) -> Sheet:
    """The page, as read at that moment; `recalled`: by digest, what could be read of the snapshots."""
    pieces = sorted(pieces, key=lambda piece: (piece.decided_at, piece.evidence_id))
    last = next((r for p in reversed(pieces) if (r := recalled.get(p.rules_digest or ""))), None)
    zone = zone_info(last.time_zone if last is not None else order.window.time_zone)
    page = _Page(order, pieces, recalled, zone)
    return Sheet(
        title=f"Why it was decided so: order {order.reference}",
        lead=tuple(page.lead(brand, at)),
        sections=(
            Section(("What was asked",), (page.asked(),)),
            Section(("What became of it",), (page.became(),)),
            *page.proposed(proposals),
            *page.guarded(looks),
            Section(("Every decision, in order of time",), (page.opening(),)),
            *page.decisions(),
            *page.rules(),
            Section(("What this page rests on",), tuple(page.grounds())),
        ),
    )


class _Page:
    def __init__(
        self,
        order: OrderView,
        pieces: Sequence[Piece],
        recalled: Mapping[str, Recalled],
        zone: ZoneInfo,
    ) -> None:
        self.order, self.pieces, self.recalled, self.zone = order, pieces, recalled, zone
        self.keeps_back = any(piece.permits is None for piece in pieces)
        self.day = order.placed_at.astimezone(zone).date()
        """Of this day only the hour is said."""
        self._told: set[tuple[str, Line]] = set()
        """Zones that have been told of in full."""

    def _when(self, at: datetime) -> Moment:
        return moment(at, self.zone)

    def _hour(self, at: datetime) -> Moment:
        return brief(at, self.zone, self.day)

    # --- what was asked and what came of it -------------------------------------------------------------------

    def lead(self, brand: str, at: datetime) -> Iterator[Block]:
        state = words.said(words.STATES, self.order.state)
        count = len(self.pieces)
        decided = "1 decision about it is" if count == 1 else f"{count} decisions about it are"
        yield Paragraph(
            (f"Now: {state}. {decided} on record; each was written when it was taken and never since.",)
        )
        yield Paragraph(
            (
                f"Order {self.order.order_id} of {brand}, market {self.order.market}. Placed ",
                self._when(self.order.placed_at),
                ", read ",
                self._when(at),
                f". Times are those of {self.zone.key.replace('_', ' ')} ({ahead(at, self.zone)} now), without a "
                "date those of the day it was placed. Whom the gift is for is not on this page.",
            )
        )

    def asked(self) -> Facts:
        order, gift = self.order, self.order.gift
        kinds = sorted(words.said(words.ITEM_CLASSES, name) for name in gift.item_classes)
        lines: list[Line] = [(_first_up(words.listed(kinds)),)]
        kept = {(i.temperature.min_c, i.temperature.max_c) for i in gift.items if i.temperature is not None}
        lines += [(f"kept at {low:g} to {high:g} °C",) for low, high in sorted(kept)]
        if gift.dwell_limit_minutes is not None:
            lines.append((f"at most {gift.dwell_limit_minutes} minutes from fetching it to handing it over",))
        for was in order.was or ():
            before = sorted(words.said(words.ITEM_CLASSES, name) for name in was.gift.item_classes)
            text = f"Before that it was {words.listed(before)} from {was.pick_up}, until "
            lines.append((text, self._hour(was.until)))
        window = order.window
        return Facts(
            (
                ("Gift", tuple(lines)),
                ("Hours asked for", (("From ", self._hour(window.start), " to ", self._hour(window.end)),)),
                ("Rank", ((f"{_first_up(order.tier.name.lower())}; higher ranks are served first",),)),
                ("If nobody may go", ((_first_up(words.said(words.FALLBACKS, order.fallback)),),)),
            )
        )

    def became(self) -> Bullets:
        """The states the order went through."""
        return Bullets(tuple((self._hour(step.at), f": {self._state(step)}") for step in self.order.history))

    @staticmethod
    def _state(step: Moved) -> str:
        state = words.said(words.STATES, step.state)
        return state if step.about is None else f"{state}; {words.said(words.NOTES, step.about)}"

    def proposed(self, proposals: Sequence[Proposal]) -> Iterator[Section]:
        """What was to go in its place, and what was said to that."""
        lines: list[Line] = []
        for one in proposals:
            kinds = sorted(words.said(words.ITEM_CLASSES, name) for name in one.gift.item_classes)
            asked = words.said(words.ASKED, one.needs.name.lower())
            line: list[str | Moment] = [
                f"{one.number}. ",
                self._hour(one.proposed_at),
                f": {words.listed(kinds)} from {one.pick_up} ({one.name}); {asked}",
            ]
            if one.answered_at is not None:
                line += [f"; {words.said(words.ANSWERED, one.state)} ", self._hour(one.answered_at)]
            if one.evidence is not None:
                line.append(f", by {one.evidence}")
            lines.append(tuple(line))
        if lines:
            yield Section(("What was proposed in its place",), (Bullets(tuple(lines)),))

    def guarded(self, looks: Sequence[Look]) -> Iterator[Section]:
        """Of a gift of great value: what its hand-over is proven by, and who has read where it goes."""
        order = self.order
        if order.handing is not None and order.safeguard is not None:
            yield Section(("How its hand-over is proven",), (Facts(tuple(self._proofs(order.handing))),))
        if looks:
            lines = [
                (
                    self._hour(one.at),
                    f": {one.by} ({one.role}{'' if one.staff is None else f', {one.staff}'}), because: {one.reason}",
                )
                for one in looks
            ]
            note = "Nothing shows it without being written down here; its courier learns it with the job."
            yield Section(("Who has read the address",), (Paragraph((note,)), Bullets(tuple(lines))))

    def _proofs(self, known: HandingView) -> Iterator[tuple[str, tuple[Line, ...]]]:
        guard = self.order.safeguard
        assert guard is not None
        ways = _ways([way for way in NEAREST_FIRST if way in guard.handovers])
        told: list[Line] = [(f"Handed to the client {ways}, and left nowhere.",)]
        if guard.insurer_consent is not None:
            told.append((f"The insurer has agreed: {guard.insurer_consent}.",))
        yield "Demanded", tuple(told)
        told = [("None was read when it was fetched.",)] if known.seal is None else []
        if known.seal is not None and known.sealed_at is not None:
            told.append((f"{known.seal}, read at the pick-up ", self._hour(known.sealed_at)))
        if known.seal_read_at is not None:
            told.append(("The same number, read at the hand-over ", self._hour(known.seal_read_at)))
        told += [
            (f"{one.number} was read ", self._hour(one.at), ": not that number") for one in known.misfits
        ]
        yield "Seal", tuple(told)
        for word, at in (("Code", known.code_at), ("Identity", known.identity_at), ("Photo", known.photo_at)):
            if at is not None:
                yield word, (("There since ", self._hour(at)),)
        if known.missing:
            parts = words.listed([words.said(words.PARTS, part) for part in known.missing])
            said = "Its courier says that it was handed over. Until then it counts as being with the courier."
            yield "Missing", ((_first_up(parts) + ".",), *([(said,)] if known.awaits_proof else []))
        if self.order.custody.flaws:
            flaws = [
                (f"{flaw.kind.value} from ", self._hour(flaw.since)) for flaw in self.order.custody.flaws
            ]
            yield "Custody", tuple(flaws)
        else:
            yield "Custody", (("Unbroken: at every moment it is known who had it.",),)

    # --- decisions --------------------------------------------------------------------------------------------

    def opening(self) -> Paragraph:
        if not self.pieces:
            return Paragraph(("None yet. Until one is taken, the gift goes nowhere.",))
        return Paragraph(
            (
                "In each, what was known at that moment counted, and nothing that became known later. A decision "
                "that repeats the one before it is not written down again.",
            )
        )

    def decisions(self) -> Iterator[Section]:
        for number, piece in enumerate(self.pieces, start=1):
            headline = words.HEADLINES.get((piece.step, piece.decision), f"{piece.step}: {piece.decision}")
            if (piece.step, piece.decision) == ("dispatch", "no") and not LEFT_OVER.isdisjoint(piece.reasons):
                headline = words.LEFT_OVER
            yield Section(
                heading=(
                    f"{number}. ",
                    self._when(piece.decided_at),
                    f": {words.said(words.STEPS, piece.step)}",
                ),
                blocks=tuple(self._decision(piece, headline)),
                level=3,
                tone=piece.decision,
            )

    def _decision(self, piece: Piece, headline: str) -> Iterator[Block]:
        yield Paragraph((f"{headline}.",), tone=piece.decision)
        reasons = [self._reason(reason, piece) for reason in piece.reasons]
        if len(reasons) == 1:
            yield Paragraph((reasons[0],))
        elif reasons:
            yield Bullets(tuple((reason,) for reason in reasons))
        rows = [
            ("Rules", tuple(self._version(piece))),
            ("Zones", tuple(self._zones(piece))),
            ("Exemptions", tuple(self._exemptions(piece))),
            ("Hours judged", tuple(self._hours(piece))),
            ("Hand-over", tuple(self._handovers(piece))),
            ("Courier", tuple(self._courier(piece))),
            ("Permit", tuple(self._permits(piece))),
            ("Tests", tuple(self._credentials(piece))),
            ("Good until", tuple(self._lasts(piece))),
            ("Turned down", tuple(self._turned_down(piece))),
            *self._explained(piece),
        ]
        yield Facts(tuple((term, lines) for term, lines in rows if lines))

    def _explained(self, piece: Piece) -> Iterator[tuple[str, tuple[Line, ...]]]:
        told = piece.explained
        if told is not None:
            yield "Out-ranked", tuple(explained.out_ranked(told, self.order.tier.name.lower()))
            yield "Not the cheapest", tuple(explained.dearer(told))
            yield "What would help", tuple(explained.nearest(told, self._hour))

    def _reason(self, reason: str, piece: Piece) -> str:
        if (piece.step, reason) == ("rezone", "no_handover"):
            ways = [policy.handovers for policy in self._speaking(piece) if policy.handovers is not None]
            if ways and frozenset.intersection(*ways):
                return "The rules allow only a hand-over that the courier had not been told of."
        return words.said(words.REASONS, reason)

    def _version(self, piece: Piece) -> Iterator[Line]:
        if piece.rules_version is None or piece.rules_digest is None:
            yield ("None had been published.",)
            return
        line: list[str | Moment] = [f"Version {piece.rules_version} of this market"]
        if piece.rules_published_at is not None:
            line += [", published ", self._hour(piece.rules_published_at)]
        line.append(f", kept under {piece.rules_digest[:SHOWN_OF_A_HASH]}…")
        yield tuple(line)
        if piece.known_at != piece.decided_at:
            yield ("What was known at ", self._hour(piece.known_at), " counted.")
        if piece.rules_digest not in self.recalled:
            yield ("They cannot be read any more, so their zones are given by name only.",)

    def _zones(self, piece: Piece) -> Iterator[Line]:
        """In full where a zone speaks for the first time, or says something else than before."""
        known = self.recalled.get(piece.rules_digest or "")
        again = []
        for name in piece.zones:
            zone = known.zones.get(name) if known is not None else None
            line = (name,) if zone is None else self._zone(zone, piece)
            if (name, line) in self._told:
                again.append(f"{name}{self._where(name, zone, piece)}")
            else:
                self._told.add((name, line))
                yield line
        if again:
            yield (f"As before: {words.listed(again)}.",)
        if piece.more_zones:
            yield (f"And {piece.more_zones} more, which are read off the rules themselves.",)
        if not piece.zones and piece.rules_version is not None:
            yield ("No list named either end of the way.",)

    @staticmethod
    def _where(name: str, zone: Zone | None, piece: Piece) -> str:
        kind = zone.unit.kind if zone is not None and zone.unit is not None else ""
        if kind in ("crossing", "market"):
            return " on the way" if kind == "crossing" else " for the whole market"
        if piece.client_zones is None:
            return ""
        return " at the client's place" if name in piece.client_zones else " where it is fetched"

    def _zone(self, zone: Zone, piece: Piece) -> Line:
        policy = self._policy(piece, zone.policy_reference)
        title = policy.title if policy is not None else zone.policy_reference
        level = words.said(words.LEVELS, zone.level.name.lower())
        is_said = level.removesuffix(" zone").casefold() in title.casefold()
        line: list[str | Moment] = [
            f"{zone.zone_id}{self._where(zone.zone_id, zone, piece)}: {'' if is_said else f'{level}, '}“{title}”. "
            "In force since ",
            self._hour(zone.valid_from),
        ]
        if zone.valid_to is not None:
            line += [" until ", self._hour(zone.valid_to)]
        line += [", known since ", self._hour(zone.known_since)]
        if zone.known_since > zone.valid_from:
            line.append(f", {span(zone.known_since - zone.valid_from)} after it began")
        if zone.expected_end is not None:
            ends = policy is not None and policy.auto_release
            does = "and ends by itself then" if ends else "which by itself releases nothing"
            line += ["; announced to end ", self._hour(zone.expected_end), f", {does}"]
        line.append(f". Bulletin: {zone.basis}" if zone.basis else ". No bulletin was named.")
        return tuple(line)

    def _exemptions(self, piece: Piece) -> Iterator[Line]:
        known = self.recalled.get(piece.rules_digest or "")
        for name in piece.exemptions:
            one = known.exemptions.get(name) if known is not None else None
            if one is None:
                yield (name,)
                continue
            policy = self._policy(piece, one.policy)
            lifted = words.listed(sorted(words.said(words.LIFTS, lift) for lift in one.lifts))
            line: list[str | Moment] = [
                f"{name}, granted by {one.authority}: of “{policy.title if policy else one.policy}” it lifts "
                f"{lifted}, since ",
                self._hour(one.valid_from),
            ]
            if one.valid_to is not None:
                line += [" until ", self._hour(one.valid_to)]
            if one.item_classes is not None:
                line.append(f", for {regimes.classes(one.item_classes)}")
            line.append(f". Bulletin: {one.basis}" if one.basis else ". No bulletin was named.")
            yield tuple(line)

    def _hours(self, piece: Piece) -> Iterator[Line]:
        start, end = piece.judged_from, piece.judged_until
        if start is None or end is None:
            return
        if end - start <= A_MOMENT:
            yield ("That moment.",)
        else:
            until = ": the rules had to permit it for all of that time."
            yield ("From ", self._hour(start), " to ", self._hour(end), until)

    def _handovers(self, piece: Piece) -> Iterator[Line]:
        allowed = [way for way in NEAREST_FIRST if way.value in piece.handovers]
        if allowed:
            yield (f"Allowed {_ways(allowed)}.",)
        if not allowed and ABOUT_HANDOVERS.isdisjoint(piece.reasons):
            return
        against: dict[tuple[str, ...], list[Handover]] = {}
        speaking = list(self._speaking(piece))
        for way in NEAREST_FIRST:
            if way not in allowed:
                titles = [p.title for p in speaking if p.handovers is not None and way not in p.handovers]
                against.setdefault(tuple(dict.fromkeys(titles)), []).append(way)
        for titles_of_all, ways in against.items():
            if titles_of_all:
                said = words.listed([f"“{title}”" for title in titles_of_all])
                does = "does" if len(titles_of_all) == 1 else "do"
                yield (f"Not {_ways(ways)}: {said} {does} not allow it.",)
            elif allowed and "high_value" in self.order.gift.item_classes:
                yield (f"Not {_ways(ways)}: a gift of high value is handed over at the door only.",)
            elif allowed and FETCHED.issuperset(ways) and any(map(_keeps_in, speaking)):
                yield (f"Not {_ways(ways)}: in a curfew of those hours no client comes out to fetch.",)

    def _speaking(self, piece: Piece) -> Iterator[Policy]:
        """The policies at the client's place."""
        known = self.recalled.get(piece.rules_digest or "")
        if known is None:
            return
        for name in piece.client_zones or ():
            zone = known.zones.get(name)
            policy = known.policies.get(zone.policy_reference) if zone is not None else None
            if policy is not None:
                yield policy

    def _courier(self, piece: Piece) -> Iterator[Line]:
        if piece.courier is None:
            return
        more = [
            f"{word} {name}"
            for word, name in (("crew", piece.crew), ("hours", piece.slot))
            if name is not None
        ]
        yield (", ".join([piece.courier, *more]),)

    def _permits(self, piece: Piece) -> Iterator[Line]:
        for name, end in (piece.permits or {}).items():
            yield (name,) if end is None else (f"{name}, good until ", self._hour(end))

    def _credentials(self, piece: Piece) -> Iterator[Line]:
        if piece.permits is None:
            if piece.decision == "yes":
                yield (
                    "The crew's permits and tests were checked. They are the crew's own, and the control room keeps "
                    "them.",
                )
            return
        for text in piece.credentials or ():
            yield self._credential(text)

    def _credential(self, text: str) -> Line:
        """`pcr sampled 2022-04-11T01:00:00+00:00 until ...`, with its kind and its times in words."""
        kind, *rest = text.split(" ")
        line: list[str | Moment] = [_first_up(words.said(words.CREDENTIALS, kind))]
        for part in rest:
            line.append(", good " if part == "until" else " ")
            try:
                line.append(self._hour(datetime.fromisoformat(part)))
            except ValueError:
                line.append(part)
        return tuple(line)

    def _lasts(self, piece: Piece) -> Iterator[Line]:
        if piece.valid_until is not None and piece.decision == "yes":
            yield (self._hour(piece.valid_until), ", if nothing new becomes known before")

    def _turned_down(self, piece: Piece) -> Iterator[Line]:
        for group in piece.turned_down:
            names = list(group.named)
            if names and group.count > len(names):
                names.append(f"{group.count - len(names)} more")
            who = f" ({words.listed(names)})" if names else ""
            offers = "1 offer" if group.count == 1 else f"{group.count} offers"
            yield (f"{offers}{who}: {words.said(words.REASONS, group.reason)}",)

    # --- the rules --------------------------------------------------------------------------------------------

    def _policy(self, piece: Piece, reference: str) -> Policy | None:
        known = self.recalled.get(piece.rules_digest or "")
        return known.policies.get(reference) if known is not None else None

    def rules(self) -> Iterator[Section]:
        found: dict[str, Policy] = {}
        for piece in self.pieces:
            for reference in piece.policies:
                policy = self._policy(piece, reference)
                if policy is not None:
                    found[reference] = policy
        if not found:
            return
        text = "A version of a rule never changes what it says. Where several hold, all of them have to permit it."
        yield Section(("The rules that held, in words",), (Paragraph((text,)),))
        for reference, policy in sorted(found.items()):
            yield Section(
                (f"“{policy.title}” ({reference})",), tuple(_rule(policy, whole=not self.keeps_back)), level=3
            )

    def grounds(self) -> Iterator[Block]:
        digests = list(dict.fromkeys(p.rules_digest for p in self.pieces if p.rules_digest))
        yield Paragraph(
            (
                "Rules are kept for good under the hash of what they say, so what held can be read again as it was "
                "known then. The couriers' fleet is kept as it is now and not as it was: what a decision says of "
                "crews, permits, tests and places left is what was written down with it.",
            )
        )
        if self.keeps_back:
            yield Paragraph(
                (
                    "Crews are people. That one of them was ill, tested or shut in is told to the control room only; "
                    "here it is one reason, with its count.",
                )
            )
        if digests:
            yield Paragraph(("Kept under:",))
            yield Bullets(tuple((digest,) for digest in digests))


def _rule(policy: Policy, *, whole: bool) -> Iterable[Block]:
    yield Bullets(tuple((text,) for text in regimes.told(policy, whole=whole)))
    if policy.source:
        yield Paragraph((f"Source: {policy.source}",))


def _keeps_in(policy: Policy) -> bool:
    return any(Stop.COLLECTION in curfew.stops for curfew in policy.curfews)


def _ways(ways: Iterable[Handover]) -> str:
    return words.listed([words.said(words.HANDOVERS, way) for way in ways], "or")


def _first_up(text: str) -> str:
    return text[:1].upper() + text[1:]
