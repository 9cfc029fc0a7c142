"""Dead letters: `python -m cli.letters list|show|replay [--queue book] [--limit 100] [--dry-run] [--all]`.

Nothing of an unknown message is ever printed: its kind, its size, its ages, why it died, and its id if that looks
like one of ours. Replaying sends a letter back to its queue and only then deletes it, so a run that is cut off leaves
at worst a nudge twice, which is harmless (a nudge carries an id and no fact). SQS's own move task does the same
without a choice, and exists on no emulator.

It finds the queues by `--stack`, the name of the deployed stack, or in CORDON_<QUEUE>_QUEUE and
CORDON_<QUEUE>_LETTERS; region and credentials as every AWS tool does.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from chalicelib.aws.calls import call
from chalicelib.aws.clients import client
from chalicelib.aws.queues import ATTRIBUTES, BATCH, LETTER, REASON
from chalicelib.domain import nudges
from chalicelib.domain.errors import Newer, NotANudge, Throttled
from chalicelib.domain.ports import Topic

WAIT_S = 1
"""A long poll asks every part of a queue, so that an empty answer means something."""
REPLAY = "replay"
"""The attribute that says in which run a message was replayed last: what dies again is not replayed again by it."""
OURS = {
    Topic.DISPATCH: r"(impact/[A-Z]{2,5}|[A-Z]{2,5}(:all)?)(?=:|\Z)",
    Topic.RULES: r"(publish|rezone|impact|board):[A-Z]{2,5}:",
    Topic.CAMPAIGN: r"list:lst_[A-Za-z0-9_-]{26}:|campaign:cmp_[a-z2-7]{26}:",
}
AN_ORDER = r"ord_[a-z2-7]{26}(?=:|\Z)"
"""How an id begins that may be shown; what follows a colon (a place in the index, hints) is not."""
UNSAID = "none given: its function died with it (time, memory) or could not send it; look for it in the log"


@dataclass(frozen=True)
class Seen:
    """One dead letter, with nothing of its body but what may be shown."""

    message_id: str
    """Its own, or the former message's when a function put it aside: the log lines name that one."""
    kind: str
    name: str | None
    """The id it carries, when it looks like one of ours."""
    reason: str
    function: str
    receives: int
    size: int
    sent_at: datetime | None
    hopeless: bool
    run: str | None
    message: Mapping[str, Any]

    def line(self, now: datetime) -> str:
        age = "?" if self.sent_at is None else _age(now - self.sent_at)
        return (
            f"{self.message_id}  {self.kind} {self.name or '(id not shown)'}  {self.size} bytes  sent {age} ago  "
            f"tries {self.receives}  by {self.function}\n    {self.reason}"
        )


def seen(topic: Topic, message: Mapping[str, Any]) -> Seen:
    """What may be known of a letter."""
    said = message.get("MessageAttributes", {})
    body = message["Body"]
    told = _told(said)
    kind, name, why = "nudge", None, UNSAID
    try:
        name = nudges.read(body)
    except NotANudge as error:
        kind, why = "no nudge", error.detail
    except Newer:
        kind, why = "newer nudge", "sent by newer code than this"
    shown = re.match(OURS.get(topic, AN_ORDER), name or "")
    attributes = message.get("Attributes", {})
    sent_at = told.get("sent_at") or int(attributes.get("SentTimestamp", 0))
    run = said.get(REPLAY, {}).get("StringValue")
    return Seen(
        message_id=told.get("message_id", message["MessageId"]),
        kind=kind,
        name=shown[0] if shown else None,
        reason=told.get("reason", why),
        function=told.get("function", f"on_{topic.value}"),
        receives=told.get("receives", nudges.TRIES),
        size=len(body.encode("utf-8", "surrogatepass")),
        sent_at=datetime.fromtimestamp(sent_at / 1000, UTC) if sent_at else None,
        hopeless=kind == "no nudge",
        run=run,
        message=message,
    )


