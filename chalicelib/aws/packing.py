"""Texts made small before they are written: a write is paid by the kilobyte, and an order is written eight times.

Raw deflate with a preset dictionary (RFC 1950, section 2.2): the field names and words of our own records, which
are most of a small record. An order at its end is 1,962 bytes of JSON and 396 packed, in 15 microseconds, so that
its whole item is one write unit (sizes: `tests/aws/test_packing.py`).

A packed text starts with the number of its dictionary. A dictionary is never changed and never taken out: what was
packed with it could not be read any more. A better one gets the next number, and is another kind of rows
(`table.ROWS`): a version without it reads no page of an index on which one such row stands.
"""

from __future__ import annotations

import zlib
from typing import Final

from chalicelib.domain.errors import Newer

_STATES = (
    '"cancel_asked_at":"received_at":"cancel_reason":"brand""cancel_tries":"cancel_answer":"looks":'
    '"refusals":[{"slot_id":"courier_id":"reason":"whole_courier":true"state":"held"},"state":"stranded"},'
    '"state":"refused","state":"cancelling","state":"cancelled","state":"lost","state":"unknown",'
    '"state":"attempted","state":"pending","next_attempt_at":"'
)
_WAITING = (
    '"outlook":{"decision":"hold","reasons":["crew_not_cleared"],"decided_at":"202","next_look":"202","digest":"'
    '"level":"match_quality":"rooftop"}"datum":"WGS84"},"street":"postcode":"unit":"shard":'
    '"fallback":"digital","tier":"platinum","tier":"silver","tier":"standard",'
)
_PRIVATE = (
    '{"recipient":{"name":"","phone":"+86138","place":{"address":{"country":"CN","city":"","district":"",'
    '"compound":"","building":"","line":""},"coordinate":{"lng":,"lat":,"datum":"GCJ02"},'
    '"match_quality":"exact"}},"pick_up_contact":{"name":"","phone":"+86138"}}'
)
_NOTICE = (
    '{"notice_id":"msg_","order_id":"ord_","brand_id":"","endpoint_id":"whe_","market_id":"","sequence":,'
    '"order_state":"placed","happened_at":"202","state":"delivered",'
    '"attempts":[{"at":"202","status":204,"took_ms":}]}'
)
_EVENT = (
    '{"reference":"ord_-1-1","market_id":"","courier_id":"","kind":"courier_assigned","raw_status":"",'
    '"occurred_at":"202","received_at":"202","event_id":""}"kind":"accepted""kind":"at_pick_up"'
    '"kind":"picked_up""kind":"in_transit""kind":"delivered"'
)
_EVIDENCE = (
    '{"evidence_id":"000","order_id":"ord_","step":"dispatch","step":"pick_up","step":"hand_over",'
    '"decided_at":"202","decision":"yes","reasons":[],"rules_version":,"rules_digest":"","known_at":"202",'
    '"zones":["zone-"],"policies":["@1"],"slot":"","crew":"","courier":"","permits":["permit-"],'
    '"credentials":["pcr sampled 202T+00:00"],"turned_down":[{"reasons":["couriers":["slots":["handovers":'
    '["door","gate"],"valid_until":"202"}'
)
_ORDER = (
    '{"schema_version":1,"order_id":"ord_","brand_id":"","market_id":"","reference":"","gift":{"items":[{"name":"",'
    '"item_class":"chilled","value":{"amount":000,"currency":"CNY"},"temperature":{"min_c":0.0,"max_c":8.0},'
    '"dwell_limit_minutes":120}]},"pick_up_name":"","pick_up_place":{"address":{"country":"CN","city":"",'
    '"district":"","compound":"","building":"","line":""},"coordinate":{"lng":,"lat":,"datum":"GCJ02"},'
    '"match_quality":"exact"},"window":{"start":"202-0T0:00:00Z","end":"202-0T0:00:00Z",'
    '"time_zone":"Asia/Shanghai"},"tier":"gold","fallback":"hold","placed_at":"202:00:00Z","fingerprint":"",'
    '"legs":[{"assignment":{"slot_id":"","courier_id":"","crew_id":"","start":"","hand_over_from":"202",'
    '"hand_over_by":"202","end":"202","valid_until":"202","handovers":["door","gate"],"permit_ids":["permit-"],'
    '"rules_version":,"assigned_at":"202"},"bookings":[{"number":1,"reference":"ord_-1-1","courier_id":"",'
    '"slot_id":"","crew_id":"","state":"booked","attempted_at":"202","next_look":"202","delivery_id":"",'
    '"fee":{"amount":0,"currency":"CNY"},"codes":"","handover":"door","track":{"kind":"delivered","at":"202",'
    '"picked_up_at":"202","ended_at":"202","events":}}]}],"evidence_count":,"history":[{"state":"placed",'
    '"at":"202"},{"state":"assigned","at":"202"},{"state":"booked","at":"202"},{"state":"picked_up","at":"202"},'
    '{"state":"delivered","at":"202"}],"told":true,"version":}'
)
_DICTIONARIES: Final = {
    # what is met most often stands last, where a reference to it is shortest
    1: (_STATES + _WAITING + _PRIVATE + _NOTICE + _EVENT + _EVIDENCE + _ORDER).encode(),
}
_NEWEST: Final = max(_DICTIONARIES)
_LEVEL: Final = 6
_WINDOW_BITS: Final = -13
"""Raw, with a window of 8 kB: the dictionary and a long order fit, and a fresh window costs microseconds."""
_MEMORY: Final = 6

_FRESH = zlib.compressobj(
    _LEVEL, zlib.DEFLATED, _WINDOW_BITS, _MEMORY, zlib.Z_DEFAULT_STRATEGY, _DICTIONARIES[_NEWEST]
)


def pack(plain: bytes) -> bytes:
    """The same, smaller: the number of the dictionary and a raw deflate stream."""
    packing = _FRESH.copy()
    return bytes([_NEWEST]) + packing.compress(plain) + packing.flush()


def unpack(packed: bytes, limit: int = 8 * 1024 * 1024) -> bytes:
    """What was packed. Raises `Newer` for a dictionary that later code has, `ValueError` for junk and for more than
    `limit` bytes."""
    if packed and packed[0] in range(_NEWEST + 1, _NEWEST + 16):
        raise Newer(f"packed with dictionary {packed[0]}, this reads 1 to {_NEWEST}")
    dictionary = _DICTIONARIES.get(packed[0]) if packed else None
    if dictionary is None:
        raise ValueError(f"packed with dictionary {packed[:1].hex() or 'none'}, this reads 1 to {_NEWEST}")
    unpacking = zlib.decompressobj(-15, dictionary)
    try:
        plain = unpacking.decompress(packed[1:], limit)
    except zlib.error as error:
        raise ValueError(f"not a packed text: {error}") from None
    if not unpacking.eof:
        raise ValueError(f"a packed text that is cut off, or has more than {limit} bytes")
    return plain
