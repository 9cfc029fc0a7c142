"""DynamoDB and SQS on paper: real clients serialise, sign and parse, and the network is bytes from memory.

What the answering itself takes is counted apart, so that it can be left out; and what would have been paid is counted.
Writes are believed and not kept: whoever is measured never reads back what it wrote.
"""

from __future__ import annotations

import base64
import bisect
import json
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

from chalicelib.aws.table import _item
from chalicelib.domain.ports import Row


class _Raw:
    def __init__(self, content: bytes) -> None:
        self.content = content

    def stream(self, **_: Any) -> Any:
        yield self.content


class Canned:
    """Rows as DynamoDB would send them, and the bill."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.items: dict[tuple[str, str], bytes] = {}
        self.collections: dict[str, list[str]] = {}
        self.work: dict[str, list[tuple[str, str, str]]] = {}
        self.calls: Counter[str] = Counter()
        self.read_units = 0.0
        self.answering_s = 0.0
        for row in rows:
            self.items[row.key] = json.dumps(_wire(_item(row))).encode()
            self.collections.setdefault(row.key.pk, []).append(row.key.sk)
            if row.work is not None and row.due is not None:
                self.work.setdefault(row.work, []).append((row.due, *row.key))
        for names in self.collections.values():
            names.sort()
        for bucket in self.work.values():
            bucket.sort()

    def install(self) -> None:
        """From here on every AWS call of this process is answered here."""
        from botocore.awsrequest import AWSResponse
        from botocore.httpsession import URLLib3Session

        def send(_: Any, request: Any) -> Any:
            began = time.process_time()
            target = request.headers["X-Amz-Target"]
            name = (target.decode() if isinstance(target, bytes) else target).rpartition(".")[2]
            self.calls[name] += 1
            content = self._answer(name, json.loads(request.body))
            headers = {"content-type": "application/x-amz-json-1.0"}
            answer = AWSResponse(request.url, 200, headers, _Raw(content))
            self.answering_s += time.process_time() - began
            return answer

        URLLib3Session.send = send

    def _answer(self, name: str, asked: dict[str, Any]) -> bytes:
        if name == "BatchGetItem":
            ((table, wanted),) = asked["RequestItems"].items()
            keys = [(key["pk"]["S"], key["sk"]["S"]) for key in wanted["Keys"]]
            found = [self.items[key] for key in keys if key in self.items]
            self.read_units += len(found)
            return b'{"Responses":{"%s":[%s]}}' % (table.encode(), b",".join(found))
        if name == "GetItem":
            found_one = self.items.get((asked["Key"]["pk"]["S"], asked["Key"]["sk"]["S"]))
            self.read_units += 1
            return b"{}" if found_one is None else b'{"Item":%s}' % found_one
        if name == "Query":
            return self._query(asked)
        if name == "SendMessageBatch":
            done = [{"Id": each["Id"], "MessageId": "m", "MD5OfMessageBody": ""} for each in asked["Entries"]]
            return json.dumps({"Successful": done, "Failed": []}).encode()
        if name == "SendMessage":
            return b'{"MessageId": "m", "MD5OfMessageBody": ""}'
        return b"{}"

    def _query(self, asked: dict[str, Any]) -> bytes:
        values = asked["ExpressionAttributeValues"]
        if "IndexName" not in asked:
            pk, prefix = values[":pk"]["S"], values.get(":prefix", {"S": ""})["S"]
            names = [sk for sk in self.collections.get(pk, ()) if sk.startswith(prefix)]
            content = b",".join(self.items[pk, sk] for sk in names)
            self.read_units += max(0.5, len(content) / 4096)
            return b'{"Items":[%s]}' % content
        bucket, limit = self.work.get(values[":bucket"]["S"], []), asked["Limit"]
        start = asked.get("ExclusiveStartKey")
        at = 0
        if start is not None:
            at = bisect.bisect_right(bucket, (start["due"]["S"], start["pk"]["S"], start["sk"]["S"]))
        page = [
            {"due": {"S": due}, "pk": {"S": pk}, "sk": {"S": sk}} for due, pk, sk in bucket[at : at + limit]
        ]
        answer: dict[str, Any] = {"Items": page}
        if len(page) == limit:
            answer["LastEvaluatedKey"] = {**page[-1], "work": values[":bucket"]}
        content = json.dumps(answer).encode()
        self.read_units += max(0.5, len(content) / 8192)
        return content


def _wire(item: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {"B": base64.b64encode(value["B"]).decode()} if "B" in value else value
        for name, value in item.items()
    }
