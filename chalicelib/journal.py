"""The log: one JSON line a fact on standard output, with ids and never with personal data.

What may stand in a line is an allow-list, held when the line is written and not only when the code is read: a fact
of another name, or a text that is not shaped like an id or a word of ours, is not shown. What a courier or a brand
put where an id was expected stays out that way, and nobody forges a line.

A line says which function wrote it, for which message or request, and in which trace. What the facts measure is
summed up and written when the invocation ends (`metrics.py`).
"""

from __future__ import annotations

import json
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from chalicelib import trace
from chalicelib.metrics import Tally
from chalicelib.trace import Trace

IDS = frozenset(
    {"order", "market", "courier", "brand", "endpoint", "upload", "slot", "joined", "impact", "snapshot"}
    | {"client", "list", "campaign", "associate", "by"}
)
"""Facts that name one thing of ours."""
WORDS = frozenset(
    {"state", "why", "step", "answer", "result", "status", "reasons", "names", "unchanged", "at", "queue"}
)
"""Facts that are a word from a list, several of them, or a time."""
COUNTS = frozenset(
    {"count", "sequence", "took_ms", "faults", "version", "lag_s", "orders", "assigned", "uploads"}
    | {"book", "tell", "rules", "receives", "impacts", "lanes", "rows", "clients", "code", "erasures"}
)
"""Facts that are a number."""
HIDDEN = "(not shown)"

_AN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,79}", re.ASCII)
_A_WORD = re.compile(r"(?!.*\d{6})[A-Za-z0-9_.:+-]{1,64}", re.ASCII)
_LARGEST = 10**9
"""A longer number may be a telephone's."""


@dataclass
class Invocation:
    """What this function is doing now."""

    function: str
    trace: Trace
    request: str = ""
    message: str = ""
    tally: Tally = field(default_factory=Tally)

    def said(self) -> dict[str, str]:
        names = {"function": self.function, "request": self.request, "message": self.message}
        return {name: value for name, value in names.items() if value} | {"trace": self.trace.trace_id}


_now: ContextVar[Invocation | None] = ContextVar("invocation", default=None)
_namespace = "Cordon"


@contextmanager
def invocation(function: str, traceparent: str | None = None, request: str = "") -> Iterator[None]:
    """One run of a function. What it measured is written at its end, however it ends."""
    doing = Invocation(function, trace.follow(traceparent), request if _AN_ID.fullmatch(request) else "")
    before = _now.set(doing)
    try:
        yield
    finally:
        _now.reset(before)
        for line in doing.tally.lines(_namespace, int(time.time() * 1000)):
            _write(line + "\n")


@contextmanager
def message(message_id: str, traceparent: str | None) -> Iterator[None]:
    """One message of a batch, on the way it has come. Only within an `invocation`."""
    doing = _now.get()
    assert doing is not None
    before = doing.message, doing.trace
    doing.message = message_id if _AN_ID.fullmatch(message_id) else HIDDEN
    doing.trace = trace.follow(traceparent)
    try:
        yield
    finally:
        doing.message, doing.trace = before


def traceparent() -> str | None:
    """The trace under way, as it goes along with a message; None outside of any."""
    doing = _now.get()
    return None if doing is None else str(doing.trace)


def trace_id() -> str | None:
    """The trace under way."""
    doing = _now.get()
    return None if doing is None else doing.trace.trace_id


def log(event: str, **facts: Any) -> None:
    """One line. Ids, words and counts only: whatever else is passed is not shown."""
    shown = {name: _shown(name, value) for name, value in facts.items()}
    _say(event, shown)


def log_failure(where: str, error: Exception) -> None:
    """An error that is our bug: its type and where it was raised. Its text may quote data, and stays out."""
    _say("failure", {"where": where, "error": type(error).__name__, "at": raised_at(error)})


def raised_at(error: Exception) -> list[str]:
    """The last lines of code that the error came through."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    return [f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in frames]


def _say(event: str, facts: dict[str, Any]) -> None:
    doing = _now.get()
    said: dict[str, str] = {}
    if doing is not None:
        said = doing.said()
        doing.tally.note(event, facts)
    _write(json.dumps({"event": event, **facts, **said}, separators=(",", ":")) + "\n")


def _shown(name: str, value: object) -> object:
    if isinstance(value, (tuple, list)):
        return [_shown(name, one) for one in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        is_known = name in COUNTS or name in WORDS
        return value if is_known and abs(value) < _LARGEST else HIDDEN
    pattern = _AN_ID if name in IDS else _A_WORD if name in WORDS else None
    fits = isinstance(value, str) and pattern is not None and pattern.fullmatch(value) is not None
    return str(value) if fits else HIDDEN


def write_to(write: Callable[[str], Any] | None) -> None:
    """Send the lines elsewhere than to standard output; None: back."""
    global _write
    _write = write or _to_standard_output


def measure_in(namespace: str) -> None:
    """Where the metrics of this deployment stand in CloudWatch."""
    global _namespace
    _namespace = namespace


def _to_standard_output(line: str) -> None:
    sys.stdout.write(line)


_write: Callable[[str], Any] = _to_standard_output
