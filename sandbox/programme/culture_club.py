"""An online culture club with twelve seats, three evenings, and books, films and music for each. Twenty clients want
one at the same moment; then the second evening is moved, and one guest gives the seat back to somebody who waited.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, Final

from chalicelib.domain.keys import Role
from sandbox import shanghai
from sandbox.client import Client, Refused
from sandbox.programme._scene import Scene
from sandbox.programme.yoga_pass import give, pass_of, redeem

PRACTICE: Final = (
    "an online culture club: seats never oversold, an invitation with its programme, a calendar that follows"
)

BRAND, HOST = "maison-celadon", "club-host"
SEATS, WISHES = 12, 20


def play(scene: Scene) -> None:
    brand, host = scene.brand(BRAND), scene.caller(Role.PARTNER, HOST)
    club = _club(14)
    brand("PUT", "/v1/digital-gifts/CLUB", club)
    scene.tell(f"{BRAND} opens a club of {SEATS} seats; {WISHES} clients want one at the same moment")
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: _wish(scene, brand, n), range(WISHES)))
    seated = [answer for answer in answers if isinstance(answer, dict)]
    scene.promise(f"{SEATS} have a seat", len({order["order_id"] for order in seated}) == SEATS, len(seated))
    refused = [answer for answer in answers if not isinstance(answer, dict)]
    scene.promise("the others are told that none is left", set(refused) == {409}, refused)
    scene.settle()
    guest = pass_of(seated[0])
    told = brand("GET", f"/v1/passes/{guest}/invitation")
    scene.table(
        ("evening", "begins", "recommends"),
        [
            (one["title"], one["start"], "; ".join(f"{r['kind']}: {r['title']}" for r in one["recommends"]))
            for one in told["sessions"]
        ],
    )
    kinds = {one["kind"] for session in told["sessions"] for one in session["recommends"]}
    scene.promise(
        "the invitation recommends books, films and music", kinds == {"book", "film", "music"}, kinds
    )
    before = _events(brand, guest)
    brand("PUT", "/v1/digital-gifts/CLUB", _club(15), {"If-Match": '"v1"'})
    after = _events(brand, guest)
    scene.tell("the second evening is moved by a day")
    scene.promise("the calendar knows each evening again", before.keys() == after.keys(), after)
    moved = [uid for uid in after if after[uid] != before[uid]]
    scene.promise(
        "its entries follow, with a higher sequence",
        bool(moved) and all("SEQUENCE:1" in after[uid] for uid in after),
        after,
    )
    brand("POST", f"/v1/passes/{guest}/withdraw")
    brand("POST", f"/v1/passes/{guest}/withdraw")
    scene.tell("one guest gives the seat back; the brand sends that twice")
    file = brand.page(f"/v1/passes/{guest}/invitation", "text/calendar").decode()
    scene.promise("what was put down is taken out again", "METHOD:CANCEL" in file, file[:200])
    left = brand("GET", "/v1/digital-gifts/CLUB")["left"]
    scene.promise("one seat is free, and not two", left == 1, left)
    late = give(scene, brand, "CLUB", "club-99", shanghai.ZONE_NAME)
    status, _ = scene.refused(lambda: give(scene, brand, "CLUB", "club-100", shanghai.ZONE_NAME))
    scene.promise("whoever waited has it, and nobody after", status == 409, status)
    code = brand("GET", f"/v1/passes/{pass_of(late)}/code")["code"]
    joined = redeem(host, code, "door-1")
    scene.promise(
        "the seat is good until the last evening is over",
        joined["valid_until"] == told["sessions"][-1]["end"],
        joined,
    )


def _wish(scene: Scene, brand: Client, number: int) -> dict[str, Any] | int:
    """A client wants a seat; who is told that it is busy comes again."""
    for _ in range(20):
        try:
            return give(scene, brand, "CLUB", f"club-{number}", shanghai.ZONE_NAME)
        except Refused as refused:
            if refused.status != 503:
                return refused.status
    return 503


def _club(second: int) -> dict[str, Any]:
    day = shanghai.local(0)
    evenings = [("Paris in the thirties", 7), ("The tea road", second), ("Songs of the river", 21)]
    return {
        "kind": "seat",
        "title": "Culture club",
        "partner": HOST,
        "value": {"amount": 50000, "currency": "CNY"},
        "limit": SEATS,
        "redeem_by": (day + timedelta(days=30)).isoformat(),
        "time_zone": shanghai.ZONE_NAME,
        "link": "https://club.example/room",
        "sessions": [
            {
                "session_id": f"evening-{n}",
                "title": title,
                "start": (day + timedelta(days=days, hours=19)).isoformat(),
                "end": (day + timedelta(days=days, hours=21)).isoformat(),
                "about": "An evening with a curator",
                "recommends": [
                    {"kind": "book", "title": f"The book of {title}"},
                    {"kind": "film", "title": f"The film of {title}"},
                    {"kind": "music", "title": f"The music of {title}"},
                ],
            }
            for n, (title, days) in enumerate(evenings, 1)
        ],
    }


def _events(brand: Client, pass_id: str) -> dict[str, str]:
    """Each entry of the calendar by its UID."""
    file = brand.page(f"/v1/passes/{pass_id}/invitation", "text/calendar").decode()
    parts = [part.split("END:VEVENT")[0] for part in file.split("BEGIN:VEVENT")[1:]]
    return {next(line for line in part.splitlines() if line.startswith("UID:")): part for part in parts}
