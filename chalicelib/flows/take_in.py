"""Take in a list of clients: in parts, read as a whole, and enrolled a page at a time; or refused as a whole.

Nobody is enrolled before every row has been found right. What the parts say is personal: it is sealed, and dropped
when it has been read; so is each page of rows with the step that enrols it. Parts and pages lapse by themselves in a
day, whatever becomes of us.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from hashlib import sha256

from pydantic import TypeAdapter

from chalicelib.domain import facts, lists
from chalicelib.domain.acts import BRAND
from chalicelib.domain.client_rows import client_key, client_of_row
from chalicelib.domain.clients import Client, client_id_of
from chalicelib.domain.columns import ClientRow, Reader, Spent, cells_of_object, cells_of_row
from chalicelib.domain.errors import Clashing, Delayed, Forgotten, Invalid, Lost, Missing, TooLarge
from chalicelib.domain.lists import (
    FAULTS,
    LIST_BYTES,
    PAGE,
    PART_BYTES,
    PARTS,
    ROWS,
    FaultPage,
    ListFault,
    ListKind,
    ListStart,
    ListState,
    Member,
    Roster,
)
from chalicelib.domain.ports import Change, Drop, Keep, Require, Row, World
from chalicelib.domain.purchases import NewPurchase, Purchase, purchase_key
from chalicelib.domain.retention import is_gone
from chalicelib.domain.shapes import zone_info
from chalicelib.domain.snapshots import PIECE_BYTES, Have, squeeze
from chalicelib.domain.spreadsheets import Unreadable, decoded, lines, table
from chalicelib.domain.tallies import Tally, of_one, summed
from chalicelib.flows import walk
from chalicelib.flows.count_in import count_in
from chalicelib.flows.enrol import enrol
from chalicelib.flows.walk import Walked

KEPT = timedelta(days=30)
"""How long a list can be looked at, and be the one that a campaign is for."""
PERSONAL_KEPT = timedelta(days=1)
"""How long what is personal in it may lie here unread."""
OPEN_LIMIT = 20
"""Lists of one brand that take parts at a time."""
READ, ENROL, DROP = "read", "enrol", "drop"
TRIES = 5
TOLD = 50
"""Faults that stand in the list itself."""
DROPPED = 20
"""Pieces of parts that are dropped in one step: they are read for it."""

_PAGE: TypeAdapter[list[ClientRow]] = TypeAdapter(list[ClientRow])


# --- handing in ---------------------------------------------------------------------------------------------


def begin(world: World, brand_id: str, start: ListStart) -> Roster:
    """A new list, empty and open. Raises `Clashing` for one too many."""
    now = world.clock()
    keys = world.table.find_shelved(lists.shelf(brand_id), OPEN_LIMIT).keys
    rows = world.table.get_many(keys)
    if len(rows) == OPEN_LIMIT and all(_takes_parts(lists.list_of_row(row), now) for row in rows):
        raise Clashing(f"at most {OPEN_LIMIT} lists of one brand take parts at a time; finish one first")
    found = Roster(list_id=f"lst_{world.token()[:26]}", brand_id=brand_id, begun_at=now, **dict(start))
    world.table.write(Keep(_row(found), was=None))
    return found


def _takes_parts(found: Roster, now: datetime) -> bool:
    return found.state is ListState.OPEN and found.begun_at + PERSONAL_KEPT > now


def list_of(world: World, brand_id: str, list_id: str) -> Roster:
    """The brand's own list as it is now. Raises `Missing`, also for one that has lapsed."""
    row = world.table.get(lists.list_key(list_id))
    found = None if row is None or is_gone(row.expires_at, world.clock()) else lists.list_of_row(row)
    if found is None or found.brand_id != brand_id:
        raise Missing(f"no list {list_id!r}")
    if found.state is ListState.ENROLLING:
        under_way = walk.lanes_of(world, lists.collection(list_id), ENROL)
        return found.model_copy(update={"progress": summed(lane.tally for lane in under_way)})
    return found


def lists_of(world: World, brand_id: str, limit: int, after: str | None) -> tuple[list[Roster], str | None]:
    """The brand's lists, the last begun first, and where the next page starts."""
    page = world.table.find_shelved(lists.shelf(brand_id), limit, after)
    rows = {row.key: row for row in world.table.get_many(page.keys)}
    now = world.clock()
    there = [rows[key] for key in page.keys if key in rows and not is_gone(rows[key].expires_at, now)]
    return [lists.list_of_row(row) for row in there], page.after


