"""What a message in a queue says: `{"v": 1, "id": ...}`, and nothing else is a nudge of ours."""

from __future__ import annotations

import json
from typing import Any, Final

from chalicelib.domain.errors import Newer, NotANudge

VERSION: Final = 1
LIMIT: Final = 8192
"""Bytes of a message. The longest of ours, a round over everything with its place in 64 shards, has some 4,300."""
TRIES: Final = 5
"""So often a queue hands a message out before it is a dead letter: maxReceiveCount in the template."""


def write(name: str) -> str:
    """The message that carries that id."""
    return json.dumps({"v": VERSION, "id": name})


def read(body: str) -> str:
    """The id that a message carries.

    Raises `NotANudge` for what will never be a nudge of ours, whose text says why and nothing of what stands in it;
    `Newer` for one that newer code has sent.
    """
    size = len(body.encode("utf-8", "surrogatepass"))
    if size > LIMIT:
        raise NotANudge(f"too long for a nudge: {size} where at most {LIMIT} bytes were expected")
    try:
        said: Any = json.loads(body)
    except (ValueError, RecursionError):
        raise NotANudge("not JSON") from None
    if not isinstance(said, dict):
        raise NotANudge("not a nudge: no object")
    version, name = said.get("v"), said.get("id")
    if type(version) is not int:
        raise NotANudge("not a nudge: no version")
    if version > VERSION:
        raise Newer(f"a nudge of version {version if version < 1000 else 'beyond 999'}, this reads {VERSION}")
    if version < VERSION:
        raise NotANudge("a nudge of a version that no code of ours has sent")
    if not isinstance(name, str) or not name:
        raise NotANudge("not a nudge: no id")
    return name
