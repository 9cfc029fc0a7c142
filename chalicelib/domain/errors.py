"""Every error Cordon raises on purpose.

    CordonError
    ├── Refused              the caller's doing: 4xx over HTTP; in a queue: put aside at once, with the reason
    │   ├── Malformed        400  not understood at all (no key, no UTF-8, no JSON)
    │   │   └── NotANudge         a message in a queue that no code of ours can have sent
    │   ├── Unauthorised     401  the proof of who is speaking is missing or wrong
    │   ├── Forbidden        403  known, but not allowed to do this
    │   ├── Missing          404  no such thing, or not yours: the two look the same
    │   ├── Clashing         409  the thing is in a state that rules this out
    │   ├── Forgotten        410  a person's data key is gone: nobody can read it any more
    │   ├── Stale            412  If-Match named another version
    │   ├── TooLarge         413
    │   ├── Invalid          422  understood, and wrong: carries the fields
    │   ├── Uncarriable      422  a courier's language has no way to ask for this job: nobody was asked
    │   ├── Unconditional    428  If-Match is needed here
    │   └── TooOften         429  so many tries in so short a time are no mistake any more
    └── Delayed              not now: 503 over HTTP; in a queue: give the message back, put it aside after the last try
        ├── Lost             a conditional write lost its race
        ├── Throttled        the table or a queue asked us to slow down
        ├── Unanswered       a courier or a brand did not answer in time: nothing is known
        │   └── Unreached         no connection came about: it was asked nothing
        └── Newer            written by newer code than this: it waits for that code

Anything else is our bug: 500, alarm, retry, dead-letter queue. The mapping lives in `edge.py` alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from chalicelib.domain.ports import Row


@dataclass(frozen=True)
class Fault:
    """One field that is wrong: where (RFC 6901 pointer), what stood there, what was expected.

    `value` is None where the field is personal: it is never echoed.
    """

    pointer: str
    detail: str
    value: str | None = None


class CordonError(Exception):
    """The root: catching it catches what Cordon raises on purpose and nothing else."""


class Refused(CordonError):
    """The caller asked for something it may not have."""

    status: ClassVar[int] = 400
    title: ClassVar[str] = "Refused"

    def __init__(self, detail: str, faults: Sequence[Fault] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.faults = tuple(faults)


class Malformed(Refused):
    """The request cannot be read."""

    status = 400
    title = "The request cannot be read"


class NotANudge(Malformed):
    """A message that no code of ours can have sent. Its text says why, and repeats nothing of the message."""

    title = "Not a nudge of ours"


class Unauthorised(Refused):
    """Nobody we know."""

    status = 401
    title = "The proof of who is speaking is missing or wrong"


class Forbidden(Refused):
    """Known, but not allowed."""

    status = 403
    title = "Not allowed with this key"


class Missing(Refused):
    """No such thing, or somebody else's."""

    status = 404
    title = "Nothing here under that name"


class Clashing(Refused):
    """The thing is in a state that rules this out."""

    status = 409
    title = "Not possible in the present state"


class Forgotten(Refused):
    """Personal data whose key is gone."""

    status = 410
    title = "Forgotten"


class Stale(Refused):
    """If-Match named another version than the stored one."""

    status = 412
    title = "It has changed since you read it"


class TooLarge(Refused):
    """More bytes than we take."""

    status = 413
    title = "Too large"


class Invalid(Refused):
    """Understood and wrong; `faults` names each field."""

    status = 422
    title = "Some fields are wrong"


class Uncarriable(Refused):
    """A courier's language has no way to ask for this job. Nothing was sent, so nothing is booked.

    `reason` is a slug as in a courier's own refusal; `whole_courier`: another slot of it would not help.
    """

    status = 422
    title = "No courier of this kind can be asked for it"

    def __init__(self, detail: str, reason: str, *, whole_courier: bool) -> None:
        super().__init__(detail)
        self.reason = reason
        self.whole_courier = whole_courier


class Unconditional(Refused):
    """This change needs If-Match."""

    status = 428
    title = "If-Match is needed"


class TooOften(Refused):
    """Asked for too often in too short a time."""

    status = 429
    title = "Too many tries"


class Delayed(CordonError):
    """Not now. Trying again later is right."""

    title: ClassVar[str] = "Not now"


class Lost(Delayed):
    """A conditional write lost: `at` are the indices of the changes whose condition failed,
    `found` what stands there now (known only when one change was written alone)."""

    def __init__(self, at: Sequence[int], found: Row | None = None) -> None:
        super().__init__(f"lost a race on change {list(at)!r}")
        self.at = tuple(at)
        self.found = found


class Throttled(Delayed):
    """The table or a queue asked us to slow down."""


class Unanswered(Delayed):
    """The other side did not answer in time, or the line broke: what it did is unknown."""


class Unreached(Unanswered):
    """No connection came about: nothing was sent, and so nothing was done there."""


class Newer(Delayed):
    """Written by newer code than this, which may mean something else by it: it waits for that code."""

    title = "Written by newer code than this"
