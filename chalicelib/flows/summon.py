"""Ask the brand to say a message itself: `message.owed` to its endpoints, without anything personal; and tell it that a
client has answered or written: `client.answered`, `client.wrote`. What was said it reads with its key.
"""

from __future__ import annotations

from chalicelib.domain.clients import Client
from chalicelib.domain.errors import Refused, Unanswered
from chalicelib.domain.messages import Message, TryState
from chalicelib.domain.notices import Endpoint, MessageData, MessageEvent, Result
from chalicelib.domain.orders import Order
from chalicelib.domain.ports import World
from chalicelib.domain.saying import Sent
from chalicelib.domain.templates import MessageKind
from chalicelib.domain.words import language_of
from chalicelib.flows import subscribe

OWED, ANSWERED, WROTE = "message.owed", "client.answered", "client.wrote"


def has_receiver(world: World, brand_id: str) -> bool:
    """True where the brand is told anything at all."""
    return any(not endpoint.disabled for endpoint in subscribe.known(world, brand_id).values())


def summon(world: World, client: Client, order: Order | None, message: Message) -> Sent:
    """Taken when one endpoint has taken it; later when all are paused or fail. The id is the message's: a receiver that
    gets it twice drops the double."""
    event = MessageEvent(
        id=message.message_id,
        source="/clients" if order is None else f"/markets/{order.market_id}",
        type=_type(message),
        subject=message.home,
        time=message.owed_at,
        data=MessageData(
            message_id=message.message_id,
            kind=message.kind.value,
            client=client.reference,
            language=language_of(client.locale),
            order_id=None if order is None else order.order_id,
            market=None if order is None else order.market_id,
        ),
    )
    taken = [
        _is_taken(world, endpoint, event)
        for endpoint in subscribe.known(world, client.brand_id).values()
        if not endpoint.disabled
    ]
    return Sent(TryState.ACCEPTED) if any(taken) else Sent(TryState.BUSY, "no_receiver_took_it")


def _type(message: Message) -> str:
    if message.kind is not MessageKind.HEARD:
        return OWED
    return WROTE if message.home == message.client_id else ANSWERED


def _is_taken(world: World, endpoint: Endpoint, event: MessageEvent) -> bool:
    now, webhook = world.clock(), world.channels["webhook"]
    if endpoint.paused_until is not None and endpoint.paused_until > now:
        return False
    request = webhook.summons(event, endpoint.url, subscribe.secrets_of(world, endpoint, now), now)
    try:
        reply = world.line.send(request, public_only=not world.webhooks_may_be_private)
    except (Unanswered, Refused):
        return False  # it knows the double by its id
    return webhook.read(reply, world.clock()).result is Result.DELIVERED
