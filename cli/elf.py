"""What a shared object asks of the system that loads it, read from its bytes: never by loading it or running `ldd`, so
that objects for another processor can be read, too.

Formats: the ELF specification and, for the versions of symbols, the Linux Standard Base ("Symbol Versioning").
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

MAGIC = b"\x7fELF"
LOADED, DYNAMIC = 1, 2
"""Kinds of segment (p_type): mapped into memory, and the table of what is to be linked."""
NEEDED, STRINGS, SONAME, RPATH, RUNPATH = 1, 5, 14, 15, 29
"""Tags of that table."""
VERSIONS_NEEDED = 0x6FFFFFFE


class NoObject(Exception):
    """Not a 64-bit, little-endian ELF object, or one that is cut off."""


@dataclass(frozen=True)
class Shared:
    """One object as the loader sees it."""

    machine: int
    """Who it is for (e_machine)."""
    needed: tuple[str, ...]
    """Names of the objects that have to be there first, in their order."""
    search: tuple[str, ...]
    """Where it wants them looked for, `$ORIGIN` for its own folder."""
    versions: tuple[tuple[str, str], ...]
    """Each version of a symbol that it needs, with the object that has to have it: ("libc.so.6", "GLIBC_2.28")."""


def read(data: bytes) -> Shared:
    """Raises `NoObject`."""
    try:
        return _read(data)
    except (struct.error, ValueError, IndexError) as error:
        raise NoObject(f"an ELF object of 64 bits, little-endian and whole was expected: {error}") from None


def _read(data: bytes) -> Shared:
    if data[:6] != MAGIC + b"\x02\x01":
        raise NoObject(f"an ELF object of 64 bits, little-endian, was expected, not {data[:6]!r}")
    (machine,) = struct.unpack_from("<H", data, 18)
    (table,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    segments = [struct.unpack_from("<IIQQQQ", data, table + size * at) for at in range(count)]
    if any(offset + length > len(data) for _, _, offset, _, _, length in segments):
        raise ValueError(f"it ends after {len(data)} bytes")
    loaded = [(address, offset, length) for kind, _, offset, address, _, length in segments if kind == LOADED]

    def place(address: int) -> int:
        for start, offset, length in loaded:
            if start <= address < start + length:
                return int(offset + address - start)
        raise ValueError(f"nothing is loaded at {address:#x}")

    entries = [
        entry
        for kind, _, offset, _, _, length in segments
        if kind == DYNAMIC
        for entry in struct.iter_unpack("<qQ", data[offset : offset + length])
    ]
    told = dict(entries)
    if STRINGS not in told:
        return Shared(machine, (), (), ())
    strings = place(told[STRINGS])

    def text(at: int) -> str:
        return data[strings + at : data.index(b"\0", strings + at)].decode()

    paths = next((text(told[tag]) for tag in (RUNPATH, RPATH) if tag in told), "")
    return Shared(
        machine=machine,
        needed=tuple(text(value) for tag, value in entries if tag == NEEDED),
        search=tuple(filter(None, paths.split(":"))),
        versions=tuple(
            (text(file), text(name)) for file, name in _versions(data, place(told[VERSIONS_NEEDED]))
        )
        if VERSIONS_NEEDED in told
        else (),
    )


def _versions(data: bytes, at: int) -> Iterator[tuple[int, int]]:
    """File and version, as places among the strings: for each file a Verneed, then its Vernaux, both chained by
    their last field, 0 at the end."""
    while True:
        _, count, file, first, following = struct.unpack_from("<HHIII", data, at)
        one = at + first
        for _ in range(count):
            _, _, _, name, step = struct.unpack_from("<IHHII", data, one)
            yield file, name
            one += step
        if not following:
            return
        at += following
