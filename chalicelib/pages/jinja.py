"""Pages from templates: everything that is put in is escaped, and what cannot be seen is shown (`sheet.seen`)."""

from __future__ import annotations

import hashlib
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from chalicelib.pages import words
from chalicelib.pages.sheet import seen

HERE: Final = Path(__file__).resolve().parent
STATIC: Final = HERE / "static"
KINDS: Final = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}
"""Of static files, by how their names end."""
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "worker-src 'self' blob:; child-src blob:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Nothing inline, nothing evaluated, nothing from or to anywhere else."""
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), camera=(), microphone=()",
}


def rendered(template: str, **told: Any) -> str:
    """The page."""
    return _environment().get_template(template).render(**told)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"local": _local, "day": _day, "spaced": _spaced, "word": _word}
    made.globals |= {"words": words}
    return made


def _shown(value: object) -> object:
    return seen(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _local(at: datetime, zone: ZoneInfo) -> str:
    """The hour, as the clocks of the market show it."""
    return f"{at.astimezone(zone):%H:%M}"


def _day(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%a %d %b, %H:%M}"


def _spaced(word: object) -> str:
    """A word of ours as people write it: `picked_up` is `picked up`."""
    return str(word).replace("_", " ")


def _word(name: object) -> str:
    """One of our reasons as a sentence."""
    return words.said(words.REASONS, str(name))


@cache
def digest() -> str:
    """Of all static files: it stands in their addresses, so that a browser keeps them for ever and never an old one."""
    found = hashlib.sha256()
    for path in sorted(STATIC.iterdir()):
        found.update(path.name.encode() + b"\x00" + path.read_bytes())
    return found.hexdigest()[:16]


@cache
def static(name: str) -> tuple[str, str] | None:
    """The file and its media type; None for one that is not there."""
    path = STATIC / name
    kind = KINDS.get(path.suffix)
    if kind is None or path.parent != STATIC or not path.is_file():
        return None
    return path.read_text(encoding="utf-8"), kind
