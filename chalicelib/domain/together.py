"""Orders that travel together, in the repair: seated in the turn of the highest tier among them, all in one slot.

Not before all others: two silvers that travel together would have the last places of two golds. Whoever ranks higher
sits by then, and moves over where that makes room. What is compared is served by tier and strictly, not the sum of
weights: a step between tiers outweighs costs, and not two gifts for one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from chalicelib.domain.assignment import Prices

if TYPE_CHECKING:
    from chalicelib.domain.repair import Board

Group = Sequence[int]
LOOKS = 100_000
"""Pairs that are looked at, at most, for somebody who could go elsewhere, over all groups of a round."""


def seat(board: Board, tier: int, prices: Prices | None) -> bool:
    """The groups of that tier, each where it costs least, at what the places are worth. True: somebody sits."""
    found = False
    for group in _best_first(board):
        if rank(board, group) != tier or group[0] in board.seated:
            continue
        ways = _ways(board, group, prices)
        found |= any(_seat_all(board, group, slot) for slot in ways) or any(
            _seat_in_place_of(board, group, slot, evicts=False) for slot in ways
        )
        board.pending -= set(group)
    return found


def rank(board: Board, group: Group) -> int:
    """The highest tier among them: in its turn they are seated."""
    return max(board.problem.tiers[order] for order in group)


def _best_first(board: Board) -> list[tuple[int, ...]]:
    """By the highest tier in which two groups differ."""
    tiers = board.problem.tiers
    return sorted(board.groups, key=lambda group: (sorted(-tiers[order] for order in group), group))


def improve(board: Board) -> bool:
    """Groups that stay take the places of who is worth less; groups that sit leave theirs to who is worth more. True:
    somebody did."""
    moved = False
    by_rank = _best_first(board)
    for group in by_rank:
        if group[0] not in board.seated:
            ways = _ways(board, group, None)
            moved |= any(_seat_in_place_of(board, group, slot, evicts=True) for slot in ways)
    for group in reversed(by_rank):
        if group[0] in board.seated:
            moved |= _leaves_its_places(board, group)
    return moved


def _ways(board: Board, group: Group, prices: Prices | None) -> list[int]:
    """The slots that all of them may go with, the cheapest first."""
    worth = prices.slots if prices is not None else [0] * len(board.places)
    costs: dict[int, list[int]] = {}
    for order in group:
        for slot, cost in board.options(order):
            costs.setdefault(slot, []).append(cost)
    gain = sum(board.weights.gains[order] for order in group)
    ways = sorted(
        (sum(each) + len(group) * worth[slot], slot)
        for slot, each in costs.items()
        if len(each) == len(group) and sum(each) <= gain
    )
    return [slot for _, slot in ways]


def _seat_all(board: Board, group: Group, slot: int) -> bool:
    mark = len(board.steps)
    for order in group:
        if not board.fits(order, slot):
            board.back_to(mark)
            return False
        board.seat(order, slot)
    return True


def _seat_in_place_of(board: Board, group: Group, slot: int, *, evicts: bool) -> bool:
    """All of them there, where those who sit there go elsewhere; `evicts`: or nowhere, if they are worth less."""
    tiers, mark = board.problem.tiers, len(board.steps)
    gone: list[int] = []
    for other in sorted(board.sitting(slot), key=lambda o: (tiers[o], o)):
        if board.looks < 0:
            break
        board.rise(other)
        there = board.elsewhere(other, slot)
        if there is not None:
            board.seat(other, there)
        elif evicts and tiers[other] <= rank(board, group):
            gone.append(other)
        else:
            board.seat(other, slot)
            continue
        if _seat_all(board, group, slot):
            for order in reversed(gone):  # more may have risen than had to
                back = board.elsewhere(order)
                if back is not None:
                    board.seat(order, back)
            if _is_more(board, group, [order for order in gone if order not in board.seated]):
                return True
            break
    board.back_to(mark)
    return False


def _leaves_its_places(board: Board, group: Group) -> bool:
    """Whoever else stays has their slot, if they are worth more."""
    mark, slot = len(board.steps), board.seated[group[0]]
    for order in group:
        board.rise(order)
    come = []
    for order in board.first:
        if board.looks < 0:
            break
        if order not in board.seated and order not in board.grouped and board.may_sit(order, slot):
            board.seat(order, slot)
            come.append(order)
    if _is_more(board, come, group):
        return True
    board.back_to(mark)
    return False


def _is_more(board: Board, come: Iterable[int], go: Iterable[int]) -> bool:
    """True when these are worth more than those: by the highest tier in which they differ."""
    tiers = board.problem.tiers
    come_tiers, go_tiers = (sorted((tiers[order] for order in orders), reverse=True) for orders in (come, go))
    return come_tiers > go_tiers
