"""The faces of the simulated couriers: one file a dialect, named as its adapter in `chalicelib/couriers`."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

from sandbox.voice import Voice


def account(dialect: str, name: str) -> dict[str, str]:
    """An invented account at a courier of that dialect, without `base_url`."""
    made: dict[str, str] = importlib.import_module(f"{__name__}.{dialect}").account(name)
    return made


def speaking(dialect: str, account: Mapping[str, str]) -> Voice:
    """A voice of that dialect, for that account."""
    voice: Voice = importlib.import_module(f"{__name__}.{dialect}").voice(account)
    return voice
