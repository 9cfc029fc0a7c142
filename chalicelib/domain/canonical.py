"""JSON that can be read in one way only: what a shape says, the same every time, and what others say."""

from __future__ import annotations

import json
from collections import Counter
from enum import Enum
from hashlib import sha256
from typing import Any

from pydantic import BaseModel


def plain(value: object) -> object:
    """JSON that is the same every time: sets are sorted, defaults are left out."""
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        return {
            name: plain(getattr(value, name))
            for name, info in fields.items()
            if info.is_required() or getattr(value, name) != info.get_default()
        }
    if isinstance(value, (frozenset, set)):
        return sorted(str(plain(each)) for each in value)
    if isinstance(value, (tuple, list)):
        return [plain(each) for each in value]
    if isinstance(value, Enum):
        return value.value
    return value.isoformat() if hasattr(value, "isoformat") else value


def digest(shape: BaseModel) -> str:
    """What tells a shape from another of the same name."""
    return sha256(json.dumps(plain(shape), ensure_ascii=False).encode()).hexdigest()


class Doubled(ValueError):
    """A name stands twice in one object: of two that say different things nobody knows which is meant."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the name {name[:60]!r} stands twice in one object")
        self.name = name


def read_once(raw: bytes) -> Any:
    """JSON as plain values. Raises `Doubled`, and ValueError for what is no JSON."""
    return json.loads(raw, object_pairs_hook=_once)


def name_standing_twice(raw: bytes) -> str | None:
    """The first name that does, in JSON that has been read before."""
    try:
        read_once(raw)
    except Doubled as error:
        return error.name
    return None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        times = Counter(
            name for name, _ in pairs
        )  # `list.count` a name is quadratic, and anybody may send this
        raise Doubled(next(name for name, _ in pairs if times[name] > 1))
    return found
