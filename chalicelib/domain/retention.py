"""How long what is kept, by purpose, and why: the one place that says so.

The table's own clean-up takes a row away after its time (`Row.expires_at`), but days late: a reader filters as well.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, NamedTuple

YEAR: Final = timedelta(days=365)


class Term(NamedTuple):
    """What is kept, for how long, from when, and why for so long and no longer."""

    what: str
    keeps: timedelta
    since: str
    why: str


CONSENT_PROOF: Final = Term(
    "proofs of consents",
    5 * YEAR,
    "when the consent was withdrawn, renewed, or its client erased",
    "whoever sent a message has to show that it was agreed to (GDPR Art. 7(1), PIPL Art. 14) for as long as it can be "
    "sued for it: five years in France (Code civil Art. 2224) is the longest of the ordinary terms here; a proof names "
    "a form, not a person",
)
TOMBSTONE: Final = Term(
    "keyed hashes of an erased client's contacts",
    5 * YEAR,
    "when the erasure was asked for",
    "so long an old list may be sent in again by mistake; after that no list that is lawfully kept still holds the "
    "person. A hash that only the brand's salt can make is the least that stops it",
)
MARK: Final = Term(
    "the mark of an erased client",
    10 * YEAR,
    "when the erasure was asked for",
    "it holds no more than the brand's own reference and two dates: that the erasure was done can be shown (GDPR "
    "Art. 5(2)), and the same reference is not enrolled again",
)

ORDER_KEYS: Final = Term(
    "data keys of an hour, without which whom an order was for can be read by nobody",
    timedelta(days=60 + 31 + 90),
    "the hour; an order that is sent out again, or in another window, is sealed anew",
    "an order may be placed 60 days ahead of its window, a window may be open for 31, and within 90 days after that a "
    "gift comes back, is asked for or disputed; nothing else needs the address",
)
ACT: Final = Term(
    "who did what for a client",
    5 * YEAR,
    "when it was done",
    "an associate's or a member of staff's act can be asked about as long as a consent can; it names orders and staff "
    "by their ids, and nobody else",
)

PURCHASE: Final = Term(
    "purchases",
    timedelta(days=731 + 60),
    "when it was bought",
    "two years are the longest in which what was spent counts, and for two months more the same may be reported again; "
    "what is left after that is its day's sum, until that counts no more either. An erased client's go at once",
)
HOUSEHOLD: Final = Term(
    "what a brand has given to a household, under a keyed hash",
    timedelta(days=800),
    "the end of the year it was given in",
    "a cap looks back a year at most, from a window that lies two months ahead and is open for one; it names orders "
    "and days, and whose household it is can be told with the brand's salt alone",
)

TERMS: Final = (ORDER_KEYS, CONSENT_PROOF, TOMBSTONE, ACT, PURCHASE, HOUSEHOLD, MARK)

ERASED_WITHIN: Final = timedelta(days=30)
"""After it was asked for: GDPR Art. 12(3) gives one month. What is still on its way then is erased as well."""
BACKUPS: Final = timedelta(days=35)
"""So far back the table can be restored (.chalice/resources.yaml): what was erased is gone for good after that."""


def kept_until(term: Term, since: datetime) -> int:
    """Epoch seconds after which it is gone."""
    return int((since + term.keeps).timestamp())


def is_gone(expires_at: int | None, now: datetime) -> bool:
    """True of a row whose time is over, whether or not the table has cleaned it up."""
    return expires_at is not None and expires_at <= now.timestamp()
