from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain import facts, snapshots
from chalicelib.domain.errors import Clashing, Delayed, Invalid, Lost, Malformed, Missing, TooLarge
from chalicelib.domain.places import Address
from chalicelib.domain.policies import Level
from chalicelib.domain.ports import Change, Keep, Topic, World
from chalicelib.domain.snapshots import Torn
from chalicelib.domain.uploads import PART_BYTES, Difference, UploadState
from chalicelib.flows import consult, enlist, publish
from tests import fakes
from tests.maps import SQUARE, feature, handed_in, market, part, policy, polygon, published

FIRST = part(feature("z-1"), feature("z-2"), policies=[policy()])
SECOND = part(feature("z-1"), feature("z-3", level="controlled"), policies=[policy()])


class Stopped(BaseException):
    """The process was killed here."""


def fresh(**changes: Any) -> World:
    world = fakes.world(**changes)
    enlist.put_market(world, market())
    world.queues.take()  # type: ignore[attr-defined]
    return world


def cold(world: World) -> World:
    """Another process on the same table."""
    return replace(world, memory={})


def nudges(world: World) -> list[tuple[Topic, str]]:
    found: list[tuple[Topic, str]] = world.queues.take()  # type: ignore[attr-defined]
    return found


def zone_ids(world: World) -> list[str]:
    atlas = consult.atlas(cold(world), "SHA")
    assert atlas is not None
    return [zone.zone_id for zone in atlas.rules.zones]


def noise(length: int, seed: int) -> str:
    """Text that no compression makes much shorter."""
    chance = random.Random(seed)
    return "".join(chr(chance.randrange(0x4E00, 0x9FA5)) for _ in range(length))


# --- handing in ---------------------------------------------------------------------------------------------


def test_an_upload_goes_from_open_to_published() -> None:
    world = fresh()
    upload = publish.begin(world, "SHA", "city", mode="replace", time_zone="Asia/Shanghai", datum="GCJ02")
    assert upload.state is UploadState.OPEN
    publish.add_part(world, "SHA", upload.upload_id, 1, FIRST)
    finished = publish.finish(world, "SHA", upload.upload_id, 1)
    assert (finished.state, finished.parts) == (UploadState.VALIDATING, 1)
    assert nudges(world) == [(Topic.RULES, f"publish:SHA:{upload.upload_id}")]
    publish.publish(world, "SHA", upload.upload_id)
    after = publish.upload_of(world, "SHA", upload.upload_id)
    assert (after.state, after.difference) == (UploadState.PUBLISHED, Difference(new=2))
    assert (after.rules_version, after.unchanged) == (1, False)
    assert nudges(world) == [(Topic.RULES, "rezone:SHA:")]


def test_there_is_no_upload_for_a_market_that_does_not_exist() -> None:
    with pytest.raises(Missing, match="'ROM'"):
        publish.begin(fresh(), "ROM", "city", mode="replace", time_zone="Europe/Rome", datum="WGS84")


def test_an_upload_is_found_under_its_market_and_by_its_source() -> None:
    world = fresh()
    upload = handed_in(world, FIRST)
    assert publish.upload_of(world, "SHA", upload.upload_id, "city") == upload
    for market_id, source in (("ROM", None), ("SHA", "somebody else")):
        with pytest.raises(Missing):
            publish.upload_of(world, market_id, upload.upload_id, source)


def test_a_part_put_twice_is_one_and_put_anew_is_replaced() -> None:
    world = fresh()
    upload = publish.begin(world, "SHA", "city", mode="replace", time_zone="Asia/Shanghai", datum="GCJ02")
    first = publish.add_part(world, "SHA", upload.upload_id, 1, FIRST)
    rows = dict(world.table.rows)  # type: ignore[attr-defined]
    assert publish.add_part(world, "SHA", upload.upload_id, 1, FIRST) == first
    assert world.table.rows == rows  # type: ignore[attr-defined]
    publish.add_part(world, "SHA", upload.upload_id, 1, SECOND)
    publish.finish(world, "SHA", upload.upload_id)
    publish.publish(world, "SHA", upload.upload_id)
    assert zone_ids(world) == ["z-1", "z-3"]


