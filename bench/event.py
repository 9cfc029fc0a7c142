"""The Lambda event of one order being placed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any


def order_body() -> dict[str, Any]:
    """A gift order of ordinary size."""
    start = datetime.now(UTC) + timedelta(hours=2)

    def place(compound: str) -> dict[str, Any]:
        return {
            "address": {
                "country": "CN",
                "city": "Shanghai",
                "district": "310101",
                "street": "Yongjia Road",
                "compound": compound,
                "building": "3",
                "unit": "1201",
                "line": f"{compound}, building 3, 1201, Huangpu",
            },
            "coordinate": {"lng": 121.49, "lat": 31.22, "datum": "GCJ02", "precision_m": 20},
            "match_quality": "exact",
        }

    item = {
        "name": "Dessert box",
        "item_class": "chilled",
        "quantity": 1,
        "value": {"amount": 88000, "currency": "CNY"},
        "temperature": {"min_c": 0, "max_c": 8},
        "dwell_limit_minutes": 120,
    }
    return {
        "market": "SHA",
        "reference": "EASTER-0001",
        "gift": {"items": [item, {**item, "name": "Tea", "item_class": "ambient_food", "temperature": None}]},
        "pick_up": {
            "name": "Hotel kitchen",
            "place": place("Kitchen"),
            "contact": {"name": "Kitchen desk", "phone": "+8613800138000"},
        },
        "recipient": {"name": "A very important client", "phone": "+8613800138001", "place": place("Garden")},
        "window": {
            "start": start.isoformat(),
            "end": (start + timedelta(hours=3)).isoformat(),
            "time_zone": "Asia/Shanghai",
        },
        "tier": "gold",
        "fallback": "hold",
    }


def placing(body: dict[str, Any], key: str) -> dict[str, Any]:
    """API Gateway's proxy event, the authorizer's answer in it."""
    headers = {"Content-Type": "application/json", "Idempotency-Key": key, "Authorization": "Bearer x"}
    return {
        "resource": "/v1/orders",
        "path": "/v1/orders",
        "httpMethod": "POST",
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "resourcePath": "/v1/orders",
            "httpMethod": "POST",
            "authorizer": {"role": "brand", "owner": "maison"},
            "identity": {"sourceIp": "127.0.0.1"},
        },
        "body": json.dumps(body),
        "isBase64Encoded": False,
    }
