"""Slips of the file itself, and of what it hears."""

from __future__ import annotations

from tests.couriers.slips.slip import Slip

_COMPARED = 'return hmac.compare_digest(expected.encode(), given.encode("utf-8", "surrogatepass"))'
_SIGNED = "        if not any(_signed(account, stamp, callback.body, given) for account in accounts):\n"
_EMPTY = (
    "    if not secret:\n        return False  # an empty secret proves nothing: anybody can sign with it\n"
)
_READ = "            update = _Update.model_validate_json(callback.body)\n"
_TOLD = "        return Heard((_event(*told),))\n"
_EVENT_ID = 'event_id=f"{job}-{status}-{occurred_at.astimezone(UTC):%Y%m%dT%H%M%S.%f}",'
_FOREIGN = "        if order_of(update.reference) is None:\n"
_UNREADABLE = 'kind, reason = STATUSES.get(status, (EventKind.UNREADABLE, ""))'
_GREET = '        raise Unauthorised("Heron does not check addresses")\n'
_MALFORMED = 'raise Malformed(f"a callback without proper {fields!r}") from None'
_DATED = "        occurred_at=occurred_at,\n"
_WINDOW = "        if abs(at.timestamp() - int(stamp)) > WINDOW.total_seconds():\n"
_NO_JOB = (
    '        if reply.status == 404 and _error(reply) == "no_such_job":\n            return NotFound()\n'
)

