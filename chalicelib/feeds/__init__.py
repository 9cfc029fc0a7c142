"""One file per official source: how its authority publishes, as zones of ours. Pure.

A file here holds one class that satisfies `domain.feeds.Feed`, and `feed = ThatClass()`. Its name is the format
that an upload states. `Folder` imports one when it is asked for: only the function that publishes rules does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from chalicelib.domain.feeds import Feed
from chalicelib.domain.uploads import Format


class Folder(Mapping[str, Feed]):
    """Every feed here, by the format it reads."""

    def __getitem__(self, name: str) -> Feed:
        if name not in self:
            raise KeyError(name)
        from importlib import import_module

        found: Feed = import_module(f"{__name__}.{name}").feed
        return found

    def __contains__(self, name: object) -> bool:
        return name in _names()

    def __iter__(self) -> Iterator[str]:
        return iter(_names())

    def __len__(self) -> int:
        return len(_names())


def _names() -> tuple[str, ...]:
    """All but our own format, which needs no reading."""
    return tuple(known.value for known in Format if known is not Format.CORDON)
