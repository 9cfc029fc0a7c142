"""A brand's programme over HTTP: tiers and caps, what clients have bought, who was granted a tier, associates and acts.

Shapes and flows are imported inside the views: whoever places an order waits for none of them at a cold start.
"""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint, Response

from chalicelib import edge, wiring
from chalicelib.domain.keys import Role
from chalicelib.routes import cursors
from chalicelib.routes.calling import caller, staff_of


def blueprint(authorizer: Any) -> Blueprint:
    """The routes, behind that authorizer."""
    bp = Blueprint("programme")

    @bp.route("/v1/programme", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def get_programme() -> Response:
        from chalicelib.flows.set_up import programme_of

        brand = caller(bp.current_request, Role.BRAND).owner
        found = programme_of(wiring.world(), brand)
        return edge.answer(found, headers={"ETag": f'"v{found.version}"'})

    @bp.route("/v1/programme", methods=["PUT"], authorizer=authorizer)
    @edge.spoken
    def put_programme() -> Response:
        from chalicelib.domain.programme import NewProgramme
        from chalicelib.flows.set_up import set_up

        request = bp.current_request
        who = caller(request, Role.BRAND)
        version = edge.if_match_given(request)
        new = edge.body_of(request, NewProgramme)
        found = set_up(wiring.world(), who.owner, new, who.actor, version)
        return edge.answer(found, headers={"ETag": f'"v{found.version}"'})

    # --- a client's standing ----------------------------------------------------------------------------------

    @bp.route("/v1/clients/{reference}/standing", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def get_standing(reference: str) -> Response:
        from chalicelib.flows import act_for, rank

        who = caller(bp.current_request, Role.BRAND, Role.ASSOCIATE)
        world = wiring.world()
        return edge.answer(rank.view(world, act_for.client_for(world, who, reference)))

    @bp.route("/v1/clients/{reference}/purchases", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def count_purchases(reference: str) -> Response:
        from chalicelib.domain.purchases import NewPurchases
        from chalicelib.flows import act_for, rank
        from chalicelib.flows.count_in import count_in

        request = bp.current_request
        who = caller(request, Role.BRAND)
        told = edge.body_of(request, NewPurchases)
        world = wiring.world()
        client = act_for.client_for(world, who, reference)
        count_in(world, client, told.purchases, who.actor)
        return edge.answer(rank.view(world, client))

    @bp.route("/v1/clients/{reference}/grants", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def grant_tier(reference: str) -> Response:
        from chalicelib.flows import act_for
        from chalicelib.flows.grant import NewGrant, grant

        request = bp.current_request
        who = caller(request, Role.BRAND)
        staff_of(who)
        new = edge.body_of(request, NewGrant)
        world = wiring.world()
        given = grant(world, act_for.client_for(world, who, reference), new, who.actor)
        return edge.answer(given, 201)

    @bp.route("/v1/clients/{reference}/grants/{grant}", methods=["DELETE"], authorizer=authorizer)
    @edge.spoken
    def revoke_grant(reference: str, grant: str) -> Response:
        from chalicelib.flows import act_for
        from chalicelib.flows.grant import revoke

        who = caller(bp.current_request, Role.BRAND)
        staff_of(who)
        world = wiring.world()
        return edge.answer(revoke(world, act_for.client_for(world, who, reference), grant, who.actor))

    @bp.route("/v1/clients/{reference}/acts", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def list_acts(reference: str) -> Response:
        from chalicelib.flows import act_for
        from chalicelib.flows.acts import ActList, acts_for

        request = bp.current_request
        who = caller(request, Role.BRAND, Role.ASSOCIATE)
        limit = edge.query_of(request, cursors.PageOf).limit
        world = wiring.world()
        client_id = act_for.client_for(world, who, reference).client_id
        scope = f"acts|{client_id}"
        after = cursors.after(world, scope, request)
        found, more = acts_for(world, client_id, limit, after)
        page = ActList(
            data=tuple(found),
            has_more=more is not None,
            next_cursor=cursors.following(world, scope, more),
        )
        return edge.answer(page)

    # --- associates -------------------------------------------------------------------------------------------

    @bp.route("/v1/associates/{associate_id}", methods=["PUT"], authorizer=authorizer)
    @edge.spoken
    def put_associate(associate_id: str) -> Response:
        from chalicelib.domain.associates import NewAssociate, view
        from chalicelib.flows import act_for

        request = bp.current_request
        brand = caller(request, Role.BRAND).owner
        version = edge.if_match_given(request)
        new = edge.body_of(request, NewAssociate)
        world = wiring.world()
        found = act_for.put_associate(world, brand, associate_id, new, version)
        return edge.answer(view(world.sealer, found), headers={"ETag": f'"v{found.version}"'})

    @bp.route("/v1/associates/{associate_id}", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def get_associate(associate_id: str) -> Response:
        from chalicelib.domain.associates import view
        from chalicelib.flows import act_for

        brand = caller(bp.current_request, Role.BRAND).owner
        world = wiring.world()
        found = act_for.associate_of(world, brand, associate_id)
        return edge.answer(view(world.sealer, found), headers={"ETag": f'"v{found.version}"'})

    @bp.route("/v1/associates", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def list_associates() -> Response:
        from chalicelib.domain.associates import AssociateList, view
        from chalicelib.flows import act_for

        brand = caller(bp.current_request, Role.BRAND).owner
        world = wiring.world()
        found = act_for.of_brand(world, brand)
        return edge.answer(AssociateList(data=tuple(view(world.sealer, one) for one in found)))

    return bp
