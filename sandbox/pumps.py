"""Lambda's part: take messages from the queues to the listeners, and fire the schedules.

A message is deleted when its handler did not name it as failed; a failed one becomes visible again after the
queue's own visibility timeout and goes to the dead-letter queue, by the emulator's redrive, after its last try.
In virtual time the wait for that is virtual too.
"""

from __future__ import annotations

import base64
import json
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Set
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

from sandbox.clock import Clock, VirtualClock
from sandbox.template import Deployment, Function, QueueSource

RETRY = timedelta(seconds=60)
"""How long a failed message waits in virtual time. Real visibility timeouts are minutes; this only waits less."""


SHARE = 1
"""As many messages are worth an invocation of their own beside the others."""
LAST = frozenset({"app.on_tell"})
"""Listeners that wait, in virtual time, until the others have nothing to do: what is to be told is told together,
and while the next thing happens."""
MISSES = 6
"""So many empty answers in a row from a queue that should not be empty, and it is believed to be."""


class Context:
    """What a handler may ask of Lambda's context."""

    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-west-1:000000000000:function:sandbox"
    aws_request_id = "sandbox"

    def __init__(self, name: str, timeout_s: int) -> None:
        self.function_name, self._timeout_s = name, timeout_s

    def get_remaining_time_in_millis(self) -> int:
        return self._timeout_s * 1000


