"""What a brand's engineers call about its clients: who they are, what they agreed to, whose a number is.

Shapes and flows are imported inside the views: whoever places an order waits for none of them at a cold start.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from chalice.app import Blueprint, Response

from chalicelib import edge, wiring
from chalicelib.domain.keys import Role
from chalicelib.routes import cursors
from chalicelib.routes.calling import caller

if TYPE_CHECKING:
    from chalicelib.domain.clients import Client


def blueprint(authorizer: Any) -> Blueprint:
    """The routes, behind that authorizer."""
    bp = Blueprint("clients")

    @bp.route("/v1/clients/{reference}", methods=["PUT"], authorizer=authorizer)
    @edge.spoken
    def put_client(reference: str) -> Response:
        from chalicelib.domain.clients import NewClient
        from chalicelib.flows import enrol

        request = bp.current_request
        who = caller(request, Role.BRAND)
        version = edge.if_match_given(request)
        new = edge.body_of(request, NewClient)
        client = enrol.enrol(wiring.world(), who.owner, reference, new, version=version, by=who.actor)
        return _told(client)

    @bp.route("/v1/clients/{reference}", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def get_client(reference: str) -> Response:
        from chalicelib.flows import act_for

        who = caller(bp.current_request, Role.BRAND, Role.ASSOCIATE)
        return _told(act_for.client_for(wiring.world(), who, reference))

    @bp.route("/v1/clients", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def list_clients() -> Response:
        from chalicelib.domain.client_answers import ClientList
        from chalicelib.domain.clients import line
        from chalicelib.flows import act_for
        from chalicelib.flows.contacts import clients_of

        request = bp.current_request
        who = caller(request, Role.BRAND, Role.ASSOCIATE)
        limit = edge.query_of(request, cursors.PageOf).limit
        world, scope = wiring.world(), f"clients|{who.owner}"
        after = cursors.after(world, scope, request)
        clients, more = clients_of(world, who.owner, limit, after)
        page = ClientList(
            data=tuple(map(line, act_for.of_these(world, who, clients))),
            has_more=more is not None,
            next_cursor=cursors.following(world, scope, more),
        )
        return edge.answer(page)

    @bp.route("/v1/clients/search", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def search_clients() -> Response:
        from chalicelib.domain.client_answers import ClientsFound
        from chalicelib.domain.clients import line
        from chalicelib.domain.contacts import ContactQuestion
        from chalicelib.flows import act_for
        from chalicelib.flows.contacts import clients_with

        request = bp.current_request
        who = caller(request, Role.BRAND, Role.ASSOCIATE)
        asked = edge.body_of(request, ContactQuestion)
        world = wiring.world()
        found = act_for.of_these(world, who, clients_with(world, who.owner, asked.contact))
        return edge.answer(ClientsFound(data=tuple(map(line, found))))

    @bp.route("/v1/clients/{reference}/consents", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def record_consent(reference: str) -> Response:
        from chalicelib.domain.client_answers import ConsentChange
        from chalicelib.flows import act_for, agree

        request = bp.current_request
        who = caller(request, Role.BRAND, Role.ASSOCIATE)
        change = edge.body_of(request, ConsentChange)
        world, by = wiring.world(), who.actor
        client_id = act_for.client_for(world, who, reference).client_id
        if change.granted is not None:
            return _told(agree.agree(world, client_id, [change.granted], by=by))
        assert change.withdrawn is not None
        gone = change.withdrawn
        return _told(
            agree.withdraw(world, client_id, [gone.purpose], gone.withdrawn_at, gone.evidence, by=by)
        )

    @bp.route("/v1/clients/{reference}", methods=["DELETE"], authorizer=authorizer)
    @edge.spoken
    def erase_client(reference: str) -> Response:
        from chalicelib.flows import forget

        who = caller(bp.current_request, Role.BRAND)
        client = forget.ask(wiring.world(), who.owner, reference, by=who.actor)
        return _erasure(client, 202, {"Location": f"/v1/clients/{reference}/erasure"})

    @bp.route("/v1/clients/{reference}/erasure", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def get_erasure(reference: str) -> Response:
        from chalicelib.domain.errors import Missing
        from chalicelib.flows import enrol

        brand = caller(bp.current_request, Role.BRAND).owner
        client = enrol.mark_of(wiring.world(), brand, reference)
        if not client.is_leaving:
            raise Missing(f"nobody has asked for the erasure of the client {reference!r}")
        return _erasure(client)

    @bp.route("/v1/jurisdictions", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def list_jurisdictions() -> Response:
        from chalicelib.domain.client_answers import Jurisdictions
        from chalicelib.domain.jurisdictions import TABLE

        caller(bp.current_request, Role.BRAND, Role.ASSOCIATE, Role.OPERATOR)
        return edge.answer(Jurisdictions(data=TABLE))

    return bp


def _erasure(client: Client, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """How far the erasure is, and what it waits for."""
    from chalicelib.domain.erasure import erasure_view
    from chalicelib.flows.forget import waiting_for

    waits = () if client.erased_at is not None else tuple(waiting_for(wiring.world(), client))
    return edge.answer(erasure_view(client, waits), status, headers)


def _told(client: Client) -> Response:
    """The client with its person, for its own brand; cached by nobody."""
    from chalicelib.domain.clients import view
    from chalicelib.flows import enrol

    person = enrol.person_of(wiring.world(), client)
    return edge.answer(view(client, person), headers={"ETag": f'"v{client.version}"'})