def _told(said: Mapping[str, Any]) -> dict[str, Any]:
    """What the function that put it aside has written on it. Nothing when SQS moved it: what a stranger's message
    carries under these names is neither believed nor shown."""
    try:
        told = json.loads(said[LETTER]["StringValue"])
        datetime.fromtimestamp(int(told["sent_at"]) / 1000, UTC)
        return {
            "reason": str(said[REASON]["StringValue"]),
            "function": str(told["function"]),
            "message_id": str(told["message_id"]),
            "receives": int(told["receives"]),
            "sent_at": int(told["sent_at"]),
        }
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return {}


class Box:
    """The dead letters of one queue."""

    def __init__(self, topic: Topic, source: str, letters: str) -> None:
        self.topic, self.source, self.url = topic, source, letters

    def waiting(self) -> int:
        """How many there are, about."""
        told = self._call("get_queue_attributes", AttributeNames=["ApproximateNumberOfMessages"])
        return int(told["Attributes"]["ApproximateNumberOfMessages"])

    def open(self, limit: int, keep: Callable[[Seen], bool] = lambda _: True) -> Iterator[Seen]:
        """At most so many letters, held while they are looked at; those that `keep` says are shown again after."""
        held: list[Seen] = []
        known: set[str] = set()
        try:
            while len(known) < limit:
                reply = self._call(
                    "receive_message",
                    MaxNumberOfMessages=min(BATCH, limit - len(known)),
                    WaitTimeSeconds=WAIT_S,
                    VisibilityTimeout=30 + limit,
                    AttributeNames=["All"],
                    MessageAttributeNames=["All"],
                )
                fresh = [m for m in reply.get("Messages", ()) if m["MessageId"] not in known]
                if not fresh:
                    return
                held += (found := [seen(self.topic, message) for message in fresh])
                known |= {message["MessageId"] for message in fresh}
                yield from found
        finally:
            self._show_again([letter for letter in held if keep(letter)])

    def _show_again(self, letters: list[Seen]) -> None:
        for start in range(0, len(letters), BATCH):
            some = letters[start : start + BATCH]
            self._call(
                "change_message_visibility_batch",
                Entries=[
                    {"Id": str(n), "ReceiptHandle": x.message["ReceiptHandle"], "VisibilityTimeout": 0}
                    for n, x in enumerate(some)
                ],
            )

    def send_back(self, letter: Seen, run: str) -> None:
        """To its queue, and only then out of here."""
        carried = {
            name: {part: value[part] for part in ("DataType", "StringValue", "BinaryValue") if part in value}
            for name, value in letter.message.get("MessageAttributes", {}).items()
            if name not in (REASON, LETTER, REPLAY)
        }
        room = dict(list(carried.items())[: ATTRIBUTES - 1])
        call(
            client("sqs"),
            "send_message",
            QueueUrl=self.source,
            MessageBody=letter.message["Body"],
            MessageAttributes={**room, REPLAY: {"DataType": "String", "StringValue": run}},
        )
        self._call("delete_message", ReceiptHandle=letter.message["ReceiptHandle"])

    def _call(self, operation: str, **request: Any) -> dict[str, Any]:
        return call(client("sqs"), operation, QueueUrl=self.url, **request)


def list_(box: Box, asked: argparse.Namespace) -> bool:
    """How many there are, and why."""
    now = datetime.now(UTC)
    letters = list(box.open(asked.limit))
    count = max(box.waiting(), len(letters))
    print(f"{box.topic.value}: {count} letter{'' if count == 1 else 's'}")
    for reason, count in Counter(letter.reason for letter in letters).most_common():
        ages = [x.sent_at for x in letters if x.reason == reason and x.sent_at]
        print(
            f"  {count:5d}  {reason}" + (f"  (the oldest sent {_age(now - min(ages))} ago)" if ages else "")
        )
    return True


