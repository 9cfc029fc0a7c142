"""`python -m sandbox sealed`: gifts travel, places close, and for each gift that it touches the report says what was
decided, when, and on what evidence. The pages a regulator would read are written beside it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from pathlib import Path
from typing import Any

from chalicelib.domain import facts
from sandbox import checker, shanghai
from sandbox.clock import VirtualClock
from sandbox.day import Day, Outcome
from sandbox.sealed import Change, Sealed
from sandbox.shanghai import Happening
from sandbox.stand import HOME, Stand

GRAIN = timedelta(minutes=1)
PAGES = HOME / "sealed"
OVER = frozenset(
    {
        "delivered",
        "at_gate",
        "stranded",
        "cancelled",
        "failed",
        "returned",
        "returning",
        "fulfilled_digitally",
    }
)
"""States in which no change touches a gift any more."""


@dataclass(frozen=True)
class Touched:
    """A gift that a change touched: how far it was, and what was decided then."""

    change: Change
    order_id: str
    reference: str
    kind: str
    was: str
    pieces: tuple[Mapping[str, Any], ...]
    """Its evidence from then on."""
    end: str
    ended_at: datetime

    @property
    def decided(self) -> Mapping[str, Any] | None:
        return self.pieces[0] if self.pieces else None


@dataclass(frozen=True)
class Account:
    """The played day and what is to be told of it."""

    outcome: Outcome
    touched: tuple[Touched, ...]
    decisions: int
    replayed: int
    wrong: tuple[str, ...]


class Travels(Day):
    """A day that notes, whenever something closes, which gifts that touches."""

    scenario: Sealed

    def __init__(self, scenario: Sealed, clock: VirtualClock, say: Any) -> None:
        super().__init__(scenario, clock, say, mishaps={})
        self._noted: list[tuple[Change, str, str]] = []
        """Change, order and the state it was in."""

    def _happen(self, happening: Happening) -> None:
        changes = [c for c in self.scenario.changes if (c.when, c.words) == (happening.when, happening.why)]
        before = self._standing() if changes else {}
        super()._happen(happening)
        for change in changes:
            struck = self.scenario.struck.get(change.name)
            for order_id, (state, crew) in before.items():
                wish = self.scenario.wish(self.references[order_id])
                if state not in OVER and change.touches(wish, state, crew, struck):
                    self._noted.append((change, order_id, state))

    def _standing(self) -> dict[str, tuple[str, str | None]]:
        """Each order's state, and the crew that has it or is to have it."""
        rows = self.stand.world.table.get_many([facts.order_key(order_id) for order_id in self.references])
        found = {}
        for row in rows:
            order = facts.order_of_row(row)
            given = order.leg.assignment
            found[order.order_id] = (order.state.value, given.crew_id if given else None)
        return found

    # --- what is to be told -----------------------------------------------------------------------------------

    def account(self, outcome: Outcome, pages: Path) -> Account:
        """What became of every gift that was touched; its pages are written."""
        told: dict[str, list[dict[str, Any]]] = {}
        wrong = [*map(str, outcome.report.violations), *outcome.faults]
        replayed = 0
        for order_id, reference in self.references.items():
            path = f"/v1/orders/{order_id}/evidence"
            told[order_id] = self.operator("GET", path)["data"]
            for piece in told[order_id]:
                again = self.operator("GET", f"{path}/{piece['evidence_id']}/replay")
                replayed += "replayed" in again
                if again.get("differences"):
                    differs = ", ".join(again["differences"])
                    wrong.append(f"replay_differs: {reference}: decision {piece['evidence_id']} in {differs}")
        orders = {order_id: self.operator("GET", f"/v1/orders/{order_id}") for order_id in self.references}
        touched = tuple(
            sorted(self._touched(told, orders), key=lambda one: (one.change.when, one.reference[-2:]))
        )
        for one in touched:
            if one.decided is None:
                wrong.append(f"no_evidence: {one.reference}: nothing was decided after {one.change.words!r}")
        self._write(pages, {one.order_id: one.reference for one in touched})
        decisions = sum(map(len, told.values()))
        return Account(outcome, touched, decisions, replayed, tuple(wrong))

    def _touched(self, told: Mapping[str, Any], orders: Mapping[str, Any]) -> Iterator[Touched]:
        kinds = {order.reference: order.kind for order in self.scenario.orders}
        for change, order_id, was in self._noted:
            reference, last = self.references[order_id], orders[order_id]["history"][-1]
            yield Touched(
                change=change,
                order_id=order_id,
                reference=reference,
                kind=kinds[reference].replace("_", " "),
                was=was.replace("_", " "),
                pieces=tuple(
                    piece
                    for piece in told[order_id]
                    if datetime.fromisoformat(piece["decided_at"]) >= change.when
                ),
                end=last["state"].replace("_", " "),
                ended_at=datetime.fromisoformat(last["at"]),
            )

    def _write(self, pages: Path, orders: Mapping[str, str]) -> None:
        """One page a gift, as an operator and as its brand read it, and a list of them."""
        shutil.rmtree(pages, ignore_errors=True)
        pages.mkdir(parents=True)
        brands = {order.reference: order.brand for order in self.scenario.orders}
        for order_id, reference in orders.items():
            path = f"/v1/orders/{order_id}/evidence"
            for end, kind in ((".html", "text/html"), (".txt", "text/plain")):
                (pages / f"{reference}{end}").write_bytes(self.operator.page(path, kind))
                brand = self.brands[brands[reference]]
                (pages / f"{reference}.brand{end}").write_bytes(brand.page(path, kind))
        links = "".join(
            f'<li>{escape(name)}: <a href="{name}.html">page</a>, <a href="{name}.brand.html">as its brand '
            f"reads it</a></li>\n"
            for name in sorted(orders.values())
        )
        text = f"<!doctype html><meta charset=utf-8><title>Sealed on the way</title><ul>\n{links}</ul>\n"
        (pages / "index.html").write_text(text, encoding="utf-8")


