"""What a crew can show at a moment: derived from its tests, never stored as true."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta

from chalicelib.domain.errors import Fault
from chalicelib.domain.fleet import Credential, Crew, Listing, TestResult
from chalicelib.domain.policies import AgeFrom, CredentialKind, Requirement
from chalicelib.domain.shapes import zone_info

CLOCKS_DIFFER = timedelta(minutes=5)
"""How far ahead of ours the clock of a laboratory may be."""

OBSERVED = frozenset({CredentialKind.HEALTH_CODE, CredentialKind.CLOSED_LOOP})
"""States that are looked at, not tests that a laboratory reports. Their age counts from when they were seen: a
screenshot, or a pass that was offline, is as old as what it shows, not as its upload (lockdowns.md, 3.24)."""


def united(*sets: Iterable[Requirement]) -> tuple[Requirement, ...]:
    """Each requirement once, at its strictest."""
    strictest: dict[tuple[str, AgeFrom, str], Requirement] = {}
    for needs in sets:
        for need in needs:
            key = (need.kind, need.age_from, need.sequence or "")
            had = strictest.get(key)
            if had is None or need.max_age_hours < had.max_age_hours:
                strictest[key] = need
    return tuple(strictest[key] for key in sorted(strictest))


def stands_on(
    listed: Iterable[Listing], lists: Iterable[str], start: datetime, end: datetime
) -> tuple[bool, datetime | None]:
    """True when it stands on every one of these lists for all of `[start, end)`; and until when it does at least."""
    until: datetime | None = None
    for name in lists:
        best: datetime | None = None
        found = False
        for listing in listed:
            if listing.list_id != name or listing.since > start:
                continue
            if listing.until is None:
                found, best = True, None
                break
            if listing.until >= end and (best is None or listing.until > best):
                found, best = True, listing.until
        if not found:
            return False, None
        if best is not None and (until is None or best < until):
            until = best
    return True, until


def faults_of(credentials: Sequence[Credential], now: datetime) -> list[Fault]:
    """Credentials from the future: nobody has them, somebody's clock or somebody's date is wrong."""
    latest = now + CLOCKS_DIFFER
    return [
        Fault(
            f"/credentials/{index}/{name}",
            f"a time up to now ({now.isoformat()}) was expected",
            moment.isoformat(),
        )
        for index, credential in enumerate(credentials)
        for name in ("sampled_at", "reported_at")
        if (moment := getattr(credential, name)) is not None and moment > latest
    ]


Shown = tuple[bool, tuple[tuple[tuple[str, ...], datetime | None], ...]]
"""Is the crew positive; and for each requirement the tests that are shown, and when it lapses (None: none is)."""


def shown_by(crew: Crew, needs: Iterable[Requirement], now: datetime, time_zone: str = "UTC") -> Shown:
    """What this crew can show now; local days are those of `time_zone`.

    Only what was reported by now counts. A positive result ends every negative sampled before it, of any
    kind, and stands until a later negative of its own kind; a PCR also clears an antigen test, not the other way.
    A health code that is seen red is a positive; a closed loop that was left is none, but ends what it was.
    """
    known = [c for c in crew.credentials if c.reported_at is not None and c.reported_at <= now]
    left = max((c.sampled_at for c in known if _is_left_loop(c)), default=None)
    if left is not None:
        known = [
            c
            for c in known
            if c.kind is not CredentialKind.CLOSED_LOOP
            or (c.result is TestResult.NEGATIVE and c.sampled_at > left)
        ]
    positives = [c for c in known if c.result is TestResult.POSITIVE]
    is_positive = any(not _cleared(positive, known) for positive in positives)
    if positives and not is_positive:
        last = max(positive.sampled_at for positive in positives)
        known = [c for c in known if c.sampled_at > last]
    shown: list[tuple[tuple[str, ...], datetime | None]] = []
    for need in needs:
        if need.sequence is not None:
            tests, expiry = _sequence(known, need, now, time_zone)
        else:
            tests, expiry = _freshest(known, need)
        texts = () if expiry is None else tuple(_told(test, expiry) for test in tests)
        shown.append((texts, expiry))
    return is_positive, tuple(shown)


def _told(test: Credential, expiry: datetime) -> str:
    return f"{test.kind} sampled {test.sampled_at.isoformat()} until {expiry.isoformat()}"


def _is_left_loop(credential: Credential) -> bool:
    return credential.kind is CredentialKind.CLOSED_LOOP and credential.result is TestResult.POSITIVE


def _cleared(positive: Credential, known: Iterable[Credential]) -> bool:
    kinds = {positive.kind}
    if positive.kind is CredentialKind.ANTIGEN:
        kinds.add(CredentialKind.PCR)
    return any(
        c.result is TestResult.NEGATIVE and c.kind in kinds and c.sampled_at > positive.sampled_at
        for c in known
    )


def _counted(credential: Credential, need: Requirement) -> datetime:
    """From when its age counts."""
    assert credential.reported_at is not None
    if need.age_from is AgeFrom.SAMPLED or credential.kind in OBSERVED:
        return credential.sampled_at
    return credential.reported_at


def _freshest(known: Sequence[Credential], need: Requirement) -> tuple[list[Credential], datetime | None]:
    fresh = None
    for credential in known:
        if credential.kind is not need.kind or credential.result is not TestResult.NEGATIVE:
            continue
        counted = _counted(credential, need)
        if fresh is None or counted > fresh[1]:
            fresh = (credential, counted)
    if fresh is None:
        return [], None
    return [fresh[0]], fresh[1] + timedelta(hours=need.max_age_hours)


# --- "2+2" ------------------------------------------------------------------------------------------------------


def _sequence(
    known: Sequence[Credential], need: Requirement, now: datetime, time_zone: str
) -> tuple[list[Credential], datetime | None]:
    """Two antigen tests on one local day, a PCR and an antigen test on the next, and again.

    Which of the two a day is follows from the day before: who had no PCR then is on the day that needs one, so
    that two antigen tests alone pass only after a day with a PCR. It passes for the rest of the local day, and
    not longer than `max_age_hours` from the older of the tests shown. Source: Shanghai, 17 April 2022
    (lockdowns.md, 1.1 and edge case 19).
    """
    zone = zone_info(time_zone)
    today = now.astimezone(zone).date()
    midnight = datetime.combine(today + timedelta(days=1), time(), zone).astimezone(now.tzinfo)

    def on(day: date, kind: CredentialKind) -> Iterator[Credential]:
        for c in known:
            is_one = c.kind is kind and c.result is TestResult.NEGATIVE
            if is_one and c.sampled_at.astimezone(zone).date() == day:
                yield c

    def newest(found: Iterable[Credential]) -> list[Credential]:
        return sorted(found, key=lambda c: (_counted(c, need), c.sampled_at), reverse=True)

    antigens, pcrs = newest(on(today, CredentialKind.ANTIGEN)), newest(on(today, CredentialKind.PCR))
    had_pcr = any(on(today - timedelta(days=1), CredentialKind.PCR))
    ways: list[list[Credential]] = []
    if antigens and pcrs:
        ways.append([pcrs[0], antigens[0]])
    if had_pcr and len({c.sampled_at for c in antigens}) >= 2:
        first = antigens[0]
        ways.append([next(c for c in antigens if c.sampled_at != first.sampled_at), first])
    if not ways:
        return [], None
    age = timedelta(hours=need.max_age_hours)
    best = max(ways, key=lambda way: min(_counted(c, need) for c in way))
    lapses = min(midnight, min(_counted(c, need) for c in best) + age)
    return best, lapses
