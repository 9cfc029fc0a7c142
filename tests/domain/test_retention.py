"""How long things are kept is said once, with a reason, and is long enough for what they are for."""

from __future__ import annotations

import re
from datetime import timedelta

from chalicelib.domain.retention import BACKUPS, ERASED_WITHIN, ORDER_KEYS, TERMS
from chalicelib.flows.place import HORIZON, LONGEST
from tests.conftest import ROOT


def test_every_term_says_what_since_when_and_why() -> None:
    for term in TERMS:
        assert term.keeps >= timedelta(days=30)
        assert min(map(len, (term.what, term.since, term.why))) > 5


def test_an_hours_key_outlives_the_latest_window_an_order_of_that_hour_may_have_by_three_months() -> None:
    assert ORDER_KEYS.keeps == HORIZON + LONGEST + timedelta(days=90)


def test_an_erasure_is_done_within_the_month_that_the_law_gives() -> None:
    assert timedelta(days=30) >= ERASED_WITHIN


def test_backups_reach_as_far_back_as_is_said() -> None:
    template = (ROOT / ".chalice" / "resources.yaml").read_text(encoding="utf-8")
    assert "PointInTimeRecoveryEnabled: true" in template
    days = re.findall(r"RecoveryPeriodInDays: (\d+)", template)
    assert timedelta(days=int(days[0]) if days else 35) == BACKUPS, "35 days where nothing is said"
