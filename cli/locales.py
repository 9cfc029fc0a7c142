"""Compile the catalogues: `python -m cli.locales [--check]` writes each `.mo` from its `.po`, always the same bytes.

msgfmt's format (gettext manual, "The Format of GNU MO Files"), little-endian and without a hash table: gettext's own
tools are not needed, and no time stamp gets into what is committed.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

from chalicelib.locales import FOLDER

MAGIC = 0x950412DE


def sources() -> list[Path]:
    """Every catalogue that people edit."""
    return sorted(FOLDER.glob("*/LC_MESSAGES/*.po"))


def read(path: Path) -> Catalog:
    """That catalogue. Raises on what is no PO file."""
    with path.open("rb") as file:
        return read_po(file, abort_invalid=True)


def compiled(path: Path) -> bytes:
    """The bytes of its `.mo`. What is empty or marked fuzzy is left out, and would be said in English."""
    catalogue = read(path)
    pairs = {b"": _header(path)}
    for message in catalogue:
        if message.id and not message.fuzzy and (pair := _pair(message)) is not None:
            pairs[pair[0]] = pair[1]
    keys = sorted(pairs)
    offset = 28 + 16 * len(keys)
    tables, blob = [], b""
    for texts in (keys, [pairs[key] for key in keys]):
        for text in texts:
            tables.append(struct.pack("<II", len(text), offset + len(blob)))
            blob += text + b"\0"
    head = struct.pack("<7I", MAGIC, 0, len(keys), 28, 28 + 8 * len(keys), 0, offset)
    return head + b"".join(tables) + blob


def _header(path: Path) -> bytes:
    """What the file's first entry says, as it stands there."""
    catalogue = read(path)
    said = {name: value for name, value in catalogue.mime_headers if "Date" not in name}
    kept = ("Language", "MIME-Version", "Content-Type", "Content-Transfer-Encoding", "Plural-Forms")
    return "".join(f"{name}: {said[name]}\n" for name in kept if name in said).encode()


def _pair(message: Message) -> tuple[bytes, bytes] | None:
    if isinstance(message.id, str):
        return (message.id.encode(), str(message.string).encode()) if message.string else None
    forms = (message.string,) if isinstance(message.string, str) else tuple(message.string or ())
    if not forms or not all(forms):
        return None
    return b"\0".join(one.encode() for one in message.id), b"\0".join(form.encode() for form in forms)


def main(arguments: list[str]) -> int:
    """Write what is not as it should be; with `--check` only name it."""
    stale = [
        p for p in sources() if not (m := p.with_suffix(".mo")).exists() or m.read_bytes() != compiled(p)
    ]
    for path in stale:
        if "--check" not in arguments:
            path.with_suffix(".mo").write_bytes(compiled(path))
        sys.stdout.write(f"{path.with_suffix('.mo')}\n")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
