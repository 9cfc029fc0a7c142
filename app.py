"""The front door: the Chalice app, every schedule, queue listener and rotation; each a few lines into a flow.

Listeners are declared here and nowhere else: Lambda imports a blueprint's event handler without importing this
file, and its middleware would be dead (research: chalice.md, trap A).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from chalice.app import AuthRequest, AuthResponse, Chalice, CloudWatchEvent, Rate, Response, SQSEvent
from pydantic import ValidationError

from chalicelib import edge, journal, trace, wiring
from chalicelib.domain.errors import NotANudge
from chalicelib.domain.keys import Key, hash_of, key_place
from chalicelib.domain.ports import Topic
from chalicelib.routes import (
    board,
    brands,
    campaigns,
    channels,
    clients,
    couriers,
    deeds,
    digital,
    entrance,
    lists,
    openapi,
    operators,
    programme,
    recipients,
    substitutes,
    valuables,
    visits,
    webhooks,
)

app = Chalice(app_name="cordon", configure_logs=False)


@app.authorizer(ttl_seconds=300)
def authorize(request: AuthRequest) -> AuthResponse:
    """Who holds this key. Lets it through to every route: each view checks the role (one route's answer is
    cached for all, so a narrower policy here would poison the next route)."""
    with edge.run("authorize"):
        return _policy_of(request)


def _policy_of(request: AuthRequest) -> AuthResponse:
    scheme, _, secret = request.token.partition(" ")
    row = None
    if scheme.lower() == "bearer" and secret:
        row = wiring.world().table.get(key_place(hash_of(secret.strip())))
    try:
        key = Key.model_validate_json(row.body) if row else None
    except ValidationError:  # a role that only newer code knows: nobody here
        journal.log("key_unreadable")
        key = None
    if key is None or key.disabled:
        return AuthResponse(routes=[], principal_id="nobody")
    return AuthResponse(
        routes=["*"],
        principal_id=key.key_hash[:16],
        context={"role": key.role.value, "owner": key.owner}
        | ({} if key.markets is None else {"markets": " ".join(key.markets)})
        | ({} if key.associate_id is None else {"associate": key.associate_id}),
    )


app.register_blueprint(brands.blueprint(authorize))
app.register_blueprint(clients.blueprint(authorize))
app.register_blueprint(programme.blueprint(authorize))
app.register_blueprint(digital.blueprint(authorize))
app.register_blueprint(channels.blueprint(authorize))
app.register_blueprint(operators.blueprint(authorize))
app.register_blueprint(visits.blueprint(authorize))
app.register_blueprint(recipients.blueprint(authorize))
app.register_blueprint(webhooks.blueprint(authorize))
app.register_blueprint(campaigns.blueprint(authorize))
app.register_blueprint(lists.blueprint(authorize))
app.register_blueprint(valuables.blueprint(authorize))
app.register_blueprint(substitutes.blueprint(authorize))
app.register_blueprint(couriers.blueprint())
app.register_blueprint(openapi.blueprint())
app.register_blueprint(entrance.blueprint(authorize))
app.register_blueprint(board.blueprint())
app.register_blueprint(deeds.blueprint(authorize))


@app.middleware("http")
def speak_in_problems(event: Any, get_response: Any) -> Response:
    """Chalice's own errors (405, 415, ...) look like ours; and every line of the log says which request it was."""
    request_id = str((event.context or {}).get("requestId", ""))
    with journal.invocation("api_handler", edge.header(event, trace.HEADER), request_id):
        return edge.rewritten(get_response(event))


@app.schedule(Rate(1, unit=Rate.MINUTES))
def tick(event: CloudWatchEvent) -> None:
    """Wake the planner of every market with open work."""
    from chalicelib.flows.sweep import tick as flow

    with edge.run("tick", comes_again=True):
        flow(wiring.world())


@app.schedule(Rate(1, unit=Rate.MINUTES))
def sweep(event: CloudWatchEvent) -> None:
    """Nudge whatever has stood still too long."""
    from chalicelib.flows.sweep import sweep as flow

    with edge.run("sweep", comes_again=True):
        flow(wiring.world())


