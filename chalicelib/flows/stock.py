"""Put gifts that need no courier in stock: what a brand says of one, how many there are, and a partner's own codes.

What is left is one counter, moved in the transaction that gives or takes: it is the judge. Of a partner's list each
code that nobody has is a row of its own, and the counter says how many such rows there are. A code is given by dropping
its row and writing whose it is, under a name that exists once: so none goes to two, whatever was loaded twice.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from chalicelib.domain import pass_rows
from chalicelib.domain.digital import CodeSource, DigitalGift, NewDigitalGift, changed
from chalicelib.domain.errors import Clashing, Delayed, Fault, Invalid, Lost, Missing, Stale, Unconditional
from chalicelib.domain.facts import LEFT
from chalicelib.domain.pass_answers import SHORTEST, CodesAnswer, CodesPart, GiftView
from chalicelib.domain.pass_rows import CodesLoaded
from chalicelib.domain.passes import code_name, plain
from chalicelib.domain.ports import Change, Count, Keep, Row, World
from chalicelib.flows.make_secret import secret_of

TRIES = 5
AT_ONCE = 90
"""Codes in one transaction, beside the counter."""
PARTS = 200
"""Parts of one list."""

# --- gifts ------------------------------------------------------------------------------------------------------


def put_gift(
    world: World, brand_id: str, reference: str, new: NewDigitalGift, version: int | None = None
) -> GiftView:
    """The gift as said, and what is left of it. The same again is the same answer; a change names the version that it
    replaces.

    Raises `Unconditional` and `Stale`, `Clashing` where it would be another kind of thing than what clients have
    already, and `Invalid` for a limit of less than was given.
    """
    key = pass_rows.gift_key(brand_id, reference)
    for _ in range(TRIES):
        row, now = world.table.get(key), world.clock()
        if row is None:
            told = {name: getattr(new, name) for name in NewDigitalGift.model_fields}
            gift = DigitalGift(**told, brand_id=brand_id, reference=reference, created_at=now, changed_at=now)
            stock = Keep(pass_rows.stock_row(gift), was=None)
            try:
                world.table.write(Keep(pass_rows.gift_row(gift), was=None), stock)
            except Lost:
                continue
            return _view(gift, new.limit or 0)
        known = pass_rows.gift_of_row(row)
        _refuse_another(known, new)
        gift = changed(known, new, now)
        if gift is known:
            return seen(world, brand_id, reference)
        if version is None:
            raise Unconditional('it is there already: send If-Match with the ETag you read, such as "v7"')
        if version != known.version:
            raise Stale(f'the digital gift is at "v{known.version}", If-Match named "v{version}"')
        changes: list[Change] = [Keep(pass_rows.gift_row(gift), was=row.version)]
        by = (new.limit or 0) - (known.limit or 0)
        if by:
            stock_key = pass_rows.stock_key(brand_id, reference)
            changes.append(Count(stock_key, LEFT, by, floor=0 if by < 0 else None))
        try:
            world.table.write(*changes)
        except Lost as lost:
            if lost.at == (1,):
                detail = f"at least what was given of {reference!r} was expected, {new.limit} is less"
                raise Invalid(f"/limit: {detail}", [Fault("/limit", detail, str(new.limit))]) from None
            continue
        return seen(world, brand_id, reference)
    raise Delayed(f"the digital gift {reference!r} is being changed by somebody else")


def gift_of(world: World, brand_id: str, reference: str) -> DigitalGift:
    """What the brand said of it. Raises `Missing`."""
    row = world.table.get(pass_rows.gift_key(brand_id, reference))
    if row is None:
        raise Missing(f"no digital gift {reference!r}")
    return pass_rows.gift_of_row(row)


def seen(world: World, brand_id: str, reference: str) -> GiftView:
    """The same, and what is left. Raises `Missing`."""
    keys = [pass_rows.gift_key(brand_id, reference), pass_rows.stock_key(brand_id, reference)]
    rows = {row.key: row for row in world.table.get_many(keys)}
    if keys[0] not in rows:
        raise Missing(f"no digital gift {reference!r}")
    return _view(pass_rows.gift_of_row(rows[keys[0]]), _left(rows.get(keys[1])))


def gifts_of(world: World, brand_id: str, limit: int, after: str | None) -> tuple[list[GiftView], str | None]:
    """The brand's digital gifts by name, and where the next page starts."""
    page = world.table.read(pass_rows.digital_collection(brand_id), pass_rows.GIFT, limit=limit, after=after)
    gifts = [pass_rows.gift_of_row(row) for row in page.rows]
    keys = [pass_rows.stock_key(brand_id, gift.reference) for gift in gifts]
    stocks = {row.key: row for row in world.table.get_many(keys)} if keys else {}
    views = [_view(gift, _left(stocks.get(key))) for gift, key in zip(gifts, keys, strict=True)]
    return views, page.after


def _view(gift: DigitalGift, left: int) -> GiftView:
    told = {name: getattr(gift, name) for name in DigitalGift.model_fields}
    return GiftView.model_construct(**told, left=left)


