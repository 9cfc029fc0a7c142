"""Chance by name: what happens somewhere follows from the seed and the place, and from nothing that came before.

So one fault that is taken out of a day leaves the dice of all the others as they fell, which is what makes a day
that failed shrink. CRC-32 and two rounds of mixing: no hash of Python's own, which differs between processes.
"""

from __future__ import annotations

from zlib import crc32

_ALL = 0xFFFFFFFF


def begun(text: str) -> int:
    """A text that many begin with, read once: what follows is drawn `after` it as if it were all one text."""
    return crc32(text.encode())


def number(text: str, after: int = 0) -> int:
    """32 bits that follow from the text."""
    mixed = crc32(text.encode(), after)
    mixed = ((mixed ^ (mixed >> 16)) * 0x7FEB352D) & _ALL
    mixed = ((mixed ^ (mixed >> 15)) * 0x846CA68B) & _ALL
    return mixed ^ (mixed >> 16)


def roll(text: str, after: int = 0) -> float:
    """Uniform in [0, 1)."""
    return number(text, after) / 4294967296.0
