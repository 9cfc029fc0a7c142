"""Fleets by name: how a whole company behaves, from a seed.

fast           there in half the time
slow           answers late, and sometimes too late; its couriers come late as well
refusing       says no to two jobs of three, for all its reasons
failing        every second job fails before its pick-up
lying          calls "delivered" while the gift is still at the shop; takes jobs and knows nothing of them later
forged         strangers call in its name, as often as it does itself
out_of_order   three callbacks of five come late, after those that follow them
doubling       every callback comes twice
silent         never calls: only a look-up tells
down           gone for a quarter of its day, and for a while before that answering 503
busy           puts off every second request with 429 and Retry-After
lapsed         its couriers' passes have lapsed: every third is turned back at the cordon
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sandbox.conduct import Conduct, Down

_MINUTE = timedelta(minutes=1)
FLEETS: Mapping[str, Mapping[str, Any]] = {
    "fast": {"assign_after": _MINUTE, "shop_wait": 2 * _MINUTE, "ride": 15 * _MINUTE},
    "slow": {
        "slow_seconds": 0.2,
        "stall": 0.3,
        "assign_after": 15 * _MINUTE,
        "shop_wait": 10 * _MINUTE,
        "late": 10 * _MINUTE,
    },
    "refusing": {
        "refuse": 0.67,
        "refusals": ("no_rider", "out_of_area", "closed_area", "goods_refused", "account_unpaid"),
    },
    "failing": {"fail": 0.5},
    "lying": {"boast": 0.5, "forget": 0.5},
    "forged": {"forge": 1.0},
    "out_of_order": {"reorder": 0.6},
    "doubling": {"double": 1.0},
    "silent": {"lose": 1.0},
    "down": {},
    "busy": {"busy": 0.5},
    "lapsed": {"closed": 0.34},
}


def conduct(name: str, seed: int, begins: datetime, ends: datetime, **more: Any) -> Conduct:
    """The conduct of that fleet for a day from `begins` to `ends`; `more` is anything else of `Conduct`."""
    settings = {**FLEETS[name], **more}
    if name == "down" and "down" not in more:
        settings["down"] = _down(seed, begins, ends)
    return Conduct(seed=seed, **settings)


def _down(seed: int, begins: datetime, ends: datetime) -> tuple[Down, ...]:
    """Unavailable for a thirtieth of the day, then gone for a quarter of it, somewhere in its first half."""
    day = ends - begins
    dice = random.Random(f"{seed}/down")  # nosec B311 - dice of a game
    start = begins + day / 8 + dice.random() * day / 8
    gone = start + day / 30
    return Down(start, gone, "unavailable"), Down(gone, gone + day / 4)