def test_a_large_part_is_kept_in_pieces_and_a_smaller_one_leaves_none_behind() -> None:
    world = fresh()
    upload = publish.begin(world, "SHA", "city", mode="replace", time_zone="Asia/Shanghai", datum="GCJ02")
    noise = "".join(chr(0x4E00 + int(world.dice() * 20_000)) for _ in range(250_000))
    large = json.dumps({"policies": [{"x": noise}]}, ensure_ascii=False).encode()
    assert publish.add_part(world, "SHA", upload.upload_id, 1, large).pieces > 1
    pk = snapshots.upload_key(upload.upload_id).pk
    assert all(len(row.sealed) <= snapshots.PIECE_BYTES for row in world.table.read(pk, "part#").rows)
    assert publish.add_part(world, "SHA", upload.upload_id, 1, FIRST).pieces == 1
    assert len(world.table.read(pk, "part#").rows) == 1
    assert publish.add_part(world, "SHA", upload.upload_id, 1, large).pieces > 1


def excuse(number: int, **changes: Any) -> dict[str, Any]:
    stated = {"exemption_id": f"e-{number}", "policy": "sealed@1", "lifts": ["items"], "authority": "city"}
    return {**stated, "valid_from": "2022-04-11T00:00:00+08:00", **changes}


def long_sides(name: str) -> dict[str, Any]:
    sides = [[f"{side}{number}{noise(180, number)}" for number in range(400)] for side in ("east", "west")]
    unit = {"kind": "crossing", "crossing": "Huangpu River", "sides": sides}
    return feature(name, unit=unit)


MUCH: dict[str, tuple[list[bytes], str]] = {
    "policies": (
        [part(feature(), policies=[policy(), *(policy(f"p-{n}") for n in range(500))])],
        "at most 500 policies",
    ),
    "long policies": (
        [
            part(feature(), policies=[policy()]),
            *(
                part(policies=[policy(f"p-{k}-{n}", source=noise(500, 200 * k + n)) for n in range(200)])
                for k in range(2)
            ),
        ],
        "at most 307200 bytes together, compressed",
    ),
    "exemptions": (
        [
            part(feature(), policies=[policy()]),
            json.dumps({"exemptions": [excuse(n) for n in range(2001)]}).encode(),
        ],
        "at most 2000 exemptions",
    ),
    "long exemptions": (
        [
            part(feature(), policies=[policy()]),
            json.dumps({"exemptions": [excuse(n, basis=noise(500, n)) for n in range(300)]}).encode(),
        ],
        "at most 307200 bytes together, compressed",
    ),
    "a river's sides": ([part(long_sides("z-1"), policies=[policy()])], "at most 20000 characters"),
}


@pytest.mark.parametrize(("parts", "detail"), MUCH.values(), ids=list(MUCH))
def test_what_would_not_fit_into_a_row_is_refused_and_said(parts: list[bytes], detail: str) -> None:
    upload = published(fresh(), *parts)
    assert upload.state is UploadState.REFUSED
    assert [detail in fault.detail for fault in upload.faults] == [True]


def test_what_we_cannot_read_for_a_day_is_given_up_and_nudged_no_more() -> None:
    class Broken:
        def read(self, raw: bytes, told: object) -> object:
            raise MemoryError

    world = replace(fresh(), feeds={"geojson": Broken()})
    told: dict[str, Any] = {"format": "geojson", "wording": {}}
    upload = handed_in(world, b"{}", **told)
    for hours in (0, 12, 11):
        world.clock.forward(hours=hours)  # type: ignore[attr-defined]
        assert publish.nudge_waiting(world) == (1 if hours else 0)
        with pytest.raises(MemoryError):
            publish.publish(world, "SHA", upload.upload_id)
    world.clock.forward(hours=1)  # type: ignore[attr-defined]
    publish.publish(world, "SHA", upload.upload_id)
    after = publish.upload_of(world, "SHA", upload.upload_id)
    assert (after.state, "state it anew" in after.faults[0].detail) == (UploadState.REFUSED, True)
    assert publish.nudge_waiting(world) == 0


def test_what_cannot_be_a_part_is_refused_at_the_door() -> None:
    world = fresh()
    upload = publish.begin(world, "SHA", "city", mode="replace", time_zone="Asia/Shanghai", datum="GCJ02")
    for raw, error in ((b"{", Malformed), (b'{"a": 1}', Invalid), (b" " * (PART_BYTES + 1), TooLarge)):
        with pytest.raises(error):
            publish.add_part(world, "SHA", upload.upload_id, 1, raw)
    for number in (0, 201):
        with pytest.raises(Missing):
            publish.add_part(world, "SHA", upload.upload_id, number, FIRST)


