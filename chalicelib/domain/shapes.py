"""What every shape shares: frozen, closed, and times in UTC.

Two kinds of shape: `Shape` is ours or a caller's and refuses unknown fields; `Foreign` comes from a courier
or another system that may add fields tomorrow, and ignores what it does not know.
"""

from __future__ import annotations

import base64
import hashlib
import re
import unicodedata
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from enum import IntEnum
from functools import cache, lru_cache
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)


class Shape(BaseModel):
    """Ours: frozen and closed."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Foreign(BaseModel):
    """Theirs: frozen, and deaf to what it does not know."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


def _utc(moment: datetime) -> datetime:
    # outside these years the conversion, or adding a trip to it, leaves what a datetime can hold
    if not 1970 <= moment.year < 9000:
        raise ValueError(f"a moment between the years 1970 and 9000 was expected, got {moment.isoformat()}")
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)


def _instant(moment: object, read: ValidatorFunctionWrapHandler) -> datetime:
    if type(moment) is datetime and moment.tzinfo is UTC:
        return _utc(moment)
    if isinstance(moment, str):
        ours = _as_we_write(moment)
        if ours is not None:
            return _utc(ours)
        is_written_out = _DATED.match(moment) is not None
    else:
        is_written_out = not isinstance(moment, (int, float))
    # a bare number would be read as seconds, or as milliseconds, since 1970: nothing is guessed
    if not is_written_out:
        raise ValueError("a time such as 2022-04-11T09:00:00+08:00 was expected")
    return _utc(read(moment))


_DATED = re.compile(r"\d{4}-\d{2}-\d{2}[T ]")
_OURS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", re.ASCII)


def _as_we_write(text: str) -> datetime | None:
    """A moment in the spelling of our own rows, a dozen in each; None: it is to be read with care."""
    if _OURS.fullmatch(text) is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:  # no such day or hour: whoever reads with care says which
        return None


Instant = Annotated[AwareDatetime, WrapValidator(_instant)]
"""A moment: needs an offset, is kept in UTC."""


@cache
def zone_info(name: str) -> ZoneInfo:
    """The IANA zone of that name. Raises ValueError for anything else."""
    try:
        return ZoneInfo(name)
    except Exception as error:
        raise ValueError(f"{name!r} is not an IANA time zone such as 'Asia/Shanghai'") from error


def _known_zone(name: str) -> str:
    zone_info(name)
    return name


LocalTime = Annotated[
    time,
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?$",
            "examples": ["22:00"],
        }
    ),
]
"""A time as a wall clock shows it. Said as a pattern: what JSON Schema calls a time has an offset."""

TimeZone = Annotated[str, Field(max_length=64, examples=["Asia/Shanghai"]), AfterValidator(_known_zone)]

Slug = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""A name we let into keys, URLs and logs: never personal by shape."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]

Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$"), Field(examples=["CNY", "EUR"])]


MOST = 10**13
"""Of minor units in one amount."""


class Money(Shape):
    """An amount in minor units (fen, cents) of one currency; never a float."""

    amount: int = Field(strict=True, ge=0, le=MOST, examples=[88000])
    currency: Currency


def in_hundredths(said: object, currency: str) -> Money | None:
    """An amount that somebody else states in units of a hundred (yuan, euros); None for what is no amount."""
    if isinstance(said, bool) or not isinstance(said, int | float | str):
        return None
    try:
        amount = (Decimal(str(said)) * 100).to_integral_value()
        is_amount = 0 <= amount <= MOST
    except (ArithmeticError, ValueError):  # NaN is read, and can be compared with nothing
        return None
    return Money(amount=int(amount), currency=currency) if is_amount else None


