"""The link to an order's own page: whoever has it may look, and ask for another time. Signed: none can be made up.

It names the order and how often its links were revoked, and nothing of the client. Until when it is good is read off
the order, so a link that was sent stays good when the window moves, and the same order has one link at a time.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from chalicelib.domain import facts
from chalicelib.domain.errors import Clashing, Lost, Malformed, Missing, Stale
from chalicelib.domain.orders import Order
from chalicelib.domain.ports import World
from chalicelib.domain.steps import moved
from chalicelib.domain.words import LANGUAGES
from chalicelib.flows import look

if TYPE_CHECKING:
    from itsdangerous import URLSafeSerializer

KEPT = timedelta(days=30)
"""So long after its window a link is good."""
FORM = timedelta(hours=2)
"""So long a form may stand open before it is sent."""
LENGTH = 300
"""Characters a token has at most."""
DEAD = "this link does not work any more"


def link_of(world: World, order: Order, language: str | None = None) -> str | None:
    """Where the order's page is, in that language; None while nobody has said where links begin (`public_url`)."""
    if not world.public_url:
        return None
    asked = f"?lang={language}" if language in LANGUAGES else ""
    return f"{world.public_url}/t/{token_of(world, order)}{asked}"


def token_of(world: World, order: Order) -> str:
    """What stands in the link."""
    *_, key = world.secrets.signing_keys()
    return str(_serializer(key, "page").dumps(f"{order.order_id}.{order.revoked_links}"))


def good_until(order: Order) -> datetime:
    """When its links expire."""
    window = order.hoped_window
    return max(window.end, order.history[-1].at) + KEPT


def opened(world: World, token: str) -> Order:
    """The order of that link. Raises `Missing`, in the same words, for one that is made up, revoked or too old, and
    where whom it is for has been forgotten."""
    text = _read(world, "page", token)
    order_id, _, number = ("" if text is None else text).partition(".")
    row = world.table.get(facts.order_key(order_id)) if order_id else None
    order = None if row is None else facts.order_of_row(row)
    if order is None or order.is_erased or str(order.revoked_links) != number:
        raise Missing(DEAD)
    if (
        not order.sealed and order.pick_up_place is not None
    ):  # what never was a parcel has nobody's address to seal
        raise Missing(DEAD)
    if world.clock() >= good_until(order):
        raise Missing(DEAD)
    return order


def made(world: World, brand_id: str, order_id: str, language: str | None = None) -> tuple[str, datetime]:
    """The brand's link to its order's page, and until when it is good. Raises `Clashing` without a `public_url`."""
    order = look.own_order(world, brand_id, order_id)
    link = link_of(world, order, language)
    if link is None:
        raise Clashing("this deployment has not been told where links begin (PublicUrl)")
    return link, good_until(order)


def revoke(world: World, brand_id: str, order_id: str, version: int) -> Order:
    """Make every link there is a dead one; the next is another. Raises `Stale` when the order has moved."""
    order = look.own_order(world, brand_id, order_id)
    if order.version != version:
        raise Stale(f'the order is at "v{order.version}", If-Match named "v{version}"')
    after = moved(order, world.clock(), revoked_links=order.revoked_links + 1)
    try:
        world.table.write(facts.keep_order(after))
    except Lost:
        raise Stale("the order moved meanwhile; read it again") from None
    facts.note_step(world.log, after)
    return after


# --- forms ------------------------------------------------------------------------------------------------------


def form_of(world: World, order: Order, token: str) -> str:
    """What a form of that page carries: that it was made here, for this link, about this version of the order."""
    *_, key = world.secrets.signing_keys()
    until = facts.epoch(world.clock() + FORM)
    return str(_serializer(key, f"form|{token}").dumps(f"{order.version}.{until}"))


def sent(world: World, token: str, form: str) -> int:
    """The version of the order that its reader saw. Raises `Malformed` for a form that is not ours, of another link, or
    was open for too long."""
    text = _read(world, f"form|{token}", form)
    version, _, until = ("" if text is None else text).partition(".")
    if not version or facts.epoch(world.clock()) > int(until):
        raise Malformed("the form is not one of this page, or was open for too long")
    return int(version)


def _read(world: World, scope: str, signed: str) -> str | None:
    from itsdangerous import BadData

    for key in world.secrets.signing_keys() if len(signed) <= LENGTH else ():
        serializer = _serializer(key, scope)
        try:
            found = serializer.loads(signed)
        except (BadData, UnicodeError):
            continue
        if (
            isinstance(found, str) and serializer.dumps(found) == signed
        ):  # of several spellings ours alone counts
            return found
    return None


def _serializer(key: str, scope: str) -> URLSafeSerializer:
    from itsdangerous import URLSafeSerializer

    return URLSafeSerializer(
        key,
        salt=f"link|{scope}",
        signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"},
    )