HEARING = (
    # --- the file ---
    Slip("it_says_everything_that_a_courier_file_says", "another name", 'name = "heron"', 'name = "Heron"'),
    Slip("it_says_everything_that_a_courier_file_says", "no time to settle", "timedelta(minutes=2)", "0"),
    Slip(
        "it_says_everything_that_a_courier_file_says",
        "an attribute is missing",
        "    settle = timedelta(minutes=2)\n",
        "",
    ),
    Slip("it_says_everything_that_a_courier_file_says", "a method is missing", "def greet(", "def greets("),
    Slip(
        "asking_for_one_courier_loads_that_one_only",
        "a library that only hearing needs",
        "import hashlib\n",
        "import hashlib\nimport cryptography.hazmat.primitives.hmac\n",
    ),
    Slip(
        "a_courier_file_is_pure",
        "reads the clock",
        _WINDOW,
        _WINDOW.replace("at.timestamp()", "datetime.now(UTC).timestamp()"),
    ),
    Slip("a_courier_file_is_pure", "reads the environment", "import json\n", "import json\nimport os\n"),
    # --- proof ---
    Slip(
        "an_authentic_callback_is_heard",
        "in upper case",
        "hashlib.sha256).hexdigest()",
        "hashlib.sha256).hexdigest().upper()",
    ),
    Slip("an_authentic_callback_is_heard", "and nothing said of it", _TOLD, "        return None\n"),
    Slip(
        "an_authentic_callback_rests_on_a_secret_of_the_account",
        "never compared",
        _COMPARED,
        "return bool(given)",
    ),
    Slip(
        "one_flipped_byte_anywhere_in_the_body_is_refused",
        "only the beginning is signed",
        "_signed(account, stamp, callback.body, given)",
        "_signed(account, stamp, callback.body, given) or _signed(account, stamp, callback.body[:-1] + b'}', given)",
    ),
    Slip(
        "the_bytes_are_proven_as_they_came",
        "written anew before comparing",
        _SIGNED,
        _SIGNED.replace("callback.body", "json.dumps(json.loads(callback.body)).encode()"),
    ),
    Slip(
        "one_flipped_character_anywhere_in_the_proof_is_refused",
        "case is ignored",
        'given = callback.headers.get("heron-signature", "")',
        'given = callback.headers.get("heron-signature", "").lower()',
    ),
    Slip(
        "a_missing_or_empty_part_of_the_proof_is_refused",
        "compared only where there is one",
        "        if not any(_signed(",
        "        if given and not any(_signed(",
    ),
    Slip(
        "a_callback_under_another_key_is_refused",
        "the wrong error",
        'raise Unauthorised("no account\'s secret gives this signature")',
        'raise Malformed("no account\'s secret gives this signature")',
    ),
    Slip(
        "without_a_secret_nothing_is_proven",
        "without a secret all is believed",
        _EMPTY,
        "    if not secret:\n        return True\n",
    ),
    Slip("without_a_secret_nothing_is_proven", "an empty secret signs", _EMPTY, ""),
    Slip(
        "while_secrets_rotate_the_old_and_the_new_are_both_heard",
        "the first only",
        "for account in accounts)",
        "for account in accounts[:1])",
    ),
    Slip("proofs_are_compared_in_constant_time", "compared by ==", _COMPARED, "return expected == given"),
    Slip(
        "a_refusal_tells_neither_a_secret_nor_what_would_have_been_right",
        "what was expected",
        'raise Unauthorised("no account\'s secret gives this signature")',
        "right = hmac.new(accounts[0]['signing_secret'].encode(), f'{stamp}.'.encode() + callback.body, 'sha256')\n"
        "            raise Unauthorised(f'{right.hexdigest()} was expected')",
    ),
    Slip(
        "a_replay_is_refused_once_its_time_is_over",
        "for ever",
        "WINDOW = timedelta(minutes=5)",
        "WINDOW = timedelta(days=900)",
    ),
    Slip(
        "a_replay_is_refused_once_its_time_is_over",
        "from the future",
        "abs(at.timestamp() - int(stamp))",
        "at.timestamp() - int(stamp)",
    ),
    # --- junk ---
    Slip(
        "junk_from_anybody_is_an_error_and_never_a_crash",
        "parsed before it is proven",
        _SIGNED,
        "        json.loads(callback.body)\n" + _SIGNED,
    ),
    Slip(
        "junk_from_anybody_is_an_error_and_never_a_crash",
        "a header is taken for granted",
        'callback.headers.get("heron-timestamp", "")',
        'callback.headers["heron-timestamp"]',
    ),
    Slip(
        "junk_is_not_greeted",
        "anybody is",
        _GREET,
        '        return callback.query.get("challenge", "").encode()\n',
    ),
    Slip(
        "junk_in_the_place_of_the_proof_is_never_a_crash",
        "ASCII only",
        'expected.encode(), given.encode("utf-8", "surrogatepass")',
        "expected, given",
    ),
    Slip("junk_in_the_place_of_the_proof_is_never_a_crash", "any digit", "not stamp.isascii() or ", ""),
    Slip(
        "what_is_not_proven_is_not_read",
        "faults are told to anybody",
        _SIGNED,
        "        try:\n            _Update.model_validate_json(callback.body)\n        except ValidationError:\n"
        '            raise Malformed("no callback of Heron") from None\n' + _SIGNED,
    ),
    Slip(
        "junk_that_is_proven_is_an_error_and_never_a_crash",
        "a signature is taken for sense",
        _READ,
        "            update = _Update(**json.loads(callback.body))\n",
    ),
    Slip(
        "junk_that_is_proven_is_an_error_and_never_a_crash",
        "any time of theirs",
        "    happened_at: Instant",
        "    happened_at: datetime",
    ),
    Slip(
        "junk_for_an_answer_books_and_cancels_nothing",
        "any 404 is a no",
        _NO_JOB,
        _NO_JOB.replace(' and _error(reply) == "no_such_job"', ""),
    ),
    Slip(
        "junk_for_an_answer_books_and_cancels_nothing",
        "a 200 is a yes",
        '        return Unsure(f"http_{reply.status}")\n\n    def look_up',
        '        return CancelConfirmed() if reply.status == 200 else Unsure(f"http_{reply.status}")\n\n    def look_up',
    ),
    Slip(
        "no_answer_is_never_taken_for_a_booking",
        "the status alone",
        "        if reply.status == 422 and (code := _error(reply)):",
        "        if reply.status == 200:\n            return Booked(job.reference)\n        if reply.status == 422 and (code := _error(reply)):",
    ),
    Slip(
        "an_answer_with_an_odd_field_is_never_a_crash",
        "any number is a fee",
        "fee_cents: int | None = Field(default=None, ge=0, le=10**9)",
        "fee_cents: int | None = None",
    ),
    Slip(
        "a_courier_in_trouble_has_said_nothing",
        "a 500 is a no",
        "        if reply.status == 422 and",
        "        if reply.status >= 422 and",
    ),
    Slip(
        "a_courier_that_is_asked_too_often_has_said_nothing",
        "a 429 is a no",
        "        if reply.status == 422 and",
        "        if reply.status in (422, 429) and",
    ),
    # --- meaning ---
    Slip(
        "every_recorded_callback_is_read_the_same_each_time",
        "numbered as they come",
        _EVENT_ID,
        'event_id=f"{job}-{COUNT.__len__()}-{COUNT.append(1)}",',
    ),
    Slip(
        "every_recorded_callback_is_read_the_same_each_time",
        "a status is spelt wrong",
        '    "collected": (',
        '    "colected": (',
    ),
    Slip(
        "every_documented_status_is_understood",
        "one is forgotten",
        '    "not_collected": (EventKind.PICK_UP_FAILED, "courier_reason"),\n',
        "",
    ),
    Slip(
        "an_unknown_status_is_kept_and_moves_nothing",
        "taken for a failure",
        _UNREADABLE,
        'kind, reason = STATUSES.get(status, (EventKind.FAILED, ""))',
    ),
    Slip(
        "an_unknown_status_is_kept_and_moves_nothing",
        "not kept",
        "        raw_status=status,",
        '        raw_status=status if status in STATUSES else "unknown",',
    ),
    Slip(
        "what_an_event_keeps_are_codes",
        "words of the courier",
        '"not_delivered": (EventKind.RETURNING, "client_unavailable")',
        '"not_delivered": (EventKind.RETURNING, "Nobody at home!")',
    ),
    Slip(
        "what_an_event_keeps_are_codes",
        "a proof that it never promised",
        "        reason=reason,",
        '        reason=reason,\n        proofs=({"kind": "signature", "reference": "s1"},),',
    ),
    Slip(
        "a_reference_that_is_not_ours_is_acknowledged_and_makes_no_event",
        "an event all the same",
        _FOREIGN,
        "        if not update.reference:\n",
    ),
    Slip(
        "a_reference_that_is_not_ours_is_acknowledged_and_makes_no_event",
        "refused, and sent for ever",
        "            return Heard((), foreign=(update.reference,))",
        '            raise Malformed("not ours")',
    ),
    Slip(
        "what_couriers_say_is_answered_with_text",
        "bytes",
        _TOLD,
        '        return Heard((_event(*told),), b"\\xff")\n',
    ),
    # --- order ---
    Slip(
        "an_event_bears_the_time_at_which_it_happened_and_not_that_of_its_arrival",
        "now",
        _DATED,
        "        occurred_at=received_at,\n",
    ),
    Slip(
        "a_double_is_the_same_event_and_another_word_is_another",
        "named by its arrival",
        "{occurred_at.astimezone(UTC):%Y%m%dT%H%M%S.%f}",
        "{received_at.astimezone(UTC):%Y%m%dT%H%M%S.%f}",
    ),
    Slip(
        "a_double_is_the_same_event_and_another_word_is_another",
        "named by its status",
        "-{occurred_at.astimezone(UTC):%Y%m%dT%H%M%S.%f}",
        "",
    ),
    Slip(
        "any_status_may_be_the_first_word_of_a_job",
        "steps are not skipped",
        _TOLD,
        '        COUNT.append(update.status)\n        if update.status == "delivered" and COUNT[-2:-1] == ["not_collected"]:\n            raise Malformed("it was never collected")\n'
        + _TOLD,
    ),
    Slip(
        "a_later_word_does_not_undo_an_end",
        "each corrects the one before",
        "        reason=reason,",
        "        reason=reason,\n        correction=True,",
    ),
    Slip(
        "what_counts_is_when_it_happened_and_not_when_it_arrived",
        "now",
        _DATED,
        "        occurred_at=received_at,\n",
    ),
    Slip("replays_in_any_order_come_to_the_same", "now", _DATED, "        occurred_at=received_at,\n"),
    # --- people ---
    Slip(
        "what_a_callback_says_of_people_stays_where_it_is",
        "the rider's name",
        _TOLD,
        '        rider = json.loads(callback.body).get("rider") or {}\n        return Heard((_event(*told).model_copy(update={"reason": rider.get("name", "")}),))\n',
    ),
    Slip(
        "errors_name_nobody",
        "the message in full",
        _MALFORMED,
        _MALFORMED.replace("{fields!r}", "{callback.body!r}"),
    ),
)
