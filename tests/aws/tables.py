"""Make the facts table as the deployed template declares it."""

from __future__ import annotations

from typing import Any


def make_table(client: Any, name: str = "facts") -> None:
    """One table with the indexes `work` and `shelf`."""
    attributes = ("pk", "sk", "work", "due", "shelf", "place_on_shelf")

    def index(hash_key: str, range_key: str) -> dict[str, Any]:
        return {
            "IndexName": hash_key,
            "KeySchema": [
                {"AttributeName": hash_key, "KeyType": "HASH"},
                {"AttributeName": range_key, "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }

    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": a, "AttributeType": "S"} for a in attributes],
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        GlobalSecondaryIndexes=[index("work", "due"), index("shelf", "place_on_shelf")],
    )
