"""What fleets are told to serve is valid, what the code says, and what the code asks and takes."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from itertools import chain, combinations
from typing import Any

import pytest
from jsonschema.exceptions import ValidationError
from openapi_spec_validator import validate

from chalicelib.couriers import partner
from chalicelib.couriers.partner import FAILURES, REFUSALS, STATUSES, Partner
from chalicelib.domain.dialect import Booked, CancelConfirmed, Found, Quoted, Reply
from chalicelib.domain.fleet import Proof
from chalicelib.domain.gifts import ItemClass, TemperatureRange
from chalicelib.domain.legs import ENDS, EventKind
from chalicelib.domain.places import Datum
from chalicelib.domain.policies import Handover
from cli import partner_api
from tests.couriers.jobs import NOON, gift, job
from tests.couriers.samples_partner import ACCOUNT, GUIDE, content
from tests.partner_document import fits, published

dialect = Partner()


# --- the document ---


def test_the_document_is_valid_openapi_3_1() -> None:
    document = published()
    assert document["openapi"].startswith("3.1")
    validate(document)


def test_the_committed_document_is_what_the_models_say() -> None:
    assert published() == json.loads(json.dumps(partner_api.document()))
    assert partner_api.main(["--check"]) == 0


def test_every_example_in_the_document_fits_its_own_schema() -> None:
    document = published()
    seen = 0
    for _, operation in (*_operations(document), ("", document["webhooks"]["event"]["post"])):
        for part in (operation.get("requestBody", {}), *operation["responses"].values()):
            for told in part.get("content", {}).values():
                if "example" in told:
                    fits(told["schema"]["$ref"].rpartition("/")[2], told["example"])
                    seen += 1
    assert seen == 9


def _operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method.upper()} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_what_the_adapter_asks_for_is_in_the_document_and_nothing_else_is() -> None:
    base, reference = ACCOUNT["base_url"], job().reference
    asked = (
        dialect.quote(ACCOUNT, "", job(), NOON),
        dialect.book(ACCOUNT, "", job(), NOON),
        dialect.look_up(ACCOUNT, "", reference, None, NOON),
        dialect.cancel(ACCOUNT, "", reference, None, "brand", NOON),
    )
    known = {f"{one.method} {one.url.removeprefix(base).replace(reference, '{reference}')}" for one in asked}
    assert known == {name for name, _ in _operations(published())}


def test_a_closed_shape_or_a_null_is_nowhere_for_new_members_may_come() -> None:
    text = partner_api.DOCUMENT.read_text()
    assert '"additionalProperties": false' not in text
    assert '"null"' not in text


@pytest.mark.parametrize("handover", Handover)
@pytest.mark.parametrize("datum", Datum)
def test_every_request_fits_the_published_schema(handover: Handover, datum: Datum) -> None:
    every = chain.from_iterable(combinations(Proof, size) for size in range(len(Proof) + 1))
    for proofs, item_class in zip(every, [*ItemClass] * 3, strict=False):
        cold = gift(item_class=item_class, temperature=TemperatureRange(min_c=2, max_c=8))
        of = replace(job(of=cold, handover=handover), proofs=frozenset(proofs), quote_id="q-1")
        account = {**ACCOUNT, "datum": datum.value}
        fits("JobRequest", json.loads(dialect.book(account, "", of, NOON).body))
        fits("QuoteRequest", json.loads(dialect.quote(account, "", of, NOON).body))
    for reason in ("brand", "not_cleared", "", "Ungültig, weil", "9", "x" * 100):
        fits("CancelRequest", json.loads(dialect.cancel(ACCOUNT, "", of.reference, None, reason, NOON).body))


def test_every_published_answer_is_read() -> None:
    answers = {name: json.dumps(answer).encode() for name, answer in partner_api.ANSWERS.items()}
    of = replace(job(), reference=partner_api.REFERENCE)
    price = dialect.quoted(Reply(200, {}, answers["Quote"]), of, NOON)
    assert isinstance(price, Quoted) and price.quote_id and price.expires_at == NOON + timedelta(minutes=15)
    booked = dialect.booked(Reply(201, {}, answers["TakenJob"]), of)
    assert isinstance(booked, Booked) and booked.fee and len(booked.codes) == 2
    found = dialect.looked_up(Reply(200, {}, answers["TakenJob"]), of.reference, "drivers", NOON)
    assert isinstance(found, Found) and found.event and found.event.kind is EventKind.ACCEPTED
    gone = dialect.cancelled(Reply(200, {}, answers["Cancellation"]))
    assert isinstance(gone, CancelConfirmed) and gone.fee and gone.returning is False


def test_every_status_that_is_read_is_published_and_no_other() -> None:
    for status in STATUSES:
        fits("JobEvent", content("ORDER-1", "J-1", status, NOON))
    with pytest.raises(ValidationError):
        fits("JobEvent", content("ORDER-1", "J-1", "abducted", NOON))


# --- the guide ---


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)\n```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_guide_tells_every_status_reason_and_proof() -> None:
    told = set(re.findall(r"`([a-z_.0-9]+)`", GUIDE.read_text(encoding="utf-8")))
    assert {*REFUSALS, *FAILURES, *Proof, *(one.value for one in Handover)} <= told
    assert {f"job.{status}" for status in STATUSES} <= told
    assert {one.value for one in partner.Gone} <= told
    rows = dict(re.findall(r"^\| `job\.([a-z_]+)` \| .* \| ?(yes)? ?\|$", GUIDE.read_text(), re.MULTILINE))
    ends = {status for status, kind in STATUSES.items() if kind in ENDS}
    assert {status for status, end in rows.items() if end} == ends


def test_what_the_guide_sends_is_what_is_sent() -> None:
    shell = "\n".join(blocks("sh"))
    bodies = [json.loads(body) for body in re.findall(r"-d '\n?(\{.*?\})'", shell, re.DOTALL)]
    asked = {
        name: json.loads(operation.example)
        for (_, name), operation in partner_api.OPERATIONS.items()
        if operation.example
    }
    assert len(bodies) == len(asked) == 3
    assert all(body in bodies for body in asked.values())


def test_the_guides_callbacks_are_the_recorded_ones_that_the_contract_asks_about() -> None:
    files = (GUIDE.parents[1] / "tests" / "couriers" / "recorded" / "partner").glob("*.http")
    kept = [re.sub(r"Received-At: .*\n", "", file.read_text(encoding="utf-8")).rstrip("\n") for file in files]
    assert sorted(blocks("http")) == sorted(kept)
    assert len(kept) == 2
    for one in kept:
        fits("JobEvent", json.loads(one.partition("\n\n")[2]))


def test_the_guides_figures_are_those_of_the_code() -> None:
    text = " ".join(GUIDE.read_text(encoding="utf-8").split())
    request = dialect.book(ACCOUNT, "", job(), NOON)
    assert (
        f"within {request.read_timeout_s:.0f} seconds" == "within 5 seconds" and "within five seconds" in text
    )
    assert dialect.settle == timedelta(minutes=2) and "After two minutes a 404" in text
    assert f"within {partner.WINDOW.total_seconds():.0f} seconds of our clock" in text
    assert f"{partner.SECRET_BYTES[0]} to {partner.SECRET_BYTES[-1]} random bytes" in text
    assert "at least 16 visible characters" in text


def test_the_guides_problem_fits_the_published_schema() -> None:
    (problem,) = blocks("json")
    fits("Refusal", json.loads(problem))