def add_part(world: World, brand_id: str, list_id: str, number: int, raw: bytes) -> Have:
    """Keep a part, sealed; the same number again replaces it. The parts, joined, are the file: where it is cut does
    not matter. Whether it is right is seen when all is there.

    Raises `TooLarge`, and `Clashing` once the list is finished.
    """
    if not 1 <= number <= PARTS:
        raise Missing(f"parts are numbered 1 to {PARTS}, got {number!r}")
    if not raw:
        raise Invalid("a part with something in it was expected")
    if len(raw) > PART_BYTES:
        raise TooLarge(f"the part has {len(raw)} bytes, at most {PART_BYTES} are taken")
    found = list_of(world, brand_id, list_id)
    if found.state is not ListState.OPEN:
        raise Clashing(f"the list {list_id!r} is {found.state.value}, parts are taken while it is open")
    row = world.table.get(lists.have_key(list_id, number))
    before = Have.model_validate_json(row.body) if row else None
    small = squeeze(raw)
    pieces = [small[start : start + PIECE_BYTES] for start in range(0, len(small), PIECE_BYTES)]
    # of what is personal even the hash says too much: it tells whether a guess is right
    digest = sha256(f"{list_id}\x00".encode() + raw).hexdigest()
    have = Have(number=number, digest=digest, size=len(raw), pieces=len(pieces))
    if before == have:
        return have
    was = row.version if row else None
    version, expires_at = (was or 0) + 1, facts.epoch(found.begun_at + PERSONAL_KEPT)
    old = before.pieces if before else 0
    kept = Row(lists.have_key(list_id, number), version, have.model_dump_json(), expires_at=expires_at)
    changes: list[Change] = [Require(lists.list_key(list_id), found.version), Keep(kept, was=was)]
    for piece, text in enumerate(pieces):
        key = lists.piece_key(list_id, number, piece)
        sealed = world.sealer.seal(text, f"{list_id}/{number}/{piece}")
        one = Row(key, version, "{}", sealed=sealed, expires_at=expires_at)
        changes.append(Keep(one, was=was if piece < old else None))
    if was is not None:
        changes += [Drop(lists.piece_key(list_id, number, piece), was) for piece in range(len(pieces), old)]
    world.table.write(*changes)
    return have


def finish(world: World, brand_id: str, list_id: str, parts: int) -> Roster:
    """No more parts: have it read. Raises `Clashing` when one is missing. Once more is no harm, and nudges again."""
    for _ in range(TRIES):
        found = list_of(world, brand_id, list_id)
        if found.state is not ListState.OPEN:
            if found.parts != parts:
                raise Clashing(f"the list {list_id!r} was finished with {found.parts} parts, not {parts!r}")
            _nudge(world, found)
            return found
        _check_parts(world, found, parts)
        now = world.clock()
        after = _next(found, state=ListState.READING, finished_at=now, parts=parts)
        begun = walk.begun(lists.collection(list_id), READ, 1, now, _lapses(found))
        try:
            world.table.write(Keep(_row(after), was=found.version), *begun)
        except Lost:
            continue
        _nudge(world, after)
        return after
    raise Delayed(f"the list {list_id!r} is being changed by somebody else")


def _check_parts(world: World, found: Roster, parts: int) -> None:
    there = haves(world, found.list_id)
    numbers = {have.number for have in there}
    missing = sorted(set(range(1, parts + 1)) - numbers)
    extra = sorted(numbers - set(range(1, parts + 1)))
    if missing or extra:
        which = "missing" if missing else "too many"
        told = ", ".join(str(number) for number in (missing or extra)[:20])
        raise Clashing(f"parts 1 to {parts} were expected, {which}: {told}")
    if sum(have.size for have in there) > LIST_BYTES:
        raise TooLarge(f"a list has at most {LIST_BYTES} bytes in all; send it in as several")


def haves(world: World, list_id: str) -> list[Have]:
    """The parts that have arrived."""
    rows = world.table.read(lists.collection(list_id), "have#").rows
    return [Have.model_validate_json(row.body) for row in rows]


