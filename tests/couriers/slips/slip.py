"""A slip that an adapter can be written with.

It is an edit of the courier in `docs/add-a-courier.md`, which keeps them all. A text that is no longer there fails
loudly: a slip that cannot be made proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

MEMORY = "COUNT: list[object] = []\n"
"""What an adapter remembers that should not remember anything."""


@dataclass(frozen=True)
class Slip:
    """This text becomes that, and the sentence is broken."""

    breaks: str
    name: str
    text: str
    becomes: str

    def __str__(self) -> str:
        return f"{self.breaks}: {self.name}"

    def made_in(self, adapter: str) -> str:
        """The adapter with this slip in it."""
        if adapter.count(self.text) != 1:
            raise LookupError(
                f"{self}: {self.text!r} was expected once, it is there {adapter.count(self.text)} times"
            )
        return f"{adapter.replace(self.text, self.becomes)}\n{MEMORY}"
