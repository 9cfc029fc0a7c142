"""What is published of Cordon's own courier API, and whether something fits it."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from cli import partner_api


@cache
def published() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(partner_api.DOCUMENT.read_text(encoding="utf-8"))
    return loaded


def fits(name: str, value: object) -> None:
    """Raises `jsonschema.ValidationError` unless the published schema of that name takes the value."""
    _validator(name).validate(value)


@cache
def _validator(name: str) -> Any:
    resource: Any = Resource.from_contents(published(), DRAFT202012)
    registry: Any = Registry().with_resource("doc:", resource)
    checker = Draft202012Validator.FORMAT_CHECKER
    schema = {"$ref": f"doc:#/components/schemas/{name}"}
    return Draft202012Validator(schema, registry=registry, format_checker=checker)
