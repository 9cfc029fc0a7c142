"""The story of every order of a played day: its way, whose hands it was in, and what was decided of it and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any

from sandbox import shanghai
from sandbox.report_charts import spaced


def told(stories: Sequence[Mapping[str, Any]]) -> str:
    """By what became of them, those that did not arrive first; each opens."""
    by_state: dict[str, list[Mapping[str, Any]]] = {}
    for story in sorted(stories, key=lambda one: str(one["reference"])):
        by_state.setdefault(str(story["state"]), []).append(story)
    first = sorted(by_state, key=lambda state: (state in ("delivered", "at_gate"), state))
    return "".join(
        f"<h3>{spaced(state).capitalize()} ({len(by_state[state])})</h3>"
        + "".join(map(_story, by_state[state]))
        for state in first
    )


def _moment(text: object) -> str:
    return f"{datetime.fromisoformat(str(text)).astimezone(shanghai.LOCAL):%d %b %H:%M}"


def _story(order: Mapping[str, Any]) -> str:
    way = "".join(f"<li>{_moment(step['at'])}: {spaced(step['state'])}</li>" for step in order["history"])
    hands = "".join(map(_stretch, order["custody"]["stretches"]))
    decided = "".join(map(_decision, order.get("decisions", ())))
    why = ", ".join(map(spaced, order.get("reasons", ())))
    return (
        f"<details><summary>{escape(str(order['reference']))} of {escape(str(order['brand']))}"
        f"{f': {why}' if why else ''}</summary>"
        f"<ol>{way}</ol>"
        + (f'<p class="soft">Whose hands it was in</p><ol>{hands}</ol>' if hands else "")
        + (f'<p class="soft">What was decided, and why</p><ol>{decided}</ol>' if decided else "")
        + "</details>"
    )


def _stretch(stretch: Mapping[str, Any]) -> str:
    who = " ".join(str(stretch[name]) for name in ("holder", "courier") if stretch.get(name))
    until = f" to {_moment(stretch['until'])}" if stretch.get("until") else " on"
    return f"<li>{_moment(stretch['since'])}{until}: {spaced(who)}</li>"


def _decision(piece: Mapping[str, Any]) -> str:
    """One piece of evidence in a line: what was said, of whom, under which rules, and who could not."""
    said = [f"{spaced(piece['step'])}: <strong>{spaced(piece['decision'])}</strong>"]
    who = " ".join(escape(str(piece[name])) for name in ("courier", "crew") if piece.get(name))
    if who:
        said.append(who)
    if piece.get("handovers"):
        said.append(f"hand-over at the {spaced(piece['handovers'][0])}")
    if piece.get("reasons"):
        said.append(", ".join(map(spaced, piece["reasons"])))
    if piece.get("rules_version"):
        said.append(f"rules {escape(str(piece['rules_version']))}")
    others = ", ".join(
        f"{len(group['slots']) + group.get('more', 0)} {spaced(group['reason'])}"
        for group in piece.get("turned_down", ())
    )
    if others:
        said.append(f"turned down: {others}")
    return f"<li>{_moment(piece['decided_at'])} {'; '.join(said)}</li>"
