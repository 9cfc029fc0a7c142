"""A ring is sold over messages. An associate asks whether she may write, the client says yes, chooses, and is told when
it comes and by which code it is handed over, in her language and never at night. Others answer with a button: not at
home, no more messages; one has no number that anybody sees, one is not on WhatsApp at all. What is forged or sent again
changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from chalicelib.aws import clients
from chalicelib.domain.keys import Role
from sandbox import documents, run, shanghai
from sandbox.client import Client
from sandbox.clock import Clock
from sandbox.meta import ACCOUNT, NUMBER_ID, Meta, Phone
from sandbox.programme import ring
from sandbox.programme._scene import Scene

PRACTICE: Final = "talking over messages: a remote sale, and the client's answers"
BRAND: Final = ring.BRAND
COURIERS: Final = ring.COURIERS
WANG, HIDDEN, ELSEWHERE = "vic-wang", "vic-hidden", "vic-elsewhere"
NUMBER, USER_ID = "8613800138077", "CN.13491208655302741918"
NAME: Final = "王秘密"
PEOPLE: Final[dict[str, dict[str, Any]]] = {
    WANG: {
        "locale": "zh-CN",
        "person": {"name": NAME, "phone": f"+{NUMBER}", "email": "wang@secret.example"},
    },
    HIDDEN: {
        "locale": "ar",
        "person": {"name": "Layla Secret", "phone": "+9715550001", "whatsapp": ["AE.5550001"]},
    },
    ELSEWHERE: {
        "locale": "de-CH",
        "person": {"name": "Ruth Geheim", "phone": "+41791234567", "email": "ruth@geheim.example"},
    },
}

_meta: list[Meta] = []


@contextmanager
def beside(clock: Clock) -> Iterator[dict[str, Any]]:
    """Meta, and the brand's accounts at it and at the post office."""
    meta = Meta(clock.now)
    _meta[:] = [meta]
    try:
        yield {"whatsapp": {BRAND: [meta.account]}, "email": {BRAND: [{"domain": "celadon.example"}]}}
    finally:
        meta.close()


def play(scene: Scene) -> None:
    (meta,) = _meta
    meta.callback_url = f"{scene.url}/v1/channels/whatsapp/{BRAND}"
    brand = scene.brand(BRAND)
    _set_up(scene, brand, meta)
    wang = meta.phone(NUMBER, USER_ID)
    hidden = meta.phone("9715550001", "AE.5550001", shows_number=False)
    _is_asked(scene, brand, meta, wang)
    sold = _is_sold(scene, brand, meta, wang)
    _is_forged(scene, brand, meta, sold)
    _comes_to_the_door(scene, brand, meta, wang, sold)
    _answers_with_a_button(scene, brand, meta, hidden)
    _is_not_on_whatsapp(scene, brand)
    _at_night(scene, brand, wang)
    _wants_no_more(scene, brand, meta, wang)
    _is_told_to_nobody(scene, brand)


def _set_up(scene: Scene, brand: Client, meta: Meta) -> None:
    clients.client("sesv2").create_email_identity(EmailIdentity="celadon.example")
    stated = {"sender": "Maison Céladon", "data_region": "CN"}
    brand("PUT", "/v1/channels/whatsapp", {**stated, "phone_number_id": NUMBER_ID})
    brand("PUT", "/v1/channels/email", {**stated, "from_address": "gifts@celadon.example"})
    since = scene.now - timedelta(minutes=1)
    unit = {"kind": "compound", "district": ring.HUANGPU, "compound": run.OPEN}
    basis = "Notice of the compound's committee (invented)"
    zone = documents.feature("RUN-Garden", unit, ring.TO_THE_DOOR, "precautionary", since, since, basis)
    scene.publish([zone], [ring.TO_THE_DOOR])
    ring._guards(scene)
    body = run.order_body(scene.now)
    for name, told in PEOPLE.items():
        person = {**told["person"], "places": {"home": body["recipient"]["place"]}}
        brand("PUT", f"/v1/clients/{name}", _client(scene, {**told, "person": person}))
    brand("PUT", "/v1/associates/anna", {"name": "Anna Li", "countries": ["CN"], "locale": "zh-CN"})
    scene.tell("the brand states its channels, enrols three clients and names an associate, Anna")
    checked = meta.check(ACCOUNT["verify_token"]), meta.check("guessed")[0]
    scene.promise(
        "Meta's check of the address is answered to whoever knows the word",
        checked == ((200, b"1158201444"), 403),
        checked,
    )


