"""Where the emulators differ from AWS, or from one another: a question each, the answer AWS documents, and what Cordon
makes of it. `python -m tests.aws.probes` asks all of them and writes docs/emulators.md; a test holds the page to it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from itertools import count
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError

from chalicelib.aws.clients import client
from tests.aws.emulators import EMULATORS
from tests.aws.messages import TRACE, make, take
from tests.aws.tables import make_table
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "emulators.md"
SERVICES = {"dynamodb": ("moto", "ministack", "dynoxide"), "sqs": ("moto", "ministack")}
PINNED = json.loads((ROOT / "package.json").read_text())["optionalDependencies"]
VERSIONS = {
    "moto": version("moto"),
    "ministack": version("ministack"),
    "dynoxide": PINNED["@dynoxide/linux-x64"],
}


@dataclass(frozen=True)
class Probe:
    """One question."""

    service: str
    asked: str
    documented: str
    """AWS's answer, in the words of `ask`."""
    cordon: str
    ask: Callable[[], str]


PROBES: list[Probe] = []


def probe(service: str, aws: str, cordon: str) -> Callable[[Callable[[], str]], Any]:
    """The function's docstring is the question."""

    def add(ask: Callable[[], str]) -> Callable[[], str]:
        PROBES.append(Probe(service, (ask.__doc__ or "").strip(), aws, cordon, ask))
        return ask

    return add


def refused(act: Callable[[], Any]) -> str:
    """`taken`, `refused`, or the mishap it was."""
    try:
        act()
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return "refused" if status < 500 else f"HTTP {status}"
    except Exception as error:
        return type(error).__name__
    return "taken"


# --- DynamoDB -------------------------------------------------------------------------------------------------

_numbers = count()


def table() -> tuple[Any, str]:
    name = f"probe-{next(_numbers)}"
    make_table(client("dynamodb"), name)
    return client("dynamodb"), name


def item(pk: str = "a", sk: str = "x", **more: Any) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}, **more}


def adding(name: str, by: str = "1", attribute: str = "n") -> list[dict[str, Any]]:
    return [
        {
            "Update": {
                "TableName": name,
                "Key": item(),
                "UpdateExpression": f"ADD {attribute} :by",
                "ExpressionAttributeValues": {":by": {"N": by}},
            }
        }
    ]


@probe(
    "dynamodb",
    "once",
    "A transaction whose answer was lost is repeated under its token (`aws/table.py`); injected.",
)
def token_again() -> str:
    """The same transaction sent twice under one client token is done"""
    db, name = table()
    token = str(uuid4())
    for _ in range(2):
        db.transact_write_items(TransactItems=adding(name), ClientRequestToken=token)
    times = db.get_item(TableName=name, Key=item())["Item"]["n"]["N"]
    return {"1": "once", "2": "twice"}[times]


@probe("dynamodb", "refused", "Every transaction has a token of its own.")
def token_of_another() -> str:
    """Another transaction under a token that was used is"""
    db, name = table()
    token = str(uuid4())
    db.transact_write_items(TransactItems=adding(name), ClientRequestToken=token)
    return refused(lambda: db.transact_write_items(TransactItems=adding(name, "2"), ClientRequestToken=token))


@probe(
    "dynamodb",
    "some are cancelled",
    "Five tries, then the nudge is given back; injected (`tests/aws/weather.py`).",
)
def conflicts() -> str:
    """Of 160 transactions by eight threads on one item"""
    db, name = table()

    def one(_: int) -> bool:
        try:
            db.transact_write_items(TransactItems=adding(name))
        except ClientError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(one, range(160)))
    return "none is cancelled" if all(done) else "some are cancelled"


@probe(
    "dynamodb",
    "may miss what was just written",
    "Indexes are hints, rows are read; a standing index is injected.",
)
def index_at_once() -> str:
    """An index asked right after the write"""
    db, name = table()
    seen = 0
    for n in range(40):
        at = f"{n:03d}"
        db.put_item(TableName=name, Item=item(f"o{n}", work={"S": "pool"}, due={"S": at}))
        reply = db.query(
            TableName=name,
            IndexName="work",
            KeyConditionExpression="#w = :w AND due = :d",
            ExpressionAttributeNames={"#w": "work"},
            ExpressionAttributeValues={":w": {"S": "pool"}, ":d": {"S": at}},
        )
        seen += len(reply["Items"])
    return "has it, 40 times of 40" if seen == 40 else "may miss what was just written"


