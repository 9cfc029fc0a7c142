"""The published description is valid, complete and what the models say."""

from __future__ import annotations

import json

from openapi_spec_validator import validate

from cli import openapi


def published() -> dict[str, object]:
    loaded: dict[str, object] = json.loads(openapi.DOCUMENT.read_text(encoding="utf-8"))
    return loaded


def test_the_document_is_valid_openapi_3_1() -> None:
    document = published()
    assert str(document["openapi"]).startswith("3.1")
    validate(document)


def test_every_route_is_documented_and_every_documented_route_exists() -> None:
    assert openapi.undocumented() == []


def test_the_committed_document_is_what_the_models_say() -> None:
    assert published() == json.loads(json.dumps(openapi.document()))
