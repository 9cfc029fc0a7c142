"""What a brand calls to hand in a list of clients in parts, and to read what is wrong with it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from chalice.app import Blueprint, Response
from pydantic import Field

from chalicelib import edge, wiring
from chalicelib.domain.errors import Invalid, Malformed, Missing
from chalicelib.domain.keys import Role
from chalicelib.domain.shapes import Shape
from chalicelib.routes import cursors
from chalicelib.routes.calling import caller

if TYPE_CHECKING:
    from chalicelib.domain.lists import Roster

TABLE = "text/csv"
KINDS = ("application/json", TABLE)
"""How faults are told: to programs, or as a table for a spreadsheet; Accept says which."""
BYTES = "application/octet-stream"
PART_KINDS = [TABLE, "application/x-ndjson", BYTES]


class RowsOf(Shape):
    """How long a page of a table is."""

    rows: int = Field(default=100, ge=1, le=1000)


def blueprint(authorizer: Any) -> Blueprint:
    """The routes, behind that authorizer."""
    bp = Blueprint("lists")

    @bp.route("/v1/lists", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def begin_list() -> Response:
        from chalicelib.domain.lists import ListStart  # here and below: importing the app stays small
        from chalicelib.flows import take_in

        brand = caller(bp.current_request, Role.BRAND).owner
        begun = take_in.begin(wiring.world(), brand, edge.body_of(bp.current_request, ListStart))
        return edge.answer(begun, 201, {"Location": f"/v1/lists/{begun.list_id}"})

    @bp.route("/v1/lists", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def list_lists() -> Response:
        from chalicelib.domain.lists import RosterPage
        from chalicelib.flows import take_in

        request, world = bp.current_request, wiring.world()
        brand = caller(request, Role.BRAND).owner
        limit = edge.query_of(request, cursors.PageOf).limit
        found, more = take_in.lists_of(
            world, brand, limit, cursors.after(world, scope := f"lists|{brand}", request)
        )
        cursor = cursors.following(world, scope, more)
        return edge.answer(RosterPage(data=tuple(found), has_more=more is not None, next_cursor=cursor))

    @bp.route("/v1/lists/{list_id}", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def get_list(list_id: str) -> Response:
        from chalicelib.flows import take_in

        brand = caller(bp.current_request, Role.BRAND).owner
        return edge.answer(take_in.list_of(wiring.world(), brand, list_id))

    @bp.route(
        "/v1/lists/{list_id}/parts/{number}", methods=["PUT"], authorizer=authorizer, content_types=PART_KINDS
    )
    @edge.spoken
    def put_list_part(list_id: str, number: str) -> Response:
        from chalicelib.flows import take_in

        request, world = bp.current_request, wiring.world()
        brand = caller(request, Role.BRAND).owner
        at = _number(number)
        _check_kind(request, take_in.list_of(world, brand, list_id))
        raw: bytes = request.raw_body  # type: ignore[assignment]  # always bytes
        return edge.answer(take_in.add_part(world, brand, list_id, at, raw))

    @bp.route("/v1/lists/{list_id}/finish", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def finish_list(list_id: str) -> Response:
        from chalicelib.domain.lists import ListParts
        from chalicelib.flows import take_in

        brand = caller(bp.current_request, Role.BRAND).owner
        parts = edge.body_of(bp.current_request, ListParts).parts
        return edge.answer(take_in.finish(wiring.world(), brand, list_id, parts), 202)

    @bp.route("/v1/lists/{list_id}/faults", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def list_faults(list_id: str) -> Response:
        from chalicelib.domain.lists import FaultList
        from chalicelib.flows import take_in

        request, world = bp.current_request, wiring.world()
        brand = caller(request, Role.BRAND).owner
        found = take_in.list_of(world, brand, list_id)
        rows = edge.query_of(request, RowsOf).rows
        start = int(cursors.after(world, scope := f"faults|{list_id}", request) or 0)
        some, more = take_in.faults(world, found, rows, start)
        cursor = cursors.following(world, scope, more)
        if edge.preferred(request, KINDS) == TABLE:
            cells = [(one.row, one.column, one.detail, one.value) for one in some]
            return table(("row", "column", "expected", "value"), cells, cursor)
        page = FaultList(
            list_id=list_id,
            fault_count=found.fault_count,
            data=tuple(some),
            has_more=more is not None,
            next_cursor=cursor,
        )
        return edge.answer(page, headers={"Vary": "Accept"})

    return bp


def table(names: tuple[str, ...], rows: list[tuple[Any, ...]], cursor: str | None) -> Response:
    """A page as a spreadsheet reads it; what leads to the next one stands in `Next-Cursor`."""
    from chalicelib.domain.spreadsheets import written

    more = {} if cursor is None else {"Next-Cursor": cursor}
    return edge.page(
        written(names, rows), TABLE, {"Vary": "Accept", "X-Content-Type-Options": "nosniff", **more}
    )


def _number(text: str) -> int:
    from chalicelib.domain.lists import PARTS

    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= PARTS):
        raise Missing(f"parts are numbered 1 to {PARTS}, got {text[:20]!r}")
    return int(text)


def _check_kind(request: Any, found: Roster) -> None:
    """That the part is of the kind and in the letters that the list stated. Raises `Invalid` and `Malformed`."""
    from chalicelib.domain.lists import ALIASES, Charset, ListFormat

    kind, _, rest = (edge.header(request, "content-type") or "").lower().partition(";")
    wanted = TABLE if found.format is ListFormat.CSV else "application/x-ndjson"
    if kind.strip() not in (wanted, BYTES):
        raise Invalid(f"the list states the format {found.format.value!r}: send {wanted} or {BYTES}")
    said = re.search(r"charset\s*=\s*\"?([a-z0-9_.:-]{1,40})", rest)
    charset = found.charset.value if said is None else ALIASES.get(said[1], said[1])
    if charset != found.charset.value:
        raise Invalid(f"the list states the charset {found.charset.value!r}, and the part another")
    if found.charset is not Charset.UTF_8 and kind.strip() != BYTES:
        # what is sent as text the gateway hands on as UTF-8, and other letters do not survive that
        raise Malformed(f"letters of {found.charset.value} are sent as {BYTES}")
