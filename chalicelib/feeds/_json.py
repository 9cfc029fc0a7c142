"""JSON files of others: read once and whole, or a fault."""

from __future__ import annotations

from typing import Any

from pydantic_core import from_json

from chalicelib.domain.canonical import Doubled, read_once
from chalicelib.domain.feeds import Listed, Note


def document_of(raw: bytes, listed: Listed) -> Any:
    """What the file says; None, and a fault of `listed`, where it is no JSON that can be read in one way only."""
    try:
        from_json(raw)  # refuses what is nested too deeply to be read by anybody else
        return read_once(raw)
    except Doubled as error:
        listed.faults.append(Note("", f"every name once in an object was expected, {error}"))
    except (ValueError, RecursionError) as error:
        listed.faults.append(Note("", f"a JSON file was expected: {error}"))
    return None


def escaped(name: str) -> str:
    """A name as a step of an RFC 6901 pointer."""
    return name.replace("~", "~0").replace("/", "~1")