class Pumps:
    """All listeners and schedules of a deployment."""

    def __init__(
        self,
        deployment: Deployment,
        client: Callable[[str], Any],
        clock: Clock,
        workers: int = 3,
    ) -> None:
        self.clock = clock
        self.client = client
        self.workers = workers
        self.listeners = {f.source.queue: (f, f.source) for f in deployment.functions if f.source}
        self.schedules = [f for f in deployment.functions if f.rate]
        self.handled: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.waiting: Counter[str] = Counter(dict.fromkeys(self.listeners, 0))
        """Messages known to lie in each queue: empty queues are not asked in virtual time."""
        self._last = {queue for queue, (f, _) in self.listeners.items() if f.handler in LAST}
        self._handlers = {f.name: f.load() for f in deployment.functions if f.source or f.rate}
        self.anything_due: Callable[[str], bool] = lambda handler: True
        """In virtual time a schedule that could find nothing is not fired: whoever sees every write may say so,
        by the schedule's handler."""
        self._misses: Counter[str] = Counter()
        self._counting = threading.Lock()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._pool = ThreadPoolExecutor(2 * workers)
        self._beside = ThreadPoolExecutor(1)
        self._telling: Future[None] | None = None

    # --- one batch ----------------------------------------------------------------------------------------------

    def take(self, queue: str, wait_s: int = 0, most: int = 10) -> int:
        """Receive one batch and have it handled. How many messages it had."""
        function, source = self.listeners[queue]
        messages = self._receive(queue, min(most, source.batch_size), wait_s)
        if messages:
            self._delete(source, self._handle(function, source, messages))
        return len(messages)

    def _receive(self, queue: str, most: int, wait_s: int = 0) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = (
            self.client("sqs")
            .receive_message(
                QueueUrl=self.listeners[queue][1].url,
                MaxNumberOfMessages=most,
                WaitTimeSeconds=wait_s,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
            .get("Messages", [])
        )
        with self._counting:
            self._misses[queue] = 0 if messages else self._misses[queue] + 1
            self.waiting[queue] = max(0, self.waiting[queue] - len(messages))
            if self._misses[queue] >= MISSES:  # a message that was counted and is not there
                self.waiting[queue] = self._misses[queue] = 0
        return messages

    def _delete(self, source: QueueSource, done: list[dict[str, Any]]) -> None:
        for start in range(0, len(done), 10):
            some = done[start : start + 10]
            self.client("sqs").delete_message_batch(
                QueueUrl=source.url,
                Entries=[{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(some)],
            )

    def _invoke(self, function: Function, event: dict[str, Any]) -> Any:
        return self._handlers[function.name](event, Context(function.name, function.timeout_s))

    def expect(self, url: str, count: int) -> None:
        """So many messages were sent to the queue at that URL."""
        queue = next(name for name, (_, source) in self.listeners.items() if source.url == url)
        with self._counting:
            self.waiting[queue] += count

    def _handle(
        self, function: Function, source: QueueSource, messages: list[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        """One invocation. Which of the messages are done."""
        event = {"Records": [_record(message, source) for message in messages]}
        ids = {message["MessageId"] for message in messages}
        try:
            answer = self._invoke(function, event)
        except Exception as error:
            print(f"{function.name} failed a whole batch: {type(error).__name__}: {error}")
            failed = ids
        else:
            failed = given_back(answer, ids) if source.reports_failures else set()
        done = [message for message in messages if message["MessageId"] not in failed]
        with self._counting:
            self.handled[function.name] += len(done)
            self.failed[function.name] += len(failed)
        for message in messages:
            if message["MessageId"] in failed and isinstance(self.clock, VirtualClock):
                self.clock.at(self.clock.now() + RETRY, lambda m=message: self._show(source, m))  # type: ignore[misc]
        return done

    def _show(self, source: QueueSource, message: dict[str, Any]) -> None:
        self.client("sqs").change_message_visibility(
            QueueUrl=source.url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
        )
        self.expect(source.url, 1)

    def fire(self, function: Function) -> None:
        """One tick of a schedule."""
        event = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": "000000000000",
            "time": self.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": "eu-west-1",
            "resources": [f"arn:aws:events:eu-west-1:000000000000:rule/{function.name}"],
            "detail": {},
        }
        try:
            self._invoke(function, event)
        except Exception as error:
            print(f"{function.name} failed: {type(error).__name__}: {error}")
            self.failed[function.name] += 1
        else:
            self.handled[function.name] += 1

    # --- virtual time -------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Until every queue is empty. Time stands still meanwhile."""
        self._drain(self.listeners.keys() - self._last)
        self._finish_last()
        self._drain(self._last)

    def _settle_but_last(self) -> None:
        """The same, but that the last ones work on while time has gone on to the next event, and no further."""
        self._drain(self.listeners.keys() - self._last)
        self._finish_last()
        if any(self.waiting[queue] for queue in self._last):
            self._telling = self._beside.submit(self._drain, self._last)

    def _finish_last(self) -> None:
        if self._telling is not None:
            self._telling.result()
            self._telling = None

    def _drain(self, names: Set[str]) -> None:
        while queues := [queue for queue in self.listeners if queue in names and self.waiting[queue]]:
            shares = [
                (queue, share) for queue in queues for share in self._shared_out(self._receive_all(queue))
            ]
            if len(shares) == 1:
                done = [self._work(*shares[0])]
            else:
                done = list(self._pool.map(lambda share: self._work(*share), shares))
            for queue in queues:
                finished = [
                    m for (name, _), some in zip(shares, done, strict=True) if name == queue for m in some
                ]
                self._delete(self.listeners[queue][1], finished)

    def _receive_all(self, queue: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while self.waiting[queue]:
            found += self._receive(queue, 10)
        return found

    def _shared_out(self, messages: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
        """As many invocations at once as this machine bears. Those that say the same stay together."""
        count = min(self.workers, -(-len(messages) // SHARE))
        shares: list[list[dict[str, Any]]] = [[] for _ in range(count)]
        alike: dict[str, int] = {}
        for message in messages:
            shares[alike.setdefault(message["Body"], len(alike) % count)].append(message)
        return [share for share in shares if share]

    def _work(self, queue: str, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        function, source = self.listeners[queue]
        size = source.batch_size
        batches = [messages[start : start + size] for start in range(0, len(messages), size)]
        return [message for batch in batches for message in self._handle(function, source, batch)]

    def run_until(self, until: datetime) -> None:
        """Let virtual time pass: settle, jump to the next due event, settle, ..."""
        assert isinstance(self.clock, VirtualClock)
        self.settle()
        while self.clock.advance(until):
            self._settle_but_last()
        self.settle()

    def start_schedules(self) -> None:
        """Fire every schedule at its rate from now on, on the virtual clock."""
        for function in self.schedules:
            self._again(function, again=False)

    def _again(self, function: Function, again: bool = True) -> None:
        # half a minute past the full one, which is when people do things: what they do is done at once, and the
        # schedule finds what has really stood still
        assert function.rate is not None
        when = self.clock.now() + (function.rate if again else function.rate / 2)

        def tick() -> None:
            self._again(function)  # first: one failed run must not end the schedule
            if self.anything_due(function.handler):
                self.fire(function)

        assert isinstance(self.clock, VirtualClock)
        self.clock.exactly(when, tick)

    # --- real time ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """A thread for each queue and each schedule, in real time."""
        for queue in self.listeners:
            self._spawn(lambda queue=queue: self.take(queue, wait_s=2), queue)  # type: ignore[misc]
        for function in self.schedules:
            self._spawn(lambda function=function: self._wait_and_fire(function), function.name)  # type: ignore[misc]

    def stop(self) -> None:
        """Stop after the batch under way."""
        self._stop.set()
        self._beside.shutdown()
        self._pool.shutdown()
        for thread in self._threads:
            thread.join(timeout=10)

    def _wait_and_fire(self, function: Function) -> None:
        assert function.rate is not None
        if not self._stop.wait(function.rate.total_seconds()):
            self.fire(function)

    def _spawn(self, step: Callable[[], Any], name: str) -> None:
        def loop() -> None:
            while not self._stop.is_set():
                try:
                    step()
                except Exception as error:
                    if not self._stop.wait(1):
                        print(f"pump {name}: {type(error).__name__}: {error}")

        thread = threading.Thread(target=loop, name=f"pump-{name}", daemon=True)
        thread.start()
        self._threads.append(thread)


def given_back(answer: Any, ids: set[str]) -> set[str]:
    """The messages a handler's answer gives back, read as Lambda reads it: nothing, `{}` and an empty or null list
    are success; an answer of another shape, or one that names a message that was not in the batch, fails all."""
    if answer is None or answer == {}:
        return set()
    if not isinstance(answer, dict) or "batchItemFailures" not in answer:
        return ids
    items = answer["batchItemFailures"]
    if items is None:
        return set()
    if not isinstance(items, list):
        return ids
    named = [item.get("itemIdentifier") if isinstance(item, dict) else None for item in items]
    known = {name for name in named if isinstance(name, str) and name in ids}
    return known if len(known) == len(set(map(repr, named))) else ids


def _record(message: dict[str, Any], source: QueueSource) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {n: _attribute(v) for n, v in message.get("MessageAttributes", {}).items()},
        "md5OfBody": message.get("MD5OfBody", ""),
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:eu-west-1:000000000000:{source.queue}",
        "awsRegion": "eu-west-1",
    }


def _attribute(value: dict[str, Any]) -> dict[str, Any]:
    """A message attribute as Lambda hands it over."""
    handed: dict[str, Any] = {"dataType": value["DataType"], "stringListValues": [], "binaryListValues": []}
    if "StringValue" in value:
        handed["stringValue"] = value["StringValue"]
    if "BinaryValue" in value:
        handed["binaryValue"] = base64.b64encode(value["BinaryValue"]).decode()
    return handed


def dead_letters(client: Callable[[str], Any], deployment: Deployment) -> dict[str, list[str]]:
    """What lies in each dead-letter queue."""
    found: dict[str, list[str]] = {}
    sqs = client("sqs")
    for name, url in deployment.queues.items():
        policy = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])["Attributes"]
        target = json.loads(policy["RedrivePolicy"])["deadLetterTargetArn"].rsplit(":", 1)[1]
        dead = sqs.get_queue_url(QueueName=target)["QueueUrl"]
        messages = sqs.receive_message(QueueUrl=dead, MaxNumberOfMessages=10, VisibilityTimeout=0)
        found[name] = [message["Body"] for message in messages.get("Messages", [])]
    return found
