"""What every courier file has to keep, asked of each file in the folder.

The files are found by looking into the folder. A new courier brings `samples_<name>.py` beside this file;
nothing here is touched for it. Callbacks that were recorded from the real courier lie in `../shared`, or where
`CORDON_SHARED` says; without them their tests are skipped and say so.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.couriers import Folder
from chalicelib.domain.dialect import (
    Account,
    Booked,
    Callback,
    Dialect,
    Heard,
    Job,
    Quoted,
    Reply,
    Request,
    Unsure,
)
from chalicelib.domain.errors import CordonError, Malformed, Unanswered, Unauthorised, Uncarriable
from chalicelib.domain.gifts import ItemClass
from chalicelib.domain.legs import Event, EventKind, fold, reference_of
from chalicelib.domain.policies import Handover
from tests.couriers.jobs import NOON, ORDER_ID, REFERENCE, gift, job

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("CORDON_SHARED", ROOT.parent / "shared")) / "data" / "couriers"
NAMES = tuple(Folder())
EVERY = pytest.mark.parametrize("name", NAMES)
WITHOUT_WAITING = settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class Samples(Protocol):
    """What `samples_<name>.py` holds."""

    ACCOUNT: Account
    ROTATED: Account
    """The same account after its callback secrets were changed."""
    HEARING_SECRETS: Sequence[str]
    """Keys of the account that authenticity rests on."""
    PROOF_QUERY: Sequence[str]
    PROOF_HEADERS: Sequence[str]
    """The query arguments and headers that authenticity rests on."""
    STATUSES: Sequence[str]
    """Every documented status."""
    UNKNOWN_STATUS: str
    EXISTS_ALREADY: Sequence[Reply]
    """What it answers to a booking under a reference that it has already."""
    QUOTED: Reply | None
    """An answer that names a price; None for a courier that names none."""

    def told(
        self,
        account: Account,
        reference: str,
        delivery_id: str,
        status: str,
        occurred_at: datetime,
        sent_at: datetime,
    ) -> Callback: ...

    def recorded(self, folder: Path) -> Mapping[str, tuple[Account, Callback, datetime]]:
        """By file name: what was recorded from the real courier, the account it was for, and when it came."""

    def enveloped(self, account: Account, inside: bytes, sent_at: datetime) -> Callback: ...


def samples_of(name: str) -> Samples:
    return cast("Samples", import_module(f"tests.couriers.samples_{name}"))


def pair(name: str) -> tuple[Dialect, Samples]:
    return Folder()[name], samples_of(name)


def a_callback(samples: Samples, status: str | None = None, account: Account | None = None) -> Callback:
    status = status or samples.STATUSES[0]
    return samples.told(account or samples.ACCOUNT, REFERENCE, "SF1", status, NOON, NOON)


def hear(name: str, callback: Callback, *accounts: Account, at: datetime = NOON) -> Heard:
    dialect, samples = pair(name)
    return dialect.hear(accounts or (samples.ACCOUNT,), callback, "sf", at)


def with_parts(callback: Callback, field: str, parts: Mapping[str, str]) -> Callback:
    return replace(callback, query=parts) if field == "query" else replace(callback, headers=parts)


# --- the folder ---


@EVERY
def test_every_courier_has_its_samples_and_its_files_name(name: str) -> None:
    assert find_spec(f"tests.couriers.samples_{name}") is not None
    assert Folder()[name].name == name


def test_every_file_in_the_folder_is_found_and_no_other_name_is_known() -> None:
    files = {path.stem for path in (ROOT / "chalicelib" / "couriers").glob("*.py")}
    assert set(NAMES) == files - {"__init__"}
    assert "nobody" not in Folder()
    assert len(Folder()) == len(NAMES)
    with pytest.raises(KeyError):
        Folder()["nobody"]


@EVERY
def test_asking_for_one_courier_loads_that_one_only(name: str) -> None:
    script = (
        "import sys; from chalicelib.couriers import Folder\n"
        "own = 'chalicelib.couriers.'\n"
        "def loaded(): return {m.split('.')[2] for m in sys.modules if m.startswith(own)}\n"
        "assert list(Folder()) and loaded() == set(), loaded()\n"
        f"Folder()[{name!r}]; assert loaded() == {{{name!r}}}, loaded()\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)  # noqa: S603


@EVERY
def test_a_courier_file_is_pure(name: str) -> None:
    found = find_spec(f"chalicelib.couriers.{name}")
    assert found is not None
    assert found.origin is not None
    tree = ast.parse(Path(found.origin).read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    for module in imported:
        top = module.partition(".")[0]
        assert (
            top in {"pydantic", "cryptography"}
            or module.startswith("chalicelib.domain.")
            or (
                top in sys.stdlib_module_names
                and top not in {"os", "random", "time", "secrets", "uuid", "socket", "http", "subprocess"}
            )
        ), module
    clocks = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not clocks & {"now", "utcnow", "today"}


# --- what the real courier sent ---


def recorded_of(name: str) -> Mapping[str, tuple[Account, Callback, datetime]]:
    if not SHARED.is_dir():
        pytest.skip(f"the recorded callbacks are not at {SHARED} (set CORDON_SHARED)")
    recorded = samples_of(name).recorded(SHARED)
    assert recorded, f"no recorded callback of {name!r} in {SHARED}"
    return recorded


@EVERY
def test_every_recorded_callback_is_read_the_same_each_time(name: str) -> None:
    for file, (account, callback, came_at) in recorded_of(name).items():
        heard = hear(name, callback, account, at=came_at)
        assert heard.events or heard.foreign, file
        assert hear(name, callback, account, at=came_at) == heard, file
        assert not [event for event in heard.events if event.kind is EventKind.UNREADABLE], file


@EVERY
def test_a_recorded_callback_is_refused_with_one_byte_flipped_or_under_another_key(name: str) -> None:
    dialect, samples = pair(name)
    if dialect.trust == "hint":
        pytest.skip("a hint proves nothing and is believed only after a look-up")
    for account, callback, came_at in recorded_of(name).values():
        rotated = {**account, **{key: samples.ROTATED[key] for key in samples.HEARING_SECRETS}}
        with pytest.raises(Unauthorised):
            hear(name, callback, rotated, at=came_at)
        for position in range(0, len(callback.body), 7):
            body = bytearray(callback.body)
            body[position] ^= 0x01
            with pytest.raises(Unauthorised):
                hear(name, replace(callback, body=bytes(body)), account, at=came_at)


# --- proof ---


@EVERY
def test_an_authentic_callback_is_heard(name: str) -> None:
    _, samples = pair(name)
    heard = hear(name, a_callback(samples))
    assert [event.reference for event in heard.events] == [REFERENCE]
    assert heard.events[0].courier_id == "sf"


@EVERY
def test_one_flipped_byte_anywhere_in_the_body_is_refused(name: str) -> None:
    dialect, samples = pair(name)
    if dialect.trust == "hint":
        pytest.skip("a hint proves nothing and is believed only after a look-up")
    callback = a_callback(samples)
    for position in range(len(callback.body)):
        for mask in (0x01, 0x20, 0x80):
            body = bytearray(callback.body)
            body[position] ^= mask
            with pytest.raises(Unauthorised):
                hear(name, replace(callback, body=bytes(body)))


@EVERY
def test_one_flipped_byte_anywhere_in_the_proof_is_refused(name: str) -> None:
    dialect, samples = pair(name)
    if dialect.trust == "hint":
        pytest.skip("a hint proves nothing and is believed only after a look-up")
    callback = a_callback(samples)
    for field, names in (("query", samples.PROOF_QUERY), ("headers", samples.PROOF_HEADERS)):
        parts: dict[str, str] = getattr(callback, field)
        for key in names:
            for position in range(len(parts[key])):
                for mask in (0x01, 0x20):
                    value = list(parts[key])
                    value[position] = chr(ord(value[position]) ^ mask)
                    with pytest.raises(Unauthorised):
                        hear(name, with_parts(callback, field, {**parts, key: "".join(value)}))


@EVERY
def test_a_missing_or_empty_part_of_the_proof_is_refused(name: str) -> None:
    _, samples = pair(name)
    callback = a_callback(samples)
    for field, names in (("query", samples.PROOF_QUERY), ("headers", samples.PROOF_HEADERS)):
        parts: dict[str, str] = getattr(callback, field)
        for key in names:
            for changed in ({k: v for k, v in parts.items() if k != key}, {**parts, key: ""}):
                with pytest.raises(Unauthorised):
                    hear(name, with_parts(callback, field, changed))


@EVERY
def test_a_callback_under_another_key_is_refused(name: str) -> None:
    _, samples = pair(name)
    with pytest.raises(Unauthorised):
        hear(name, a_callback(samples, account=samples.ROTATED))


@EVERY
def test_without_a_secret_nothing_is_proven(name: str) -> None:
    _, samples = pair(name)
    with pytest.raises(Unauthorised):
        Folder()[name].hear((), a_callback(samples), "sf", NOON)
    for key in samples.HEARING_SECRETS:
        for poor in (
            {**samples.ACCOUNT, key: ""},
            {k: v for k, v in samples.ACCOUNT.items() if k != key},
        ):
            with pytest.raises(Unauthorised):
                hear(name, a_callback(samples), poor)


@EVERY
def test_while_secrets_rotate_the_old_and_the_new_are_both_heard(name: str) -> None:
    _, samples = pair(name)
    for account in (samples.ACCOUNT, samples.ROTATED):
        for order in ((samples.ACCOUNT, samples.ROTATED), (samples.ROTATED, samples.ACCOUNT)):
            assert hear(name, a_callback(samples, account=account), *order).events


# --- junk ---

_text = st.dictionaries(st.text(max_size=12), st.text(max_size=12), max_size=4)


@EVERY
@WITHOUT_WAITING
@given(method=st.sampled_from(["POST", "GET", ""]), query=_text, headers=_text, body=st.binary(max_size=200))
def test_junk_from_anybody_is_an_error_and_never_a_crash(
    name: str, method: str, query: dict[str, str], headers: dict[str, str], body: bytes
) -> None:
    callback = Callback(method, query, headers, body)
    with pytest.raises(Unauthorised):
        hear(name, callback)
    dialect, samples = pair(name)
    with pytest.raises(Unauthorised):
        dialect.greet((samples.ACCOUNT,), callback, NOON)


@EVERY
@WITHOUT_WAITING
@given(data=st.data())
def test_junk_in_the_place_of_the_proof_is_never_a_crash(name: str, data: st.DataObject) -> None:
    _, samples = pair(name)
    callback = a_callback(samples)
    odd = st.text(alphabet=st.characters(), max_size=40)
    query = {key: data.draw(odd) for key in callback.query}
    headers = {key: data.draw(odd) for key in callback.headers}
    with pytest.raises(Unauthorised):
        hear(name, replace(callback, query=query, headers={**callback.headers, **headers}, body=b"{}"))
    key = data.draw(st.sampled_from([*samples.PROOF_QUERY, *samples.PROOF_HEADERS]))
    field = "query" if key in samples.PROOF_QUERY else "headers"
    parts: dict[str, str] = getattr(callback, field)
    value = data.draw(odd.filter(lambda text: text != parts[key]))
    with pytest.raises(Unauthorised):
        hear(name, with_parts(callback, field, {**parts, key: value}))


@EVERY
@WITHOUT_WAITING
@given(inside=st.binary(max_size=200))
def test_junk_that_is_proven_is_an_error_and_never_a_crash(name: str, inside: bytes) -> None:
    dialect, samples = pair(name)
    with suppress(Malformed, Unauthorised):
        dialect.hear((samples.ACCOUNT,), samples.enveloped(samples.ACCOUNT, inside, NOON), "sf", NOON)


@EVERY
@WITHOUT_WAITING
@given(status=st.sampled_from([200, 200, 200, 204, 400, 404, 429, 500, 503]), body=st.binary(max_size=80))
def test_junk_for_an_answer_books_and_cancels_nothing(name: str, status: int, body: bytes) -> None:
    dialect, _ = pair(name)
    reply = Reply(status, {}, body)
    assert isinstance(dialect.quoted(reply, job(), NOON), Unsure)
    assert isinstance(dialect.booked(reply, job()), Unsure)
    assert isinstance(dialect.cancelled(reply), Unsure)
    assert isinstance(dialect.looked_up(reply, REFERENCE, "sf", NOON), Unsure)
    with pytest.raises(Unanswered):
        dialect.logged_in(reply, NOON)


@EVERY
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_courier_in_trouble_has_said_nothing(name: str, status: int) -> None:
    reply = Reply(status, {}, b'{"resultcode":0,"errcode":0,"waybill_id":"1","id":"1","status":"ok"}')
    dialect, _ = pair(name)
    assert isinstance(dialect.quoted(reply, job(), NOON), Unsure)
    assert isinstance(dialect.booked(reply, job()), Unsure)
    assert isinstance(dialect.cancelled(reply), Unsure)
    assert isinstance(dialect.looked_up(reply, REFERENCE, "sf", NOON), Unsure)


# --- meaning ---


@EVERY
def test_every_documented_status_is_understood(name: str) -> None:
    _, samples = pair(name)
    for status in samples.STATUSES:
        (event,) = hear(name, a_callback(samples, status)).events
        assert event.kind is not EventKind.UNREADABLE, status
        assert event.raw_status == status


@EVERY
def test_an_unknown_status_is_kept_and_moves_nothing(name: str) -> None:
    _, samples = pair(name)
    (event,) = hear(name, a_callback(samples, samples.UNKNOWN_STATUS)).events
    assert event.kind is EventKind.UNREADABLE
    assert event.raw_status == samples.UNKNOWN_STATUS
    assert fold([event]).kind is None
    assert fold([event]).unreadable == 1


@EVERY
def test_a_reference_that_is_not_ours_is_acknowledged_and_makes_no_event(name: str) -> None:
    _, samples = pair(name)
    callback = samples.told(samples.ACCOUNT, "SOMEBODY-1", "SF1", samples.STATUSES[0], NOON, NOON)
    heard = hear(name, callback)
    assert heard.events == ()
    assert heard.foreign == ("SOMEBODY-1",)


@EVERY
@WITHOUT_WAITING
@given(data=st.data())
def test_replays_in_any_order_come_to_the_same(name: str, data: st.DataObject) -> None:
    _, samples = pair(name)
    known = st.sampled_from([*samples.STATUSES, samples.UNKNOWN_STATUS])
    story = data.draw(
        st.lists(st.tuples(known, st.integers(0, 90)), min_size=1, max_size=8, unique=True), label="story"
    )
    calls = [
        samples.told(samples.ACCOUNT, REFERENCE, "SF1", status, NOON + timedelta(minutes=minute), NOON)
        for status, minute in story
    ]
    doubled = data.draw(st.lists(st.sampled_from(calls), max_size=4), label="doubles")
    arrived = data.draw(st.permutations([*calls, *doubled]), label="arrived")

    def events(some: Sequence[Callback], late: int) -> list[Event]:
        at = NOON + timedelta(seconds=late)
        return [event for call in some for event in hear(name, call, at=at).events]

    assert fold(events(arrived, 60)) == fold(events(calls, 1))


# --- booking ---


@EVERY
def test_booking_the_same_job_again_is_the_same_request(name: str) -> None:
    dialect, samples = pair(name)
    first = dialect.book(samples.ACCOUNT, "token", job(), NOON)
    assert dialect.book(samples.ACCOUNT, "token", job(), NOON) == first
    later = dialect.book(samples.ACCOUNT, "other-token", job(), NOON + timedelta(minutes=9))
    for request in (first, later):
        assert REFERENCE.encode() in request.body + request.url.encode()


@EVERY
def test_booking_another_job_or_the_same_one_anew_is_another_request(name: str) -> None:
    dialect, samples = pair(name)
    asked = {
        dialect.book(samples.ACCOUNT, "token", job(reference_of(ORDER_ID, 1, number)), NOON).body
        for number in range(1, 5)
    }
    assert len(asked) == 4


@EVERY
def test_a_repeat_that_finds_the_job_there_already_is_neither_a_booking_nor_a_refusal(name: str) -> None:
    dialect, samples = pair(name)
    for reply in samples.EXISTS_ALREADY:
        assert isinstance(dialect.booked(reply, job()), Unsure)


def _jobs() -> st.SearchStrategy[Job]:
    minutes = st.integers(-600, 6000)

    def made(begins: int, later: int, length: int, told: bool, currency: str, **of: object) -> Job:
        start = NOON + timedelta(minutes=begins)
        hand_over = start + timedelta(minutes=later)
        return job(
            of=gift(cast("int", of["fen"]), cast("ItemClass", of["item_class"]), currency=currency),
            handover=cast("Handover", of["handover"]),
            deliver_from=hand_over,
            deliver_by=hand_over + timedelta(minutes=length),
            pick_up_from=start if told else None,
        )

    return st.builds(
        made,
        begins=minutes,
        later=st.integers(0, 300),
        length=st.integers(1, 600),
        told=st.booleans(),
        currency=st.sampled_from(["CNY", "EUR", "JPY"]),
        fen=st.integers(0, 10**9),
        item_class=st.sampled_from(ItemClass),
        handover=st.sampled_from(Handover),
    )


@EVERY
@WITHOUT_WAITING
@given(of=_jobs())
def test_a_job_is_asked_for_or_cannot_be_and_there_is_no_third(name: str, of: Job) -> None:
    dialect, samples = pair(name)

    def asked() -> Request | str:
        try:
            return dialect.book(samples.ACCOUNT, "token", of, NOON)
        except Uncarriable as error:
            return error.reason

    first = asked()
    assert asked() == first
    assert isinstance(first, Request) or first.isidentifier()


@EVERY
def test_a_courier_names_a_price_or_is_never_asked_for_one(name: str) -> None:
    dialect, samples = pair(name)
    request = dialect.quote(samples.ACCOUNT, "token", job(), NOON)
    assert (request is None) is (samples.QUOTED is None)
    if samples.QUOTED is not None:
        answer = dialect.quoted(samples.QUOTED, job(), NOON)
        assert isinstance(answer, Quoted)
        assert answer.fee.amount > 0


@EVERY
def test_no_request_waits_longer_than_a_function_may(name: str) -> None:
    dialect, samples = pair(name)
    requests = [
        dialect.login(samples.ACCOUNT),
        dialect.quote(samples.ACCOUNT, "t", job(), NOON),
        dialect.book(samples.ACCOUNT, "t", job(), NOON),
        dialect.cancel(samples.ACCOUNT, "t", REFERENCE, None, "closed", NOON),
        dialect.look_up(samples.ACCOUNT, "t", REFERENCE, None, NOON),
    ]
    for request in requests:
        if request is not None:
            assert request.connect_timeout_s + request.read_timeout_s <= 10
            assert request.url.startswith("https://")


@EVERY
def test_no_answer_is_never_taken_for_a_booking(name: str) -> None:
    dialect, _ = pair(name)
    for body in (b"", b"{}", b"null", b"[]", b"ok", b"0"):
        try:
            assert not isinstance(dialect.booked(Reply(200, {}, body), job()), Booked)
        except CordonError:
            pytest.fail("a reading of an answer raises nothing")
