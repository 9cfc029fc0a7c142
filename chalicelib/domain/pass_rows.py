"""How gifts that need no courier are kept, their codes, and what was given.

collection (pk)             place (sk)          noun                                             indexes
digital#<brand>             gift#<gift>         DigitalGift
digital#<brand>             stock#<gift>        what is left of it (counter: left)
codes#<brand>#<gift>        free#<unreadable>   a code of the partner's list that nobody has yet, sealed
codes#<brand>#<gift>        part#<nnn>          CodesLoaded, of a part that was loaded whole
code#<partner>              <unreadable>        whose code that is: an order
code#<partner>              salt                the secret by which codes are named, sealed
code#<partner>              tried#<hour>        codes asked for that nobody has (counter: tried)
ord_...                     pass                Pass                                             work: offers
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Final

from chalicelib.domain.digital import DigitalGift
from chalicelib.domain.facts import LEFT, epoch
from chalicelib.domain.passes import Pass, PassState
from chalicelib.domain.ports import Count, Keep, Key, Row, Take
from chalicelib.domain.shapes import Shape, stamp

PASS: Final = "pass"  # noqa: S105  # nosec B105 - a word for what it is
TRIED: Final = "tried"
OFFERS: Final = "offers"
"""Where offers wait for an answer, or for their end."""
REMEMBERED: Final = timedelta(days=30)
"""For how long a request of a partner is known by its key."""
FREE: Final = "free#"
GIFT: Final = "gift#"


class CodesLoaded(Shape):
    """One part of a partner's list, as it was loaded."""

    number: int
    digest: str
    loaded: int
    known: int


# --- gifts and stock --------------------------------------------------------------------------------------------


def digital_collection(brand_id: str) -> str:
    return f"digital#{brand_id}"


def gift_key(brand_id: str, reference: str) -> Key:
    return Key(digital_collection(brand_id), f"{GIFT}{reference}")


def gift_row(gift: DigitalGift) -> Row:
    key = gift_key(gift.brand_id, gift.reference)
    return Row(key, gift.version, gift.model_dump_json(exclude_defaults=True))


def gift_of_row(row: Row) -> DigitalGift:
    return DigitalGift.model_validate_json(row.body).model_copy(update={"version": row.version})


def stock_key(brand_id: str, reference: str) -> Key:
    return Key(digital_collection(brand_id), f"stock#{reference}")


def stock_row(gift: DigitalGift) -> Row:
    """A new counter; of a partner's codes it begins at nothing. It moves with the limit, in the same transaction."""
    key = stock_key(gift.brand_id, gift.reference)
    return Row(key, 1, "{}", counters={LEFT: gift.limit or 0})


def take_one(brand_id: str, reference: str) -> Count:
    """Lost when there is none left."""
    return Count(stock_key(brand_id, reference), LEFT, -1)


def give_back_one(brand_id: str, reference: str) -> Count:
    return Count(stock_key(brand_id, reference), LEFT, 1, floor=None)


# --- codes ------------------------------------------------------------------------------------------------------


def codes_collection(brand_id: str, reference: str) -> str:
    return f"codes#{brand_id}#{reference}"


def free_key(brand_id: str, reference: str, name: str) -> Key:
    return Key(codes_collection(brand_id, reference), f"{FREE}{name}")


def part_key(brand_id: str, reference: str, number: int) -> Key:
    return Key(codes_collection(brand_id, reference), f"part#{number:03d}")


def partner_collection(partner: str) -> str:
    return f"code#{partner}"


def code_key(partner: str, name: str) -> Key:
    return Key(partner_collection(partner), name)


def code_row(partner: str, name: str, order_id: str) -> Row:
    return Row(code_key(partner, name), 1, json.dumps({"order_id": order_id}))


def order_of_code(row: Row) -> str:
    """Whose code it is."""
    return str(json.loads(row.body)["order_id"])


def salt_key(partner: str) -> Key:
    return code_key(partner, "salt")


def tried_key(partner: str, now: datetime) -> Key:
    return code_key(partner, f"tried#{stamp(now)[:13]}")


def try_one(partner: str, now: datetime, most: int) -> Take:
    """One more code that nobody has; lost when it would be more than so many in this hour."""
    return Take(tried_key(partner, now), TRIED, 1, most, epoch(now + timedelta(days=1)))


def asked_row(partner: str, request: str, order_id: str, now: datetime) -> Row:
    """Whose code that request redeemed, so that its key redeems no other; `request`: its name, unreadable."""
    key = code_key(partner, f"asked#{request}")
    return Row(key, 1, json.dumps({"order_id": order_id}), expires_at=epoch(now + REMEMBERED))


def secrets_of(partner: str) -> str:
    """Whose data key seals its salt and its codes: they are needed for longer than an hour's key is kept."""
    return f"partner#{partner}"


# --- passes -----------------------------------------------------------------------------------------------------


def pass_key(order_id: str) -> Key:
    return Key(order_id, PASS)


def pass_row(passed: Pass) -> Row:
    waits = passed.state is PassState.OFFERED and passed.offered_until is not None
    return Row(
        key=pass_key(passed.order_id),
        version=passed.version,
        body=passed.model_dump_json(exclude_defaults=True),
        sealed=passed.sealed,
        work=OFFERS if waits else None,
        due=stamp(passed.offered_until) if waits and passed.offered_until else None,
    )


def pass_of_row(row: Row) -> Pass:
    found = Pass.model_validate_json(row.body)
    return found.model_copy(update={"sealed": row.sealed, "version": row.version})


def keep_pass(passed: Pass) -> Keep:
    """Write the next version of a pass over the one before it; the first where there is none."""
    return Keep(pass_row(passed), was=passed.version - 1 or None)
