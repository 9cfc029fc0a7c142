"""What a row of the programme tells: what happened, in the order it did, and which promises were kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sandbox.shanghai import LOCAL


@dataclass(frozen=True)
class Promise:
    """Something that must hold, and whether it did."""

    words: str
    is_kept: bool
    found: str
    """What was found in its place; empty where it was kept."""


@dataclass
class Report:
    """One row's account of itself."""

    name: str
    practice: str
    lines: list[str] = field(default_factory=list)
    promises: list[Promise] = field(default_factory=list)

    @property
    def is_kept(self) -> bool:
        """All of them; a row that promises nothing has shown nothing."""
        return bool(self.promises) and all(promise.is_kept for promise in self.promises)

    def tell(self, at: datetime, text: str) -> None:
        self.lines.append(f"{at.astimezone(LOCAL):%d %b %H:%M}  {text}")

    def table(self, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Columns as wide as what stands in them."""
        told = [list(map(str, head)), *(["" if cell is None else str(cell) for cell in row] for row in rows)]
        widths = [max(len(line[at]) for line in told) for at in range(len(head))]
        for number, line in enumerate(told):
            cells = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            self.lines.append(f"              {cells.rstrip()}")
            if number == 0:
                self.lines.append("              " + "  ".join("-" * width for width in widths))

    def promise(self, words: str, is_kept: bool, found: object = "") -> None:
        self.promises.append(Promise(words, bool(is_kept), "" if is_kept else str(found)))

    def text(self) -> str:
        """For people, on a terminal."""
        title = f"{self.name}: {self.practice}"
        told = [title, "=" * len(title), *self.lines, "", "What must hold:"]
        for promise in self.promises:
            told.append(f"  {'kept  ' if promise.is_kept else 'BROKEN'}  {promise.words}")
            if promise.found:
                told.append(f"          found: {promise.found}")
        if not self.promises:
            told.append("  BROKEN  this row promises nothing")
        return "\n".join(told) + "\n"
