"""A ring on the stage: what it is, and a courier that may carry it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from chalicelib.domain.fleet import Courier
from chalicelib.domain.orders import NewOrder
from chalicelib.flows import enlist
from chalicelib.flows.prove import NewProof
from tests.stage import NOON, Stage, new_order, stage

RING: dict[str, Any] = {
    "items": [
        {
            "name": "Ring",
            "item_class": "high_value",
            "value": {"amount": 210_000_000, "currency": "CNY"},
            "sku": "RING-SOLITAIRE",
        }
    ]
}
"""Some EUR 300,000."""
CONSENT: dict[str, Any] = {"contactless": "code_seal_photo", "insurer_consent": "lloyds-2022-17"}
AT_ONE = NOON + timedelta(hours=1)


def ring(compound: str = "Yongjia", safeguard: dict[str, Any] | None = None, **changes: Any) -> NewOrder:
    return new_order(compound, gift=RING, safeguard=safeguard or {}, **changes)


def insured(**changes: Any) -> Courier:
    """The courier of the stage, that looks who a client is and is insured for more than the ring is worth."""
    return Courier.model_validate(
        {
            "courier_id": "paper-co",
            "market_id": "SHA",
            "dialect": "paper",
            "account": "main",
            "proofs": ["identity", "photo", "receipt_code"],
            "insured_limit": {"amount": 300_000_000, "currency": "CNY"},
            **changes,
        }
    )


def with_ring_courier(**more: Any) -> Stage:
    on = stage(**more)
    enlist.put_courier(on.world, insured())
    on.settle()
    return on


def proof(**parts: str) -> NewProof:
    return NewProof.model_validate(parts)
