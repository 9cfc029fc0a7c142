"""Shanghai in spring 2022 as tests need it: the districts, the rules of the day, and lists of any day."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from chalicelib.domain.uploads import Content, UploadStart
from tests.feeds import lists
from tests.maps import content as ours
from tests.maps import part, policy

DISTRICTS = [
    "黄浦区",
    "徐汇区",
    "长宁区",
    "静安区",
    "普陀区",
    "虹口区",
    "杨浦区",
    "闵行区",
    "宝山区",
    "嘉定区",
    "浦东新区",
    "金山区",
    "松江区",
    "青浦区",
    "奉贤区",
    "崇明区",
]
RULES = [
    policy("precautionary", 1, handovers=["door", "gate"]),
    policy("shanghai-sealed", 1),
    policy("shanghai-sealed", 2),
    policy("shanghai-controlled", 1),
    policy("shanghai-controlled", 2),
]


def district(name: str, geometry: Any = None) -> dict[str, Any]:
    properties = {
        "zone_id": f"district-{DISTRICTS.index(name)}",
        "level": "precautionary",
        "policy": "precautionary@1",
        "unit": {"kind": "district", "district": name},
        "valid_from": "2022-04-01T00:00:00+08:00",
    }
    return {"type": "Feature", "geometry": geometry, "properties": properties}


@cache
def city() -> Content:
    """Every district precautionary, none drawn but Huangpu: a square round the Bund's back streets."""
    ring = [[121.45, 31.2], [121.5, 31.2], [121.5, 31.25], [121.45, 31.25], [121.45, 31.2]]
    drawn = {"黄浦区": {"type": "Polygon", "coordinates": [ring]}}
    return ours(part(*(district(name, drawn.get(name)) for name in DISTRICTS), policies=RULES))


@cache
def mapped(shared: Path) -> Content:
    """The same on the real map of its districts."""
    found = json.loads((shared / "data/shanghai/datav_310000_districts_gcj02.json").read_bytes())
    features = [district(each["properties"]["name"], each["geometry"]) for each in found["features"]]
    return ours(part(*features, policies=RULES))


def begun(day: str, datum: str = "BD09", **changes: Any) -> UploadStart:
    return lists.start(format="shanghai_daily", day=day, datum=datum, **changes)


def morning_after(day: str) -> datetime:
    """09:10 on the next day: when the list of that of 12 April was published."""
    return datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(days=1, hours=1, minutes=10)


def file(named: dict[str, list[Any]] | None = None, without: tuple[str, ...] = (), **counts: int) -> bytes:
    """A list: every district is there, those that are not named without cases; names alone have no point."""
    named = named or {}
    stated = {}
    for name in DISTRICTS:
        lines = [[line, None, None] if isinstance(line, str) else line for line in named.get(name, [])]
        cases = counts.get(name, len(lines))
        stated[name] = {
            "name": name,
            "cases": str(cases),
            "asymptomaticCases": 0,
            "addressWithLocation": lines,
        }
    return json.dumps({name: said for name, said in stated.items() if name not in without}).encode()


def after(base: Content, day: str, raw: bytes, **changes: Any) -> Content:
    """The rules with that day's list on top, read on the morning after."""
    return lists.content(raw, begun(day), base, **{"now": morning_after(day), **changes})


def run(days: dict[str, bytes], base: Content | None = None) -> Content:
    found = base or city()
    newest = max(days)
    for day, raw in days.items():
        found = after(found, day, raw, now=morning_after(max(day, newest)))
    return found
