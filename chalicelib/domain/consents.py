"""What was agreed to, kept as proof: the last word for each purpose with the client, every one in a row of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from chalicelib.domain.clients import Consent, Purpose
from chalicelib.domain.errors import Fault, Invalid

MESSAGES = (Purpose.MARKETING, Purpose.SERVICE)
"""What a client agrees to no more who wants no more messages."""
AHEAD = timedelta(minutes=5)
"""So far a brand's clock may run before ours."""


def merged(
    before: Sequence[Consent], given: Iterable[Consent], now: datetime
) -> tuple[tuple[Consent, ...], tuple[Consent, ...]]:
    """The last word for each purpose once these are on record, and those to be written down as proof.

    What was withdrawn stays withdrawn when the same consent is sent in again without that: a brand's nightly list
    must not undo what its client told a channel. Nor does another consent that was given before that moment, whichever
    of the two is told first: the client's last word was no. Raises `Invalid` for one in the future, and for
    another proof of the same moment.
    """
    last = {consent.purpose: consent for consent in before}
    proofs: list[Consent] = []
    for at, consent in enumerate(given):
        if max(consent.granted_at, consent.withdrawn_at or consent.granted_at) > now + AHEAD:
            raise _fault(at, "a moment that is not in the future was expected")
        known = last.get(consent.purpose)
        if known is not None and known.granted_at == consent.granted_at:
            if known.evidence != consent.evidence:
                raise _fault(at, "a consent of this moment is on record with other evidence")
            if consent.withdrawn_at is None or known.withdrawn_at is not None:
                continue
            consent = consent.model_copy(update={"locale": known.locale})
        elif known is not None and _ends(known, consent):
            consent = _ended(consent, known)
        elif known is not None and _ends(consent, known):
            known = last[consent.purpose] = _ended(known, consent)
            proofs.append(known)
        proofs.append(consent)
        if known is None or known.granted_at <= consent.granted_at:
            last[consent.purpose] = consent
    in_order = sorted(last.values(), key=lambda consent: consent.purpose)
    return tuple(in_order), tuple(proofs)


def _ends(withdrawn: Consent, other: Consent) -> bool:
    """That the one was withdrawn after the other, a later one, had been given, and takes that back as well."""
    if withdrawn.withdrawn_at is None or other.withdrawn_at is not None:
        return False
    return withdrawn.granted_at < other.granted_at <= withdrawn.withdrawn_at


def _ended(consent: Consent, by: Consent) -> Consent:
    return consent.model_copy(update={"withdrawn_at": by.withdrawn_at, "withdrawal": by.withdrawal})


def _fault(at: int, detail: str) -> Invalid:
    return Invalid(f"/consents/{at}: {detail}", [Fault(f"/consents/{at}", detail)])
