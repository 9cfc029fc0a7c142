"""Slips of what is asked of a courier, and of how its answers are read."""

from __future__ import annotations

from tests.couriers.slips.slip import Slip

_REPEAT = '            "reference": job.reference,\n'
_NO_JOB = (
    '        if reply.status == 404 and _error(reply) == "no_such_job":\n            return NotFound()\n'
)

ASKING = (
    # --- asking ---
    Slip(
        "booking_the_same_job_again_is_the_same_request",
        "a fresh number each time",
        _REPEAT,
        '            "reference": f"{job.reference}-{COUNT.append(1)}-{COUNT.__len__()}",\n',
    ),
    Slip("booking_the_same_job_again_is_the_same_request", "not under our reference", _REPEAT, ""),
    Slip(
        "booking_another_job_or_the_same_one_anew_is_another_request",
        "named by the order",
        _REPEAT,
        '            "reference": job.reference[:30],\n',
    ),
    Slip(
        "booking_another_job_or_the_same_one_anew_is_another_request",
        "no request at all",
        'return _request("POST", account, "", json',
        '_request("POST", account, "", json',
    ),
    Slip(
        "a_job_is_asked_for_or_cannot_be_and_there_is_no_third",
        "one currency",
        "        value = job.gift.value\n",
        '        value = job.gift.value\n        {"CNY": 2, "EUR": 2}[value.currency]\n',
    ),
    Slip(
        "a_courier_names_a_price_or_is_never_asked_for_one",
        "asked in vain",
        "        return None  # it names no prices beforehand",
        "        return self.book(account, token, job, at)",
    ),
    Slip(
        "a_job_is_looked_up_under_our_reference",
        "under theirs only",
        '        return _request("GET", account, reference)',
        '        return _request("GET", account, delivery_id or "")',
    ),
    Slip(
        "a_job_is_cancelled_under_a_name_that_the_courier_knows",
        "under theirs only",
        '        return _request("DELETE", account, reference)',
        '        return _request("DELETE", account, delivery_id or "")',
    ),
    Slip(
        "no_request_waits_longer_than_a_function_may",
        "a minute",
        '.rstrip("/"), headers, body)',
        '.rstrip("/"), headers, body, read_timeout_s=60)',
    ),
    Slip(
        "no_request_waits_longer_than_a_function_may",
        "without TLS",
        'GATEWAY = "https://',
        'GATEWAY = "http://',
    ),
    Slip(
        "every_request_goes_to_the_address_that_the_account_names",
        "one address for all",
        '(account.get("base_url") or GATEWAY)',
        "GATEWAY",
    ),
    # --- answers ---
    Slip(
        "a_job_that_was_taken_is_booked_under_the_name_its_courier_gave_it",
        "under ours",
        "return Booked(made.id, fee)",
        "return Booked(job.reference, fee)",
    ),
    Slip(
        "a_job_that_was_taken_is_booked_under_the_name_its_courier_gave_it",
        "a code of its own name",
        "return Booked(made.id, fee)",
        'return Booked(made.id, fee, {"pin": "1024"})',
    ),
    Slip(
        "a_certain_no_is_a_no_and_not_a_doubt",
        "a 4xx is a doubt",
        '            return REFUSALS.get(code, NotTaken("courier_refused"))',
        "            return Unsure(code)",
    ),
    Slip(
        "a_repeat_that_finds_the_job_there_already_is_neither_a_booking_nor_a_refusal",
        "every 4xx is a no",
        "        if reply.status == 422 and",
        "        if reply.status in (409, 422) and",
    ),
    Slip(
        "a_cancellation_is_over_when_the_courier_says_so",
        "never",
        "            return CancelConfirmed()",
        '            return CancelRefused("over")',
    ),
    Slip(
        "a_look_up_says_what_a_callback_would",
        "said to be a callback",
        'job.changed_at, at, "look_up")',
        "job.changed_at, at)",
    ),
    Slip("a_job_that_the_courier_does_not_have_is_not_found", "a doubt", _NO_JOB, ""),
    Slip(
        "an_end_that_is_not_proven_can_be_confirmed_by_a_look_up",
        "a hint that nothing confirms",
        'trust: Trust = "signed"',
        'trust: Trust = "hint"',
    ),
    Slip(
        "no_address_of_a_request_names_anybody",
        "the client's number",
        'return _request("POST", account, "", json',
        'return _request("POST", account, job.recipient.phone, json',
    ),
)
