"""The same asked of every feed: nothing it is handed makes it raise, and nothing empty or broken opens anything."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.reading import Faults
from chalicelib.domain.uploads import Content, Format, UploadStart
from chalicelib.feeds import Folder
from chalicelib.rulebooks import Shelf
from tests.conftest import ROOT
from tests.feeds import lists, shanghai, test_geojson, test_italy_zones, test_risk_list, test_rulebook
from tests.maps import market

NAMES = tuple(Folder())

Case = tuple[bytes, UploadStart, Content, Any, Any]


def good(name: str) -> Case:
    """A good file, what its upload states, what it amends, when, and where."""
    if name == "geojson":
        return (
            test_geojson.file(test_geojson.theirs()),
            test_geojson.BEGUN,
            test_geojson.BASE,
            test_risk_list.NOW,
            market(),
        )
    if name == "shanghai_daily":
        raw = shanghai.file({"黄浦区": ["永嘉路123弄", ["永嘉路1弄", 31.2294, 121.4879]]})
        return raw, shanghai.begun("2022-05-01"), shanghai.city(), test_risk_list.NOW, market()
    if name == "italy_zones":
        raw = test_italy_zones.table(test_italy_zones.GOOD)
        return (
            raw,
            test_italy_zones.begun(),
            test_italy_zones.base(),
            test_italy_zones.NOW,
            test_italy_zones.MILAN,
        )
    if name == "rulebook":
        place = test_italy_zones.MILAN
        return (
            test_rulebook.GOOD,
            test_rulebook.AMENDING,
            test_italy_zones.base(),
            test_italy_zones.NOW,
            place,
        )
    return test_risk_list.FIRST, test_risk_list.begun(), test_risk_list.BASE, test_risk_list.NOW, market()


def read(case: Case, raw: bytes) -> Content | Faults:
    found, _ = lists.settled(raw, case[1], case[2], now=case[3], place=case[4], book=Shelf())
    return found


def closed(content: Content) -> set[tuple[Any, ...]]:
    """What is ruled, but for when that was known."""
    return {(z.zone_id, z.level, z.policy_reference, z.unit, z.valid_from, z.valid_to) for z in content.zones}


@pytest.mark.parametrize("name", NAMES)
def test_a_good_file_amends_and_the_same_again_says_nothing_new(name: str) -> None:
    case = good(name)
    once = read(case, case[0])
    assert isinstance(once, Content), once.listed
    assert len(once.zones) > len(case[2].zones)
    again, _ = lists.settled(case[0], case[1], once, now=case[3], place=case[4], book=Shelf())
    assert again == once


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "raw", [b"", b"{}", b"[]", b"null", b"\x00" * 64, b'{"features": [], "type": "FeatureCollection"}']
)
def test_what_is_empty_opens_nothing(name: str, raw: bytes) -> None:
    assert isinstance(read(good(name), raw), Faults)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40)
@given(data=st.data())
def test_a_file_that_was_cut_or_bent_is_refused_or_takes_nothing_away(name: str, data: st.DataObject) -> None:
    case = good(name)
    raw = bytearray(case[0])
    at = data.draw(st.integers(0, len(raw) - 1))
    if data.draw(st.booleans()):
        raw[at] = data.draw(st.integers(0, 255))
    else:
        del raw[at : at + data.draw(st.integers(1, 40))]
    found = read(case, bytes(raw))
    if isinstance(found, Content):
        assert closed(case[2]) <= closed(found)
    else:
        assert found.count >= 1
        assert all(fault.detail for fault in found.listed)


CROWDED = {
    "geojson": ('{"type": "FeatureCollection", "features": [%s]}', "/features"),
    "rulebook": ('{"book": "italy", "zones": [%s]}', "/zones"),
    "shanghai_daily": ('{"黄浦区": {"addressWithLocation": [%s]}}', ""),
    "risk_list": ('{"data": {"highlist": [%s]}, "code": 0}', "/data"),
}


@pytest.mark.parametrize("name", sorted(CROWDED))
def test_more_entries_than_a_file_can_have_are_one_fault_and_none_is_read(name: str) -> None:
    shape, pointer = CROWDED[name]
    found = read(good(name), (shape % ",".join(["1"] * 300_000)).encode())
    assert isinstance(found, Faults)
    assert (found.count, found.listed[0].pointer) == (1, pointer)
    assert "at most 200000 " in found.listed[0].detail


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def _puts(document: Any, path: list[int], value: Any) -> Any:
    """The document with another value at some place in it."""
    if not path or not isinstance(document, dict | list) or not document:
        return value
    if isinstance(document, dict):
        key = list(document)[path[0] % len(document)]
        return {**document, key: _puts(document[key], path[1:], value)}
    at = path[0] % len(document)
    return [*document[:at], _puts(document[at], path[1:], value), *document[at + 1 :]]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "italy_zones"])
@settings(max_examples=60)
@given(path=st.lists(st.integers(0, 5), max_size=5), value=VALUES)
def test_any_value_in_any_place_is_a_fault_or_harmless(name: str, path: list[int], value: Any) -> None:
    case = good(name)
    found = read(case, json.dumps(_puts(json.loads(case[0]), path, value)).encode())
    if isinstance(found, Content):
        assert closed(case[2]) <= closed(found)


def test_every_format_but_our_own_has_a_feed() -> None:
    assert set(NAMES) == {known.value for known in Format} - {"cordon"}
    assert "cordon" not in Folder()
    assert len(Folder()) == len(NAMES)
    with pytest.raises(KeyError):
        Folder()["cordon"]


def test_a_feed_is_imported_when_it_is_asked_for() -> None:
    probe = (
        "import sys; from chalicelib.feeds import Folder\n"
        "loaded = lambda: {name for name in sys.modules if name.startswith('chalicelib.feeds.')}\n"
        "assert list(Folder()) and loaded() == set(), loaded()\n"
        "Folder()['italy_zones']; assert 'chalicelib.feeds.shanghai_daily' not in loaded(), loaded()\n"
    )
    subprocess.run([sys.executable, "-c", probe], cwd=ROOT, check=True)
