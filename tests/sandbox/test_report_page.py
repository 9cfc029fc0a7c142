"""The report of a played day: one page that needs nothing else, with every order's story and a map for each hour."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta
from typing import Any

from sandbox import checker, shanghai
from sandbox.day import Outcome, Seen
from sandbox.report_page import written


def page() -> tuple[str, list[dict[str, Any]]]:
    scenario = shanghai.Shanghai(7)
    stories = []
    for number, order in enumerate(scenario.orders):
        steps = ("placed", "held") if number % 3 else ("placed", "assigned", "delivered")
        history = [
            {"state": state, "at": (order.when + timedelta(hours=at)).isoformat()}
            for at, state in enumerate(steps)
        ]
        stories.append(
            {
                "brand": "maison <b>",
                "reference": order.reference,
                "state": steps[-1],
                "placed_at": order.when.isoformat(),
                "reasons": ["curfew"] if number % 3 else [],
                "history": history,
                "custody": {"stretches": [{"holder": "shop", "since": order.when.isoformat()}]},
            }
        )
    summary = (checker.Line("sealed", "held", "curfew", 4), checker.Line("controlled", "delivered", "", 9))
    outcome = Outcome(
        report=checker.Report(summary=summary),
        faults=["<script>alert(1)</script>"],
        placed=len(stories),
        zones=17649,
        callbacks=Counter(),
        notices={},
        evidence=3,
        messages=5,
        seconds=1.0,
    )
    hours = [
        Seen(shanghai.BEGINS + timedelta(hours=n), n, 2 * n, n // 2, 16 - n if n < 16 else None)
        for n in range(24)
    ]
    return written("shanghai", scenario, outcome, hours, stories), stories


def test_the_page_needs_nothing_else_and_runs_nothing() -> None:
    text, stories = page()
    assert "<script" not in text and "&lt;script&gt;" in text and "maison &lt;b&gt;" in text
    assert not re.search(r"""(src|href)=|url\(|@import""", text)
    assert all(story["reference"] in text for story in stories)
    assert len(text) < 3_000_000


def test_each_hour_has_its_frame_and_one_is_shown() -> None:
    text, _ = page()
    frames = re.findall(r'<g class="f(\d+)">', text)
    assert len(frames) > 10 and len(frames) == len(re.findall(r'type="radio"', text))
    assert text.count(" checked>") == 1
    for number in frames:
        assert f".hours:has(#h{number}:checked) .f{number}" in text
    assert "1 thing is wrong" in text