def show(box: Box, asked: argparse.Namespace) -> bool:
    """Each one, redacted."""
    now = datetime.now(UTC)
    print(f"{box.topic.value}:")
    for letter in box.open(asked.limit):
        print(letter.line(now))
    return True


def replay(box: Box, asked: argparse.Namespace) -> bool:
    """Each one back to its queue."""
    run, gone = uuid4().hex, set[str]()
    hopeless = again = failed = 0
    for letter in box.open(asked.limit, keep=lambda x: x.message["MessageId"] not in gone):
        if letter.run == run:
            again += 1
        elif letter.hopeless and not asked.all:
            hopeless += 1
        elif asked.dry_run:
            print(f"would go back: {letter.message_id}  {letter.kind} {letter.name or '(id not shown)'}")
        else:
            try:
                box.send_back(letter, run)
            except Throttled:
                failed += 1
                continue
            gone.add(letter.message["MessageId"])
    print(f"{box.topic.value}: {len(gone)} sent back")
    if hopeless:
        print(f"  {hopeless} left where they are: no nudge of ours; --all sends them back, too")
    if again:
        print(f"  {again} died again meanwhile")
    if failed:
        print(f"  {failed} not certainly sent back: SQS is busy; run it again, a nudge twice is harmless")
    return not failed


def boxes(asked: argparse.Namespace) -> list[Box]:
    """The dead letters asked for. Raises KeyError with the name of what is not known."""
    topics = [Topic(asked.queue)] if asked.queue else list(Topic)
    if asked.stack:
        known = _resources(asked.stack)
        return [
            Box(t, known[f"{t.value.title()}Queue"], known[f"{t.value.title()}DeadLetters"]) for t in topics
        ]
    names = [(t, f"CORDON_{t.value.upper()}_QUEUE", f"CORDON_{t.value.upper()}_LETTERS") for t in topics]
    return [Box(t, os.environ[queue], os.environ[letters]) for t, queue, letters in names]


def _resources(stack: str) -> dict[str, str]:
    """Physical names of a stack's resources; a queue's is its URL."""
    found: dict[str, str] = {}
    more: dict[str, Any] = {}
    while True:
        page = call(client("cloudformation"), "list_stack_resources", StackName=stack, **more)
        for resource in page["StackResourceSummaries"]:
            found[resource["LogicalResourceId"]] = resource.get("PhysicalResourceId", "")
        if not page.get("NextToken"):
            return found
        more = {"NextToken": page["NextToken"]}


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 10_000:
        raise argparse.ArgumentTypeError(f"1 to 10000 was expected, got {text!r}")
    return int(text)


def _age(span: Any) -> str:
    seconds = int(span.total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m cli.letters", description=(__doc__ or "").splitlines()[0]
    )
    verbs = parser.add_subparsers(required=True)
    for name, act, says in (
        ("list", list_, "how many, and why"),
        ("show", show, "each one, redacted"),
        ("replay", replay, "each one back to its queue"),
    ):
        verb = verbs.add_parser(name, help=says)
        verb.set_defaults(act=act)
        verb.add_argument("--queue", choices=[t.value for t in Topic], help="one of them; by default all")
        verb.add_argument("--stack", help="the deployed stack; by default the queues are in the environment")
        verb.add_argument("--limit", type=_count, default=100, metavar="N")
        if act is replay:
            verb.add_argument("--dry-run", action="store_true", help="only say what would go back")
            verb.add_argument("--all", action="store_true", help="also what never was a nudge of ours")
    asked = parser.parse_args(arguments)
    try:
        found = boxes(asked)
    except KeyError as error:
        parser.error(f"{error.args[0]} is not known: give --stack, or set it to that queue's URL")
    try:
        done = [asked.act(box, asked) for box in found]
    except Throttled as error:
        print(f"AWS is busy ({error}); run it again, nothing is lost", file=sys.stderr)
        return 1
    return 0 if all(done) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
