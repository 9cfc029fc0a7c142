"""How a gift may change hands, and what a courier can bring back from that: the words, without policies and fleets."""

from __future__ import annotations

from enum import StrEnum


class Handover(StrEnum):
    """How the gift may change hands, nearest to the client first."""

    DOOR = "door"
    LOBBY = "lobby"
    GATE = "gate"
    SHELF = "shelf"
    COLLECTION_POINT = "collection_point"


NEAREST_FIRST = (Handover.DOOR, Handover.LOBBY, Handover.GATE, Handover.SHELF, Handover.COLLECTION_POINT)


FETCHED = frozenset({Handover.GATE, Handover.SHELF, Handover.COLLECTION_POINT})
"""Hand-overs after which the client has to come out of the building."""


TO_THE_CLIENT = frozenset({Handover.DOOR, Handover.LOBBY})
"""Hand-overs in which the client receives; the others end at the compound: `at_gate` is not `delivered`."""


class Proof(StrEnum):
    """What a courier can bring back from a hand-over."""

    PICKUP_CODE = "pickup_code"
    RECEIPT_CODE = "receipt_code"
    SIGNATURE = "signature"
    IDENTITY = "identity"
    PHOTO = "photo"
