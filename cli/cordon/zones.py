"""`cordon zones`: rules from a file of zones: GeoJSON (a FeatureCollection, with `policies` beside `features` where it
brings its own), or a part as the API takes it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.cordon import console, talk
from cli.cordon.console import Exit, fail
from cli.cordon.orders import Market

app = typer.Typer(no_args_is_help=True)
File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)]
Mode = Annotated[str, typer.Option(help="amend, or replace: what is not in the file ends")]
Datum = Annotated[str | None, typer.Option(help="WGS84, GCJ02 or BD09; absent: the market's.")]
PART = 800_000
"""Bytes of one part, about: the API takes a megabyte."""
OVER = ("published", "refused", "superseded", "failed")


def _read(file: Path) -> dict[str, Any]:
    try:
        told = json.loads(file.read_bytes())
    except (ValueError, UnicodeDecodeError) as error:
        fail(f"{file} is not JSON: {error}", Exit.WRONG)
    if not isinstance(told, dict) or not isinstance(told.get("features", []), list):
        fail(f"{file} is no FeatureCollection: an object with a list `features` was expected", Exit.WRONG)
    kept = {name: told[name] for name in ("policies", "features", "released", "exemptions") if name in told}
    if not kept:
        fail(f"{file} has neither features nor policies", Exit.WRONG)
    return kept


def _parts(told: dict[str, Any]) -> Iterator[bytes]:
    """The file in pieces that the API takes."""
    rest = {name: value for name, value in told.items() if name != "features"}
    some: list[Any] = []
    size = 0
    for feature in told.get("features", ()):
        length = len(json.dumps(feature, ensure_ascii=False).encode())
        if some and size + length > PART:
            yield json.dumps({**rest, "features": some}, ensure_ascii=False).encode()
            rest, some, size = {}, [], 0
        some.append(feature)
        size += length
    yield json.dumps({**rest, **({"features": some} if some else {})}, ensure_ascii=False).encode()


def _once() -> str:
    """The name of one question: asked again it is another, for the gifts have gone on meanwhile."""
    return f"cordon-{secrets.token_hex(16)}"


def _check(mode: str) -> None:
    if mode not in ("amend", "replace"):
        fail(f"--mode: amend or replace was expected, got {mode!r}", Exit.USAGE)


def _upload(market: str, told: dict[str, Any], mode: str, datum: str | None) -> str:
    about = talk.get(f"/v1/markets/{market}", "source", "operator")
    start = {"mode": mode, "time_zone": about["time_zone"], "datum": datum or about["datum"]}
    begun, _ = talk.ask("POST", f"/v1/markets/{market}/rules/uploads", "source", "operator", body=start)
    name = str(begun["upload_id"])
    parts = list(_parts(told))
    with console.progress(f"sending {console.counted(len(parts), 'part')}", len(parts)) as so_far:
        for number, raw in enumerate(parts, start=1):
            talk.ask(
                "PUT",
                f"/v1/markets/{market}/rules/uploads/{name}/parts/{number}",
                "source",
                "operator",
                body=raw,
            )
            so_far(number)
    return name


def _question(told: dict[str, Any], market: str, mode: str, datum: str | None) -> dict[str, Any]:
    """The change as the question about it takes it: stated there, or, where it replaces everything or is too large, as
    an upload that is never finished."""
    raw = json.dumps(told, ensure_ascii=False).encode()
    if mode == "amend" and len(raw) <= PART:
        return {"amendment": {**told, **({"datum": datum} if datum else {})}}
    return {"upload_id": _upload(market, told, mode, datum)}


def _impact(market: str, question: dict[str, Any], key: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    path = f"/v1/markets/{market}/impact"
    asked, _ = talk.ask("POST", path, "source", "operator", body=question, headers={"Idempotency-Key": key})
    place = f"{path}/{asked['impact_id']}"
    with console.progress("weighing every open order", 100) as so_far:
        done = talk.until(
            lambda: talk.get(place, "source", "operator", limit=1),
            lambda found: found["state"] in ("done", "refused", "failed"),
            lambda found: so_far(found["progress_percent"]),
        )
    orders: list[dict[str, Any]] = []
    cursor = None
    while done["state"] == "done":
        page = talk.get(place, "source", "operator", limit=100, cursor=cursor)["orders"]
        orders += page["data"]
        cursor = page.get("next_cursor")
        if cursor is None:
            break
    return done, orders


def _faults(done: dict[str, Any]) -> None:
    console.rows(done["faults"], ("part", "feature", "pointer", "detail", "value"))
    if done.get("fault_count", 0) > len(done["faults"]):
        console.note(f"and {done['fault_count'] - len(done['faults'])} more")
    wrong = console.counted(done["fault_count"], "thing is", "things are")
    fail(f"{wrong} wrong with it", Exit.WRONG)


@app.command()
def validate(file: File, market: Market = None, mode: Mode = "amend", datum: Datum = None) -> None:
    """Every problem, with the feature and the pointer; nothing is published. Ends with 3 where there is one."""
    told, name = _read(file), talk.the_market(market)
    _check(mode)
    done, _ = _impact(name, _question(told, name, mode, datum), _once())
    if done["state"] == "refused":
        _faults(done)
    if done["state"] == "failed":
        fail("it was given up; try again")
    console.one({"valid": True, **(done.get("difference") or {})})


@app.command("import")
def import_(
    file: File,
    market: Market = None,
    mode: Mode = "amend",
    datum: Datum = None,
) -> None:
    """Publish the file, and the same again is a no-op. With --dry-run: what it would change."""
    told, name = _read(file), talk.the_market(market)
    _check(mode)
    if console.said.dry_run:
        upload = _upload(name, told, mode, datum)
        done, orders = _impact(name, {"upload_id": upload}, _once())
        if done["state"] == "refused":
            _faults(done)
        console.note("--dry-run: nothing was published")
        console.one(
            {"would": done.get("difference"), "orders_touched": len(orders), "counts": done["counts"]}
        )
        return
    features = console.counted(len(told.get("features", [])), "feature")
    if not console.confirm(f"publish {features} to {name} ({mode})"):
        return
    upload = _upload(name, told, mode, datum)
    path = f"/v1/markets/{name}/rules/uploads/{upload}"
    count = len(list(_parts(told)))
    talk.ask("POST", f"{path}/finish", "source", "operator", body={"parts": count})
    with console.progress("publishing") as so_far:
        done = talk.until(
            lambda: talk.get(path, "source", "operator"),
            lambda found: found["state"] in OVER,
            lambda found: so_far(0, text=found["state"]),
        )
    if done["state"] == "refused":
        _faults(done)
    if done["state"] != "published":
        fail(f"the upload is {done['state']}", Exit.CONFLICT)
    console.one(
        {
            name: done.get(name)
            for name in ("upload_id", "state", "rules_version", "unchanged", "difference", "remark_count")
        }
    )


@app.command()
def impact(
    file: File,
    market: Market = None,
    at: Annotated[
        str | None, typer.Option(help="When it would take effect, with an offset; absent: now.")
    ] = None,
    mode: Mode = "amend",
    datum: Datum = None,
) -> None:
    """What would become of the open orders if this file were published just so. Changes nothing."""
    told, name = _read(file), talk.the_market(market)
    _check(mode)
    question = _question(told, name, mode, datum)
    if at:
        question["at"] = at
    done, orders = _impact(name, question, _once())
    if done["state"] == "refused":
        _faults(done)
    if done["state"] == "failed":
        fail("it was given up; ask again")
    console.rows(
        orders,
        ("outcome", "order_id", "state", "reasons", "to_courier", "tier", "window_end"),
        none="no open order would fare otherwise",
    )
    counts = ", ".join(
        f"{count} {outcome.replace('_', ' ')}" for outcome, count in sorted(done["counts"].items())
    )
    console.note(f"{console.counted(done['orders_seen'], 'open order')} looked at: {counts or 'none'}")


@app.command()
def at(
    point: Annotated[str, typer.Argument(help="Longitude, latitude in the market's datum: 121.49,31.22")],
    market: Market = None,
    when: Annotated[str | None, typer.Option(help="A moment with its offset; absent: now.")] = None,
) -> None:
    """Which drawn zones there are at a point, at any moment."""
    lng, _, lat = point.partition(",")
    try:
        asked = {"lng": float(lng), "lat": float(lat)}
    except ValueError:
        fail(f"longitude and latitude were expected, such as 121.49,31.22, got {point!r}", Exit.USAGE)
    told = talk.get(f"/v1/markets/{talk.the_market(market)}/zones", "source", "operator", **asked, at=when)
    console.rows(
        told["data"],
        ("level", "zone_id", "policy", "valid_from", "valid_to", "is_near"),
        none="no drawn zone is there; lists of names are not met by a point, and unknown is not open",
    )


@app.command()
def diff(before: File, after: File) -> None:
    """What changes from one file to the other, by zone. Needs no deployment."""
    old, new = (_by_name(_read(file)) for file in (before, after))
    found = [{"change": "+", "zone_id": name, **_said(new[name])} for name in sorted(new.keys() - old.keys())]
    found += [
        {"change": "-", "zone_id": name, **_said(old[name])} for name in sorted(old.keys() - new.keys())
    ]
    found += [
        {"change": "~", "zone_id": name, "differs": _differs(old[name], new[name]), **_said(new[name])}
        for name in sorted(old.keys() & new.keys())
        if old[name] != new[name]
    ]
    console.rows(found, ("change", "zone_id", "level", "policy", "differs"), none="no zone differs")


def _by_name(told: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for at, feature in enumerate(told.get("features", ())):
        name = feature.get("properties", {}).get("zone_id") if isinstance(feature, dict) else None
        found[str(name) if name else f"feature {at}"] = feature
    return found


def _said(feature: dict[str, Any]) -> dict[str, Any]:
    return {name: feature.get("properties", {}).get(name) for name in ("level", "policy")}


def _differs(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    mine, theirs = one.get("properties", {}), other.get("properties", {})
    names = [name for name in {**mine, **theirs} if mine.get(name) != theirs.get(name)]
    return names + (["geometry"] if one.get("geometry") != other.get("geometry") else [])
