"""An authority's own GeoJSON: a FeatureCollection whose properties are called as the upload's `wording` says.

Read as RFC 7946 is: longitude first, rings in either direction (turned, and said). A date alone is the midnight
that begins it on the upload's clock, so an end by date is the first day on which the zone is over. A value that the
wording has no word for is a fault: a level nobody has translated is not open.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Final

from chalicelib.domain.feeds import Entry, Listed, Note, Told, too_many
from chalicelib.domain.places import Datum
from chalicelib.domain.rings import names_wgs84
from chalicelib.domain.shapes import zone_info
from chalicelib.domain.uploads import Wording
from chalicelib.feeds._json import document_of, escaped

OURS: Final = (
    "zone_id",
    "level",
    "policy",
    "valid_from",
    "valid_to",
    "expected_end",
    "known_since",
    "precision_m",
    "basis",
)
UNIT: Final = ("district", "compound", "building", "address")
_TIMES: Final = frozenset({"valid_from", "valid_to", "expected_end", "known_since"})
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


class GeoJson:
    """Any authority that draws its zones."""

    def read(self, raw: bytes, told: Told) -> Listed:
        listed = Listed()
        wording = told.start.wording or Wording()
        for kind, names in (("names", wording.names), ("words", wording.words), ("fixed", wording.fixed)):
            for name in set(names) - {*OURS, *UNIT}:
                detail = f"one of {', '.join((*OURS, *UNIT))} was expected"
                listed.faults.append(Note(f"/wording/{kind}", detail, repr(name), of_upload=True))
        found = _collection(raw, told, listed)
        for index, given in enumerate(found):
            pointer = f"/features/{index}"
            if not isinstance(given, dict) or given.get("type") != "Feature":
                listed.faults.append(Note(pointer, "a Feature was expected", number=index))
                continue
            stated = given.get("properties")
            if not isinstance(stated, dict):
                listed.faults.append(Note(f"{pointer}/properties", "an object was expected", number=index))
                continue
            reader = _Reader(stated, wording, told, pointer, index, listed)
            feature = {
                "type": "Feature",
                "geometry": given.get("geometry"),
                "properties": reader.properties(),
            }
            listed.entries.append(Entry(feature, pointer, index, reader.named))
        listed.policies = [
            told.book[name]
            for name in sorted({str(entry.feature["properties"].get("policy")) for entry in listed.entries})
            if name in told.book
        ]
        return listed


feed: Final = GeoJson()


def _collection(raw: bytes, told: Told, listed: Listed) -> list[Any]:
    document = document_of(raw, listed)
    if listed.faults and document is None:
        return []
    kind = document.get("type") if isinstance(document, dict) else None
    if not isinstance(document, dict) or kind != "FeatureCollection":
        detail = "a FeatureCollection was expected"
        if kind == "Topology":
            detail += "; a TopoJSON file has its coordinates as steps along arcs: convert it first"
        listed.faults.append(Note("/type", detail, repr(kind)[:120]))
        return []
    crs = document.get("crs")
    if crs is not None and not (told.start.datum is Datum.WGS84 and names_wgs84(crs)):
        detail = f"no crs was expected, the upload says {told.start.datum.value}"
        listed.faults.append(Note("/crs", detail, repr(crs)[:120]))
    features = document.get("features")
    if not isinstance(features, list):
        listed.faults.append(Note("/features", "a list was expected"))
        return []
    excess = too_many("/features", len(features))
    listed.faults += excess
    return [] if excess else features


@dataclass(frozen=True)
class _Reader:
    """One feature's properties, in our words."""

    stated: Mapping[str, Any]
    wording: Wording
    told: Told
    pointer: str
    index: int
    listed: Listed

    def properties(self) -> dict[str, Any]:
        found = {name: value for name in OURS if (value := self._value(name)) is not None}
        unit = {name: value for name in UNIT if (value := self._value(name)) is not None}
        if unit:
            kind = next(name for name in ("building", "address", "compound", "district") if name in unit)
            found["unit"] = {"kind": kind, **unit}
        return found

    def named(self, pointer: str) -> str:
        """Where their file says what is wrong in ours."""
        if not pointer.startswith("/properties/"):
            return pointer
        ours = pointer.removeprefix("/properties/").removeprefix("unit/").partition("/")[0]
        if ours in self.wording.fixed:
            return ""
        return f"/properties/{escaped(self.wording.names.get(ours, ours))}"

    def _value(self, name: str) -> Any:
        if name in self.wording.fixed:
            value: Any = self.wording.fixed[name]
        else:
            value = self.stated.get(self.wording.names.get(name, name))
            if value is None or value == "":
                return None
            if name in self.wording.words:
                value = self._word(name, value)
        if name in _TIMES and isinstance(value, str) and _DAY.fullmatch(value):
            return self._midnight(name, value)
        if name in ("zone_id", *UNIT) and isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        return value

    def _word(self, name: str, value: object) -> str | None:
        words = self.wording.words[name]
        ours = words.get(str(value))
        if ours is None:
            self._fault(name, f"one of {', '.join(sorted(words))} was expected", value)
        return ours

    def _midnight(self, name: str, value: str) -> str | None:
        try:
            day = date.fromisoformat(value)
        except ValueError:
            self._fault(name, "a day of the calendar was expected", value)
            return None
        return datetime.combine(day, time(), zone_info(self.told.start.time_zone)).isoformat()

    def _fault(self, name: str, detail: str, value: object) -> None:
        pointer = self.pointer + self.named(f"/properties/{name}")
        self.listed.faults.append(Note(pointer, detail, repr(value)[:120], self.index))