@probe(
    "dynamodb",
    "says that more may follow",
    "Whoever pages reads until no page follows; the fake does as AWS.",
)
def full_page() -> str:
    """A page that is just full, and the last"""
    db, name = table()
    for n in range(3):
        db.put_item(TableName=name, Item=item(sk=f"{n}"))
    asked = {"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": {"S": "a"}}}
    reply = db.query(TableName=name, Limit=3, **asked)
    return "says that more may follow" if "LastEvaluatedKey" in reply else "says that it is the last"


@probe("dynamodb", "refused", "At most 20 legs a transaction, evidence of 4 KB each; the fake refuses it.")
def large_transaction() -> str:
    """A transaction of more than 4 MB is"""
    db, name = table()
    puts = [{"Put": {"TableName": name, "Item": item(f"o{n}", b={"S": "x" * 300_000})}} for n in range(15)]
    return refused(lambda: db.transact_write_items(TransactItems=puts))


@probe("dynamodb", "taken", "As above: far from the limit.")
def transaction_of_bytes() -> str:
    """A transaction of 3.9 MB of binary is"""
    db, name = table()
    puts = [{"Put": {"TableName": name, "Item": item(f"o{n}", b={"B": b"x" * 300_000})}} for n in range(13)]
    return refused(lambda: db.transact_write_items(TransactItems=puts))


@probe("dynamodb", "refused", "No flow writes nothing; the fake refuses it.")
def empty_transaction() -> str:
    """A transaction without a change is"""
    db, _ = table()
    return refused(lambda: db.transact_write_items(TransactItems=[]))


@probe("dynamodb", "409600", "Chunks of rules have at most 300 KB, everything else less.")
def largest_item() -> str:
    """Bytes of the largest item that is taken (names counted with it)"""
    db, name = table()

    def takes(size: int) -> bool:
        padding = "x" * (size - len("pk" + "a" + "sk" + "x" + "b"))
        return refused(lambda: db.put_item(TableName=name, Item=item(b={"S": padding}))) == "taken"

    low, high = 390_000, 450_000
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if takes(middle) else (low, middle)
    return str(low)


@probe(
    "dynamodb",
    "cancelled, with the reason",
    "It is our bug, whichever error it is: no repeat, a dead letter.",
)
def wrong_operand() -> str:
    """A number added to a text inside a transaction is"""
    db, name = table()
    db.put_item(TableName=name, Item=item(s={"S": "text"}))
    try:
        db.transact_write_items(TransactItems=adding(name, attribute="s"))
    except ClientError as error:
        if error.response["Error"]["Code"] == "TransactionCanceledException":
            return "cancelled, with the reason"
        return "refused as invalid"
    kept = db.get_item(TableName=name, Key=item())["Item"]["s"]
    return "taken, and nothing is changed" if kept == {"S": "text"} else "taken"


@probe("dynamodb", "refused", "Every place in an index is a text, and never empty.")
def index_of_another_type() -> str:
    """A row with a number where an index wants a text is"""
    db, name = table()
    return refused(lambda: db.put_item(TableName=name, Item=item(work={"N": "1"}, due={"S": "1"})))


@probe("dynamodb", "refused", "Cursors are signed: none but ours comes back.")
def start_in_the_middle() -> str:
    """An index read from a key that lacks the index's own parts is"""
    db, name = table()
    for n in range(3):
        db.put_item(TableName=name, Item=item(f"o{n}", work={"S": "pool"}, due={"S": f"{n}"}))
    return refused(
        lambda: db.query(
            TableName=name,
            IndexName="work",
            KeyConditionExpression="#w = :w",
            ExpressionAttributeNames={"#w": "work"},
            ExpressionAttributeValues={":w": {"S": "pool"}},
            ExclusiveStartKey=item("o0"),
        )
    )


@probe("dynamodb", "in parts", "What is named as unprocessed is asked for again, five times; injected, too.")
def large_batch_read() -> str:
    """45 items of 390 KB asked for at once come"""
    db, name = table()
    for n in range(45):
        db.put_item(TableName=name, Item=item(f"o{n}", b={"S": "x" * 390_000}))
    keys = [item(f"o{n}") for n in range(45)]
    reply = db.batch_get_item(RequestItems={name: {"Keys": keys}})
    return "in parts" if reply["UnprocessedKeys"] else "all at once"


@probe("dynamodb", "7", "Numbers are written by Python's int, which has one spelling.")
def spelling() -> str:
    """The number 007 comes back as"""
    db, name = table()
    db.put_item(TableName=name, Item=item(n={"N": "007"}))
    spelt: str = db.get_item(TableName=name, Key=item())["Item"]["n"]["N"]
    return spelt