def _verdicts(event: SQSEvent, handle: Callable[[str], None], topic: Topic) -> dict[str, Any]:
    def left_s() -> float:
        left_ms = getattr(event.context, "get_remaining_time_in_millis", None)
        return math.inf if left_ms is None else float(left_ms()) / 1000

    return edge.verdicts(event.to_dict()["Records"], handle, topic, wiring.world().queues, left_s)


@app.lambda_function(name="rotate")
def rotate(event: dict[str, Any], context: Any) -> None:
    """Secrets Manager asks for a step of the signing key's rotation."""
    with edge.run("rotate"):
        wiring.rotate(event)


@app.on_sqs_message(
    queue_arn="arn:placeholder:DispatchQueue", batch_size=10, maximum_batching_window_in_seconds=1
)
def on_dispatch(event: SQSEvent) -> dict[str, Any]:
    """Plan a market; `<market>:all` looks at what is not due yet, too. `impact/<market>:<impact>:<step>`: the step
    of that job that plans, for the engine is here and nowhere else."""
    from chalicelib.flows.dispatch import named

    def handle(name: str) -> None:
        if not name.startswith("impact/"):  # no market's name has a slash
            named(wiring.world(), name)
            return
        from chalicelib.flows.weigh import plan

        market_id, _, rest = name.removeprefix("impact/").partition(":")
        plan(wiring.world(), market_id, rest)

    return _verdicts(event, handle, Topic.DISPATCH)


@app.on_sqs_message(queue_arn="arn:placeholder:BookQueue", batch_size=10)
def on_book(event: SQSEvent) -> dict[str, Any]:
    """Book an order's leg, or settle its bookings."""
    from chalicelib.flows.book import book

    return _verdicts(event, lambda name: book(wiring.world(), name), Topic.BOOK)


@app.on_sqs_message(queue_arn="arn:placeholder:HearQueue", batch_size=10)
def on_hear(event: SQSEvent) -> dict[str, Any]:
    """Fold what couriers said into an order; `said/<brand>/<name>`: read what a client answered."""
    from chalicelib.flows.hear import named

    return _verdicts(event, lambda name: named(wiring.world(), name), Topic.HEAR)


@app.on_sqs_message(queue_arn="arn:placeholder:TellQueue", batch_size=10)
def on_tell(event: SQSEvent) -> dict[str, Any]:
    """Tell a brand, and its client, what an order has come to; of a client: say what hangs on no order."""
    from chalicelib.flows.tell import named

    return _verdicts(event, lambda name: named(wiring.world(), name), Topic.TELL)


@app.on_sqs_message(queue_arn="arn:placeholder:RulesQueue", batch_size=1)
def on_rules(event: SQSEvent) -> dict[str, Any]:
    """`publish:<market>:<upload>`, `rezone:<market>:<cursor>`, `impact:<market>:<impact>:<step>`, `board:<market>:`, a
    count for whoever looks at the board, or `erase:<client>`."""
    from chalicelib.flows.publish import publish
    from chalicelib.flows.rezone import rezone

    def handle(name: str) -> None:
        verb, market_id, rest = (*name.split(":", 2), "", "")[:3]
        if verb == "publish" and market_id and rest:
            publish(wiring.world(), market_id, rest)
        elif verb == "rezone" and market_id:
            rezone(wiring.world(), market_id, rest)
        elif verb == "impact" and market_id and rest:
            from chalicelib.flows.weigh import weigh

            weigh(wiring.world(), market_id, rest)
        elif verb == "board" and market_id:
            from chalicelib.flows.recount import recount

            recount(wiring.world(), market_id)
        elif verb == "erase" and market_id:
            from chalicelib.flows.forget import forget

            forget(wiring.world(), market_id)
        else:
            raise NotANudge(
                "rules are published, rezoned or asked about, boards counted, clients erased, and nothing else"
            )

    return _verdicts(event, handle, Topic.RULES)


@app.on_sqs_message(queue_arn="arn:placeholder:CampaignQueue", batch_size=1)
def on_campaign(event: SQSEvent) -> dict[str, Any]:
    """`list:<list>:<task>:<lane>:<step>` or `campaign:<campaign>:<task>:<lane>:<step>`: one page of a list or of a
    campaign."""
    from chalicelib.flows.walk import named

    return _verdicts(event, lambda name: named(wiring.world(), name), Topic.CAMPAIGN)
