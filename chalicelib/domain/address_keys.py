"""Addresses as official lists write them, so that a line of a list meets the address of an order.

Lists name no polygon and no code: they say 永嘉路123弄, 福汇路39-49号, 天山四村（住宅）. A key is what comes before the
first number (a road or the name of a place, its *base*) and the numbers after it, outermost first: the lane 弄, the
branch lane 支弄, the house 号, the house behind a house 88-1号. Two keys *may meet* when one is as far as it goes
contained in the other: a listed lane meets each house in it, and an order that states only the lane meets each
listed house there, because it may be that one. A zone that fails to meet its address lets a courier through, so
spellings are joined generously (`../shared/research/lockdowns.md`, edge cases 9, 33, 36).

What is not joined: a lane and a house of the same number are two addresses in Shanghai; a site *opposite* a house
is not that house; two districts have roads of the same name, so keys are compared within one district.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from chalicelib.domain.places import Address, building_key, district_key
from chalicelib.domain.shapes import folded

StepKind = Literal["lane", "house", "part"]

RANGE: Final = 200
"""The most houses a range such as 39-49号 may span; a longer one is no range anybody meant."""


@dataclass(frozen=True)
class Step:
    """One number of an address, or the numbers it may be; of a village, the hamlet."""

    kind: StepKind
    numbers: frozenset[str]


@dataclass(frozen=True)
class AddressKey:
    """An address as it is compared."""

    bases: tuple[str, ...]
    """The road or place, and the same without the town before it."""
    steps: tuple[Step, ...] = ()

    def may_meet(self, other: AddressKey) -> bool:
        """True unless the two are certainly two places."""
        if set(self.bases).isdisjoint(other.bases):
            return False
        for depth, (one, two) in enumerate(zip(self.steps, other.steps, strict=False)):
            if one.kind != two.kind:
                # inside one lane a house may stand in a branch of it, and in a hamlet of one village
                return depth > 0 or "part" in (one.kind, two.kind)
            if one.numbers.isdisjoint(two.numbers):
                return False
        return True

    def __str__(self) -> str:
        spelt = (f"{'|'.join(sorted(step.numbers, key=_in_order))}{_WORD[step.kind]}" for step in self.steps)
        return "/".join((self.bases[0], *spelt))


_WORD: Final[dict[StepKind, str]] = {"lane": "弄", "house": "号", "part": ""}

_VARIANTS: Final = str.maketrans(
    {"號": "号", "樓": "楼", "區": "区", "縣": "县", "鎮": "镇", "～": "-", "~": "-", "至": "-", "—": "-"}
)
_NOTE: Final = re.compile(r"[(\[【〔](?P<inside>[^()\[\]【】〔〕]*)[)\]】〕]")
_ALSO: Final = re.compile(r"含(?P<houses>[0-9、,，及和号\-]+)")
_CITY: Final = re.compile(r"^(上海市|上海|中国上海市?)(?=..)")
_TOWN: Final = re.compile(r"^[\u4e00-\u9fff]{2,3}?(?:街道|镇|乡)(?![路街道弄])(?=..)")
_DISTRICT: Final = re.compile(r"^[\u4e00-\u9fff]{2,3}?(?:新区|区)(?![路街道弄])(?=..)")
"""Of a line whose district is stated as a code."""
_NUMBERED: Final = re.compile(
    r"^(?P<base>.*?\D)(?P<numbers>[0-9]+(?:[-、,，/][0-9]+)*)(?P<word>支弄|弄|号)(?P<rest>.*)$", re.DOTALL
)
_NEXT: Final = re.compile(
    r"^(?P<numbers>[0-9]+(?:[-、,，/][0-9]+)*)(?P<word>支弄|弄|号)(?P<rest>.*)$", re.DOTALL
)
_MISREAD: Final = re.compile(r"[\u4e00-\u9fff][A-Za-z]$")
"""黄兴路l019弄: a letter where a digit was meant. It is not guessed which."""
_VILLAGE: Final = re.compile(r"^(?P<base>\D*?[^新]村)(?P<rest>[^路街道0-9]\D*)$")
_TEAM: Final = re.compile(r"(?<=队)")
_BESIDE: Final = re.compile(r"^(对面|旁|附近|以[东南西北]|[东南西北]侧)")
_NUMERAL: Final = re.compile(
    r"(?<![一二三四五六七八九十])(?P<tens>[二三四五六七八九]?十)?(?P<ones>[一二三四五六七八九])?(?=村|弄|号|街坊|期)"
)
_ONES: Final = {numeral: number for number, numeral in enumerate("一二三四五六七八九", start=1)}


def _arabic(found: re.Match[str]) -> str:
    tens, ones = found["tens"], found["ones"]
    if tens is None and ones is None:
        return ""
    ten = 0 if tens is None else _ONES.get(tens[0], 1) if len(tens) == 2 else 1
    return str(ten * 10 + (_ONES[ones] if ones else 0))


def _in_order(number: str) -> tuple[int, str]:
    return (int(number), number) if number.isdigit() else (0, number)


@lru_cache(maxsize=16_384)
def address_key(text: str, district: str = "") -> AddressKey:
    """The key of one written address; `district` is taken off its beginning where it stands there.

    Notes in brackets are left out, but for houses that they include: （含5号、7号）.
    """
    plain = re.sub(r"\s+", "", unicodedata.normalize("NFKC", text).translate(_VARIANTS))
    also = [found["houses"] for note in _NOTE.finditer(plain) for found in _ALSO.finditer(note["inside"])]
    plain = _NOTE.sub("", plain) or plain
    plain = _NUMERAL.sub(_arabic, _without_district(plain, district))
    read = _NUMBERED.match(plain)
    if read is None or _is_beside(read["rest"]) or _MISREAD.search(read["base"]):
        village = _VILLAGE.match(plain)
        if village is None:
            return AddressKey(_bases(plain))
        hamlets = [part for part in _TEAM.split(village["rest"]) if part]
        return AddressKey(
            _bases(village["base"]), tuple(Step("part", frozenset({folded(part)})) for part in hamlets)
        )
    steps = [*_steps(read)]
    rest = read["rest"]
    while (more := _NEXT.match(rest)) is not None and len(steps) < 4:
        if _is_beside(more["rest"]):
            break
        steps += _steps(more)
        rest = more["rest"]
    if also and steps[-1].kind == "house":
        houses = frozenset(number for text in also for number in re.findall(r"[0-9]+", text))
        steps[-1] = Step("house", steps[-1].numbers | houses)
    return AddressKey(_bases(read["base"]), tuple(steps))


def keys_of(address: Address) -> tuple[AddressKey, ...]:
    """Every way in which an order's address may stand in a list.

    A street by itself counts only when nothing else places the order on it: with a number it is not all of it.
    """
    district = address.district
    found = [address_key(address.line, district)]
    if address.compound is not None:
        named = address_key(address.compound, district)
        if address.compound[0].isdigit() and address.street is not None:
            named = address_key(address.street + address.compound, district)
        building = building_key(address.building) if address.building is not None else ""
        if building.isdigit() and (not named.steps or named.steps[-1].kind == "lane"):
            named = AddressKey(named.bases, (*named.steps, Step("house", frozenset({building}))))
        found.append(named)
    if address.street is not None:
        street = address_key(address.street, district)
        if all(set(street.bases).isdisjoint(key.bases) for key in found):
            found.append(street)
    told = tuple(dict.fromkeys(found))
    return tuple(key for key in told if not any(_is_fuller(other, key) for other in told))


def _is_fuller(one: AddressKey, other: AddressKey) -> bool:
    """True when `one` says all that `other` does and more."""
    depth = len(other.steps)
    return (
        len(one.steps) > depth
        and one.steps[:depth] == other.steps
        and not set(one.bases).isdisjoint(other.bases)
    )


def _without_district(text: str, district: str) -> str:
    text = _CITY.sub("", text)
    name = district_key(district) if district else ""
    if name and text.startswith(name):
        rest = re.sub(r"^(新区|区|县)", "", text[len(name) :])
        # 黄浦路 is a road in 黄浦区
        if len(rest) > 1 and (text[len(name)] in "新区县"):
            return rest
    return text


def _is_beside(rest: str) -> bool:
    return _BESIDE.match(rest) is not None


def _bases(text: str) -> tuple[str, ...]:
    shorter = (_TOWN.sub("", text), _TOWN.sub("", _DISTRICT.sub("", text)))
    return tuple(dict.fromkeys((folded(text), *filter(None, map(folded, shorter)))))


def _steps(read: re.Match[str]) -> list[Step]:
    kind: StepKind = "house" if read["word"] == "号" else "lane"
    numbers: set[str] = set()
    behind: set[str] = set()
    for piece in re.split(r"[、,，/]", read["numbers"]):
        first, *more = piece.split("-")
        low = int(first)
        if not more:
            numbers.add(str(low))
            continue
        high = int(more[-1])
        if low < high <= low + RANGE:
            numbers.update(str(number) for number in range(low, high + 1))
        else:  # 88-1号 is a house behind number 88
            numbers.add(str(low))
            behind.add(str(high))
    steps = [Step(kind, frozenset(numbers))]
    if behind and len(numbers) == 1:
        steps.append(Step("house", frozenset(behind)))
    return steps
