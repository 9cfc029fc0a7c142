"""Ten thousand callbacks of all couriers, doubled, shuffled and some of them forged, leave what the ordered truth leaves.

Over the whole path, with the table between, the same is asked in `tests/flows/test_callbacks.py`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import timedelta

from chalicelib.couriers import Folder
from chalicelib.domain.dialect import Callback
from chalicelib.domain.errors import Unauthorised
from chalicelib.domain.legs import Event, Track, fold, reference_of
from tests.couriers.contract.loading import of_the_folder
from tests.couriers.contract.subject import Subject
from tests.couriers.jobs import NOON

ALL = 10_000
FORGED = 0.05
LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


@dataclass
class Mail:
    """What one courier sends, and what it comes to."""

    truth: dict[str, list[Callback]] = field(default_factory=dict)
    arriving: list[tuple[Callback, bool]] = field(default_factory=list)
    """In the order of arrival; True: forged."""


def mail(subject: Subject, many: int, dice: random.Random) -> Mail:
    """So many callbacks: jobs with a story each, every word of it twice, and one in twenty by somebody else."""
    found, statuses = Mail(), [*subject.wants("STATUSES"), subject.wants("UNKNOWN_STATUS")]
    forged = round(many * FORGED)
    genuine: list[Callback] = []
    while 2 * len(genuine) < many - forged:
        reference = reference_of("ord_" + "".join(dice.choices(LETTERS, k=26)), 1, dice.randint(1, 9))
        long = min(dice.randint(1, 9), (many - forged) // 2 - len(genuine))
        minutes = sorted(dice.sample(range(90), long))
        story = [
            subject.told(
                dice.choice(statuses), reference=reference, occurred_at=NOON + timedelta(minutes=minute)
            )
            for minute in minutes
        ]
        found.truth[reference] = story
        genuine += story
    forger = subject.wants("ROTATED")
    for reference in dice.choices(list(found.truth), k=many - 2 * len(genuine)):
        status = dice.choice(statuses)
        found.arriving.append((subject.told(status, account=forger, reference=reference), True))
    found.arriving += [(callback, False) for callback in genuine * 2]
    dice.shuffle(found.arriving)
    return found


def tracks(events: list[Event], references: list[str]) -> dict[str, Track]:
    heard: dict[str, list[Event]] = {reference: [] for reference in references}
    for event in events:
        heard[event.reference].append(event)
    return {reference: fold(some) for reference, some in heard.items()}


def test_ten_thousand_callbacks_in_any_order_leave_what_the_ordered_truth_leaves() -> None:
    dice, names = random.Random(20220411), list(Folder())
    sent = refused = 0
    for n, name in enumerate(names):
        subject = of_the_folder(name)
        come = mail(subject, ALL // len(names) + (n < ALL % len(names)), dice)
        heard: list[Event] = []
        for callback, forged in come.arriving:
            sent += 1
            try:
                events = subject.hear(callback, at=NOON + timedelta(seconds=dice.randint(0, 200))).events
            except Unauthorised:
                assert forged, name
                refused += 1
            else:
                assert not forged, name
                heard += events
        true = [event for story in come.truth.values() for one in story for event in subject.hear(one).events]
        references = list(come.truth)
        assert tracks(heard, references) == tracks(true, references), name
    assert sent == ALL
    assert refused == round(ALL * FORGED)
