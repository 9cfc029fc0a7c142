"""What makes days quick without changing them: a text that was read before is read as before.

Most rows are read many times between two writes, by flow after flow. Shapes are frozen, so one object can stand for
the same text wherever it is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from chalicelib.domain.shapes import Shape


@contextmanager
def quickly() -> Iterator[None]:
    """A day in here takes two thirds of its time."""
    read: dict[tuple[type, str | bytes], Any] = {}
    plainly = Shape.model_validate_json.__func__  # type: ignore[attr-defined]

    def model_validate_json(cls: type[Shape], text: str | bytes) -> Any:
        known = read.get((cls, text))
        if known is None:
            known = read[cls, text] = plainly(cls, text)
        return known

    Shape.model_validate_json = classmethod(model_validate_json)  # type: ignore[assignment]
    try:
        yield
    finally:
        del Shape.model_validate_json
