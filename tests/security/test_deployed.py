"""The same doors in what would be deployed: which routes API Gateway opens, and which of them without asking for a key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cli import package
from cli.openapi import OPERATIONS, PEOPLE
from tests.security.test_matrix import OPEN


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The API as the packaged template describes it to API Gateway."""
    out: Path = tmp_path_factory.mktemp("package") / "out"
    package.package(out, dependencies=False)
    body: dict[str, Any] = package.read(out / "sam.yaml")["Resources"]["RestAPI"]["Properties"][
        "DefinitionBody"
    ]
    return body


def test_the_gateway_opens_what_is_described_and_nothing_else(api: dict[str, Any]) -> None:
    deployed = {(method.upper(), path) for path, methods in api["paths"].items() for method in methods}
    assert deployed == OPERATIONS.keys() | PEOPLE.keys()


def test_the_gateway_asks_for_a_key_wherever_a_role_is_needed(api: dict[str, Any]) -> None:
    unasked = {
        (method.upper(), path)
        for path, methods in api["paths"].items()
        for method, operation in methods.items()
        if operation.get("security") != [{"authorize": []}]
    }
    assert unasked == OPEN.keys() | PEOPLE.keys()


def test_the_authorizer_is_asked_with_the_header_and_its_answer_kept_as_long_as_the_page_says(
    api: dict[str, Any],
) -> None:
    ((name, described),) = api["securityDefinitions"].items()
    assert name == "authorize"
    assert (described["in"], described["name"]) == ("header", "Authorization")
    kept = described["x-amazon-apigateway-authorizer"]
    assert (kept["type"], kept["authorizerResultTtlInSeconds"]) == ("token", 300)
