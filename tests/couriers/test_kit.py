"""The kit finds what it asks for: each sentence is broken by a slip that it is there to find, and by no other file's
fault; what it prints can be read; and what it cannot use it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.couriers.__main__ import main
from tests.couriers.contract import CLAUSES
from tests.couriers.contract.loading import of_a_file
from tests.couriers.contract.verdict import WIDTH, Ruling, answers
from tests.couriers.guide import files, write
from tests.couriers.slips import SLIPS
from tests.couriers.slips.slip import Slip


@pytest.mark.parametrize("slip", SLIPS, ids=str)
def test_a_slip_breaks_the_sentence_that_is_there_to_find_it(slip: Slip, tmp_path: Path) -> None:
    adapter = slip.made_in(files()["heron.py"])
    subject = of_a_file(write(tmp_path, adapter=adapter))
    clause = next(clause for clause in CLAUSES if clause.name == slip.breaks)
    (found,) = answers(subject, [clause])
    assert found.ruling is Ruling.BROKEN, found


def test_every_sentence_can_be_broken() -> None:
    assert {clause.name for clause in CLAUSES} == {slip.breaks for slip in SLIPS}


CARELESS = Path(__file__).with_name("careless.py")
RIGHT_IN_SPITE_OF_ITSELF = {
    "asking_for_one_courier_loads_that_one_only": "it imports nothing heavy",
    "an_authentic_callback_rests_on_a_secret_of_the_account": "where there is a proof it looks at it, badly",
    "a_callback_under_another_key_is_refused": "for the same reason",
    "booking_another_job_or_the_same_one_anew_is_another_request": "no two of its requests are the same",
    "an_end_that_is_not_proven_can_be_confirmed_by_a_look_up": "it says that it is signed",
}


def test_a_careless_adapter_breaks_every_sentence_that_it_is_careless_of(tmp_path: Path) -> None:
    write(tmp_path)
    subject = of_a_file(CARELESS, tmp_path / "samples_heron.py", tmp_path / "recorded" / "heron")
    found = {one.clause.name: one for one in answers(subject)}
    kept = {name for name, one in found.items() if one.ruling is not Ruling.BROKEN}
    assert kept == set(RIGHT_IN_SPITE_OF_ITSELF)
    assert all(one.expected and one.did for one in found.values() if one.ruling is Ruling.BROKEN)


def test_its_verdict_has_no_traceback_and_ends_with_a_count(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path)
    recorded = str(tmp_path / "recorded" / "heron")
    samples = str(tmp_path / "samples_heron.py")
    assert main(["--file", str(CARELESS), "--samples", samples, "--recorded", recorded]) == 1
    said, beside = capsys.readouterr()
    assert "Traceback" not in said + beside
    assert all(len(line) <= WIDTH for line in said.splitlines()[5:])
    assert said.splitlines()[-1] == "careless breaks the contract: 4 kept, 50 broken, 1 not asked."


# --- samples that are wrong ---


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"job": delivery_id,', '"job": delivery,', "said of the samples crashed with NameError"),
        (
            "return json.dumps(message).encode()",
            "return json.dumps(message)",
            "said of the samples gives bytes",
        ),
        ('"heron-timestamp": stamp', '"Heron-Timestamp": stamp', "names headers in lower case"),
        ('return Callback("POST", {}, headers, inside)', "return headers", "gives a Callback"),
    ],
)
def test_a_slip_in_the_samples_is_not_laid_at_the_adapters_door(
    old: str, new: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    samples = files()["samples_heron.py"]
    assert samples.count(old) == 1
    file = write(tmp_path)
    (tmp_path / "samples_heron.py").write_text(samples.replace(old, new))
    assert main(["--file", str(file)]) == 2
    said, _ = capsys.readouterr()
    assert Ruling.BROKEN.value not in said
    assert says in said


def test_what_is_refused_proves_nothing_where_all_is_refused(tmp_path: Path) -> None:
    deaf = files()["heron.py"].replace("return hmac.compare_digest(", "return False and hmac.compare_digest(")
    subject = of_a_file(write(tmp_path, adapter=deaf))
    proof = [clause for clause in CLAUSES if clause.chapter == "Proof"]
    found = {one.clause.name: one.ruling for one in answers(subject, proof)}
    assert found["an_authentic_callback_is_heard"] is Ruling.BROKEN
    assert found["one_flipped_byte_anywhere_in_the_body_is_refused"] is Ruling.NOT_ASKED
    assert found["without_a_secret_nothing_is_proven"] is Ruling.NOT_ASKED


# --- what it cannot use ---


def unusable(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(arguments) == 3
    said, why = capsys.readouterr()
    assert not said
    assert len(why.splitlines()) == 1
    return why


def test_a_courier_that_is_not_there_is_told_with_those_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    why = unusable(["nobody"], capsys)
    assert "chalicelib/couriers/nobody.py" in why
    assert "wechat" in why


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def (", "SyntaxError"),
        ("import nothing_of_that_name", "ModuleNotFoundError"),
        ("class Heron: pass", "dialect = Heron()"),
        ("class Heron: pass\n\ndialect = Heron", "with the brackets"),
    ],
)
def test_a_file_that_is_no_courier_is_told_in_one_line(
    text: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert says in unusable(["--file", str(write(tmp_path, adapter=text))], capsys)


def test_a_file_that_is_not_there_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "a Python file was expected" in unusable(["--file", str(tmp_path / "x.py")], capsys)


ONE = "recorded/heron/1_collected.http"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("POST /v1", "/v1", "a first line such as"),
        ("Received-At: 2026-03-02T09:15:02Z\n", "", "a header such as 'Received-At"),
        ("Received-At: 2026-03-02T09:15:02Z", "Received-At: yesterday", "a header such as 'Received-At"),
        ("09:15:02Z\n", "09:15:02\n", "a time zone"),
        ("Content-Length: 151", "Content-Length: 9151", "a body of '9151' bytes"),
    ],
)
def test_a_recording_that_cannot_be_read_is_told_with_what_was_expected(
    old: str, new: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path)
    recording = tmp_path / ONE
    assert old in recording.read_text()
    recording.write_text(recording.read_text().replace(old, new))
    why = unusable(["--file", str(file)], capsys)
    assert ONE in why
    assert says in why


def test_an_account_is_expected_beside_recordings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path, without="recorded/heron/account.json")
    assert "account.json" in unusable(["--file", str(file)], capsys)
    (tmp_path / "recorded/heron/account.json").write_text('{"api_key": 1}')
    assert "names and texts" in unusable(["--file", str(file)], capsys)


def test_a_recording_is_read_as_it_came_whatever_its_line_ends_and_what_stands_behind_its_body(
    tmp_path: Path,
) -> None:
    plain = of_a_file(write(tmp_path)).recorded[0]
    assert plain.callback.body.endswith(b"}")
    assert "received-at" not in plain.callback.headers
    recording = tmp_path / ONE
    head, body = recording.read_bytes().split(b"\n\n", 1)
    windows = head.replace(b"\n", b"\r\n").replace(b"/heron HTTP", b"/heron?a=1&b=%2F HTTP")
    recording.write_bytes(windows + b"\r\n\r\n" + body + b"\n\n")
    other = of_a_file(tmp_path / "heron.py").recorded[0]
    assert other.callback.query == {"a": "1", "b": "/"}
    assert (other.callback.body, other.callback.headers) == (plain.callback.body, plain.callback.headers)


@pytest.mark.parametrize("arguments", [[], ["wechat", "--file", "x.py"]])
def test_one_of_name_and_file_is_asked_for(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert "make courier NAME=wechat" in unusable(arguments, capsys)
