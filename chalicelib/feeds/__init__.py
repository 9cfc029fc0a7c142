"""One file per official source: how its authority publishes, as zones of ours. Pure.

A file here holds one class that satisfies `domain.feeds.Feed`, and `feed = ThatClass()`. Its name is the format
that an upload states. `Folder` imports one when it is asked for: only the function that publishes rules does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.domain import folders

if TYPE_CHECKING:
    from chalicelib.domain.feeds import Feed  # noqa: F401 - what the folder holds, named as a string below


class Folder(folders.Folder["Feed"]):
    """Every feed here, by the format it reads."""

    def __init__(self) -> None:
        super().__init__(__name__, "feed", _names)


def _names() -> tuple[str, ...]:
    """All but our own format, which needs no reading."""
    from chalicelib.domain.uploads import Format  # here: only who publishes asks

    return tuple(known.value for known in Format if known is not Format.CORDON)
