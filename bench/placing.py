"""What placing an order costs in CPU: without AWS, with canned AWS replies, and from process start."""

from __future__ import annotations

import io
import json
import os
import statistics
import subprocess  # nosec B404 - runs programs of this checkout, nothing that is handed in
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from bench.event import order_body, placing

ROUNDS, ORDERS = 5, 400
MARKET = {
    "market_id": "SHA",
    "name": "Shanghai",
    "country": "CN",
    "time_zone": "Asia/Shanghai",
    "datum": "GCJ02",
    "currency": "CNY",
    "west": 120.8,
    "south": 30.6,
    "east": 122.3,
    "north": 31.95,
    "shards": 1,
}
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",  # nosec B105 - of an emulator
    "AWS_DEFAULT_REGION": "eu-west-1",
    "CORDON_TABLE": "facts",
    "CORDON_DISPATCH_QUEUE": "https://sqs.eu-west-1.amazonaws.com/000000000000/dispatch",
    "CORDON_BOOK_QUEUE": "https://sqs.eu-west-1.amazonaws.com/000000000000/book",
    "CORDON_HEAR_QUEUE": "https://sqs.eu-west-1.amazonaws.com/000000000000/hear",
    **{
        f"CORDON_{name}_LETTERS": f"https://sqs.eu-west-1.amazonaws.com/000000000000/{name.lower()}-letters"
        for name in ("DISPATCH", "BOOK", "HEAR", "TELL", "RULES", "CAMPAIGN")
    },
    "CORDON_TELL_QUEUE": "https://sqs.eu-west-1.amazonaws.com/000000000000/tell",
    "CORDON_RULES_QUEUE": "https://sqs.eu-west-1.amazonaws.com/000000000000/rules",
    "CORDON_CAMPAIGN_QUEUE": "https://sqs.eu-west-1.amazonaws.com/000000000000/campaign",
    "CORDON_SEAL_KEY": "bench",
    "CORDON_SECRET": "bench",  # nosec B105 - a name
    "CORDON_SIGNING_KEY": "bench",
}


class Nowhere:
    """A table and queues that say yes and do nothing: what is left is ours."""

    def get(self, key: Any) -> Any:
        from chalicelib.domain.ports import Row

        if key.pk == "seal":
            return None
        return Row(key, 1, json.dumps(MARKET))

    def write(self, *changes: Any) -> None:
        """Done."""

    def nudge(self, topic: Any, ids: Any) -> None:
        """Sent."""


class PlainKey:
    """A data key without KMS, so that sealing itself is measured."""

    def generate_data_key(self, **_: Any) -> dict[str, bytes]:
        return {"Plaintext": b"k" * 32, "CiphertextBlob": b"w" * 120}


def without_aws() -> float:
    """Milliseconds of CPU for one order: everything but botocore."""
    import dataclasses

    from app import app
    from chalicelib import wiring
    from chalicelib.aws.sealer import KmsSealer

    os.environ.update(ENVIRONMENT)
    nowhere: Any = Nowhere()
    real = wiring.real()
    sealer = KmsSealer("bench", nowhere, kms=PlainKey)
    wiring.use(dataclasses.replace(real, table=nowhere, queues=nowhere, sealer=sealer))
    try:
        return _median(app)
    finally:
        wiring.use(None)


def with_canned_replies() -> float:
    """Milliseconds of CPU for one order with botocore's own work, the network replaced by fixed bytes."""
    os.environ.update(ENVIRONMENT)
    from app import app
    from chalicelib import wiring
    from chalicelib.aws import clients

    clients.reset()
    can_replies()
    wiring.use(None)
    return _median(app)


def can_replies() -> None:
    """Every AWS call from here on is answered with fixed bytes, below botocore's serialising and signing."""
    import base64

    from botocore.awsrequest import AWSResponse
    from botocore.httpsession import URLLib3Session

    market = {"pk": {"S": "markets"}, "sk": {"S": "market#SHA"}, "version": {"N": "1"}}
    replies = {
        "DynamoDB_20120810.PutItem": b"{}",
        "DynamoDB_20120810.GetItem": json.dumps(
            {"Item": {**market, "body": {"S": json.dumps(MARKET)}}}
        ).encode(),
        "AmazonSQS.SendMessage": b'{"MessageId": "m", "MD5OfMessageBody": ""}',
        "TrentService.GenerateDataKey": json.dumps(
            {
                "Plaintext": base64.b64encode(b"k" * 32).decode(),
                "CiphertextBlob": base64.b64encode(b"w" * 120).decode(),
                "KeyId": "bench",
            }
        ).encode(),
    }

    class Raw:
        def __init__(self, content: bytes) -> None:
            self.content = content

        def stream(self, **_: Any) -> Any:
            yield self.content

    def send(self: Any, request: Any) -> Any:
        target = request.headers["X-Amz-Target"]
        name = target.decode() if isinstance(target, bytes) else target
        headers = {"content-type": "application/x-amz-json-1.0"}
        reply = b"{}" if b'"seal"' in request.body and name.endswith("GetItem") else replies[name]
        return AWSResponse(request.url, 200, headers, Raw(reply))

    URLLib3Session.send = send


def _median(app: Any) -> float:
    body = order_body()

    def one(name: str) -> None:
        said = app(placing(body, name), None)
        assert said["statusCode"] == 202, said["body"]

    taken = []
    with redirect_stdout(io.StringIO()):  # the log is written as always, and the table stays readable
        for n in range(100):
            one(f"warm-{n}")
        for turn in range(ROUNDS):
            events = [placing(body, f"{turn}-{n}") for n in range(ORDERS)]
            began = time.process_time()
            for event in events:
                assert app(event, None)["statusCode"] == 202
            taken.append((time.process_time() - began) / ORDERS * 1000)
    return statistics.median(taken)


def first_answer() -> dict[str, float]:
    """A fresh process until its first order is answered (canned replies): CPU in ms, and modules imported."""
    probe = """
import sys, time
began = time.process_time()
from app import app
imported = time.process_time()
modules = len(sys.modules)
import json, os
import bench.placing as placing
os.environ.update(placing.ENVIRONMENT)
placing.can_replies()
said = app(placing.placing(placing.order_body(), "first"), None)
assert said["statusCode"] == 202, said["body"]
print(json.dumps({"import_ms": (imported - began) * 1000, "answer_ms": time.process_time() * 1000,
                  "modules": modules}))
"""
    found = []
    for _ in range(5):
        done = subprocess.run(  # nosec B603 - our own words, no shell
            [sys.executable, "-c", probe],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).resolve().parent.parent,
        )
        found.append(json.loads(done.stdout.splitlines()[-1]))  # after what the app logged
    return {name: statistics.median(run[name] for run in found) for name in found[0]}
