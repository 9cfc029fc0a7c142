"""What a crew can show at a moment: derived from its tests, never stored as true."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from chalicelib.domain.fleet import Credential, Crew, TestResult
from chalicelib.domain.policies import AgeFrom, CredentialKind, Requirement


def united(*sets: Iterable[Requirement]) -> tuple[Requirement, ...]:
    strictest: dict[tuple[str, AgeFrom], Requirement] = {}
    for needs in sets:
        for need in needs:
            had = strictest.get((need.kind, need.age_from))
            if had is None or need.max_age_hours < had.max_age_hours:
                strictest[need.kind, need.age_from] = need
    return tuple(strictest[key] for key in sorted(strictest))


Shown = tuple[bool, tuple[tuple[str, datetime | None], ...]]
"""Is the crew positive; and for each requirement the test that is shown, and when it lapses (None: there is none)."""


def shown_by(crew: Crew, needs: Iterable[Requirement], now: datetime) -> Shown:
    """What this crew can show now.

    Only what was reported by now counts. A positive result ends every negative sampled before it, of any
    kind, and stands until a later negative of its own kind; a PCR also clears an antigen test, not the other way.
    """
    known = [c for c in crew.credentials if c.reported_at is not None and c.reported_at <= now]
    positives = [c for c in known if c.result is TestResult.POSITIVE]
    is_positive = any(not _cleared(positive, known) for positive in positives)
    if positives and not is_positive:
        last = max(positive.sampled_at for positive in positives)
        known = [c for c in known if c.sampled_at > last]
    shown: list[tuple[str, datetime | None]] = []
    for need in needs:
        best, expiry = _freshest(known, need)
        text = ""
        if best is not None and expiry is not None:
            text = f"{best.kind} sampled {best.sampled_at.isoformat()} until {expiry.isoformat()}"
        shown.append((text, expiry))
    return is_positive, tuple(shown)


def _cleared(positive: Credential, known: Iterable[Credential]) -> bool:
    kinds = {positive.kind}
    if positive.kind is CredentialKind.ANTIGEN:
        kinds.add(CredentialKind.PCR)
    return any(
        c.result is TestResult.NEGATIVE and c.kind in kinds and c.sampled_at > positive.sampled_at
        for c in known
    )


def _freshest(known: Sequence[Credential], need: Requirement) -> tuple[Credential | None, datetime | None]:
    fresh = None
    for credential in known:
        if credential.kind is not need.kind or credential.result is not TestResult.NEGATIVE:
            continue
        counted = credential.sampled_at if need.age_from is AgeFrom.SAMPLED else credential.reported_at
        if counted is not None and (fresh is None or counted > fresh[1]):
            fresh = (credential, counted)
    if fresh is None:
        return None, None
    return fresh[0], fresh[1] + timedelta(hours=need.max_age_hours)
