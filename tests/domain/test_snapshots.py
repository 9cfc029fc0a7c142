from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from chalicelib.domain import sheets, snapshots
from chalicelib.domain.sheets import leaf_of, sheet_of
from chalicelib.domain.snapshots import (
    CHUNK_BYTES,
    PIECE_BYTES,
    Torn,
    content_of,
    pack,
    unpack_manifest,
    unpack_zones,
)
from chalicelib.domain.uploads import Content
from tests.conftest import ROOT
from tests.domain.test_rings import circle
from tests.maps import SQUARE, content, feature, part, policy, polygon, start

POLICY = policy(handovers=["gate", "shelf", "door"], items=["chilled", "flowers"], items_denied=["alcohol"])


def many(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [
        feature(f"z-{n:05d}", basis="上海市2022年4月11日第一批三区划分名单")
        for n in range(first, first + count)
    ]


def rules(count: int = 5) -> Content:
    return content(*(part(*many(min(2000, count - n), n), policies=[POLICY]) for n in range(0, count, 2000)))


def unpacked(packed: snapshots.Packed) -> Content:
    manifest = unpack_manifest(packed.manifest, packed.digest)
    return content_of(manifest, [unpack_zones(packed.chunks[name], name) for name in manifest.chunks])


def test_what_is_packed_comes_back() -> None:
    there = rules()
    assert unpacked(pack(there)) == there


def test_polygons_come_back_to_the_last_digit() -> None:
    there = content(
        part(feature(geometry=polygon(circle(100))), policies=[POLICY]), begun=start(datum="BD09")
    )
    assert unpacked(pack(there)) == there


def test_a_snapshot_of_the_way_before_is_read_as_it_was() -> None:
    there = content(
        part(*many(3), feature("drawn", geometry=polygon(circle(9))), policies=[POLICY]),
        begun=start(datum="GCJ02"),
    )
    texts = b",".join(zone.model_dump_json(exclude_defaults=True).encode() for zone in there.zones)
    former = b"[" + texts + b"]"
    assert tuple(unpack_zones(former, sha256(former).hexdigest())) == tuple(there.zones)


def test_every_kind_of_zone_comes_back_from_its_numbers() -> None:
    hole = [[121.42, 31.22], [121.42, 31.24], [121.44, 31.24], [121.44, 31.22], [121.42, 31.22]]
    several = {"type": "MultiPolygon", "coordinates": [[SQUARE, hole], [circle(7)]]}
    there = content(
        part(
            feature("holes", geometry=polygon(SQUARE, hole), precision_m=12.5),
            feature("several", geometry=several, unit=None),
            feature("named"),
            feature(
                "building", unit={"kind": "building", "district": "徐汇区", "compound": "A", "building": "3"}
            ),
            feature("listed", unit={"kind": "address", "district": "徐汇区", "address": "永嘉路580弄"}),
            feature("district", unit={"kind": "district", "district": "徐汇区"}, geometry=polygon(SQUARE)),
            policies=[POLICY],
        )
    )
    back = unpacked(pack(there))
    assert back == there
    assert [type(zone.polygons) for zone in back.zones] == [tuple] * 6


def test_a_point_off_the_grid_comes_back_to_the_last_bit() -> None:
    (zone,) = content(part(feature(geometry=polygon(SQUARE)), policies=[POLICY])).zones
    odd = zone.model_copy(update={"polygons": ((((121.4, 31.2), (121.5 + 1e-12, 31.2), (121.45, 31.3)),),)})
    _, back = sheets.read(sheets.written([leaf_of(zone), leaf_of(odd)]))
    assert back == odd


def test_a_zone_is_made_when_it_is_met_and_stays_the_same_one() -> None:
    (sheet,) = (unpack_zones(chunk, name) for name, chunk in pack(rules()).chunks.items())
    assert sheet.zone(0) is sheet.zone(0)
    assert len(sheet) == 5


def test_the_same_content_has_the_same_digest_and_another_has_another() -> None:
    there = rules()
    assert pack(there).digest == pack(rules()).digest
    assert pack(replace(there, stale_after_hours=48.0)).digest != pack(there).digest
    assert pack(replace(there, zones=there.zones[1:])).digest != pack(there).digest


def test_the_digest_does_not_hang_on_the_order_of_sets_in_one_process() -> None:
    code = "from tests.domain.test_snapshots import *; print(pack(rules()).digest)"
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert found == {pack(rules()).digest + "\n"}


def test_a_changed_zone_changes_one_chunk() -> None:
    there = rules(4000)
    raw = part(feature("z-00007", level="controlled"))
    before, after = pack(there), pack(content(raw, base=there, begun=start("amend")))
    assert len(before.chunks) > 2
    assert len(after.chunks.keys() - before.chunks.keys()) == 1


def test_every_chunk_fits_a_row() -> None:
    packed = pack(rules(4000))
    assert all(len(chunk) <= CHUNK_BYTES for chunk in packed.chunks.values())
    assert all(
        len(snapshots.chunk_row(name, chunk).sealed) <= PIECE_BYTES for name, chunk in packed.chunks.items()
    )


def test_zones_of_the_most_points_fit_a_row_each() -> None:
    big = [
        part(feature(f"big-{n}", geometry=polygon(circle(19_000 + n))), policies=[POLICY]) for n in range(3)
    ]
    packed = pack(content(*big, begun=start(datum="WGS84")))
    assert len(packed.chunks) == 3
    assert all(
        len(snapshots.chunk_row(name, chunk).sealed) <= PIECE_BYTES for name, chunk in packed.chunks.items()
    )


def test_a_chunk_that_is_not_what_its_name_says_is_an_alarm() -> None:
    packed = pack(rules())
    name, chunk = next(iter(packed.chunks.items()))
    with pytest.raises(Torn, match=name):
        unpack_zones(chunk.replace(b"z-00001", b"z-00009"), name)
    with pytest.raises(Torn):
        unpack_manifest(packed.manifest + b" ", packed.digest)


def test_a_snapshot_with_a_zone_too_few_is_an_alarm() -> None:
    packed = pack(rules())
    with pytest.raises(Torn, match="5 zones were expected, 4 are there"):
        content_of(unpack_manifest(packed.manifest, packed.digest), [sheet_of(rules().zones[1:])])


def test_a_manifest_counts_its_levels() -> None:
    assert json.loads(pack(rules()).manifest)["levels"] == {"sealed": 5}


def test_the_first_list_of_shanghai_loads_fast_enough_to_be_read_cold(
    capsys: pytest.CaptureFixture[str],
) -> None:
    there = rules(17_649)
    began = time.process_time()
    packed = pack(there)
    packing = time.process_time() - began
    began = time.process_time()
    back = unpacked(packed)
    reading = time.process_time() - began
    assert back == there
    with capsys.disabled():
        size = sum(len(snapshots.squeeze(chunk)) for chunk in packed.chunks.values())
        print(  # noqa: T201
            f"\n17,649 zones: packed in {packing * 1000:.0f} ms into {len(packed.chunks)} chunks of "
            f"{size / 1000:.0f} KB in all, read in {reading * 1000:.0f} ms of CPU"
        )
