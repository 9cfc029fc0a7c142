"""Policies in words: everything that a policy can say is said, and nothing where it is silent."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.policies import Policy
from chalicelib.pages import regimes

SILENT: dict[str, Any] = {"policy_id": "p", "version": 1, "title": "P"}
SAYS: dict[str, Any] = {
    "handovers": ["gate"],
    "items": ["flowers"],
    "items_denied": ["alcohol"],
    "hand_out_denied": ["fashion"],
    "essential_only": True,
    "curfews": [{"start_local": "22:00", "end_local": "05:00"}],
    "requirements": [{"kind": "pcr", "max_age_hours": 48}],
    "permit_needed": True,
    "gate": {"rest_minutes": 30, "antigen_at_gate": True},
    "auto_release": True,
    "companies": ["whitelist-21"],
    "persons": ["riders"],
    "quotas": [{"per": "household", "limit": 1}],
    "last_leg": ["volunteer"],
    "unknown": True,
}
NAMES = {"policy_id", "version", "title", "source"}
"""What the page shows of a policy itself."""


def told(**changes: Any) -> list[str]:
    return list(regimes.told(Policy.model_validate({**SILENT, **changes})))


def test_a_silent_policy_says_that_it_says_nothing() -> None:
    assert told() == ["It says nothing about where things change hands."]


def test_every_field_of_a_policy_is_tried_here() -> None:
    assert set(Policy.model_fields) == NAMES | set(SAYS)


@pytest.mark.parametrize("name", sorted(SAYS))
def test_whatever_a_policy_says_is_told(name: str) -> None:
    assert told(**{name: SAYS[name]}) != told()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"handovers": ["shelf", "gate"]},
            "Things may change hands at the gate of the compound or on a shelf at the gate.",
        ),
        ({"handovers": []}, "Nothing may be handed over."),
        ({"unknown": True}, "Nobody knows what holds there, and unknown is not open."),
        ({"items": []}, "Nothing comes in."),
        ({"items": ["flowers", "chilled"]}, "Only these come in: chilled food and flowers."),
        (
            {"curfews": [{"start_local": "22:00", "end_local": "05:00"}]},
            "From 22:00 to 05:00 local time no courier is under way.",
        ),
        (
            {
                "curfews": [
                    {
                        "start_local": "18:00",
                        "end_local": "06:00",
                        "days": [5, 6],
                        "dates_from": "2021-01-16",
                        "dates_until": "2021-03-20",
                        "stops": ["hand_out", "collection"],
                        "item_classes": ["fashion"],
                    }
                ]
            },
            "From 18:00 to 06:00 local time no client comes out to fetch and no shop hands out, begun on Saturday and "
            "Sunday, from the night of 16 January 2021 on, no more from that of 20 March 2021 on; that is for fashion.",
        ),
        (
            {"curfews": [{"start_local": "00:00", "end_local": "00:00"}]},
            "From 00:00 local time for a whole day no courier is under way.",
        ),
        (
            {"requirements": [{"kind": "pcr", "max_age_hours": 48, "age_from": "reported"}]},
            "The crew shows a PCR test, at most 48 hours after its result was reported.",
        ),
        (
            {"requirements": [{"kind": "antigen", "max_age_hours": 24, "sequence": "2+2"}]},
            "The crew shows an antigen test, at most 24 hours after it was taken, in the order of “2+2”: two antigen "
            "tests one day, a PCR and an antigen test the next.",
        ),
        (
            {"quotas": [{"per": "household", "limit": 1}]},
            "At most 1 delivery a local day for each household.",
        ),
        (
            {"last_leg": ["volunteer", "recipient"]},
            "From there to the flat it is brought by a volunteer or the client.",
        ),
    ],
)
def test_a_policy_reads_like_this(changes: dict[str, Any], sentence: str) -> None:
    assert sentence in told(**changes)


def test_a_brand_is_not_told_that_households_are_counted() -> None:
    """Where nothing else is counted, *full* would tell it that somebody else sends something to its client."""
    policies = [
        Policy.model_validate({**SILENT, "quotas": [{"per": per, "limit": 1}]})
        for per in ("household", "zone")
    ]
    said = [list(regimes.told(policy, whole=False)) for policy in policies]
    assert said[0] == said[1]
    assert said[0][-1] == "Only so many deliveries a local day are let through."
