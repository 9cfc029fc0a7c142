"""Lists of clients come in parts, are read whole, and enrolled once; or refused with every cell that is wrong."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain import lists
from chalicelib.domain.client_rows import client_key
from chalicelib.domain.clients import Purpose, client_id_of
from chalicelib.domain.errors import Clashing, Invalid, Missing, TooLarge
from chalicelib.domain.lists import ListFault, ListStart, ListState, Roster, members_of_row
from chalicelib.domain.ports import Topic, World
from chalicelib.flows import rank, sweep, take_in
from chalicelib.flows.enrol import client_of, enrol, person_of
from tests import drive, fakes
from tests.fakes import NOON
from tests.flows.test_enrol import new

HEAD = "reference,name,phone,country,locale,time_zone,city,district,compound,building,line,lng,lat,datum,match_quality"
HOME = "Shanghai,310101,Yongjia,3,永嘉路 1 号,121.49,31.22,GCJ02,exact"


def row(number: int, **cells: str) -> str:
    base = {"name": f"王女士{number}", "phone": f"+86138{number:08d}", "country": "CN"} | cells
    return f"vic-{number},{base['name']},{base['phone']},{base['country']},zh-CN,Asia/Shanghai,{HOME}"


def file(count: int, **cells: str) -> bytes:
    return "\n".join([HEAD, *(row(number, **cells) for number in range(count))]).encode()


@pytest.fixture
def world() -> World:
    return fakes.world()


def sent(world: World, raw: bytes, size: int = 10**6, **start: Any) -> Roster:
    """A list handed in, in parts of that size, and finished; nothing has been read yet."""
    begun = take_in.begin(world, "maison", ListStart.model_validate(start))
    parts = [raw[at : at + size] for at in range(0, len(raw), size)]
    for number, part in enumerate(parts, start=1):
        take_in.add_part(world, "maison", begun.list_id, number, part)
    return take_in.finish(world, "maison", begun.list_id, len(parts))


def taken(world: World, raw: bytes, size: int = 10**6, **start: Any) -> Roster:
    """And what became of it."""
    begun = sent(world, raw, size, **start)
    drive.settle(world)
    return take_in.list_of(world, "maison", begun.list_id)


def told(found: Roster) -> list[tuple[int | None, str | None]]:
    return [(fault.row, fault.column) for fault in found.faults]


def texts(world: World) -> str:
    return repr(dict(world.table.rows)) + repr(world.log.lines)  # type: ignore[attr-defined]


def personal_rows(world: World, found: Roster) -> list[str]:
    rows = world.table.read(lists.collection(found.list_id)).rows
    return [row.key.sk for row in rows if row.key.sk.startswith(("part#", "rows#"))]


# --- what is right ------------------------------------------------------------------------------------------


def test_everybody_on_a_list_is_enrolled_and_listed(world: World) -> None:
    found = taken(world, file(250))
    assert (found.state, found.rows, found.pages) == (ListState.READY, 250, 3)
    assert found.progress.outcomes == {"enrolled": 250}
    person = person_of(world, client_of(world, "maison", "vic-249"))
    assert (person.name, person.places["home"].address.district) == ("王女士249", "310101")
    pages = [world.table.get(lists.members_key(found.list_id, page)) for page in range(3)]
    listed = [member.client for page in pages if page for member in members_of_row(page)]
    assert sorted(listed) == sorted(f"vic-{number}" for number in range(250))


def test_what_is_personal_in_it_is_sealed_and_gone_when_it_is_ready(world: World) -> None:
    begun = sent(world, file(3))
    assert personal_rows(world, begun)
    assert "王女士1" not in texts(world)
    drive.settle(world)
    assert personal_rows(world, begun) == []
    assert "王女士1" not in texts(world)
    assert not [name for _, name in world.queues.sent]  # type: ignore[attr-defined]


def test_parts_are_joined_wherever_they_were_cut(world: World) -> None:
    assert taken(world, file(20), size=7 * 37).progress.outcomes == {"enrolled": 20}


def test_the_same_list_again_changes_nobody(world: World) -> None:
    taken(world, file(5))
    assert taken(world, file(5)).progress.outcomes == {"unchanged": 5}
    moved = file(5).replace(b"Yongjia", b"Fumin")
    assert taken(world, moved, changes_clients=False).progress.outcomes == {"unchanged": 5}
    assert taken(world, moved).progress.outcomes == {"changed": 5}


def test_a_list_is_written_in_the_letters_and_with_the_separator_of_its_country(world: World) -> None:
    text = file(2).decode()
    for charset, raw in {
        "utf-8": b"\xef\xbb\xbf" + text.encode(),
        "utf-16": text.encode("utf-16"),
        "gb18030": text.encode("gb18030"),
    }.items():
        assert taken(world, raw, charset=charset).state is ListState.READY, charset
    assert person_of(world, client_of(world, "maison", "vic-1")).name == "王女士1"
    german = file(2, name="Frau Müller").decode().replace(",", ";").replace("永嘉路 1 号", "Straße 1")
    assert taken(world, german.encode("cp1252"), charset="windows-1252").state is ListState.READY
    assert person_of(world, client_of(world, "maison", "vic-1")).name == "Frau Müller"


def test_json_lines_say_the_same(world: World) -> None:
    names = HEAD.split(",")
    objects = [dict(zip(names, row(number).split(","), strict=True)) for number in range(3)]
    objects[0] |= {"lng": 121.49, "lat": 31.22, "channels": ["whatsapp", "email"], "email": None}
    raw = "\n".join(json.dumps(each, ensure_ascii=False) for each in objects).encode() + b"\n\n"
    assert taken(world, raw, format="jsonl").progress.outcomes == {"enrolled": 3}
    assert [str(each) for each in client_of(world, "maison", "vic-0").channels] == ["whatsapp", "email"]


def test_consents_come_with_what_proves_them(world: World) -> None:
    head = f"{HEAD},consent_service,consent_evidence\n"
    assert taken(world, f"{head}{row(1)},2022-04-01,form-7".encode()).state is ListState.READY
    assert client_of(world, "maison", "vic-1").agrees_to(Purpose.SERVICE, NOON)
    wrong = taken(world, f"{head}{row(2)},2022-04-01,\n{row(3)},2023-01-01,form-7".encode())
    assert told(wrong) == [(2, "consent_evidence"), (3, "consent_service")]


def test_members_are_names_of_clients_who_are_enrolled(world: World) -> None:
    taken(world, file(3))
    raw = b"reference,tier,place,occasion\nvic-0,gold,,\nvic-2,,home,birthday\n"
    found = taken(world, raw, kind="members")
    page = world.table.get(lists.members_key(found.list_id, 0))
    assert page is not None
    assert [member.model_dump(exclude_none=True) for member in members_of_row(page)] == [
        {"client": "vic-0", "tier": "gold"},
        {"client": "vic-2", "place": "home", "occasion": "birthday"},
    ]
    wrong = taken(world, b"reference,tier\nvic-0,emerald\nvic-1,gold\nvic-7,gold", kind="members")
    assert told(wrong) == [(2, "tier"), (4, "reference")]
    assert wrong.faults[0].value == "'emerald'"


# --- what is wrong ------------------------------------------------------------------------------------------


def refused(world: World, raw: bytes, **start: Any) -> list[ListFault]:
    """The faults of a list of which nobody was enrolled, and nothing personal is left."""
    found = taken(world, raw, **start)
    assert found.state is ListState.REFUSED
    assert personal_rows(world, found) == []
    assert world.table.get(client_key(client_id_of("maison", "vic-0"))) is None
    assert "Secretive" not in repr(found)
    assert "Secretive" not in texts(world)
    return list(found.faults)


def one(world: World, raw: bytes, **start: Any) -> ListFault:
    (fault,) = refused(world, raw, **start)
    return fault


def test_one_wrong_row_of_a_thousand_and_nobody_is_enrolled(world: World) -> None:
    raw = file(1000) + b"\n" + row(1000, phone="013800138000", name="Secretive").encode()
    fault = one(world, raw)
    assert (fault.row, fault.column, fault.value) == (1002, "phone", None)
    assert "E.164" in fault.detail


def test_a_header_that_is_none_is_told_by_the_number_of_its_columns(world: World) -> None:
    unknown = f"{HEAD},Secretive\n{row(0)},x".encode()
    assert [(f.row, f.column) for f in refused(world, unknown)] == [(1, "number 16")]
    missing = file(1).replace(b"reference,name", b"name,name")
    assert {(f.row, f.column) for f in refused(world, missing)} == {(1, "name"), (1, "reference")}
    without = b"Secretive,Secretive,1\nvic-0,Secretive,2"
    assert "names the columns" in one(world, without).detail


def test_a_wrong_currency_an_unknown_word_and_half_a_place_are_told(world: World) -> None:
    head = "reference,name,country,locale,time_zone,spent,currency,spent_on\n"
    raw = head + "vic-0,Secretive,CN,zh-CN,Asia/Shanghai,120000.50,EUR,2022-03-31"
    fault = one(world, raw.encode(), currency="CNY")
    assert (fault.column, fault.value, fault.detail) == (
        "currency", "'EUR'", "CNY was expected, as the list states",
    )  # fmt: skip
    assert one(world, raw.encode()).detail == "the list states no currency"
    thousands = head + "vic-0,Secretive,CN,zh-CN,Asia/Shanghai,120.000,CNY,2022-03-31"
    assert one(world, thousands.encode(), currency="CNY").column == "spent"
    nowhere = "reference,name,country,locale,time_zone\nvic-0,Secretive,China,zh-CN,Mars/Base"
    assert [(f.column, f.value) for f in refused(world, nowhere.encode())] == [
        ("country", "'China'"), ("time_zone", "'Mars/Base'"),
    ]  # fmt: skip
    half = (
        "reference,name,country,locale,time_zone,city,line\nvic-0,S,CN,zh-CN,Asia/Shanghai,Shanghai,Secretive"
    )
    assert {f.column for f in refused(world, half.encode())} == {
        "district", "lng", "lat", "datum", "match_quality",
    }  # fmt: skip


def test_a_client_who_stands_on_it_twice_is_told_with_the_first_row(world: World) -> None:
    raw = file(2) + b"\n" + row(0).encode()
    assert one(world, raw).detail == "each client once was expected; row 2 has this one"


@pytest.mark.parametrize("cell", ["=cmd|' /C calc'!A0", "@SUM(1)", "+1", "-2+3", "＝1", " =1", "\t=1"])
def test_a_cell_that_would_be_run_is_refused(world: World, cell: str) -> None:
    fault = one(world, file(1, name=cell))
    assert (fault.row, fault.column, fault.value) == (2, "name", None)
    assert "formula" in fault.detail


def test_letters_of_another_kind_are_told_by_their_byte(world: World) -> None:
    raw = file(2).replace("女".encode(), b"\xff", 1)
    at = raw.index(b"\xff")
    begun = sent(world, raw, size=100)
    drive.settle(world)
    (fault,) = take_in.list_of(world, "maison", begun.list_id).faults
    assert fault.detail == f"byte {at + 1} is not utf-8 (part {at // 100 + 1}, byte {at % 100 + 1} of it)"
    text = file(1).decode()
    assert "mark of utf-16" in one(world, text.encode("utf-16")).detail
    assert "mark" in one(world, text.encode("utf-16-le"), charset="utf-16").detail
    assert "zero bytes" in one(world, text.encode("utf-16-le"), charset="gb18030").detail
    assert "gb18030" in one(world, b"reference\n\xff\xff", charset="gb18030").detail


def test_rows_that_cannot_be_read_are_told(world: World) -> None:
    assert one(world, f"{HEAD}\n".encode()).detail.startswith("at least one row")
    assert "quotes" in one(world, f'{HEAD}\n{row(0)}\nvic-1,"Secretive'.encode()).detail
    assert "15 cells" in one(world, f"{HEAD}\n{row(0)},too,many".encode()).detail
    broken = b'{"reference": "vic-0", "name": "Secretive"\n["x"]\n{"a": 1, "a": 2}\n{"Secretive": 1}'
    assert [f.row for f in refused(world, broken, format="jsonl")] == [1, 2, 3, 4]


def test_all_faults_are_counted_and_the_first_thousand_can_be_read(world: World) -> None:
    found = taken(world, file(1100, phone="1"))
    assert (found.fault_count, found.faults_by_column, len(found.faults)) == (1100, {"phone": 1100}, 50)
    first, after = take_in.faults(world, found, 150, 0)
    assert [fault.row for fault in first] == list(range(2, 152))
    last, end = take_in.faults(world, found, 150, 950)
    assert (after, end, [fault.row for fault in last]) == (150, None, list(range(952, 1002)))


def test_more_rows_than_a_list_has_are_refused_and_not_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(take_in, "ROWS", 5)
    assert one(world, file(8)).row == 7
    junk = taken(world, b"[]\n" * 400, format="jsonl")
    assert (junk.fault_count, junk.faults[-1].row) == (6, 6)


def test_a_first_row_of_ten_thousand_names_is_refused_as_well(world: World) -> None:
    found = taken(world, HEAD.encode() + b",x" * 40_000 + b"\n" + row(1).encode())
    assert (found.state, found.fault_count) == (ListState.REFUSED, 40_000)
    assert sum(found.faults_by_column.values()) == 40_000
    kept = world.table.get(lists.list_key(found.list_id))
    assert kept is not None
    assert len(kept.body) < 50_000


# --- what was spent -----------------------------------------------------------------------------------------

SPENDS = "reference,name,country,locale,time_zone,spent,currency,spent_on\n"


def spends(amount: str, currency: str = "CNY", day: str = "2022-04-10") -> bytes:
    return f"{SPENDS}vic-1,Li,CN,zh-CN,Asia/Shanghai,{amount},{currency},{day}".encode()


def spent_by(world: World) -> dict[str, int]:
    seen = rank.view(world, client_of(world, "maison", "vic-1"))
    return {money.currency: money.amount for money in seen.spent}


def test_what_was_spent_on_a_day_counts_once_in_each_currency(world: World) -> None:
    for _ in range(2):
        for amount, currency in (("120000.50", "CNY"), ("900", "EUR"), ("250000", "JPY"), ("12.345", "KWD")):
            found = taken(world, spends(amount, currency), currency=currency)
            assert found.progress.reasons == {}, currency
        world.clock.forward(hours=30)  # type: ignore[attr-defined]
    assert spent_by(world) == {"CNY": 12_000_050, "EUR": 90_000, "JPY": 250_000, "KWD": 12_345}
    assert taken(world, spends("7"), currency="CNY").progress.reasons == {"spent_not_counted": 1}


def test_what_was_spent_today_is_counted_though_the_page_is_done_again_later(world: World) -> None:
    world.clock.forward(hours=-3)  # type: ignore[attr-defined]
    begun = sent(world, spends("100", day="2022-04-11"), currency="CNY")  # before its noon
    topic, name = world.queues.sent.pop()  # type: ignore[attr-defined]
    drive.run(world, topic, name)
    rows = dict(world.table.rows)  # type: ignore[attr-defined]
    take_in._enrol(world, take_in.list_of(world, "maison", begun.list_id), 0)  # and stopped before its step
    assert world.table.rows != rows  # type: ignore[attr-defined]
    world.clock.forward(hours=1)  # type: ignore[attr-defined]
    drive.settle(world)
    again = taken(world, spends("100", day="2022-04-11"), currency="CNY")
    assert spent_by(world) == {"CNY": 10_000}
    for found in (take_in.list_of(world, "maison", begun.list_id), again):
        assert (found.state, found.progress.reasons) == (ListState.READY, {})


def test_a_list_that_changes_nobody_counts_what_was_spent(world: World) -> None:
    taken(world, file(2))
    found = taken(world, spends("100"), currency="CNY", changes_clients=False)
    assert found.progress.outcomes == {"unchanged": 1}
    assert spent_by(world) == {"CNY": 10_000}


def test_an_amount_has_no_more_decimals_than_its_currency(world: World) -> None:
    for amount, currency in (("100.5", "JPY"), ("100.505", "CNY")):
        assert one(world, spends(amount, currency), currency=currency).column == "spent"


# --- handing in ---------------------------------------------------------------------------------------------


def test_parts_that_are_missing_too_large_or_late_are_refused(world: World) -> None:
    begun = take_in.begin(world, "maison", ListStart())
    with pytest.raises(TooLarge):
        take_in.add_part(world, "maison", begun.list_id, 1, b"x" * 1_000_001)
    with pytest.raises(Invalid):
        take_in.add_part(world, "maison", begun.list_id, 1, b"")
    with pytest.raises(Missing):
        take_in.add_part(world, "maison", begun.list_id, 201, b"x")
    with pytest.raises(Missing):
        take_in.add_part(world, "atelier", begun.list_id, 1, b"x")
    take_in.add_part(world, "maison", begun.list_id, 2, file(1))
    with pytest.raises(Clashing, match="missing: 1"):
        take_in.finish(world, "maison", begun.list_id, 2)
    take_in.add_part(world, "maison", begun.list_id, 1, b"what is replaced by the next")
    take_in.add_part(world, "maison", begun.list_id, 1, file(1) + b"\n")
    with pytest.raises(Clashing, match="too many: 2"):
        take_in.finish(world, "maison", begun.list_id, 1)
    take_in.finish(world, "maison", begun.list_id, 2)
    with pytest.raises(Clashing):
        take_in.add_part(world, "maison", begun.list_id, 1, b"late")
    with pytest.raises(Clashing):
        take_in.finish(world, "maison", begun.list_id, 1)


def test_a_brand_has_no_more_lists_open_than_it_can_finish(world: World) -> None:
    for _ in range(20):
        take_in.begin(world, "maison", ListStart())
        world.clock.forward(minutes=1)  # type: ignore[attr-defined]
    with pytest.raises(Clashing):
        take_in.begin(world, "maison", ListStart())
    take_in.begin(world, "atelier", ListStart())
    world.clock.forward(hours=24)  # type: ignore[attr-defined]
    take_in.begin(world, "maison", ListStart())


def test_whoever_was_erased_is_left_out_and_said(world: World) -> None:
    taken(world, file(3))
    from chalicelib.domain.client_rows import client_row
    from chalicelib.domain.ports import Keep

    gone = client_of(world, "maison", "vic-1")
    leaving = gone.model_copy(update={"erasure_asked_at": NOON, "version": 2})
    world.table.write(Keep(client_row(leaving), was=1))
    found = taken(world, file(3))
    assert found.progress.outcomes == {"unchanged": 2, "refused": 1}
    assert found.progress.reasons == {"erased": 1}
    assert "listed" not in found.progress.outcomes
    assert one_is_listed(world, found) == ["vic-0", "vic-2"]


def one_is_listed(world: World, found: Roster) -> list[str]:
    page = world.table.get(lists.members_key(found.list_id, 0))
    assert page is not None
    return [member.client for member in members_of_row(page)]


# --- what goes wrong ----------------------------------------------------------------------------------------


def test_lost_doubled_and_late_nudges_enrol_everybody_once(world: World) -> None:
    begun = sent(world, file(950))
    queues: Any = world.queues
    first = list(queues.sent)
    queues.sent.clear()  # lost
    world.clock.forward(minutes=3)  # type: ignore[attr-defined]
    sweep.sweep(world)
    queues.sent += queues.sent
    drive.settle(world)
    queues.sent += first  # late
    drive.settle(world)
    found = take_in.list_of(world, "maison", begun.list_id)
    assert (found.state, found.progress.outcomes) == (ListState.READY, {"enrolled": 950})
    assert not world.table.find_due("lanes", NOON + timedelta(days=9), 10).keys


def test_a_list_that_nobody_could_read_within_a_day_is_given_up(world: World) -> None:
    begun = sent(world, file(3))
    world.clock.forward(hours=25)  # type: ignore[attr-defined]
    drive.settle(world)
    found = take_in.list_of(world, "maison", begun.list_id)
    assert found.state is ListState.REFUSED
    assert personal_rows(world, begun) == []


def test_whoever_was_read_and_not_enrolled_within_a_day_is_counted_as_refused(world: World) -> None:
    begun = sent(world, file(130))
    drive.run(world, *world.queues.sent.pop())  # type: ignore[attr-defined]
    world.clock.forward(hours=25)  # type: ignore[attr-defined]
    drive.settle(world)
    found = take_in.list_of(world, "maison", begun.list_id)
    assert found.state is ListState.READY
    assert (found.progress.outcomes, found.progress.reasons) == ({"refused": 130}, {"lapsed": 130})
    assert personal_rows(world, begun) == []


def test_a_list_lapses(world: World) -> None:
    found = taken(world, file(1))
    world.clock.forward(hours=30 * 24)  # type: ignore[attr-defined]
    with pytest.raises(Missing):
        take_in.list_of(world, "maison", found.list_id)


def test_a_client_that_is_enrolled_meanwhile_is_no_fault(world: World) -> None:
    begun = sent(world, file(2))
    enrol(world, "maison", "vic-0", new())
    assert (Topic.CAMPAIGN, f"list:{begun.list_id}:read:0:0") in world.queues.sent  # type: ignore[attr-defined]
    drive.settle(world)
    outcomes = take_in.list_of(world, "maison", begun.list_id).progress.outcomes
    assert outcomes == {"enrolled": 1, "changed": 1}
