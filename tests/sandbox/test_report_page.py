"""The report of a played day: one page that needs nothing else, with every order's story and a map for each hour."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox import checker, shanghai
from sandbox.day import Outcome, Seen
from sandbox.report_page import written
from tests.browser import browser, needs_browser, overhang, violations


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
                "decisions": [
                    {
                        "step": "dispatch",
                        "decision": "yes",
                        "decided_at": order.when.isoformat(),
                        "courier": "sftc",
                        "handovers": ["gate"],
                        "reasons": [],
                        "rules_version": 4,
                        "turned_down": [{"reason": "curfew", "slots": ["a", "b"], "more": 1}],
                    }
                ],
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


def test_the_map_says_of_each_hour_how_many_of_a_district_s_listed_compounds_are_sealed() -> None:
    text, _ = page()
    frames = dict(re.findall(r'<g class="f(\d+)">(.*?)(?=<g class="f\d+">|</svg></form>)', text, re.DOTALL))
    assert "no list yet" in frames["0"] and "% sealed" not in frames["0"]
    last = frames[str(len(frames) - 1)]
    assert "Huangpu: " in last and "% sealed" in last and "no list yet" not in last


def test_deliveries_are_drawn_by_level_over_time_with_their_figures() -> None:
    text, stories = page()
    part = text.partition("Deliveries by level over time")[2].partition("<h2>")[0]
    assert part.count("<polyline") >= 3 and "precautionary" in part
    last = re.findall(r'<td class="n">(\d+)</td>', part.rpartition("<tr>")[2])
    handed = sum(story["state"] == "delivered" for story in stories)
    assert 0 < sum(map(int, last)) <= handed


def test_a_story_tells_the_way_the_hands_and_why() -> None:
    text, _ = page()
    story = next(part for part in text.split("<details>") if "dispatch: <strong>yes</strong>" in part)
    for words in ("hand-over at the gate", "turned down: 3 curfew", "rules 4", "shop"):
        assert words in story


@needs_browser
def test_it_can_be_read_aloud_on_the_smallest_phone_and_goes_through_the_hours_by_keyboard(
    tmp_path: Path,
) -> None:
    place = tmp_path / "report.html"
    place.write_text(page()[0])
    with browser() as chromium:
        for width, scheme in ((320, "light"), (1280, "dark")):
            size = {"width": width, "height": 800}
            seen = chromium.new_context(viewport=size, color_scheme=scheme, bypass_csp=True).new_page()
            seen.on("console", lambda line: pytest.fail(f"the browser complains: {line.text}"))
            seen.goto(place.as_uri())
            assert overhang(seen) == 0
            assert violations(seen) == []
            before = seen.locator("g[class^=f]:visible").get_attribute("class")
            seen.focus("input[type=radio]:checked")
            seen.keyboard.press("ArrowRight")
            assert seen.locator("g[class^=f]:visible").get_attribute("class") != before
