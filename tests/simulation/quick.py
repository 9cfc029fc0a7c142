"""What makes days quick without changing them: what was read before is read as before.

Most rows are read many times between two writes, by flow after flow, and the same rules by process after process.
Shapes are frozen, so one object can stand for the same text wherever it is read; and published rules never change, so
those made of the same chunks are laid out once for every process.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any
from unittest.mock import patch

from chalicelib.domain import shapes, snapshots
from chalicelib.domain.atlas import Atlas
from chalicelib.domain.ports import Row
from chalicelib.domain.shapes import Shape
from chalicelib.domain.sheets import Sheet
from chalicelib.domain.zones import Rules
from chalicelib.flows import consult


@contextmanager
def quickly() -> Iterator[None]:
    """A day in here takes half of its time."""
    read: dict[tuple[type, str | bytes], Any] = {}
    plainly = Shape.model_validate_json.__func__  # type: ignore[attr-defined]
    inflated: dict[bytes, bytes] = {}
    unsqueezed = snapshots.unsqueeze
    laid_out: dict[tuple[object, ...], Atlas] = {}

    def model_validate_json(cls: type[Shape], text: str | bytes) -> Any:
        known = read.get((cls, text))
        if known is None:
            known = read[cls, text] = plainly(cls, text)
        return known

    def unsqueeze(row: Row) -> bytes:
        known = inflated.get(row.sealed)
        if known is None:
            known = inflated[row.sealed] = unsqueezed(row)
        return known

    def atlas(rules: Rules, sheets: Iterable[Sheet]) -> Atlas:
        # by all that it is made of: rules put together wrongly are laid out as they are, and not as others read them
        sheets = tuple(sheets)
        head = (rules.digest, rules.version, rules.published_at)
        name = (*head, id(rules.policies), id(rules.exemptions), *map(id, sheets))
        known = laid_out.get(name)
        if known is None:
            known = laid_out[name] = Atlas(rules, sheets)
        return known

    with (
        patch.object(Shape, "model_validate_json", classmethod(model_validate_json)),
        patch.object(Shape, "model_copy", _copied),
        patch.object(shapes, "_as_we_write", cache(shapes._as_we_write)),
        patch.object(snapshots, "unpack_zones", cache(snapshots.unpack_zones)),
        patch.object(snapshots, "unpack_manifest", cache(snapshots.unpack_manifest)),
        patch.object(snapshots, "unsqueeze", unsqueeze),
        patch.object(consult, "Atlas", atlas),
    ):
        yield


def _copied(self: Shape, *, update: Mapping[str, Any] | None = None) -> Shape:
    """As pydantic copies a model that has neither private nor extra fields, and ours have none."""
    new = object.__new__(type(self))
    put = object.__setattr__
    named = self.__pydantic_fields_set__
    if update:
        put(new, "__dict__", {**self.__dict__, **update})
        put(new, "__pydantic_fields_set__", named if update.keys() <= named else named | update.keys())
    else:
        put(new, "__dict__", {**self.__dict__})
        put(new, "__pydantic_fields_set__", named)
    put(new, "__pydantic_extra__", None)
    put(new, "__pydantic_private__", None)
    return new