@probe("dynamodb", "5", "Units are counted from sizes, by AWS's rules, and no emulator is asked.")
def read_units() -> str:
    """Units of a strongly consistent read of 20 KB"""
    db, name = table()
    db.put_item(TableName=name, Item=item(b={"S": "x" * 20_000}))
    reply = db.get_item(TableName=name, Key=item(), ConsistentRead=True, ReturnConsumedCapacity="TOTAL")
    return f"{reply['ConsumedCapacity']['CapacityUnits']:g}"


@probe("dynamodb", "4", "As above.")
def transaction_units() -> str:
    """Units of a transaction that puts 1.5 KB"""
    db, name = table()
    put = [{"Put": {"TableName": name, "Item": item(b={"S": "x" * 1500})}}]
    reply = db.transact_write_items(TransactItems=put, ReturnConsumedCapacity="TOTAL")
    told = reply.get("ConsumedCapacity") or [{}]
    return f"{told[0].get('CapacityUnits', 0):g}"


# --- SQS ------------------------------------------------------------------------------------------------------


def attribute(name: str, text: str = "v") -> dict[str, Any]:
    return {name: {"DataType": "String", "StringValue": text}}


def in_a_batch(**entry: Any) -> str:
    """What becomes of one odd message in a batch of two."""
    url = make()
    entries = [{"Id": "good", "MessageBody": "m"}, {"Id": "odd", "MessageBody": "m", **entry}]
    try:
        reply = client("sqs").send_message_batch(QueueUrl=url, Entries=entries)
    except ClientError:
        return "refuses both"
    return "refuses that one" if reply.get("Failed") else "takes both"


@probe("sqs", "refuses that one", "What is named as failed is sent again; injected (`tests/aws/weather.py`).")
def delayed_too_long() -> str:
    """A batch with one message delayed by 1000 s"""
    return in_a_batch(DelaySeconds=1000)


@probe("sqs", "refused", "Our messages are JSON of ids; a letter repeats a body that SQS had taken.")
def control_character() -> str:
    """A control character in a message is"""
    url = make()
    return refused(lambda: client("sqs").send_message(QueueUrl=url, MessageBody="a\x01b"))


@probe("sqs", "refused", "As above.")
def empty_body() -> str:
    """A message without a body is"""
    url = make()
    return refused(lambda: client("sqs").send_message(QueueUrl=url, MessageBody=""))


@probe(
    "sqs",
    "refused",
    "A letter carries what the message did and two attributes more; refused, it is given back.",
)
def eleven_attributes() -> str:
    """A message with eleven attributes is"""
    url = make()
    many: dict[str, Any] = {}
    for n in range(11):
        many |= attribute(f"a{n}")
    return refused(lambda: client("sqs").send_message(QueueUrl=url, MessageBody="m", MessageAttributes=many))


@probe("sqs", "refused", "A reason is never empty.")
def empty_attribute() -> str:
    """A message with an empty attribute is"""
    url = make()
    empty = attribute("a", "")
    return refused(lambda: client("sqs").send_message(QueueUrl=url, MessageBody="m", MessageAttributes=empty))


def received_twice() -> tuple[str, str, str]:
    """A queue, and the former and the present handle of its one message."""
    url = make(VisibilityTimeout="60")
    client("sqs").send_message(QueueUrl=url, MessageBody="m")
    (first,) = take(url, VisibilityTimeout=0)
    (second,) = take(url)
    return url, first["ReceiptHandle"], second["ReceiptHandle"]


def after_deleting(url: str, handle: str) -> str:
    answer = refused(lambda: client("sqs").delete_message(QueueUrl=url, ReceiptHandle=handle))
    asked = {"QueueUrl": url, "AttributeNames": ["ApproximateNumberOfMessagesNotVisible"]}
    left = client("sqs").get_queue_attributes(**asked)["Attributes"]["ApproximateNumberOfMessagesNotVisible"]
    return f"{answer}, and the message is {'there' if left == '1' else 'gone'}"


@probe(
    "sqs",
    "taken, and the message may be there",
    "Handling twice is harmless; a former handle is never relied on.",
)
def deleted_by_a_former_handle() -> str:
    """A delete with the handle of a former receive is"""
    url, former, _ = received_twice()
    return after_deleting(url, former)


@probe("sqs", "taken", "As above.")
def deleted_twice() -> str:
    """A delete of what is deleted is"""
    url, _, handle = received_twice()
    client("sqs").delete_message(QueueUrl=url, ReceiptHandle=handle)
    return refused(lambda: client("sqs").delete_message(QueueUrl=url, ReceiptHandle=handle))


