"""A policy of a book, named in an upload or read over the API."""

from __future__ import annotations

from typing import Any

from chalicelib.domain.reading import Reading
from chalicelib.domain.rulebooks import Book
from chalicelib.domain.uploads import Content
from chalicelib.rulebooks import Shelf
from tests import fakes, maps
from tests.security.gateway import Gateway, gateway

BOOKS = Shelf()
OPERATOR = "operator control-room"


def read(*policies: Any, books: Any = BOOKS, zone_policy: str = "shanghai-sealed@2") -> Any:
    feature = {
        "type": "Feature",
        "geometry": None,
        "properties": {
            "zone_id": "zone-1",
            "level": "sealed",
            "policy": zone_policy,
            "unit": {"kind": "compound", "district": "黄浦区", "compound": "永嘉新村"},
            "valid_from": "2022-04-11T00:00:00+08:00",
        },
    }
    reading = Reading(maps.market(), maps.start(), books=books)
    reading.read(1, maps.part(feature, policies=policies))
    return reading.settle(None, fakes.NOON)


def test_an_upload_names_a_policy_of_a_book_and_its_text_is_published() -> None:
    found = read({"book": "shanghai", "policy": "shanghai-sealed@2"})
    assert isinstance(found, Content)
    assert found.policies == (BOOKS["shanghai"].find("shanghai-sealed@2"),)


def test_a_policy_that_is_named_and_one_that_is_spelled_out_are_one_if_they_say_the_same() -> None:
    named = {"book": "shanghai", "policy": "shanghai-sealed@2"}
    policy = BOOKS["shanghai"].find("shanghai-sealed@2")
    assert policy is not None
    spelled = policy.model_dump(mode="json")
    assert isinstance(read(named, spelled), Content)
    found = read(named, spelled | {"title": "Not so sealed"})
    assert [fault.pointer for fault in found.listed] == ["/policies/1"]


def test_a_book_or_a_policy_that_is_not_there_is_one_fault_with_its_place() -> None:
    found = read({"book": "narnia", "policy": "shanghai-sealed@2"})
    assert [(f.part, f.pointer, f.value) for f in found.listed] == [(1, "/policies/0/book", "'narnia'")]
    assert "there are france, germany, italy, shanghai" in found.listed[0].detail
    found = read({"book": "shanghai", "policy": "shanghai-sealed@9"}, zone_policy="shanghai-sealed@9")
    assert [(f.pointer, f.value) for f in found.listed] == [("/policies/0/policy", "'shanghai-sealed@9'")]
    found = read({"book": "shanghai", "policy": "shanghai-sealed", "version": 2})
    assert {fault.pointer for fault in found.listed} >= {"/policies/0/policy", "/policies/0/version"}
    found = read({"book": "shanghai", "policy": "shanghai-sealed@2"}, books=None)
    assert "there are none" in found.listed[0].detail


def _asked(gate: Gateway, path: str, caller: str = OPERATOR) -> Any:
    answer = gate.ask("GET", path, caller)
    assert answer.status == 200, answer.body
    return answer.json()


def test_the_api_lists_the_books_and_shows_one_whole() -> None:
    with gateway() as gate:
        listed = _asked(gate, "/v1/rulebooks", "source health-office")["data"]
        assert [book["book_id"] for book in listed] == ["france", "germany", "italy", "shanghai"]
        for summary in listed:
            whole = _asked(gate, f"/v1/rulebooks/{summary['book_id']}")
            stated = [f"{e['policy']['policy_id']}@{e['policy']['version']}" for e in whole["entries"]]
            assert stated == summary["policies"]
            assert Book.model_validate(whole) == BOOKS[summary["book_id"]]
        missing = gate.ask("GET", "/v1/rulebooks/narnia", OPERATOR)
        assert (missing.status, missing.json()["detail"]) == (404, "no rule book 'narnia'")


def test_a_policy_as_the_api_shows_it_can_be_handed_in_as_it_is() -> None:
    with gateway() as gate:
        shown = _asked(gate, "/v1/rulebooks/shanghai")["entries"]
    (policy,) = [e["policy"] for e in shown if e["policy"]["policy_id"] == "shanghai-no-access"]
    found = read(policy, zone_policy="shanghai-no-access@1")
    assert isinstance(found, Content)
    assert found.policies == (BOOKS["shanghai"].find("shanghai-no-access@1"),)
