"""Every word of ours that a page may show has been put into plain English."""

from __future__ import annotations

from enum import EnumType, StrEnum

import pytest

from chalicelib.domain.curfews import Stop
from chalicelib.domain.evidence import Step
from chalicelib.domain.explanation import By, Instead
from chalicelib.domain.gifts import ItemClass
from chalicelib.domain.orders import Fallback, OrderState
from chalicelib.domain.policies import CredentialKind, Handover, LastLeg, Level
from chalicelib.domain.verdicts import Decision, Reason
from chalicelib.domain.zones import Lift
from chalicelib.pages import words
from chalicelib.routes.disclosure import BrandReason

SPOKEN: list[tuple[EnumType, dict[str, str]]] = [
    (Reason, words.REASONS),
    (BrandReason, words.REASONS),
    (Reason, words.CHANGES),
    (BrandReason, words.CHANGES),
    (By, words.OUT_RANKED),
    (Instead, words.INSTEAD),
    (Step, words.STEPS),
    (Handover, words.HANDOVERS),
    (ItemClass, words.ITEM_CLASSES),
    (CredentialKind, words.CREDENTIALS),
    (LastLeg, words.LAST_LEGS),
    (Stop, words.STOPS),
    (Lift, words.LIFTS),
    (OrderState, words.STATES),
    (Fallback, words.FALLBACKS),
]


def every(kind: EnumType) -> list[str]:
    return [str(member.value) for member in kind]  # type: ignore[var-annotated]


@pytest.mark.parametrize(("kind", "spoken"), SPOKEN, ids=lambda one: getattr(one, "__name__", ""))
def test_every_word_has_a_sentence(kind: EnumType, spoken: dict[str, str]) -> None:
    assert [name for name in every(kind) if name not in spoken] == []


def test_no_sentence_is_left_of_a_word_that_is_gone() -> None:
    for spoken in {id(table): table for _, table in SPOKEN}.values():
        named = {name for kind, table in SPOKEN if table is spoken for name in every(kind)}
        assert set(spoken) - named == set()


def test_every_level_has_a_name() -> None:
    assert set(words.LEVELS) == {level.name.lower() for level in Level}


def test_every_decision_at_every_step_has_a_headline() -> None:
    assert set(words.HEADLINES) == {(str(step), str(decision)) for step in Step for decision in Decision}


@pytest.mark.parametrize("reason", sorted(words.REASONS))
def test_a_reason_is_a_whole_sentence_in_plain_words(reason: str) -> None:
    text = words.REASONS[reason]
    assert text[0].isupper()
    assert text.endswith(".")
    assert "_" not in text


def test_a_word_that_is_new_tomorrow_is_read_out_rather_than_lost() -> None:
    assert words.said(words.REASONS, "bridge_flooded") == "bridge flooded"


class Odd(StrEnum):
    """What this file's own check has to find."""

    CURFEW = "curfew"
    NEW = "new_tomorrow"


def test_the_check_itself_bites() -> None:
    assert [name for name in every(Odd) if name not in words.REASONS] == ["new_tomorrow"]


@pytest.mark.parametrize(
    ("amount", "currency", "said"),
    [
        (4000, "CNY", "40.00 CNY"),
        (-5, "EUR", "-0.05 EUR"),
        (1234567, "CNY", "12,345.67 CNY"),
        (1200, "JPY", "1,200 JPY"),
        (1, "KWD", "0.001 KWD"),
        (0, "CNY", "0.00 CNY"),
    ],
)
def test_money_is_told_in_whole_units_of_its_currency(amount: int, currency: str, said: str) -> None:
    assert words.money(amount, currency) == said