def faults(world: World, found: Roster, limit: int, after: int) -> tuple[list[ListFault], int | None]:
    """Some of the faults that are kept, from that one on, and where the next page starts."""
    kept = min(found.fault_count, FAULTS)
    if after >= kept:
        return [], None
    end = min(kept, after + limit)
    numbers = range(after // PAGE, (end - 1) // PAGE + 1)
    rows = world.table.get_many([lists.faults_key(found.list_id, number) for number in numbers])
    pages = {row.key: FaultPage.model_validate_json(row.body).data for row in rows}
    every = [one for number in numbers for one in pages.get(lists.faults_key(found.list_id, number), ())]
    start = after - numbers.start * PAGE
    return every[start : start + end - after], end if end < kept else None


# --- reading and enrolling ----------------------------------------------------------------------------------


def step(world: World, list_id: str, task: str, number: int, at: int) -> None:
    """One step of a list: read it, or enrol a page of it."""
    owner = lists.collection(list_id)
    lane = walk.lane_at(world, owner, task, number, at)
    row = world.table.get(lists.list_key(list_id))
    if lane is None or row is None:
        return
    found = lists.list_of_row(row)
    if task == READ and found.state is ListState.READING:
        _read(world, found)
    elif task == DROP:
        drops = _drop(world, found)
        if drops:
            walk.stepped(world, lane, Walked(changes=tuple(drops), after="more"), _lapses(found))
        else:
            world.table.write(*walk.over([lane]))
    elif task == ENROL and found.state is ListState.ENROLLING:
        if not lane.is_done:
            after = walk.stepped(world, lane, _enrol(world, found, lane.page), _lapses(found))
            if after is None or not after.is_done:
                return
        _end_enrolling(world, found)


def _read(world: World, found: Roster) -> None:
    """The whole list: refused with its faults, or cut into pages. Read again, it comes to the same."""
    reader = Reader(found.start, found.begun_at)
    pages, members = _Pages(world, found), list[Member]()
    if world.clock() >= found.begun_at + PERSONAL_KEPT:
        reader.found.add(None, None, "to be read within a day was expected, and it was not; send it in again")
    else:
        for one in _rows_of(world, found, reader):
            if isinstance(one, ClientRow):
                pages.add(one)
            else:
                members.append(one)
        if found.kind is ListKind.MEMBERS:
            _check_known(world, found, members, reader)
    if not reader.rows and not reader.found.count:
        reader.found.add(None, None, "at least one row below the header was expected")
    if reader.found.count:
        _refuse(world, found, reader)
    elif found.kind is ListKind.CLIENTS:
        count = pages.finish()
        _turn(world, found, READ, ListState.ENROLLING, ENROL, DROP, rows=reader.rows, pages=count)
    else:
        starts = range(0, len(members), PAGE)
        for page, start in enumerate(starts):
            key = lists.members_key(found.list_id, page)
            _keep_once(world, lists.members_row(key, tuple(members[start : start + PAGE]), _lapses(found)))
        _turn(
            world, found, READ, ListState.READY, DROP,
            rows=reader.rows, pages=len(starts), settled_at=world.clock(),
            progress=Tally(clients=reader.rows, outcomes={"listed": reader.rows}),
        )  # fmt: skip


def _rows_of(world: World, found: Roster, reader: Reader) -> Iterator[ClientRow | Member]:
    """Its rows, as far as they are right; of the others their faults are noted."""
    try:
        text = decoded(_whole(world, found), found.charset.value)
        if found.format is lists.ListFormat.LINES:
            yield from _of_lines(text, reader)
            return
        names, rows = table(text, reader.columns)
    except Unreadable as error:
        where = "" if error.at is None else _part_with(world, found, error.at)
        reader.found.add(None, None, f"{error.detail}{where}")
        return
    if not reader.head(names):
        return
    for number, row in enumerate(rows, start=2):
        if row is None:
            reader.found.add(number, None, "a row was expected whose quotes are closed, and doubled inside")
            return
        if not any(cell.strip() for cell in row):
            continue
        if _is_one_too_many(number, reader):
            return
        try:
            cells = cells_of_row(names, row)
        except ValueError as error:
            reader.found.add(number, None, str(error))
            continue
        yield from _one(number, cells, reader)


def _of_lines(text: str, reader: Reader) -> Iterator[ClientRow | Member]:
    for number, said in enumerate(lines(text), start=1):
        if said is not None and not said:
            continue
        if _is_one_too_many(number, reader):
            return
        if said is None:
            reader.found.add(number, None, "a JSON object was expected, each name in it once")
            continue
        try:
            cells = cells_of_object(said, reader.columns)
        except ValueError as error:
            reader.found.add(number, None, str(error))
            continue
        yield from _one(number, cells, reader)


def _is_one_too_many(number: int, reader: Reader) -> bool:
    """True where a list has no such row any more. It is refused, and what comes after is not read: there may be
    millions, and no run lives long enough."""
    reader.lines += 1
    if reader.lines <= ROWS:
        return False
    reader.found.add(number, None, f"at most {ROWS} rows were expected; send it in as several lists")
    return True


def _one(number: int, cells: dict[str, str], reader: Reader) -> Iterator[ClientRow | Member]:
    read = reader.read(number, cells)
    if read is not None:
        yield read


def _whole(world: World, found: Roster) -> bytes:
    """The file again."""
    parts = []
    for number in range(1, found.parts + 1):
        pieces = world.table.read(lists.collection(found.list_id), lists.part_prefix(number)).rows
        opened = [
            world.sealer.unseal(row.sealed, f"{found.list_id}/{number}/{piece}")
            for piece, row in enumerate(pieces)
        ]
        if not opened:
            raise Unreadable(f"part {number} has lapsed; send the list in again")
        parts.append(zlib.decompress(b"".join(opened)))
    return b"".join(parts)


def _part_with(world: World, found: Roster, at: int) -> str:
    """In which part that byte of the file stands."""
    passed = 0
    for have in haves(world, found.list_id):
        if at < passed + have.size:
            return f" (part {have.number}, byte {at - passed + 1} of it)"
        passed += have.size
    return ""


def _check_known(world: World, found: Roster, members: list[Member], reader: Reader) -> None:
    """That each of these is enrolled."""
    for start in range(0, len(members), PAGE):
        some = members[start : start + PAGE]
        ids = {member.client: client_id_of(found.brand_id, member.client) for member in some}
        rows = world.table.get_many([client_key(name) for name in ids.values()])
        there = {client.client_id for client in map(client_of_row, rows) if not client.is_leaving}
        for name, client_id in ids.items():
            if client_id not in there:
                reader.found.add(reader.row_of(name), "reference", "a client who is enrolled was expected")


class _Pages:
    """Rows that are right, a hundred a page, sealed and kept while the rest is still being read."""

    def __init__(self, world: World, found: Roster) -> None:
        self.world, self.found = world, found
        self.rows: list[ClientRow] = []
        self.count = 0

    def add(self, row: ClientRow) -> None:
        self.rows.append(row)
        if len(self.rows) == PAGE:
            self._keep()

    def finish(self) -> int:
        """How many there are."""
        if self.rows:
            self._keep()
        return self.count

    def _keep(self) -> None:
        plain = _PAGE.dump_json(self.rows, exclude_defaults=True)
        key, context = lists.rows_key(self.found.list_id, self.count), _page_context(self.found, self.count)
        sealed = self.world.sealer.seal(plain, context)
        lapses = facts.epoch(self.found.begun_at + PERSONAL_KEPT)
        _keep_once(self.world, Row(key, 1, "{}", sealed=sealed, expires_at=lapses))
        self.rows, self.count = [], self.count + 1


def _page_context(found: Roster, page: int) -> str:
    return f"{found.list_id}/rows/{page}"


def _keep_once(world: World, row: Row) -> None:
    try:
        world.table.write(Keep(row, was=None))
    except Lost:
        pass  # somebody has read the same list, and it comes to the same


def _enrol(world: World, found: Roster, page: int) -> Walked:
    """Everybody on that page, each once however often this is done."""
    key = lists.rows_key(found.list_id, page)
    row = world.table.get(key)
    if row is None or is_gone(row.expires_at, world.clock()):
        # lapsed: they are told, for nobody enrols them. Or done by somebody whose step is the one that counts
        lost = min(PAGE, found.rows - page * PAGE)
        gone = () if row is None else (Drop(key, row.version),)
        return Walked(Tally(clients=lost, outcomes={"refused": lost}, reasons={"lapsed": lost}), gone)
    rows = _PAGE.validate_json(world.sealer.unseal(row.sealed, _page_context(found, page)))
    tally, members = Tally(), []
    for one in rows:
        outcome, reason = _enrolled(world, found, one)
        tally = tally.plus(of_one(outcome, () if reason is None else (reason,)))
        if outcome != "refused":
            members.append(Member(client=one.reference, place=one.place))
    listed = lists.members_row(lists.members_key(found.list_id, page), tuple(members), _lapses(found))
    return Walked(tally, (Drop(key, row.version), Keep(listed, was=None)))


def _enrolled(world: World, found: Roster, one: ClientRow) -> tuple[str, str | None]:
    """What became of a row, and why nothing did."""
    before = world.table.get(client_key(client_id_of(found.brand_id, one.reference)))
    if before is not None and not found.changes_clients:
        stands = client_of_row(before)
        if not stands.is_leaving:
            return "unchanged", None if one.spent is None else _counted(world, found, stands, one.spent)
    try:
        client = enrol(world, found.brand_id, one.reference, one.client, replaces=True)
    except (Clashing, Forgotten):
        return "refused", "erased"
    except Invalid:
        return "refused", "invalid"
    reason = None if one.spent is None else _counted(world, found, client, one.spent)
    if before is None:
        return "enrolled", reason
    return ("unchanged" if client.version == before.version else "changed"), reason


def _counted(world: World, found: Roster, client: Client, spent: Spent) -> str | None:
    """Count in what the row says was spent, under a name that follows from day and currency: sent in again it counts
    once. Why it was not, where another sum was counted for that day, or it cannot be."""
    noon = datetime.combine(spent.on, time(12), zone_info(client.time_zone))
    name = f"list.{spent.on.isoformat()}.{spent.value.currency}"
    bought = NewPurchase(purchase=name, at=min(noon, found.begun_at), amount=spent.value)
    try:
        count_in(world, client, (bought,), BRAND)
    except Clashing:
        row = world.table.get(purchase_key(client.client_id, name))
        known = None if row is None else Purchase.model_validate_json(row.body)
        # the same sum at another hour: the list of a day that was not at its noon, or a client who has moved
        return None if known is not None and known.amount == spent.value else "spent_not_counted"
    except Invalid:
        return "spent_not_counted"
    return None


def _end_enrolling(world: World, found: Roster) -> None:
    done = walk.all_done(world, lists.collection(found.list_id), ENROL)
    if done is not None:
        progress = summed(lane.tally for lane in done)
        _turn(
            world, found, ENROL, ListState.READY, settled_at=world.clock(), progress=progress
        )  # fmt: skip


def _refuse(world: World, found: Roster, reader: Reader) -> None:
    """With every fault that is kept; the pages that were right are dropped with the parts."""
    listed = reader.found.listed
    for page, start in enumerate(range(0, len(listed), PAGE)):
        body = FaultPage(data=tuple(listed[start : start + PAGE])).model_dump_json(exclude_none=True)
        _keep_once(
            world, Row(lists.faults_key(found.list_id, page), 1, body, expires_at=_lapses(found))
        )  # fmt: skip
    _turn(
        world, found, READ, ListState.REFUSED, DROP,
        rows=reader.rows, settled_at=world.clock(), faults=tuple(listed[:TOLD]),
        fault_count=reader.found.count, faults_by_column=reader.found.by_column,
    )  # fmt: skip


def _turn(world: World, found: Roster, ended: str, state: ListState, *tasks: str, **changes: object) -> None:
    """The list in its next state, its ended lanes gone and the next ones there; once, whoever comes first."""
    owner, now = lists.collection(found.list_id), world.clock()
    after = _next(found, state=state, **changes)
    begun = [
        keep
        for task in tasks
        for keep in walk.begun(owner, task, after.pages if task == ENROL else None, now, _lapses(found))
    ]
    gone = walk.over(walk.lanes_of(world, owner, ended))
    try:
        world.table.write(Keep(_row(after), was=found.version), *gone, *begun)
    except Lost:
        return
    if after.is_over:
        world.log(
            "list_settled", list=found.list_id, state=state.value, rows=after.rows, faults=after.fault_count
        )
    _nudge(world, after)


def _drop(world: World, found: Roster) -> list[Drop]:
    """Some of what is personal here and has been read."""
    owner = lists.collection(found.list_id)
    prefixes = ("part#", "rows#") if found.state is ListState.REFUSED else ("part#",)
    rows = [row for prefix in prefixes for row in world.table.read(owner, prefix, limit=DROPPED).rows]
    return [Drop(row.key, row.version) for row in rows[:DROPPED]]


def _next(found: Roster, **changes: object) -> Roster:
    return found.model_copy(update={**changes, "version": found.version + 1})


def _row(found: Roster) -> Row:
    return lists.list_row(found, _lapses(found))


def _lapses(found: Roster) -> int:
    return facts.epoch(found.begun_at + KEPT)


def _nudge(world: World, found: Roster) -> None:
    for task in (READ, ENROL, DROP):
        walk.nudge(world, lists.collection(found.list_id), task)
