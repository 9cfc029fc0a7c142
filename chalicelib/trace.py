"""Which way a piece of work has come: W3C Trace Context, version 00 (https://www.w3.org/TR/trace-context/).

A trace begins at a request or at a schedule and goes along with the nudges, as an attribute of the message and not
in its body: the same nudge twice is still the same nudge. It goes to nobody outside. One planner's run serves the
orders of many brands, and a brand must not read in its notice what another one sent us.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

HEADER = "traceparent"
"""Of a request, and the name of the message attribute."""

_WRITTEN = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?", re.ASCII)


@dataclass(frozen=True)
class Trace:
    """One trace, and the step in it that is under way."""

    trace_id: str
    """32 hexadecimal digits; the same on the whole way."""
    span_id: str
    """16 hexadecimal digits; of this step alone."""

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-01"


def follow(header: str | None) -> Trace:
    """The next step of the trace in that header; the first one of another trace when there is none, or junk."""
    return Trace(trace_id_in(header) or os.urandom(16).hex(), os.urandom(8).hex())


def trace_id_in(header: str | None) -> str | None:
    """The trace that a header names. A later version may have more behind; version 00 has not."""
    found = _WRITTEN.fullmatch(header or "")
    if found is None or (found[1] == "00" and found[4]) or set(found[2]) == {"0"} or set(found[3]) == {"0"}:
        return None
    return found[2]
