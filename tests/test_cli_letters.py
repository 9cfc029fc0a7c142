"""What died can be counted, looked at without being read, and sent back; cut off anywhere, nothing is lost."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from chalicelib.aws import clients
from chalicelib.aws.clients import client
from chalicelib.aws.queues import SqsQueues
from chalicelib.domain.errors import Throttled
from chalicelib.domain.ports import Letter, Topic
from cli import letters
from tests.aws.cloud import make_queues

ORDER = "ord_" + "a" * 26
SECRET = "Wang Secretive"
GOOD = json.dumps({"v": 1, "id": ORDER})
TRACE = {"trace": {"dataType": "String", "stringValue": "00-4bf9"}}


@pytest.fixture(scope="module", autouse=True)
def cloud() -> Iterator[None]:
    with mock_aws():
        clients.reset()
        yield
    clients.reset()


@pytest.fixture(autouse=True)
def queues(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letters, "WAIT_S", 0)
    for url in client("sqs").list_queues().get("QueueUrls", ()):
        client("sqs").delete_queue(QueueUrl=url)
    make_queues(monkeypatch)


def put(
    body: str = GOOD, reason: str = "KeyError at book.py:17", topic: Topic = Topic.BOOK, **more: Any
) -> None:
    letter = Letter(body, reason, f"on_{topic.value}", "m-1", 5, 1649649600000, **more)
    url = os.environ[f"CORDON_{topic.name}_LETTERS"]
    SqsQueues({}, {topic: url}).put_aside(topic, letter)


def lying_in(name: str) -> list[dict[str, Any]]:
    """Every message of the queue in that variable, left visible."""
    asked = {"QueueUrl": os.environ[name], "VisibilityTimeout": 0, "MaxNumberOfMessages": 10}
    found = client("sqs").receive_message(**asked, MessageAttributeNames=["All"], AttributeNames=["All"])
    return list(found.get("Messages", []))


def test_a_letter_carries_its_reason_and_all_that_the_message_carried() -> None:
    raw = {"dataType": "Binary", "binaryValue": base64.b64encode(b"\x00\xff").decode()}
    put(attributes={**TRACE, "raw": raw})
    (message,) = lying_in("CORDON_BOOK_LETTERS")
    said = message["MessageAttributes"]
    assert message["Body"] == GOOD
    assert said["reason"]["StringValue"] == "KeyError at book.py:17"
    assert said["trace"]["StringValue"] == "00-4bf9"
    assert said["raw"]["BinaryValue"] == b"\x00\xff"
    told = json.loads(said["letter"]["StringValue"])
    assert told == {"function": "on_book", "message_id": "m-1", "receives": 5, "sent_at": 1649649600000}


def test_they_are_counted_by_reason(capsys: pytest.CaptureFixture[str]) -> None:
    for n in range(13):
        put(reason="Throttled: Not now" if n % 2 else "Unanswered: Not now")
    assert letters.main(["list"]) == 0
    told = capsys.readouterr().out
    assert "book: 13 letters" in told and "hear: 0 letters" in told
    assert "    7  Unanswered: Not now" in told and "    6  Throttled: Not now" in told
    assert letters.main(["list", "--queue", "hear"]) == 0
    assert "book" not in capsys.readouterr().out


def test_they_are_shown_without_what_stands_in_them(capsys: pytest.CaptureFixture[str]) -> None:
    put()
    put(json.dumps({"v": 1, "id": SECRET}), "Missing: Nothing here under that name")
    put(f"{{{SECRET}", "not JSON")
    put(json.dumps({"v": 1, "id": f"publish:SHA:{SECRET}"}), "failed", Topic.RULES)
    put(json.dumps({"v": 1, "id": f"impact:SHA:{SECRET}"}), "failed", Topic.RULES)
    put(json.dumps({"v": 1, "id": f"impact/SHA:{SECRET}"}), "failed", Topic.DISPATCH)
    put(json.dumps({"v": 1, "id": "SHA:all"}), "failed", Topic.DISPATCH)
    put(json.dumps({"v": 1, "id": f"SHA:all:2022|{SECRET}"}), "failed", Topic.DISPATCH)
    put(json.dumps({"v": 1, "id": f"SECRET:{SECRET}"}), "failed", Topic.DISPATCH)
    put(json.dumps({"v": 1, "id": f"{ORDER}:SHA:{SECRET}"}), "failed")
    put(json.dumps({"v": 7, "id": SECRET}), "Newer: Written by newer code than this")
    assert letters.main(["show"]) == 0
    told = capsys.readouterr().out
    assert "Wang" not in told and "SECRET" not in told
    assert f"nudge {ORDER}  {len(GOOD)} bytes" in told and "by on_book" in told
    assert told.count("(id not shown)") == 4
    assert told.count(f"nudge {ORDER}  ") == 2, "one with hints for whoever books it"
    assert "nudge impact:SHA:  " in told and "nudge impact/SHA  " in told
    assert "publish:SHA:" in told and told.count("nudge SHA:all  ") == 2 and "newer nudge" in told


def test_what_sqs_moved_itself_is_given_the_reason_that_can_be_found(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for body in (GOOD, "{", json.dumps({"v": 2})):
        client("sqs").send_message(QueueUrl=os.environ["CORDON_TELL_LETTERS"], MessageBody=body)
    assert letters.main(["show", "--queue", "tell"]) == 0
    told = capsys.readouterr().out
    assert "    none given: its function died with it" in told
    assert "    not JSON" in told and "    sent by newer code than this" in told


def test_a_replayed_letter_is_back_in_its_queue_with_what_it_carried_and_no_longer_dead(
    capsys: pytest.CaptureFixture[str],
) -> None:
    put(attributes=TRACE)
    put(topic=Topic.TELL)
    assert letters.main(["replay", "--queue", "book"]) == 0
    assert "book: 1 sent back" in capsys.readouterr().out
    (message,) = lying_in("CORDON_BOOK_QUEUE")
    assert message["Body"] == GOOD
    assert set(message["MessageAttributes"]) == {"trace", "replay"}
    assert lying_in("CORDON_BOOK_LETTERS") == []
    assert len(lying_in("CORDON_TELL_LETTERS")) == 1, "another queue's stay"


def test_a_dry_run_and_a_limit_leave_the_others_where_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(4):
        put()
    assert letters.main(["replay", "--queue", "book", "--dry-run"]) == 0
    assert capsys.readouterr().out.count("would go back") == 4
    assert len(lying_in("CORDON_BOOK_LETTERS")) == 4 and lying_in("CORDON_BOOK_QUEUE") == []
    assert letters.main(["replay", "--queue", "book", "--limit", "3"]) == 0
    assert len(lying_in("CORDON_BOOK_LETTERS")) == 1 and len(lying_in("CORDON_BOOK_QUEUE")) == 3


def test_what_never_was_a_nudge_goes_back_only_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    put("{", "not JSON")
    assert letters.main(["replay", "--queue", "book"]) == 0
    assert "1 left where they are" in capsys.readouterr().out
    assert lying_in("CORDON_BOOK_QUEUE") == []
    assert letters.main(["replay", "--queue", "book", "--all"]) == 0
    assert [message["Body"] for message in lying_in("CORDON_BOOK_QUEUE")] == ["{"]


def test_a_run_that_is_cut_off_between_sending_and_deleting_loses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put()

    class Cut(BaseException):
        pass

    def cut(self: letters.Box, operation: str, **request: Any) -> Any:
        if operation == "delete_message":
            raise Cut
        return plain(self, operation, **request)

    plain = letters.Box._call
    monkeypatch.setattr(letters.Box, "_call", cut)
    with pytest.raises(Cut):
        letters.main(["replay", "--queue", "book"])
    monkeypatch.setattr(letters.Box, "_call", plain)
    assert len(lying_in("CORDON_BOOK_LETTERS")) == 1, "still there, and visible"
    assert letters.main(["replay", "--queue", "book"]) == 0
    assert lying_in("CORDON_BOOK_LETTERS") == []
    assert [message["Body"] for message in lying_in("CORDON_BOOK_QUEUE")] == [GOOD, GOOD], "twice, harmlessly"


def test_what_dies_again_during_a_run_is_not_replayed_by_it_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put()
    plain = letters.Box.send_back

    def and_it_dies(self: letters.Box, letter: letters.Seen, run: str) -> None:
        plain(self, letter, run)
        replayed = {"replay": {"dataType": "String", "stringValue": run}}
        put(reason="KeyError again", attributes=replayed)

    monkeypatch.setattr(letters.Box, "send_back", and_it_dies)
    assert letters.main(["replay", "--queue", "book"]) == 0
    assert "1 sent back\n  1 died again meanwhile" in capsys.readouterr().out


def test_a_busy_queue_is_said_and_the_rest_goes_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put()
    put()
    plain, tried = letters.Box.send_back, []

    def busy(self: letters.Box, letter: letters.Seen, run: str) -> None:
        tried.append(letter)
        if len(tried) == 1:
            raise Throttled("busy")
        plain(self, letter, run)

    monkeypatch.setattr(letters.Box, "send_back", busy)
    assert letters.main(["replay", "--queue", "book"]) == 1
    assert "1 sent back" in (said := capsys.readouterr().out) and "1 not certainly" in said
    assert len(lying_in("CORDON_BOOK_LETTERS")) == 1


@pytest.mark.long
def test_the_queues_are_found_by_the_stack_that_made_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kinds = [f"{topic.value.title()}{kind}" for topic in Topic for kind in ("Queue", "DeadLetters")]
    template = {"Resources": {name: {"Type": "AWS::SQS::Queue"} for name in kinds}}
    client("cloudformation").create_stack(StackName="cordon", TemplateBody=json.dumps(template))
    for topic in Topic:
        monkeypatch.delenv(f"CORDON_{topic.value.upper()}_QUEUE")
    (url,) = client("sqs").list_queues(QueueNamePrefix="cordon-RulesDeadLetters")["QueueUrls"]
    client("sqs").send_message(QueueUrl=url, MessageBody="{")
    assert letters.main(["list", "--stack", "cordon"]) == 0
    assert "rules: 1 letter\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["list"], "CORDON_DISPATCH_QUEUE"),
        (["list", "--queue", "everything"], "everything"),
        (["show", "--limit", "0"], "1 to 10000"),
        ([], "usage"),
    ],
)
def test_what_is_missing_or_wrong_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    monkeypatch.delenv("CORDON_DISPATCH_QUEUE")
    with pytest.raises(SystemExit) as ended:
        letters.main(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "carried",
    [
        {"letter": {"DataType": "String", "StringValue": "no JSON"}},
        {"letter": {"DataType": "String", "StringValue": "[]"}},
        {"letter": {"DataType": "String", "StringValue": json.dumps({"function": "f", "sent_at": 1e300})}},
        {"letter": {"DataType": "Binary", "BinaryValue": b"\xff"}},
        {"reason": {"DataType": "String", "StringValue": SECRET}},
        {"reason": {"DataType": "Binary", "BinaryValue": b"\xff"}},
        {"replay": {"DataType": "Binary", "BinaryValue": b"\xff"}},
        {f"a{n}": {"DataType": "String", "StringValue": SECRET} for n in range(10)},
    ],
)
def test_what_a_message_that_sqs_moved_carries_under_our_names_stops_and_shows_nothing(
    carried: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    url = os.environ["CORDON_BOOK_LETTERS"]
    client("sqs").send_message(QueueUrl=url, MessageBody=GOOD, MessageAttributes=carried)
    put(reason="Throttled: Not now")
    for verb in ("list", "show", "replay"):
        assert letters.main([verb, "--queue", "book"]) == 0
    told = capsys.readouterr().out
    assert SECRET not in told and "2 sent back" in told and letters.UNSAID in told
    assert lying_in("CORDON_BOOK_LETTERS") == []
    assert len(lying_in("CORDON_BOOK_QUEUE")) == 2


def test_a_message_with_all_the_attributes_there_can_be_gets_its_reason_all_the_same() -> None:
    put(attributes={f"a{n}": {"dataType": "String", "stringValue": "x"} for n in range(10)})
    (message,) = lying_in("CORDON_BOOK_LETTERS")
    assert len(message["MessageAttributes"]) == 10
    assert message["MessageAttributes"]["reason"]["StringValue"] == "KeyError at book.py:17"
