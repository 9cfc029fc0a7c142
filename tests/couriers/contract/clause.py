"""One sentence of the contract, and the ways in which asking it can end.

A clause is a function that takes the courier under test and returns when it is kept. It raises `Broken` with what
was expected and what the adapter did, or `NotAsked` with the reason; anything else that it lets through is a crash
of the adapter.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.couriers.contract.subject import Subject


class Broken(AssertionError):
    """The adapter did something else."""

    def __init__(self, expected: str, did: str) -> None:
        super().__init__(f"expected {expected}; {did}")
        self.expected, self.did = expected, did


class NotAsked(Exception):
    """There is nothing to ask: it does not fit this courier, or (`wanting`) the samples do not say enough."""

    def __init__(self, reason: str, *, wanting: bool = False) -> None:
        super().__init__(reason)
        self.wanting = wanting


@dataclass(frozen=True)
class Clause:
    """One sentence, and the function that asks it."""

    chapter: str
    name: str
    ask: Callable[[Subject], None]

    def __str__(self) -> str:
        return self.name

    @property
    def sentence(self) -> str:
        words = self.name.replace("_", " ").replace("a look up", "a look-up")
        return words[0].upper() + words[1:]


CLAUSES: list[Clause] = []


def clause(ask: Callable[[Subject], None]) -> Callable[[Subject], None]:
    """The function's name is the sentence, its module's docstring the chapter."""
    title = (sys.modules[ask.__module__].__doc__ or "").partition("\n")[0].rstrip(".")
    CLAUSES.append(Clause(title, ask.__name__, ask))
    return ask


def expect(true: object, expected: str, did: str) -> None:
    """`expected` and `did` are halves of one sentence: what should be, what was."""
    if not true:
        raise Broken(expected, did)


def crash(error: BaseException, of: Path) -> str:
    """What broke and where, in one line: the deepest frame in the adapter's own file, or the deepest there is."""
    frames = list(extract_tb(error.__traceback__))
    own = [frame for frame in frames if Path(frame.filename) == of]
    at = (own or frames)[-1]
    words = " ".join(str(error).split())
    said = f"{type(error).__name__}: {words[:160]}" if words else type(error).__name__
    return f"crashed with {said} (line {at.lineno} of {Path(at.filename).name}, in {at.name})"