def test_nothing_is_added_once_it_is_finished() -> None:
    world = fresh()
    upload = handed_in(world, FIRST)
    with pytest.raises(Clashing, match="validating"):
        publish.add_part(world, "SHA", upload.upload_id, 2, SECOND)


def test_a_part_that_comes_while_it_is_being_finished_is_not_taken() -> None:
    world = fresh()
    upload = publish.begin(world, "SHA", "city", mode="replace", time_zone="Asia/Shanghai", datum="GCJ02")
    publish.add_part(world, "SHA", upload.upload_id, 1, FIRST)
    before = Before(world, lambda: publish.finish(world, "SHA", upload.upload_id))
    with pytest.raises(Lost):
        publish.add_part(before.world, "SHA", upload.upload_id, 2, SECOND)


def test_a_missing_part_is_named_when_it_is_finished() -> None:
    world = fresh()
    upload = publish.begin(world, "SHA", "city", mode="replace", time_zone="Asia/Shanghai", datum="GCJ02")
    with pytest.raises(Clashing, match="none has arrived"):
        publish.finish(world, "SHA", upload.upload_id)
    publish.add_part(world, "SHA", upload.upload_id, 3, FIRST)
    with pytest.raises(Clashing, match="missing: 1, 2"):
        publish.finish(world, "SHA", upload.upload_id)
    with pytest.raises(Clashing, match="missing: 1, 2, 4"):
        publish.finish(world, "SHA", upload.upload_id, 4)
    with pytest.raises(Clashing, match="missing: 1"):
        publish.finish(world, "SHA", upload.upload_id, 1)


def test_finishing_again_nudges_again_and_says_the_same() -> None:
    world = fresh()
    upload = handed_in(world, FIRST)
    nudges(world)
    assert publish.finish(world, "SHA", upload.upload_id, 1) == upload
    assert nudges(world) == [(Topic.RULES, f"publish:SHA:{upload.upload_id}")]
    with pytest.raises(Clashing, match="with 1 parts, not 2"):
        publish.finish(world, "SHA", upload.upload_id, 2)


def test_an_upload_that_stands_still_is_nudged_by_the_sweep() -> None:
    clock = fakes.FakeClock()
    world = fresh(clock=clock)
    upload = handed_in(world, FIRST)
    nudges(world)
    assert publish.nudge_waiting(world) == 0
    clock.forward(minutes=3)
    assert publish.nudge_waiting(world) == 1
    assert nudges(world) == [(Topic.RULES, f"publish:SHA:{upload.upload_id}")]
    publish.publish(world, "SHA", upload.upload_id)
    assert publish.nudge_waiting(world) == 0


# --- publishing ---------------------------------------------------------------------------------------------


def test_a_market_without_rules_has_no_atlas() -> None:
    world = fresh()
    assert consult.atlas(world, "SHA") is None
    with pytest.raises(Missing):
        consult.in_force(world, "SHA")


def test_what_was_published_is_what_is_looked_up() -> None:
    world = fresh()
    drawn = feature("z-9", polygon(SQUARE), unit={"kind": "district", "district": "黄浦区"})
    published(world, part(feature("z-1"), drawn, policies=[policy()]))
    atlas = consult.atlas(cold(world), "SHA")
    assert atlas is not None
    address = Address(country="CN", city="上海", district="黄浦区", compound="永嘉路Z-1弄", line="x")
    assert {zone.zone_id for zone in atlas.named(address)} == {"z-1", "z-9"}
    assert [zone.zone_id for zone, _ in atlas.drawn(121.45, 31.25, 0)] == ["z-9"]
    assert (atlas.rules.version, atlas.rules.published_at) == (1, fakes.NOON)
    row = world.table.get(facts.pointer_key("SHA"))
    assert row is not None
    assert row.version == atlas.rules.version


def test_a_faulty_upload_is_refused_with_its_faults_and_changes_nothing() -> None:
    world = fresh()
    published(world, FIRST)
    upload = published(world, part(feature("z-1", level="?"), policies=[policy()]))
    assert (upload.state, upload.fault_count) == (UploadState.REFUSED, 1)
    assert upload.faults[0].pointer == "/features/0/properties/level"
    assert zone_ids(world) == ["z-1", "z-2"]
    assert consult.in_force(world, "SHA").version == 1


