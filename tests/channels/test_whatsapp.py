"""WhatsApp, as Meta documents and as payloads were recorded: what goes out, what comes back, what is believed."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.channels import whatsapp
from chalicelib.domain.clients import Person
from chalicelib.domain.dialect import Reply, Request
from chalicelib.domain.errors import Malformed, Unauthorised
from chalicelib.domain.messages import TryState
from chalicelib.domain.saying import Word, answer_of, payload_of
from chalicelib.domain.templates import TEMPLATES, TITLE_LIMIT, Choice, MessageKind
from chalicelib.domain.words import LANGUAGES, META_CODES
from tests.channels.sayings import ACCOUNTS, EVERY, PERSON, STATED, WORDS, saying
from tests.talking import ACCOUNT, payload, signed

NOW = datetime(2026, 6, 1, tzinfo=UTC)
RECORDED = Path(os.environ.get("CORDON_SHARED", Path(__file__).parents[3] / "shared")) / "data" / "whatsapp"
needs_shared = pytest.mark.skipif(
    not RECORDED.is_dir(), reason=f"the recorded payloads are not at {RECORDED} (set CORDON_SHARED)"
)


def sent(kind: MessageKind, language: str = "en", to: str = "8613800138077", **how: Any) -> dict[str, Any]:
    request = whatsapp.out(ACCOUNTS["whatsapp"], STATED["whatsapp"], to, saying(kind, language, **how), NOW)
    assert isinstance(request, Request)
    body: dict[str, Any] = json.loads(request.body)
    return body


# --- out ------------------------------------------------------------------------------------------------------


@needs_shared
def test_a_template_has_the_form_of_the_recorded_one() -> None:
    recorded = json.loads((RECORDED / "template_send_request.json").read_text())
    ours = sent(MessageKind.ANNOUNCED)
    assert {name: ours[name] for name in ("messaging_product", "recipient_type", "type")} == {
        name: recorded[name] for name in ("messaging_product", "recipient_type", "type")
    }
    assert ours["template"].keys() == recorded["template"].keys()
    theirs = next(one for one in recorded["template"]["components"] if one["type"] == "body")
    body = next(one for one in ours["template"]["components"] if one["type"] == "body")
    assert [one.keys() for one in body["parameters"]] == [theirs["parameters"][0].keys()] * 5


def test_what_is_filled_into_a_template_has_no_line_of_its_own_and_fits() -> None:
    """Meta refuses lines, tabs and rows of spaces in a parameter, and a body of more than 1,024 characters."""
    long = replace(
        saying(MessageKind.SUBSTITUTE_PROPOSED, "en"),
        values={"name": "Wang\n  Li\t王", "brand": "M", "gift": "Roses, " * 400},
    )
    request = whatsapp.out(ACCOUNTS["whatsapp"], STATED["whatsapp"], "8613800138077", long, NOW)
    assert isinstance(request, Request)
    said = json.loads(request.body)["template"]["components"][0]["parameters"]
    texts = {one["parameter_name"]: one["text"] for one in said}
    assert texts["name"] == "Wang Li 王"
    assert sum(map(len, texts.values())) + len(long.template.text) < 1024


@needs_shared
def test_the_recorded_answer_is_read_as_taken() -> None:
    raw = (RECORDED / "template_send_response.json").read_bytes()
    assert whatsapp.read(Reply(200, {}, raw)).state is TryState.ACCEPTED


def test_a_number_goes_by_to_and_a_business_scoped_id_by_recipient() -> None:
    assert "to" in sent(MessageKind.BOOKED) and "recipient" not in sent(MessageKind.BOOKED)
    other = sent(MessageKind.BOOKED, to="US.13491208655302741918")
    assert other["recipient"] == "US.13491208655302741918" and "to" not in other


@pytest.mark.parametrize(
    ("whatsapp_names", "phone", "to"),
    [
        (("US.1", "4915112345678"), "+8613800138077", "4915112345678"),
        (("US.1",), "+8613800138077", "8613800138077"),
        (("US.1",), None, "US.1"),
        ((), "+8613800138077", "8613800138077"),
        ((), None, None),
    ],
)
def test_who_is_reached_how(whatsapp_names: tuple[str, ...], phone: str | None, to: str | None) -> None:
    assert whatsapp.address(Person(name="W", phone=phone, whatsapp=whatsapp_names)) == to


@pytest.mark.parametrize(("kind", "language"), EVERY)
def test_metas_limits_are_kept_in_every_language(kind: MessageKind, language: str) -> None:
    free = sent(kind, language, in_session=True)
    assert len(json.dumps(free["biz_opaque_callback_data"])) < 512
    if free["type"] == "interactive":
        action = free["interactive"]["action"]
        assert 0 < len(free["interactive"]["body"]["text"]) <= 1024
        buttons = [one["reply"] for one in action.get("buttons", [])]
        rows = [row for section in action.get("sections", []) for row in section["rows"]]
        assert len(buttons) <= 3 and len(rows) <= 10 and bool(buttons) != bool(rows)
        assert all(0 < len(one["title"]) <= TITLE_LIMIT and len(one["id"]) <= 200 for one in buttons)
        assert all(len(one["title"]) <= 24 and len(one.get("description", "")) <= 72 for one in rows)
        assert len({one["id"] for one in buttons + rows}) == len(buttons + rows)
        assert not rows or 0 < len(action["button"]) <= 20
    if TEMPLATES[kind].category is not None:
        template = sent(kind, language)["template"]
        assert template["language"]["code"] == META_CODES[language]
        assert len(template["components"]) <= 11


def test_each_template_is_in_six_languages_and_none_of_its_words_is_missing() -> None:
    for template in TEMPLATES.values():
        for language in LANGUAGES:
            if template.kind not in (MessageKind.TALK, MessageKind.HEARD, MessageKind.TIMES):
                text = WORDS[language].say(template.text, **dict.fromkeys(template.parameters, "{x}"))
                assert text.count("{x}") == len(template.parameters)
                assert language == "en" or text != template.text


def test_what_a_button_says_is_read_back_as_it_was_meant() -> None:
    for choice in Choice:
        assert answer_of(payload_of("ord_a.0001.booked", choice.value)) == ("ord_a.0001.booked", choice, "")
    at = "2022-04-12T05:00:00+00:00"
    assert answer_of(payload_of("m", f"at={at}")) == ("m", Choice.AT, at)
    assert answer_of("callback_data") is None and answer_of("") is None


@pytest.mark.parametrize(
    ("status", "code", "state"),
    [
        (400, 131049, TryState.REFUSED), (400, 130472, TryState.REFUSED), (400, 131026, TryState.REFUSED),
        (400, 131050, TryState.REFUSED), (400, 132001, TryState.REFUSED), (401, 190, TryState.REFUSED),
        (400, 130429, TryState.BUSY), (400, 131048, TryState.BUSY), (400, 131056, TryState.BUSY),
        (400, 80007, TryState.BUSY), (429, None, TryState.BUSY), (500, 131000, TryState.UNKNOWN),
        (503, None, TryState.UNKNOWN), (400, None, TryState.REFUSED),
    ],
)  # fmt: skip
def test_an_error_is_read_as_meta_means_it(status: int, code: int | None, state: TryState) -> None:
    body = {"error": {"message": "(#131049) +8613800138077", **({} if code is None else {"code": code})}}
    read = whatsapp.read(Reply(status, {"retry-after": "90"}, json.dumps(body).encode()))
    assert read.state is state
    assert read.code == str(code or status)
    assert read.retry_after == (timedelta(seconds=90) if state is TryState.BUSY else None)


# --- what is believed -----------------------------------------------------------------------------------------


@given(st.binary(max_size=200), st.integers(min_value=0), st.integers(0, 7))
def test_one_flipped_bit_another_secret_or_none_is_found_out(raw: bytes, where: int, bit: int) -> None:
    right = signed(raw)
    whatsapp.verify([ACCOUNT], right)
    whatsapp.verify([{**ACCOUNT, "app_secret": "new"}, ACCOUNT], right)
    for accounts in ([], [{**ACCOUNT, "app_secret": ""}], [{**ACCOUNT, "app_secret": "another"}]):
        with pytest.raises(Unauthorised):
            whatsapp.verify(accounts, right)
    if raw:
        flipped = bytearray(raw)
        flipped[where % len(raw)] ^= 1 << bit
        with pytest.raises(Unauthorised):
            whatsapp.verify([ACCOUNT], type(right)("POST", {}, right.headers, bytes(flipped)))


# --- in -------------------------------------------------------------------------------------------------------


def recorded() -> list[Any]:
    found = []
    for path in sorted(RECORDED.glob("*.json")):
        told = json.loads(path.read_text())
        named = {"": told} if "object" in told else told
        found += [
            pytest.param(path.stem, name, one, id=f"{path.stem}-{name}")
            for name, one in named.items()
            if isinstance(one, dict) and one.get("object") == "whatsapp_business_account"
        ]
    return found


@needs_shared
def test_all_recorded_payloads_are_asked_about() -> None:
    assert len(recorded()) == 37, "a payload was added: say what it means"


@needs_shared
@pytest.mark.parametrize(("file", "name", "body"), recorded())
def test_every_recorded_payload_is_read(file: str, name: str, body: dict[str, Any]) -> None:
    (word,) = whatsapp.words(json.dumps(body).encode(), NOW)
    number = body["entry"][0]["changes"][0]["value"]["metadata"]["phone_number_id"]
    assert word.number_id == number
    if file.startswith("status") or file == "message_status":
        assert word.kind == "status"
        expected = {"delivered": TryState.DELIVERED, "failed": TryState.REFUSED, "sent": TryState.ACCEPTED,
                    "with_tracker": TryState.ACCEPTED, "read": TryState.READ, "played": TryState.READ,
                    "group": TryState.READ}  # fmt: skip
        by_file = {"status_delivered_bsuid_only": "delivered", "status_failed_131049": "failed"}
        assert word.state is expected[by_file.get(file, name)]
        assert word.message_id == ("some data" if name == "with_tracker" else "")
    elif file == "user_marketing_preferences":
        assert (word.kind, word.form, word.names) == ("wish", "resume", ("16505551234",))
    else:
        assert word.kind == "said"
        assert word.names == ("972987654321", "US.13491208655302741918")
        assert word.payload == ("callback_data" if file == "callback_button" else "")
    assert word.at < NOW


@needs_shared
def test_what_the_recorded_messages_say() -> None:
    told = json.loads((RECORDED / "message.json").read_text())
    words = {name: whatsapp.words(json.dumps(body).encode(), NOW)[0] for name, body in told.items()}
    assert words["text"].text == "Body Text" and words["reply"].text == "replied text"
    assert words["reaction"].text == "😮" and words["unreaction_no_emoji"].text == ""
    assert words["video"].text == "caption" and words["image"].form == "image"
    assert words["unsupported_with_type"].form == "unsupported"
    assert len({word.event_id for word in words.values()}) > 5
    status = json.loads((RECORDED / "message_status.json").read_text())
    (failed,) = whatsapp.words(json.dumps(status["failed"]).encode(), NOW)
    assert failed.code == "130472"


@needs_shared
def test_a_payload_without_a_number_names_the_person_all_the_same() -> None:
    raw = (RECORDED / "status_delivered_bsuid_only.json").read_bytes()
    (word,) = whatsapp.words(raw, NOW)
    assert word.names == ("US.13491208655302741918",)


@needs_shared
def test_nothing_kept_in_clear_of_a_word_can_be_turned_back_into_a_number() -> None:
    for param in recorded():
        for word in whatsapp.words(json.dumps(param.values[2]).encode(), NOW):
            assert len(word.event_id) == 32 and "9729" not in word.event_id


def test_batches_of_entries_and_changes_are_read_to_the_end_whatever_stands_between() -> None:
    one = {
        "id": "wamid.1",
        "from": "491511",
        "timestamp": "1649649600",
        "type": "text",
        "text": {"body": "a"},
    }
    body = payload(messages=[one, None, {"id": "wamid.2"}, 7], statuses=[{"id": "w", "status": "strange"}])
    body["entry"] += [
        None,
        {"changes": [{"value": None}, {"field": "account_update", "value": {"x": 1}}]},
        *body["entry"],
    ]
    kinds = [word.kind for word in whatsapp.words(json.dumps(body).encode(), NOW)]
    assert kinds == ["said", "said", "other"] * 2


def test_a_moment_of_tomorrow_or_of_nobodys_clock_is_now() -> None:
    for stamp in ("99999999999", "soon", None, -5, True, 1.5, str(int(NOW.timestamp()) + 60)):
        (word,) = whatsapp.words(
            json.dumps(payload(messages=[{"id": "w", "timestamp": stamp}])).encode(), NOW
        )
        assert word.at == NOW


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(["entry", "changes", "value", "messages", "statuses", "contacts", "type", "text", "body", "id",
                         "from", "interactive", "button", "user_preferences", "wa_id", "user_id", "metadata", "errors"]),
        inner, max_size=5,
    ),
    max_leaves=40,
)  # fmt: skip


@given(_json)
def test_no_payload_breaks_the_reader(entry: object) -> None:
    try:
        words = whatsapp.words(
            json.dumps({"object": "whatsapp_business_account", "entry": entry}).encode(), NOW
        )
    except Malformed:
        return
    for word in words:
        assert Word.model_validate_json(word.model_dump_json()) == word


@given(st.binary(max_size=80))
def test_no_bytes_break_the_reader(raw: bytes) -> None:
    with pytest.raises(Malformed):
        whatsapp.words(raw, NOW)


def test_the_person_of_the_test_is_reached() -> None:
    assert whatsapp.address(PERSON) == "8613800138077"
