"""What an old snapshot said, recalled for evidence that points at it; and a decision made again under it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.domain.policies import Policy
from chalicelib.domain.zones import Exemption, Zone


@dataclass(frozen=True)
class Recalled:
    """Of one snapshot its policies and exemptions, and those zones that some decision named."""

    digest: str
    time_zone: str
    policies: Mapping[str, Policy]
    """By `id@version`."""
    zones: Mapping[str, Zone]
    exemptions: Mapping[str, Exemption]