def test_an_empty_feed_is_refused() -> None:
    world = fresh()
    published(world, FIRST)
    upload = published(world, part(policies=[policy()]))
    assert upload.state is UploadState.REFUSED
    assert "an empty feed opens nothing" in upload.faults[0].detail
    assert zone_ids(world) == ["z-1", "z-2"]


def test_a_feed_that_repeats_itself_is_fresh_and_nothing_new() -> None:
    clock = fakes.FakeClock()
    world = fresh(clock=clock)
    published(world, FIRST)
    size = len(world.table.rows)  # type: ignore[attr-defined]
    now = clock.forward(hours=30)
    nudges(world)
    upload = published(world, FIRST)
    assert (upload.state, upload.unchanged, upload.difference) == (UploadState.PUBLISHED, True, Difference())
    pointer = consult.in_force(world, "SHA")
    assert (pointer.version, pointer.published_at, pointer.changed_at) == (1, now, fakes.NOON)
    atlas = consult.atlas(world, "SHA")
    assert atlas is not None
    assert not atlas.is_stale(now + timedelta(hours=35))
    assert (Topic.RULES, "rezone:SHA:") in nudges(world)
    assert len(world.table.rows) == size + 3  # type: ignore[attr-defined]  # the upload, its mark and its piece


def test_publishing_the_same_upload_again_only_nudges_again() -> None:
    world = fresh()
    upload = published(world, FIRST)
    nudges(world)
    rows = dict(world.table.rows)  # type: ignore[attr-defined]
    publish.publish(world, "SHA", upload.upload_id)
    assert world.table.rows == rows  # type: ignore[attr-defined]
    assert nudges(world) == [(Topic.RULES, "rezone:SHA:")]


def test_an_amendment_lands_on_what_is_in_force() -> None:
    world = fresh()
    published(world, FIRST)
    upload = published(world, part(feature("z-3"), released=["z-1"]), mode="amend")
    assert upload.difference == Difference(new=1, changed=1, gone=0)
    assert zone_ids(world) == ["z-1", "z-2", "z-3"]
    pointer = consult.in_force(world, "SHA")
    assert (pointer.version, pointer.zones, pointer.levels) == (2, 3, {"sealed": 3})


def test_an_unfinished_upload_is_not_published() -> None:
    world = fresh()
    upload = publish.begin(world, "SHA", "city", mode="replace", time_zone="Asia/Shanghai", datum="GCJ02")
    with pytest.raises(Clashing):
        publish.publish(world, "SHA", upload.upload_id)
    with pytest.raises(Missing):
        publish.publish(world, "SHA", "upl_nothing")


def test_what_was_finished_earlier_does_not_undo_what_was_finished_later() -> None:
    clock = fakes.FakeClock()
    world = fresh(clock=clock)
    published(world, FIRST)
    early = handed_in(world, SECOND)
    early_amendment = handed_in(world, part(feature("z-8")), mode="amend")
    clock.forward(minutes=1)
    published(world, part(feature("z-5"), policies=[policy()]))
    for upload in (early, early_amendment):
        publish.publish(world, "SHA", upload.upload_id)
        after = publish.upload_of(world, "SHA", upload.upload_id)
        assert (after.state, after.fault_count) == (UploadState.REFUSED, 1)
        assert "nothing finished later" in after.faults[0].detail
    assert zone_ids(world) == ["z-5"]


def test_two_amendments_land_in_either_order() -> None:
    clock = fakes.FakeClock()
    world = fresh(clock=clock)
    published(world, FIRST)
    clock.forward(minutes=1)
    one = handed_in(world, part(feature("z-3")), mode="amend")
    clock.forward(minutes=1)
    other = handed_in(world, part(feature("z-4")), mode="amend")
    for upload in (other, one):
        publish.publish(world, "SHA", upload.upload_id)
    assert zone_ids(world) == ["z-1", "z-2", "z-3", "z-4"]


# --- crashes and races --------------------------------------------------------------------------------------