_PLACES = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"), 0),
    **dict.fromkeys(("RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
"""ISO 4217: how many decimals a currency has, where that is not two."""


def in_minor_units(said: str, currency: str) -> Money | None:
    """An amount that is stated in units, such as 120000.50; None for one with more decimals than its currency has: what
    looks like 120 with three may be as many thousand."""
    whole, _, rest = said.partition(".")
    places = _PLACES.get(currency, 2)
    amount = int(whole + rest.ljust(places, "0"))
    return Money(amount=amount, currency=currency) if len(rest) <= places and amount <= MOST else None


SECOND = timedelta(seconds=1)


def rounded_up(moment: datetime, to: timedelta) -> datetime:
    """That moment, or the next full second, minute, ten minutes: cutting a fraction off would be too early."""
    return moment + (datetime.min.replace(tzinfo=moment.tzinfo) - moment) % to


def without_bom(raw: bytes) -> bytes:
    """JSON as others send it, without the mark that some put before it."""
    return raw.removeprefix(b"\xef\xbb\xbf")


class Window(Shape):
    """Half-open `[start, end)`, and the zone whose clock the people involved read."""

    start: Instant
    end: Instant
    time_zone: TimeZone = "UTC"

    def model_post_init(self, _context: object) -> None:
        if self.end <= self.start:
            runs = f"{self.start.isoformat()} to {self.end.isoformat()}"
            raise ValueError(f"a window ends after it starts, this one runs {runs}")

    def by_clock(self, time_zone: str) -> Window:
        """The same hours, read by that clock where nobody has said by which."""
        if "time_zone" in self.model_fields_set:
            return self
        return self.model_copy(update={"time_zone": time_zone})

    def overlap(self, start: datetime, end: datetime) -> tuple[datetime, datetime] | None:
        """What `[start, end)` and this window share, or None."""
        low, high = max(self.start, start), min(self.end, end)
        return (low, high) if low < high else None


_MARKS = r"\s·・•,，、。.\-\u2010-\u2015\u2212—_/~（）()"
_DIGIT = "0-9〇零一二三四五六七八九十"
_BETWEEN_DIGITS = re.compile(f"(?<=[{_DIGIT}])[{_MARKS}]+(?=[{_DIGIT}])")
_FOLDED = re.compile(f"(?<![{_DIGIT}])[{_MARKS}]+|[{_MARKS}]+(?![{_DIGIT}{_MARKS}])")
SEPARATOR = "-"
"""What stands for any punctuation between two digits, once folded."""


def fold(name: str) -> str:
    """A name as it is compared: full width to half, case and punctuation dropped.

    `黄浦区` and ` 黄浦 区` are one name; `Rue-Saint Honoré` and `rue saint honoré` too. Between two digits
    punctuation does not vanish, it becomes one `-`: lanes 1-3 are not lane 13, building 1/2 is not building 12.
    """
    plain = unicodedata.normalize("NFKC", name)
    if plain.isalnum():  # nearly all of them: nothing to drop
        return plain.casefold()
    plain = _BETWEEN_DIGITS.sub(SEPARATOR, plain)
    return _FOLDED.sub("", plain).casefold()


@lru_cache(maxsize=65_536)
def folded(name: str) -> str:
    """`fold`, remembered: the names of couriers and clients come up again and again."""
    return fold(name)


@lru_cache(maxsize=4096)
def stamp(moment: datetime) -> str:
    """A moment as a key sorts it: UTC, microseconds, always the same length."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def short_name(digest: bytes) -> str:
    """130 bits of a digest, in lower-case base32 without padding: safe in URLs."""
    return base64.b32encode(digest).decode().lower()[:26]


def id_of(prefix: str, *said: str) -> str:
    """The id that follows from what was said, by SHA-256: the same is the same thing, wherever it lands, and nothing of
    what was said can be read off it."""
    return prefix + short_name(hashlib.sha256("\x00".join(said).encode()).digest())


def by_name(kind: type[IntEnum]) -> BeforeValidator:
    """Reads a rank by its name, in any case; a bare number says nothing to whoever reads it, and is refused."""

    def read(name: object) -> IntEnum:
        if isinstance(name, kind):
            return name
        if isinstance(name, str) and name.upper() in kind.__members__:
            return kind[name.upper()]
        raise ValueError(f"one of {', '.join(rank.name.lower() for rank in kind)} was expected")

    return BeforeValidator(read)


def as_name(kind: type[IntEnum]) -> PlainSerializer:
    """Writes a rank as its name."""
    return PlainSerializer(lambda rank: kind(rank).name.lower(), return_type=str)


def names_of(kind: type[IntEnum]) -> WithJsonSchema:
    """Says which names there are."""
    return WithJsonSchema({"type": "string", "enum": [rank.name.lower() for rank in kind]})


def is_absent(value: object) -> bool:
    """Of a field that came later: where nobody states it, what holds it is written as it was before there was one."""
    return value is None