def _left(row: Row | None) -> int:
    return 0 if row is None else max(0, row.counters.get(LEFT, 0))


def _refuse_another(known: DigitalGift, new: NewDigitalGift) -> None:
    for name in ("kind", "codes", "partner"):
        was, wanted = getattr(known, name), getattr(new, name)
        if was != wanted:
            raise Clashing(
                f"its {name} stays {str(was)!r}: clients may have it so; give another one its own name"
            )


# --- a partner's own codes --------------------------------------------------------------------------------------


def add_codes(world: World, brand_id: str, reference: str, number: int, part: CodesPart) -> CodesAnswer:
    """Put a part of the partner's list in stock. The same part again is the same answer, also where the first try was
    stopped half-way; a code that somebody has, or that is there already, is counted as known and not given twice.

    Raises `Missing`, `Clashing` for a gift whose codes are made here and for another part of that number, `Invalid` for
    a code that stands twice.
    """
    gift = gift_of(world, brand_id, reference)
    if gift.codes is not CodeSource.LISTED:
        raise Clashing(f"the codes of {reference!r} are made here, none are expected")
    if not 1 <= number <= PARTS:
        raise Missing(f"no part {number!r}: a list has the parts 1 to {PARTS}")
    _refuse_doubles(part.codes)
    salt = salt_of(world, gift.partner)
    names = {code_name(salt, gift.partner, code): code for code in part.codes}
    said = hmac.new(salt, "\n".join(sorted(names)).encode(), hashlib.sha256).hexdigest()[:32]
    key = pass_rows.part_key(brand_id, reference, number)
    row = world.table.get(key)
    if row is not None:
        return _same_part(CodesLoaded.model_validate_json(row.body), said)
    every, loaded = list(names), 0
    for start in range(0, len(every), AT_ONCE):
        loaded += _loaded(world, gift, {name: names[name] for name in every[start : start + AT_ONCE]})
    done = CodesLoaded(number=number, digest=said, loaded=loaded, known=len(every) - loaded)
    try:
        world.table.write(Keep(Row(key, 1, done.model_dump_json()), was=None))
    except Lost as lost:  # the same request, at once with this
        if lost.found is None:
            raise
        return _same_part(CodesLoaded.model_validate_json(lost.found.body), said)
    world.log("codes_loaded", brand=brand_id, count=loaded)
    return _same_part(done, said)


def _same_part(known: CodesLoaded, said: str) -> CodesAnswer:
    if known.digest != said:
        raise Clashing(
            f"part {known.number!r} was loaded with other codes; more of them go into another part"
        )
    return CodesAnswer(number=known.number, loaded=known.loaded, known=known.known)


def _refuse_doubles(codes: Sequence[str]) -> None:
    first: dict[str, int] = {}
    faults = []
    for place, code in enumerate(codes):
        if len(plain(code)) < SHORTEST:
            faults.append(Fault(f"/codes/{place}", f"at least {SHORTEST} letters and digits were expected"))
        elif first.setdefault(plain(code), place) != place:
            detail = f"each code once was expected, this is the one of place {first[plain(code)]}"
            faults.append(Fault(f"/codes/{place}", detail))
    if faults:
        raise Invalid(f"{faults[0].pointer}: {faults[0].detail}", faults[:50])


def _loaded(world: World, gift: DigitalGift, codes: dict[str, str]) -> int:
    """Make rows of those that nobody has and that are not there yet: how many there were."""
    brand_id, reference, partner = gift.brand_id, gift.reference, gift.partner
    for _ in range(TRIES):
        places = {pass_rows.code_key(partner, name): name for name in codes}
        places |= {pass_rows.free_key(brand_id, reference, name): name for name in codes}
        known = {places[row.key] for row in world.table.get_many(list(places))}
        fresh = [name for name in codes if name not in known]
        if not fresh:
            return 0
        rows = [
            Row(
                pass_rows.free_key(brand_id, reference, name),
                1,
                "{}",
                sealed=seal_code(world, partner, name, codes[name]),
            )
            for name in fresh
        ]
        stock = pass_rows.stock_key(brand_id, reference)
        try:
            world.table.write(
                Count(stock, LEFT, len(rows), floor=None), *(Keep(row, was=None) for row in rows)
            )
        except Lost:
            continue
        return len(rows)
    raise Delayed(f"the codes of {reference!r} are being loaded by somebody else")


# --- secrets of a partner ---------------------------------------------------------------------------------------


def salt_of(world: World, partner: str) -> bytes:
    """The secret by which that partner's codes are named: made once, and never changed, or no code would be found."""
    return secret_of(world, pass_rows.salt_key(partner), f"codes#{partner}", pass_rows.secrets_of(partner))


def seal_code(world: World, partner: str, name: str, code: str) -> bytes:
    """A code of a list, while nobody has it."""
    return world.sealer.seal(code.encode(), f"{partner}#{name}", owner=pass_rows.secrets_of(partner))


def unseal_code(world: World, partner: str, name: str, sealed: bytes) -> str:
    return world.sealer.unseal(sealed, f"{partner}#{name}").decode()