def _client(scene: Scene, told: dict[str, Any]) -> dict[str, Any]:
    return {
        "country": "CN",
        "time_zone": shanghai.ZONE_NAME,
        "channels": ["whatsapp", "email"],
        "associate_id": "anna",
        "consents": [
            {"purpose": p, "granted_at": (scene.now - timedelta(days=9)).isoformat(), "evidence": "form-7"}
            for p in ("service", "marketing", "cross_border")
        ],
        **told,
    }


def _is_asked(scene: Scene, brand: Client, meta: Meta, wang: Phone) -> None:
    anna = scene.caller(Role.ASSOCIATE, BRAND, associate_id="anna")
    at = f"/v1/clients/{WANG}/messages"
    _write(anna, at, "t-1", {"kind": "invitation"})
    scene.settle()
    asked = wang.inbox[-1]
    scene.tell(f"Anna asks whether she may write: {asked.template}, {asked.texts}")
    meta.press(wang, "yes")
    scene.settle()
    for words in ("The rose gold ring is in: shall I put it aside?", "CNY 2,250,000, brought to your door."):
        _write(anna, at, f"t-{len(words)}", {"text": words})
        scene.settle()
    meta.write(wang, "好的，送到家里，谢谢")
    scene.settle()
    said = anna("GET", at)
    scene.table(
        ("who", "what"),
        [*[("Anna", m.body) for m in wang.inbox[-2:]], *[("client", s["text"]) for s in said["said"]]],
    )
    scene.promise(
        "she was asked by an approved template, in Chinese, and is written to freely once she has answered",
        (asked.template, wang.inbox[-1].form) == ("cordon_invitation_v1", "text"),
        (asked, wang.inbox[-1]),
    )
    scene.promise(
        "what she writes is there for the brand to read, and moves nothing",
        [one["text"] for one in said["said"]] == ["好的，送到家里，谢谢"],
        said["said"],
    )
    other = scene.caller(Role.BRAND, "atelier-nuage")
    scene.promise("and for nobody else's", scene.refused(lambda: other("GET", at))[0] == 404)


def _write(who: Client, at: str, key: str, body: dict[str, Any]) -> dict[str, Any]:
    return who("POST", at, body, {"Idempotency-Key": key})


def _given(scene: Scene, brand: Client, name: str, key: str, **changes: Any) -> str:
    whole = run.order_body(scene.now)
    body = {field: whole[field] for field in ("market", "reference", "gift", "pick_up", "window", "fallback")}
    said = brand("POST", "/v1/orders", {**body, "client": name, **changes}, {"Idempotency-Key": key})
    scene.settle()
    return str(said["order_id"])


def _is_sold(scene: Scene, brand: Client, meta: Meta, wang: Phone) -> str:
    start = shanghai.local(14)
    window = {
        "start": start.isoformat(),
        "end": (start + timedelta(hours=4)).isoformat(),
        "time_zone": shanghai.ZONE_NAME,
    }
    sold = _given(
        scene, brand, WANG, "ring", gift=ring.RING, window=window, safeguard={"hours_before": 4}, reference="RING"
    )  # fmt: skip
    meta.read(wang)
    scene.settle()
    (told,) = [m for m in _messages(brand, sold) if m["kind"] == "announced"]
    meta.press(wang, wang.inbox[-1].buttons[0][0])
    scene.settle()
    scene.tell(f"the ring is placed for two o'clock; she reads of it: {wang.inbox[-1].body}")
    scene.promise("that she has read it is known", told["state"] == "read", told)
    return sold


