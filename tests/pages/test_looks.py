"""A sheet as HTML and as text: everything there, nothing of it markup, times as a clock on the spot shows them."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest

from chalicelib.pages import html, text
from chalicelib.pages.sheet import Bullets, Facts, Paragraph, Section, Sheet, ahead, moment, span

SHANGHAI, ROME, NEWFOUNDLAND = (
    ZoneInfo("Asia/Shanghai"),
    ZoneInfo("Europe/Rome"),
    ZoneInfo("America/St_Johns"),
)
ODD = "<script>alert(1)</script> & \"quoted\" 'twice' 永嘉新村"


def sheet(words: str = "Words") -> Sheet:
    at = moment(datetime(2022, 4, 11, 4, 0, tzinfo=UTC), SHANGHAI)
    blocks = (
        Paragraph((words, at), tone="no"),
        Bullets(((words,), (at, words))),
        Facts(((words, ((words,), (at,))),)),
    )
    return Sheet(
        words, blocks, (Section((words,), blocks), Section((at, words), blocks, level=3, tone="yes"))
    )


class Outline(HTMLParser):
    """Which elements were opened and not closed, which were seen, and what text stands in them."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.said: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.said.append(data)


def outline(page: str) -> Outline:
    found = Outline()
    found.feed(page)
    found.close()
    return found


def test_every_element_is_closed_and_none_is_a_script() -> None:
    found = outline(html.rendered(sheet(ODD)))
    assert found.open == []
    assert "script" not in found.seen
    assert found.seen.count("h1") == 1


def test_whatever_stands_in_a_name_is_text_everywhere() -> None:
    plain, odd = outline(html.rendered(sheet("Words"))), outline(html.rendered(sheet(ODD)))
    assert odd.seen == plain.seen
    assert "".join(odd.said).count(ODD) == "".join(plain.said).count("Words") > 8


def test_the_style_is_the_one_that_the_policy_lets_in() -> None:
    (style,) = re.findall(r"<style>(.*?)</style>", html.rendered(sheet()), re.S)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in html.POLICY
    assert "default-src 'none'" in html.POLICY
    assert "url(" not in style
    assert " style=" not in html.rendered(sheet())


def test_the_same_words_stand_in_both_looks() -> None:
    said = " ".join("".join(outline(html.rendered(sheet())).said).split())
    assert said.count("Words") == text.rendered(sheet()).count("Words") + 1  # the title is also the window's


def test_no_line_of_the_text_is_wider_than_a_terminal_likes() -> None:
    assert max(map(len, text.rendered(sheet("word " * 80)).splitlines())) <= text.WIDTH


@pytest.mark.parametrize("odd", ["\x1b[31m", "\r\n", "\u202e", "\u200b", "\x00", "\u2028"])
def test_a_name_moves_no_cursor_and_turns_no_text_round(odd: str) -> None:
    for page in (text.rendered(sheet(f"a{odd}b")), html.rendered(sheet(f"a{odd}b"))):
        assert odd not in page.replace("\n", "") or odd == "\n"


@pytest.mark.parametrize(
    ("at", "zone", "said"),
    [
        (datetime(2022, 4, 11, 4, 0, tzinfo=UTC), SHANGHAI, "Mon 11 Apr 2022, 12:00 (04:00 UTC)"),
        (datetime(2022, 4, 10, 16, 0, tzinfo=UTC), SHANGHAI, "Mon 11 Apr 2022, 00:00 (10 Apr, 16:00 UTC)"),
        (datetime(2022, 4, 11, 4, 0, 7, tzinfo=UTC), SHANGHAI, "Mon 11 Apr 2022, 12:00:07 (04:00:07 UTC)"),
        (datetime(2021, 3, 28, 0, 30, tzinfo=UTC), ROME, "Sun 28 Mar 2021, 01:30 (00:30 UTC)"),
        (datetime(2021, 3, 28, 1, 30, tzinfo=UTC), ROME, "Sun 28 Mar 2021, 03:30 (01:30 UTC)"),
    ],
)
def test_a_moment_is_told_on_the_spot_and_in_utc(at: datetime, zone: ZoneInfo, said: str) -> None:
    assert str(moment(at, zone)) == said


def test_an_hour_that_comes_twice_is_told_apart_by_utc() -> None:
    first, second = (moment(datetime(2021, 10, 31, hour, 30, tzinfo=UTC), ROME) for hour in (0, 1))
    assert first.local == second.local
    assert str(first) != str(second)


def test_how_far_a_clock_is_ahead() -> None:
    at = datetime(2022, 1, 1, tzinfo=UTC)
    assert [ahead(at, zone) for zone in (SHANGHAI, ROME, NEWFOUNDLAND)] == ["UTC+8", "UTC+1", "UTC-3:30"]


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (timedelta(days=2, hours=3, minutes=4), "2 days 3 hours"),
        (timedelta(minutes=70), "1 hour 10 minutes"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(seconds=59), "less than a minute"),
    ],
)
def test_a_span_is_told_in_its_two_largest_parts(length: timedelta, said: str) -> None:
    assert span(length) == said