class Dying:
    """A table and queues that stop the process at the nth thing it does to the outside."""

    def __init__(self, world: World, stop_at: int, after: bool) -> None:
        self.world = replace(world, table=self, queues=self, memory={})
        self.table, self.queues = world.table, world.queues
        self.stop_at, self.after, self.count = stop_at, after, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.table, name)

    def _do(self, call: Callable[[], None]) -> None:
        self.count += 1
        if self.count == self.stop_at and not self.after:
            raise Stopped
        call()
        if self.count == self.stop_at:
            raise Stopped

    def write(self, *changes: Change) -> None:
        self._do(lambda: self.table.write(*changes))

    def nudge(self, topic: Topic, ids: Any) -> None:
        self._do(lambda: self.queues.nudge(topic, ids))


def test_wherever_a_publisher_stops_the_upload_is_published_once() -> None:
    for after in (False, True):
        for stop_at in range(1, 50):
            world = fresh()
            published(world, FIRST)
            upload = handed_in(world, SECOND)
            nudges(world)
            dying = Dying(world, stop_at, after)
            try:
                publish.publish(dying.world, "SHA", upload.upload_id)
            except Stopped:
                assert zone_ids(world) in (["z-1", "z-2"], ["z-1", "z-3"])
            publish.publish(cold(world), "SHA", upload.upload_id)
            done = publish.upload_of(world, "SHA", upload.upload_id)
            assert (done.state, done.rules_version) == (UploadState.PUBLISHED, 2)
            assert done.difference == Difference(new=1, changed=0, gone=1)
            assert consult.in_force(world, "SHA").version == 2
            assert zone_ids(world) == ["z-1", "z-3"]
            assert (Topic.RULES, "rezone:SHA:") in nudges(world)
            if dying.count < stop_at:
                break
        else:
            raise AssertionError("it never came to its end")
        assert stop_at > 4


def test_wherever_handing_in_stops_it_can_be_done_again() -> None:
    for after in (False, True):
        for stop_at in range(1, 20):
            world = fresh()
            upload = publish.begin(
                world, "SHA", "city", mode="replace", time_zone="Asia/Shanghai", datum="GCJ02"
            )
            dying = Dying(world, stop_at, after)
            for attempt in (dying.world, world):
                try:
                    publish.add_part(attempt, "SHA", upload.upload_id, 1, FIRST)
                    publish.finish(attempt, "SHA", upload.upload_id, 1)
                except Stopped:
                    continue
                except Clashing:
                    publish.finish(attempt, "SHA", upload.upload_id, 1)
            assert (Topic.RULES, f"publish:SHA:{upload.upload_id}") in nudges(world)
            publish.publish(world, "SHA", upload.upload_id)
            assert zone_ids(world) == ["z-1", "z-2"]
            if dying.count < stop_at:
                break
        assert stop_at > 2


class Before:
    """Somebody else is quicker: does it just before a transaction, as often as there are things to do."""

    def __init__(self, world: World, *others: Callable[[], Any]) -> None:
        self.world = replace(world, table=self, memory={})
        self.table = world.table
        self.others: Iterator[Callable[[], Any]] = iter(others)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.table, name)

    def write(self, *changes: Change) -> None:
        if len(changes) > 1:
            next(self.others, lambda: None)()
        self.table.write(*changes)


def test_two_publishers_land_one_after_the_other() -> None:
    world = fresh()
    published(world, FIRST)
    one = handed_in(world, part(feature("z-3")), mode="amend")
    other = handed_in(world, part(feature("z-4")), mode="amend")
    race = Before(world, lambda: publish.publish(cold(world), "SHA", other.upload_id))
    publish.publish(race.world, "SHA", one.upload_id)
    assert zone_ids(world) == ["z-1", "z-2", "z-3", "z-4"]
    versions = [publish.upload_of(world, "SHA", u.upload_id).rules_version for u in (other, one)]
    assert versions == [2, 3]


def test_two_workers_at_one_upload_publish_it_once() -> None:
    world = fresh()
    upload = handed_in(world, FIRST)
    race = Before(world, lambda: publish.publish(cold(world), "SHA", upload.upload_id))
    publish.publish(race.world, "SHA", upload.upload_id)
    assert consult.in_force(world, "SHA").version == 1