@probe("sqs", "refused", "`cli/letters.py` and the pumps show only what they hold.")
def shown_though_visible() -> str:
    """A change of visibility of a message that nobody holds is"""
    url = make(VisibilityTimeout="60")
    client("sqs").send_message(QueueUrl=url, MessageBody="m")
    (message,) = take(url, VisibilityTimeout=0)
    asked = {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 5}
    return refused(lambda: client("sqs").change_message_visibility(**asked))


@probe("sqs", "refused", "Nothing of ours purges.")
def purged_twice() -> str:
    """A second purge within a minute is"""
    url = make()
    client("sqs").purge_queue(QueueUrl=url)
    return refused(lambda: client("sqs").purge_queue(QueueUrl=url))


def dead() -> tuple[str, dict[str, Any]]:
    """The ARN of a queue of dead letters, and the one in it."""
    letters = make()
    asked = {"QueueUrl": letters, "AttributeNames": ["QueueArn"]}
    arn: str = client("sqs").get_queue_attributes(**asked)["Attributes"]["QueueArn"]
    url = make(RedrivePolicy=f'{{"deadLetterTargetArn": "{arn}", "maxReceiveCount": 1}}')
    client("sqs").send_message(QueueUrl=url, MessageBody="m", MessageAttributes={"trace": TRACE})
    for _ in range(2):
        take(url, VisibilityTimeout=0)
    (letter,) = take(letters)
    return arn, letter


@probe("sqs", "yes", "`cli/letters.py` knows the queues by the deployed stack.")
def tells_its_source() -> str:
    """Does a dead letter tell where it comes from (DeadLetterQueueSourceArn)?"""
    _, letter = dead()
    return "yes" if "DeadLetterQueueSourceArn" in letter["Attributes"] else "no"


@probe("sqs", "taken", "`cli/letters.py replay` moves letter by letter, with a choice, and works everywhere.")
def move_task() -> str:
    """SQS's own task to move dead letters back is"""
    arn, _ = dead()
    return refused(lambda: client("sqs").start_message_move_task(SourceArn=arn))


# --- asking and writing down ----------------------------------------------------------------------------------


def answers_of(emulator: str) -> dict[str, str]:
    """Every answer of that emulator."""
    with EMULATORS[emulator]():
        return {one.asked: one.ask() for one in PROBES if emulator in SERVICES[one.service]}


def page(answers: dict[str, dict[str, str]]) -> str:
    """The page, from the answers of each emulator."""
    lines = [HEAD.format(**VERSIONS)]
    for service, emulators in SERVICES.items():
        titles = ["asked", "AWS documents", *emulators, "what Cordon makes of it"]
        lines += [
            f"\n## {'DynamoDB' if service == 'dynamodb' else 'SQS'}\n",
            row(titles),
            row(["---"] * len(titles)),
        ]
        for one in PROBES:
            if one.service == service:
                told = [answers[name][one.asked] for name in emulators]
                shown = [text if text == one.documented else f"**{text}**" for text in told]
                lines.append(row([one.asked, one.documented, *shown, one.cordon]))
    return "\n".join(lines) + "\n" + FOOT


def row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


HEAD = """# What the emulators do and AWS does not

Tests run on moto {moto} (behind a lock of ours: it has none), ministack {ministack} and, for DynamoDB alone, dynoxide
{dynoxide}; flows mostly on the fakes in `tests/fakes.py`. All of them keep one contract, `tests/aws/test_table.py` and
`tests/aws/test_queues_contract.py`, and ministack and moto `tests/aws/test_sqs_contract.py`. Below is what they
disagree on, with what AWS documents: **bold** is not as AWS documents it. No real AWS was asked.

Written by `python -m tests.aws.probes`; each line is a question in `tests/aws/probes.py` that
`tests/aws/test_emulators.py` asks again, so that the page cannot say what is no longer so."""
FOOT = """
What no emulator does at all, conflicts of transactions, batches taken in part, indexes that lag, is put in front of
them by `tests/aws/weather.py`, on botocore's own hooks, and held against the adapters and flows in
`tests/aws/test_weather.py`. What a service that is slow, throttled or out of reach does is in `tests/aws/test_busy.py`.
"""

if __name__ == "__main__":
    PAGE.write_text(page({name: answers_of(name) for name in EMULATORS}), encoding="utf-8")
    print(f"written: {PAGE}", file=sys.stderr)  # noqa: T201
