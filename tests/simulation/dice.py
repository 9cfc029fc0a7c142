"""Chance by name: what happens somewhere follows from the seed and the place, and from nothing that came before.

So one fault that is taken out of a day leaves the dice of all the others as they fell, which is what makes a day
that failed shrink. CRC-32 and two rounds of mixing: no hash of Python's own, which differs between processes.
"""

from __future__ import annotations

from zlib import crc32

_ALL = 0xFFFFFFFF


def number(text: str) -> int:
    """32 bits that follow from the text."""
    mixed = crc32(text.encode())
    mixed = ((mixed ^ (mixed >> 16)) * 0x7FEB352D) & _ALL
    mixed = ((mixed ^ (mixed >> 15)) * 0x846CA68B) & _ALL
    return mixed ^ (mixed >> 16)


def roll(text: str) -> float:
    """Uniform in [0, 1)."""
    return number(text) / 4294967296.0