def _messages(brand: Client, order_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = brand("GET", f"/v1/orders/{order_id}/messages")["data"]
    return found


def _is_forged(scene: Scene, brand: Client, meta: Meta, sold: str) -> None:
    before = json.dumps([_messages(brand, sold), brand("GET", f"/v1/orders/{sold}")])
    value = {
        "messages": [
            {"id": "wamid.f", "type": "button", "button": {"payload": f"{sold}.0000.announced:not_at_home"}}
        ]
    }
    forged = meta.send(value, secret="somebody else's secret")[0]  # noqa: S106  # nosec B106 - opens nothing
    scene.settle()
    status, raw = meta.send({"statuses": []})
    again = [meta.post(raw) for _ in range(3)]
    scene.settle()
    after = json.dumps([_messages(brand, sold), brand("GET", f"/v1/orders/{sold}")])
    scene.promise(
        "a forged word is refused, one that is sent again is taken, and neither changes anything",
        (forged, status, again, before) == (401, 200, [200] * 3, after),
        (forged, status, again),
    )


def _comes_to_the_door(scene: Scene, brand: Client, meta: Meta, wang: Phone, sold: str) -> None:
    path = f"/v1/orders/{sold}"
    while brand("GET", path)["state"] in ("placed", "held", "assigned") and scene.now < shanghai.local(17):
        scene.pass_time(minutes=5)
    scene.settle()
    codes = [m for m in wang.inbox if m.name.endswith("hand_over_code")]
    scene.tell("a courier that is insured for it has the job; the code is on her telephone")
    code = brand("GET", f"{path}/codes")["codes"]["hand_over_code"]
    shown = [word for m in codes for word in (*m.texts.values(), m.body) if code in word]
    scene.promise(
        "the code that only she is to have reached her telephone, once, and no log",
        len(codes) == 1 and bool(shown),
        codes,
    )
    while brand("GET", path)["state"] == "booked":
        scene.pass_time(minutes=5)
    scene.operator("POST", f"{path}/proofs", {"pick_up_seal": "SEAL-4711"})
    while not brand("GET", path)["handing"]["awaits_proof"] and scene.now < shanghai.local(20):
        scene.pass_time(minutes=5)
    scene.operator("POST", f"{path}/proofs", {"seal": "SEAL-4711", "code": code})
    scene.settle()
    scene.pass_time(minutes=2)
    order = brand("GET", path)
    kinds = [m["kind"] for m in _messages(brand, sold) if m["state"] in ("sent", "delivered", "read")]
    rows = [
        (m.at.astimezone(shanghai.LOCAL).strftime("%H:%M"), m.name.rsplit(".", 1)[1], m.body)
        for m in wang.inbox
    ]
    scene.table(("at", "kind", "what her telephone shows"), rows)
    scene.promise(
        "it is delivered with the code that she was sent", order["state"] == "delivered", order["state"]
    )
    scene.promise(
        "she heard that it was booked, on its way and delivered",
        {"booked", "on_its_way", "delivered"} <= set(kinds),
        kinds,
    )
    names = [m.name for m in wang.inbox]
    scene.promise("and nothing twice", len(names) == len(set(names)), names)


def _answers_with_a_button(scene: Scene, brand: Client, meta: Meta, hidden: Phone) -> None:
    cake = _given(scene, brand, HIDDEN, "cake", reference="CAKE", window=_tomorrow(scene))
    before = brand("GET", f"/v1/orders/{cake}")["window"]
    scene.tell(f"a cake for a client whom no payload names a number of: {hidden.inbox[-1].texts}")
    meta.press(hidden, "not_at_home")
    scene.settle()
    scene.pass_time(minutes=2)
    after = brand("GET", f"/v1/orders/{cake}")["window"]
    scene.promise(
        "*not at home* moves it by a day, though nobody was named by a number",
        after["start"][:10] > before["start"][:10] and after["start"][11:] == before["start"][11:],
        (before, after),
    )
    times = next(m for m in reversed(hidden.inbox) if m.form == "list")
    meta.press(hidden, times.buttons[0][0])
    scene.settle()
    scene.pass_time(minutes=2)
    chosen = brand("GET", f"/v1/orders/{cake}")["window"]
    answers = [a["choice"] for m in _messages(brand, cake) for a in m.get("answers", ())]
    scene.promise(
        "and of the other times that are named the one that is chosen stands",
        chosen != after and answers == ["not_at_home", "at"],
        (after, chosen, answers),
    )
    words = " ".join(hidden.inbox[-1].texts.values()) + times.body
    scene.promise("she is written to in Arabic", any("؀" <= char <= "ۿ" for char in words), words)


def _tomorrow(scene: Scene) -> dict[str, Any]:
    start = shanghai.local(10) + timedelta(days=1)
    end = start + timedelta(hours=4)
    return {"start": start.isoformat(), "end": end.isoformat(), "time_zone": shanghai.ZONE_NAME}


def _is_not_on_whatsapp(scene: Scene, brand: Client) -> None:
    box = _given(scene, brand, ELSEWHERE, "box", reference="BOX", window=_tomorrow(scene))
    told = _messages(brand, box)[0]
    tries = [(t["channel"], t["state"], t.get("code", "")) for t in told["tries"]]
    scene.table(("channel", "came to", "code"), tries)
    scene.promise(
        "whoever is not on WhatsApp is told by e-mail",
        tries == [("whatsapp", "refused", "131026"), ("email", "accepted", "")],
        tries,
    )


def _at_night(scene: Scene, brand: Client, wang: Phone) -> None:
    scene.until(shanghai.local(22, 30))
    heard = len(wang.inbox)
    late = _given(scene, brand, WANG, "late", reference="LATE", window=_tomorrow(scene))
    scene.pass_time(hours=2)
    at_night = len(wang.inbox) - heard
    scene.until(shanghai.local(8, 5) + timedelta(days=1))
    scene.settle()
    first = [m.at.astimezone(shanghai.LOCAL) for m in wang.inbox[heard:]]
    scene.tell(f"a gift that is placed at half past ten at night is announced at {first and first[0]:%H:%M}")
    scene.promise(
        "nobody is written to at night, and in the morning she is",
        at_night == 0 and bool(first) and first[0].hour == 8,
        (at_night, first, _messages(brand, late)),
    )


def _wants_no_more(scene: Scene, brand: Client, meta: Meta, wang: Phone) -> None:
    meta.write(wang, "退订")
    scene.settle()
    last = wang.inbox[-1]
    heard = len(wang.inbox)
    _given(scene, brand, WANG, "more", reference="MORE", window=_tomorrow(scene))
    scene.pass_time(minutes=30)
    standing = brand("GET", f"/v1/clients/{WANG}")["consents"]
    ended = {c["purpose"] for c in standing if c.get("withdrawn_at")}
    scene.tell(f"she writes 退订, and reads: {last.body}")
    scene.promise(
        "one word ends all messages, is confirmed once, and is on record as withdrawn",
        len(wang.inbox) == heard and last.name.endswith("stopped") and ended == {"service", "marketing"},
        (len(wang.inbox) - heard, last.name, ended),
    )


def _is_told_to_nobody(scene: Scene, brand: Client) -> None:
    told = json.dumps(
        [scene.listener(BRAND).heard, *[_messages(brand, o["order_id"]) for o in brand.pages("/v1/orders")]]
    )
    log = Path(str(scene.stand._log_path)).read_text(encoding="utf-8")
    personal = (NAME, NUMBER, USER_ID, "wang@secret.example", "ruth@geheim.example", "Layla", "41791234567")
    shown = [word for word in personal if word in told or word in log]
    scene.promise(
        "no webhook, no list of messages and no line of the log says whom they were to", not shown, shown
    )