def test_a_publisher_that_keeps_losing_is_delayed_and_nothing_is_lost() -> None:
    world = fresh()
    published(world, FIRST)
    mine = handed_in(world, part(feature("z-mine")), mode="amend")
    theirs = [handed_in(world, part(feature(f"z-{n}")), mode="amend") for n in range(3, 12)]
    race = Before(world, *(lambda u=u: publish.publish(cold(world), "SHA", u.upload_id) for u in theirs))
    with pytest.raises(Delayed):
        publish.publish(race.world, "SHA", mine.upload_id)
    assert publish.upload_of(world, "SHA", mine.upload_id).state is UploadState.VALIDATING
    publish.publish(world, "SHA", mine.upload_id)
    assert "z-mine" in zone_ids(world)


# --- reading ------------------------------------------------------------------------------------------------


class Counting:
    """Counts what is read."""

    def __init__(self, world: World) -> None:
        self.world = replace(world, table=self, memory={})
        self.table = world.table
        self.keys: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.table, name)

    def get(self, key: facts.Key) -> Any:
        self.keys.append(key.pk.split("#")[0])
        return self.table.get(key)

    def get_many(self, keys: Any) -> Any:
        self.keys += [key.pk.split("#")[0] for key in keys]
        return self.table.get_many(keys)


def many(count: int) -> list[bytes]:
    return [part(*(feature(f"z-{n:05d}") for n in range(count)), policies=[policy()])]


def test_a_snapshot_is_read_once_and_the_pointer_every_time() -> None:
    world = fresh()
    published(world, FIRST)
    counting = Counting(world)
    first = consult.atlas(counting.world, "SHA")
    assert counting.keys == ["market", "snapshot", "chunk"]
    assert consult.atlas(counting.world, "SHA") is first
    assert counting.keys[3:] == ["market"]


def test_after_an_amendment_only_what_changed_is_read() -> None:
    world = fresh()
    published(world, *many(3000))
    counting = Counting(world)
    consult.atlas(counting.world, "SHA")
    chunks = counting.keys.count("chunk")
    assert chunks > 2
    published(world, part(feature("z-00001", level="controlled")), mode="amend")
    counting.keys.clear()
    atlas = consult.atlas(counting.world, "SHA")
    assert counting.keys == ["market", "snapshot", "chunk"]
    assert atlas is not None
    assert {zone.level for zone in atlas.rules.zones} == {Level.SEALED, Level.CONTROLLED}


def test_two_snapshots_are_remembered_and_no_more() -> None:
    world = fresh()
    for number in range(5):
        published(world, part(feature(f"z-{number}"), policies=[policy()]))
    consult.atlas(world, "SHA")
    assert len(world.memory["rules#SHA"]) == 2


def test_a_fresh_publication_of_the_same_rules_keeps_what_is_laid_out() -> None:
    clock = fakes.FakeClock()
    world = fresh(clock=clock)
    published(world, FIRST)
    first = consult.atlas(world, "SHA")
    now = clock.forward(hours=1)
    published(world, FIRST)
    second = consult.atlas(world, "SHA")
    assert first is not None
    assert second is not None
    assert second.rules.zones is first.rules.zones
    assert (first.rules.published_at, second.rules.published_at) == (fakes.NOON, now)


@pytest.mark.parametrize("kind", ["chunk#", "snapshot#"])
def test_a_snapshot_that_is_not_whole_is_an_alarm_and_not_an_open_city(kind: str) -> None:
    world = fresh()
    published(world, FIRST)
    rows = world.table.rows  # type: ignore[attr-defined]
    for key in [key for key in rows if key.pk.startswith(kind)]:
        del rows[key]
    with pytest.raises(Torn):
        consult.atlas(cold(world), "SHA")


def test_the_first_list_of_shanghai_goes_through_in_parts(capsys: pytest.CaptureFixture[str]) -> None:
    world = fresh()
    levels = ["sealed"] * 7_624 + ["controlled"] * 2_460 + ["precautionary"] * 7_565
    features = [
        feature(f"sh-0411-{n:05d}", level=level, policy=f"{level}@1", basis="上海市三区划分名单（第一批）")
        for n, level in enumerate(levels)
    ]
    began = time.process_time()
    upload = handed_in(world, *cut(features, [policy(name) for name in dict.fromkeys(levels)]))
    handing = time.process_time()
    publish.publish(world, "SHA", upload.upload_id)
    publishing = time.process_time()
    atlas = consult.atlas(cold(world), "SHA")
    reading = time.process_time()
    assert upload.parts > 4
    assert atlas is not None
    assert len(atlas.rules.zones) == 17_649
    pointer = consult.in_force(world, "SHA")
    assert pointer.levels == {"sealed": 7_624, "controlled": 2_460, "precautionary": 7_565}
    with capsys.disabled():
        print(  # noqa: T201
            f"\n17,649 zones in {upload.parts} parts: handed in {handing - began:.2f} s, published "
            f"{publishing - handing:.2f} s, read cold {reading - publishing:.2f} s of CPU"
        )


