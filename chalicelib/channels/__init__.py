"""One file per way of telling: the file itself is the channel. Imported when something is to be told by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.domain import folders

if TYPE_CHECKING:
    from chalicelib.domain.ports import Channel
    from chalicelib.domain.saying import ClientChannel


def to_brands() -> folders.Folder[Channel]:
    """How a brand's own systems are told."""
    return folders.Folder(__name__, None, lambda: ("webhook",))


def to_clients() -> folders.Folder[ClientChannel]:
    """How clients are spoken to, by `ChannelKind`."""
    return folders.Folder(__name__, None, lambda: ("whatsapp", "email"))
