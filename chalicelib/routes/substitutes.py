"""What may go in the place of a gift: a brand's rules for it, what was proposed of them, and the answers."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint, Response

from chalicelib import edge, wiring
from chalicelib.domain.errors import Missing
from chalicelib.domain.keys import Role
from chalicelib.routes.calling import caller, told


def blueprint(authorizer: Any) -> Blueprint:
    """The routes, behind that authorizer. Shapes and flows are imported inside the views: importing the app stays
    small."""
    bp = Blueprint("substitutes")

    @bp.route("/v1/substitutes", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def get_substitutes() -> Response:
        from chalicelib.flows.substitute import substitutes_of

        brand = caller(bp.current_request, Role.BRAND)
        found = substitutes_of(wiring.world(), brand.owner)
        return edge.answer(found, headers={"ETag": f'"v{found.version}"'})

    @bp.route("/v1/substitutes", methods=["PUT"], authorizer=authorizer)
    @edge.spoken
    def put_substitutes() -> Response:
        from chalicelib.domain.substitutes import NewSubstitutes
        from chalicelib.flows import substitute

        request = bp.current_request
        brand = caller(request, Role.BRAND)
        version = edge.if_match_given(request)
        new = edge.body_of(request, NewSubstitutes)
        found = substitute.put_substitutes(wiring.world(), brand.owner, new, version)
        return edge.answer(found, headers={"ETag": f'"v{found.version}"'})

    @bp.route("/v1/orders/{order_id}/proposals", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def list_proposals(order_id: str) -> Response:
        from chalicelib.flows import act_for, look, substitute
        from chalicelib.routes.answers import ProposalList

        who = caller(bp.current_request, Role.BRAND, Role.OPERATOR, Role.ASSOCIATE)
        world = wiring.world()
        if who.role is Role.OPERATOR:
            look.any_order(world, order_id)
        else:
            act_for.order_for(world, who, order_id)
        found = substitute.proposals_of(world, order_id)
        return edge.answer(ProposalList(order_id=order_id, data=tuple(found)))

    @bp.route("/v1/orders/{order_id}/proposals/{proposal}/accept", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def accept_proposal(order_id: str, proposal: str) -> Response:
        return answered(order_id, proposal, is_accepted=True)

    @bp.route("/v1/orders/{order_id}/proposals/{proposal}/decline", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def decline_proposal(order_id: str, proposal: str) -> Response:
        return answered(order_id, proposal, is_accepted=False)

    def answered(order_id: str, proposal: str, *, is_accepted: bool) -> Response:
        from chalicelib.flows import act_for, substitute
        from chalicelib.routes.answers import Answer

        request = bp.current_request
        who = caller(request, Role.BRAND, Role.ASSOCIATE)
        said = edge.body_of(request, Answer)
        if not proposal.isdecimal() or len(proposal) > 4:
            raise Missing(f"no proposal {proposal!r} of the order {order_id!r}")
        world = wiring.world()
        act_for.order_for(world, who, order_id)
        order = substitute.answer(
            world,
            order_id,
            int(proposal),
            is_accepted=is_accepted,
            consent=said.consent,
            evidence=said.evidence,
            actor=who.actor,
        )
        return told(who, order, 202)

    return bp