def cut(features: list[Any], policies: list[Any]) -> Iterator[bytes]:
    """Parts of at most 1 MB."""
    some: list[Any] = []
    size = 0
    for one in features:
        length = len(json.dumps(one, ensure_ascii=False).encode()) + 2
        if size + length > PART_BYTES - 2_000:
            yield part(*some, policies=policies)
            some, size = [], 0
        some.append(one)
        size += length
    yield part(*some, policies=policies)


def test_rules_are_published_on_the_emulated_store(moto: None) -> None:
    from chalicelib.aws.clients import client
    from chalicelib.aws.table import DynamoTable
    from tests.aws.tables import make_table

    make_table(client("dynamodb"))
    world = fresh(table=DynamoTable("facts"))
    published(world, FIRST)
    upload = handed_in(world, part(feature("z-3")), part(released=["z-1"]), mode="amend")
    publish.publish(world, "SHA", upload.upload_id)
    publish.publish(world, "SHA", upload.upload_id)
    assert zone_ids(world) == ["z-1", "z-2", "z-3"]
    assert consult.in_force(world, "SHA").version == 2
    late = Keep(snapshots.pointer_row(consult.in_force(world, "SHA")), was=1)
    with pytest.raises(Lost):
        world.table.write(late)


def test_a_version_of_a_policy_keeps_its_meaning_though_it_was_out_of_force_meanwhile() -> None:
    world = fresh()
    published(world, FIRST)
    other = part(feature("z-1", policy="other@1"), policies=[policy(policy_id="other")])
    published(world, other)
    redefined = handed_in(world, part(feature("z-1"), policies=[policy(essential_only=True)]))
    publish.publish(world, "SHA", redefined.upload_id)
    refused = publish.upload_of(world, "SHA", redefined.upload_id)
    assert refused.state is UploadState.REFUSED
    assert [fault.pointer for fault in refused.faults] == ["/policies/0"]
    again = handed_in(world, FIRST)
    publish.publish(world, "SHA", again.upload_id)
    assert publish.upload_of(world, "SHA", again.upload_id).state is UploadState.PUBLISHED


# --- bounds -------------------------------------------------------------------------------------------------


def test_a_source_has_so_many_uploads_open_and_no_more_until_one_is_finished_or_old() -> None:
    clock = fakes.FakeClock()
    world = fresh(clock=clock)

    def begun(source: str = "city") -> str:
        return publish.begin(
            world, "SHA", source, mode="replace", time_zone="Asia/Shanghai", datum="GCJ02"
        ).upload_id

    names = []
    for _ in range(publish.OPEN_LIMIT):
        names.append(begun())
        clock.forward(seconds=1)
    with pytest.raises(Clashing, match="at most 20 uploads"):
        begun()
    begun("another-source")
    publish.add_part(world, "SHA", names[3], 1, part(feature(), policies=[policy()]))
    publish.finish(world, "SHA", names[3], 1)
    begun()
    with pytest.raises(Clashing):
        begun()
    clock.forward(hours=25)
    begun()


def test_an_upload_is_not_larger_than_a_function_can_read(monkeypatch: pytest.MonkeyPatch) -> None:
    world = fresh()
    upload = publish.begin(
        world, "SHA", "city", mode="replace", time_zone="Asia/Shanghai", datum="GCJ02"
    ).upload_id
    raw = part(feature(), policies=[policy()])
    for number in (1, 2):
        publish.add_part(world, "SHA", upload, number, raw)
    monkeypatch.setattr(publish, "UPLOAD_BYTES", 2 * len(raw) - 1)
    with pytest.raises(TooLarge, match="bytes in all"):
        publish.finish(world, "SHA", upload, 2)
    assert publish.upload_of(world, "SHA", upload).state is UploadState.OPEN
    monkeypatch.setattr(publish, "UPLOAD_BYTES", 2 * len(raw))
    assert publish.finish(world, "SHA", upload, 2).state is UploadState.VALIDATING
