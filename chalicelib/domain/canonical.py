"""What a shape says as JSON that is the same every time, and the hash of it."""

from __future__ import annotations

import json
from enum import Enum
from hashlib import sha256

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
