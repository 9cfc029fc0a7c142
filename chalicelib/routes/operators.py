"""What operators and sources of rules call: markets, fleet, rules and keys."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from chalice.app import Blueprint, Response
from pydantic import BaseModel, RootModel, StringConstraints, TypeAdapter, ValidationError

from chalicelib import edge, wiring
from chalicelib.domain.errors import Fault, Invalid, Missing
from chalicelib.domain.keys import Caller, Role, hash_of
from chalicelib.domain.shapes import Slug
from chalicelib.routes import cursors
from chalicelib.routes.calling import caller

if TYPE_CHECKING:
    from chalicelib.domain.impact import Impact, ImpactView
    from chalicelib.domain.report import PlanReport, PlanView

_Model = TypeVar("_Model", bound=BaseModel)

BOTH = (Role.OPERATOR, Role.SOURCE)


_SLUG: TypeAdapter[str] = TypeAdapter(Slug)
_HASH: TypeAdapter[str] = TypeAdapter(Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")])


def blueprint(authorizer: Any) -> Blueprint:
    """The routes, behind that authorizer. Shapes and flows are imported inside the views: importing the app stays
    small."""
    bp = Blueprint("operators")

    def who(*roles: Role) -> Caller:
        return caller(bp.current_request, *roles)

    # --- markets --------------------------------------------------------------------------------------------

    @bp.route("/v1/markets", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def list_markets() -> Response:
        from chalicelib.flows import enlist
        from chalicelib.routes.market_shapes import MarketList

        asks = who(*BOTH)
        found = (market for market in enlist.markets(wiring.world()) if asks.speaks_of(market.market_id))
        return edge.answer(MarketList(data=tuple(found)))

    @bp.route("/v1/markets/{market_id}", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def get_market(market_id: str) -> Response:
        from chalicelib.flows import enlist

        who(*BOTH)
        return edge.answer(enlist.market(wiring.world(), _named(market_id)))

    @bp.route("/v1/markets/{market_id}", methods=["PUT"], authorizer=authorizer)
    @edge.spoken
    def put_market(market_id: str) -> Response:
        from chalicelib.domain.places import Market
        from chalicelib.flows import enlist

        who(Role.OPERATOR)
        market = _stated(bp.current_request, Market, market_id=market_id)
        return edge.answer(enlist.put_market(wiring.world(), market))

    # --- the fleet ------------------------------------------------------------------------------------------

    @bp.route("/v1/markets/{market_id}/fleet", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def get_fleet(market_id: str) -> Response:
        from chalicelib.flows import enlist
        from chalicelib.routes.market_shapes import fleet_view

        who(*BOTH)
        return edge.answer(fleet_view(enlist.fleet(wiring.world(), _named(market_id))))

    @bp.route("/v1/markets/{market_id}/couriers/{courier_id}", methods=["PUT"], authorizer=authorizer)
    @edge.spoken
    def put_courier(market_id: str, courier_id: str) -> Response:
        from chalicelib.domain.fleet import Courier
        from chalicelib.flows import enlist

        who(*BOTH)
        courier = _stated(bp.current_request, Courier, market_id=market_id, courier_id=courier_id)
        return edge.answer(enlist.put_courier(wiring.world(), courier))

    @bp.route("/v1/markets/{market_id}/crews/{crew_id}", methods=["PUT"], authorizer=authorizer)
    @edge.spoken
    def put_crew(market_id: str, crew_id: str) -> Response:
        from chalicelib.domain.fleet import Crew
        from chalicelib.flows import enlist

        who(*BOTH)
        crew = _stated(bp.current_request, Crew, market_id=market_id, crew_id=crew_id)
        return edge.answer(enlist.put_crew(wiring.world(), crew))

    @bp.route("/v1/markets/{market_id}/permits/{permit_id}", methods=["PUT"], authorizer=authorizer)
    @edge.spoken
    def put_permit(market_id: str, permit_id: str) -> Response:
        from chalicelib.domain.fleet import Permit
        from chalicelib.flows import enlist

        who(*BOTH)
        permit = _stated(bp.current_request, Permit, market_id=market_id, permit_id=permit_id)
        return edge.answer(enlist.put_permit(wiring.world(), permit))

    @bp.route("/v1/markets/{market_id}/slots/{slot_id}", methods=["PUT"], authorizer=authorizer)
    @edge.spoken
    def put_slot(market_id: str, slot_id: str) -> Response:
        from chalicelib.domain.fleet import Slot
        from chalicelib.flows import enlist

        who(*BOTH)
        slot = _stated(bp.current_request, Slot, market_id=market_id, slot_id=slot_id)
        return edge.answer(enlist.put_slot(wiring.world(), slot))

    @bp.route(
        "/v1/markets/{market_id}/couriers/{courier_id}", methods=["GET", "DELETE"], authorizer=authorizer
    )
    @edge.spoken
    def get_or_remove_courier(market_id: str, courier_id: str) -> Response:
        return _member(bp.current_request, market_id, "couriers", courier_id)

    @bp.route("/v1/markets/{market_id}/crews/{crew_id}", methods=["GET", "DELETE"], authorizer=authorizer)
    @edge.spoken
    def get_or_remove_crew(market_id: str, crew_id: str) -> Response:
        return _member(bp.current_request, market_id, "crews", crew_id)

    @bp.route("/v1/markets/{market_id}/permits/{permit_id}", methods=["GET", "DELETE"], authorizer=authorizer)
    @edge.spoken
    def get_or_remove_permit(market_id: str, permit_id: str) -> Response:
        return _member(bp.current_request, market_id, "permits", permit_id)

    @bp.route("/v1/markets/{market_id}/slots/{slot_id}", methods=["GET", "DELETE"], authorizer=authorizer)
    @edge.spoken
    def get_or_remove_slot(market_id: str, slot_id: str) -> Response:
        return _member(bp.current_request, market_id, "slots", slot_id)

    @bp.route("/v1/markets/{market_id}/plan", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def get_plan(market_id: str) -> Response:
        who(Role.OPERATOR)
        from chalicelib.flows import enlist, explain

        world, name = wiring.world(), _named(market_id)
        enlist.market(world, name)
        return edge.answer(_in_words(explain.last(world, name)))

    @bp.route("/v1/markets/{market_id}/suspicions", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def list_suspicions(market_id: str) -> Response:
        who(Role.OPERATOR)
        from chalicelib.flows import suspect
        from chalicelib.routes.market_shapes import SuspicionList

        found = suspect.suspicions(wiring.world(), _named(market_id))
        return edge.answer(SuspicionList(data=tuple(found)))

    @bp.route("/v1/markets/{market_id}/suspicions/{suspicion_id}", methods=["DELETE"], authorizer=authorizer)
    @edge.spoken
    def dismiss_suspicion(market_id: str, suspicion_id: str) -> Response:
        who(Role.OPERATOR)
        from chalicelib.flows import suspect

        suspect.dismiss(wiring.world(), _named(market_id), _named(suspicion_id))
        return Response("", status_code=204, headers={"Cache-Control": "no-store"})

    # --- rule books -----------------------------------------------------------------------------------------

    @bp.route("/v1/rulebooks", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def list_rulebooks() -> Response:
        from chalicelib.domain.rulebooks import listed

        who(*BOTH)
        return edge.answer(listed(wiring.world().books.values()))

    @bp.route("/v1/rulebooks/{book_id}", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def get_rulebook(book_id: str) -> Response:
        who(*BOTH)
        book = wiring.world().books.get(_named(book_id))
        if book is None:
            raise Missing(f"no rule book {book_id!r}")
        return edge.answer(book)

    # --- rules ----------------------------------------------------------------------------------------------

    @bp.route("/v1/markets/{market_id}/rules", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def get_rules(market_id: str) -> Response:
        who(*BOTH)
        from chalicelib.flows import consult

        pointer = consult.in_force(wiring.world(), _named(market_id))
        return edge.answer(pointer, headers={"ETag": f'"v{pointer.version}"'})

    @bp.route("/v1/markets/{market_id}/rules/uploads", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def begin_upload(market_id: str) -> Response:
        from chalicelib.domain.uploads import UploadStart

        source = who(*BOTH).owner
        start = edge.body_of(bp.current_request, UploadStart)
        from chalicelib.flows import publish

        upload = publish.begin(wiring.world(), _named(market_id), source, **dict(start))
        place = f"/v1/markets/{market_id}/rules/uploads/{upload.upload_id}"
        return edge.answer(upload, 201, {"Location": place})

    @bp.route("/v1/markets/{market_id}/rules/uploads/{upload_id}", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def get_upload(market_id: str, upload_id: str) -> Response:
        source = _source(who(*BOTH))
        from chalicelib.flows import publish

        return edge.answer(publish.upload_of(wiring.world(), _named(market_id), _named(upload_id), source))

    @bp.route(
        "/v1/markets/{market_id}/rules/uploads/{upload_id}/parts/{number}",
        methods=["PUT"],
        authorizer=authorizer,
        content_types=["application/json", "application/octet-stream"],  # an official file is not always JSON
    )
    @edge.spoken
    def put_part(market_id: str, upload_id: str, number: str) -> Response:
        source = _source(who(*BOTH))
        raw: bytes = bp.current_request.raw_body  # type: ignore[assignment]  # always bytes
        name, at = _named(upload_id), _number(number)
        from chalicelib.flows import publish

        return edge.answer(publish.add_part(wiring.world(), _named(market_id), name, at, raw, source))

    @bp.route(
        "/v1/markets/{market_id}/rules/uploads/{upload_id}/finish", methods=["POST"], authorizer=authorizer
    )
    @edge.spoken
    def finish_upload(market_id: str, upload_id: str) -> Response:
        from chalicelib.domain.uploads import Finish

        source, name = _source(who(*BOTH)), _named(upload_id)
        parts = edge.body_of(bp.current_request, Finish).parts
        from chalicelib.flows import publish

        return edge.answer(publish.finish(wiring.world(), _named(market_id), name, parts, source), 202)

    # --- what a change would do -----------------------------------------------------------------------------

    @bp.route("/v1/markets/{market_id}/impact", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def ask_impact(market_id: str) -> Response:
        from chalicelib.domain.impact import ImpactQuestion
        from chalicelib.flows import inquire

        request, who_asks, world = bp.current_request, who(*BOTH), wiring.world()
        key, question = edge.idempotency_key(request), edge.body_of(request, ImpactQuestion)
        raw: bytes = request.raw_body  # type: ignore[assignment]  # always bytes
        sees_all = who_asks.role is Role.OPERATOR
        asked = inquire.ask(world, _named(market_id), who_asks.owner, key, question, raw, sees_all)
        place = f"/v1/markets/{market_id}/impact/{asked.impact_id}"
        return edge.answer(_told(who_asks, asked, 0, 0), 202, {"Location": place})

    @bp.route("/v1/markets/{market_id}/impact/{impact_id}", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def get_impact(market_id: str, impact_id: str) -> Response:
        from chalicelib.flows import inquire

        request, who_asks, world = bp.current_request, who(*BOTH), wiring.world()
        found = inquire.impact_of(world, _named(market_id), _named(impact_id), _source(who_asks))
        limit = edge.query_of(request, cursors.PageOf).limit
        after = int(cursors.after(world, f"impact|{found.impact_id}", request) or 0)
        return edge.answer(_told(who_asks, found, limit, after))

    # --- keys -----------------------------------------------------------------------------------------------

    @bp.route("/v1/keys", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def create_key() -> Response:
        from chalicelib.flows import enlist
        from chalicelib.routes.key_shapes import CreatedKey, NewKey

        who(Role.OPERATOR)
        wanted = edge.body_of(bp.current_request, NewKey)
        secret = enlist.create_key(wiring.world(), **dict(wanted))
        made = CreatedKey(secret=secret, key_hash=hash_of(secret), **dict(wanted))
        return edge.answer(made, 201)

    @bp.route("/v1/keys/{key_hash}", methods=["DELETE"], authorizer=authorizer)
    @edge.spoken
    def disable_key(key_hash: str) -> Response:
        from chalicelib.flows import enlist
        from chalicelib.routes.key_shapes import DisabledKey

        who(Role.OPERATOR)
        key = enlist.disable_key(wiring.world(), _named(key_hash, _HASH))
        shown = DisabledKey(key_hash=key.key_hash, role=key.role, owner=key.owner, disabled=key.disabled)
        return edge.answer(shown)

    return bp


def _told(who: Caller, found: Impact, limit: int, after: int) -> ImpactView:
    """The question as it stands and a page of its answer. Whose gift it is, a source is not told."""
    from chalicelib.domain import impact as shapes
    from chalicelib.flows import inquire

    world = wiring.world()
    orders, more = inquire.affected(world, found, limit, after) if limit else ([], None)
    if who.role is Role.SOURCE:
        orders = [one.model_copy(update={"brand_id": None}) for one in orders]
    page = shapes.AffectedPage(
        data=tuple(orders),
        has_more=more is not None,
        next_cursor=cursors.following(world, f"impact|{found.impact_id}", more),
    )
    return shapes.view(found, page, inquire.KEPT)


def _in_words(report: PlanReport) -> PlanView:
    """The report, and each worth as a sentence."""
    from chalicelib.domain.report import PlanView, WorthView
    from chalicelib.pages.explained import worth

    worths = tuple(
        WorthView(**dict(one), words=worth(one.slot, one.tiers, one.saves, report.currency or ""))
        for one in report.worths
    )
    return PlanView(**{**dict(report), "worths": worths})


def _member(request: Any, market_id: str, kind: str, name: str) -> Response:
    """One of the fleet: shown, or taken out."""
    from chalicelib.flows import enlist

    caller(request, *BOTH)
    world, market_id, name = wiring.world(), _named(market_id), _named(name)
    if request.method == "DELETE":
        enlist.remove(world, market_id, kind, name)
        return Response("", status_code=204, headers={"Cache-Control": "no-store"})
    return edge.answer(enlist.member(world, market_id, kind, name))


def _source(who: Caller) -> str | None:
    """A source sees its own uploads, an operator everybody's."""
    return who.owner if who.role is Role.SOURCE else None


def _named(name: str, shape: TypeAdapter[str] = _SLUG) -> str:
    """A name from the path. What cannot be one names nothing: `Missing`."""
    try:
        return shape.validate_python(name)
    except ValidationError:
        raise Missing(f"nothing has the name {name[:80]!r}") from None


def _number(text: str) -> int:
    from chalicelib.domain.uploads import PARTS

    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= PARTS):
        raise Missing(f"parts are numbered 1 to {PARTS}, got {text[:20]!r}")
    return int(text)


def _stated(request: Any, model: type[_Model], **names: str) -> _Model:
    """The body as that model; what the path says may be left out of it, and is not contradicted."""
    given: dict[str, Any] = edge.body_of(request, RootModel[dict[str, Any]]).root
    faults = [
        Fault(f"/{name}", f"{_named(value)!r} was expected, as in the path", edge.shown(name, given[name]))
        for name, value in names.items()
        if given.get(name, value) != value
    ]
    if faults:
        raise Invalid(f"{faults[0].pointer}: {faults[0].detail}", faults)
    try:
        return model.model_validate_json(json.dumps({**given, **names}))
    except ValidationError as error:
        raise edge.invalid(error) from None