def lines(account: Account) -> Iterator[str]:
    """The report, change by change."""
    for change in dict.fromkeys(one.change for one in account.touched):
        rows = [_row(one) for one in account.touched if one.change == change]
        gifts = "1 gift" if len(rows) == 1 else f"{len(rows)} gifts"
        yield f"\n{_clock(change.when)}  {change.words}: {gifts} touched"
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
            yield f"  {'  '.join(cells)}".rstrip()


def _row(one: Touched) -> tuple[str, ...]:
    piece = one.decided
    what = "NOTHING WAS DECIDED" if piece is None else _said(piece)
    when = "" if piece is None else _clock(datetime.fromisoformat(piece["decided_at"]))
    rules = "" if piece is None else f"rules {piece.get('rules_version', '-')}"
    number = "" if piece is None else f"no. {piece['evidence_id'].lstrip('0')}"
    return one.reference, one.kind, one.was, when, what, rules, number, f"{one.end} {_clock(one.ended_at)}"


_SHORT = {
    ("dispatch", "yes"): "given to a courier",
    ("dispatch", "hold"): "held",
    ("dispatch", "no"): "nobody may go",
    ("book", "yes"): "cleared before booking",
    ("pick_up", "yes"): "fetched",
    ("hand_over", "yes"): "handed over",
    ("rezone", "yes"): "goes on another way",
    ("rezone", "hold"): "stopped",
    ("rezone", "no"): "stopped",
}


def _said(piece: Mapping[str, Any]) -> str:
    """A decision in a few words: what, and how or why."""
    key = (piece["step"], piece["decision"])
    what = _SHORT.get(key, " ".join(key))
    if piece["decision"] == "yes":
        return f"{what}: {', '.join(piece.get('handovers', ()))}"
    return f"{what}: {', '.join(reason.replace('_', ' ') for reason in piece['reasons'])}"


def _clock(at: datetime) -> str:
    return f"{at.astimezone(shanghai.LOCAL):%H:%M}"


def play(say: Any, pages: Path, log: Path | None = None) -> Account:
    """The whole of it."""
    scenario = Sealed()
    clock = VirtualClock(scenario.begins, grain=GRAIN)
    day = Travels(scenario, clock, say)
    try:
        with Stand(clock, day.secrets(), log=log) as stand:
            return day.account(day.play(stand), pages)
    finally:
        day.close()


def main() -> int:
    """Play and print; 1 when a gift was moved uncleared, or one that was touched has no evidence."""
    print(
        "Sealed on the way: forty-one gifts on 11 April 2022, on an embedded AWS, couriers and brands over HTTP."
    )
    log = HOME / "sealed.log"
    account = play(lambda line: print(line, flush=True), PAGES, log)
    print(
        "\nWhat touched which gift, how far it was, what was decided first after that and when, under which version "
        "of the\nrules, in which piece of its evidence; and what became of it:"
    )
    for line in lines(account):
        print(line)
    _print_end(account)
    print(f"pages: {PAGES}/index.html; log: {log}")
    return 0 if not account.wrong else 1


def _print_end(account: Account) -> None:
    report: checker.Report = account.outcome.report
    gifts = len({one.order_id for one in account.touched})
    print(f"\n{report.table()}\n")
    for note in report.notes:
        print(f"note: {note}")
    for fault in account.wrong:
        print(f"WRONG: {fault}", file=sys.stderr)
    if account.wrong:
        print(f"\n{len(account.wrong)} things are wrong.", file=sys.stderr)
        return
    print(
        f"{account.outcome.placed} gifts, {gifts} of them touched, each with evidence. {account.decisions} decisions, "
        f"{account.replayed} of them asked again\nunder the rules of then as known then: the same each time. Recounted "
        f"from the courier's own ledger: none was moved\nby anyone who was not cleared at that moment. "
        f"{account.outcome.seconds:.0f} seconds."
    )
