"""The command line `cordon`, over HTTP against the city of the board's tests: data, ends, dry runs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from chalicelib.domain.deeds import What
from chalicelib.domain.keys import Role
from chalicelib.domain.orders import OrderState
from chalicelib.flows import act, enlist
from cli.cordon import console, profiles
from cli.cordon.app import app, forward
from cli.cordon.console import Exit
from tests.board.town import Town, running


@pytest.fixture(scope="module")
def city() -> Iterator[Town]:
    with running() as town:
        yield town


@pytest.fixture
def run(city: Town, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("CORDON_URL", city.url)
    for role, owner in (
        (Role.OPERATOR, "control-room"),
        (Role.BRAND, "maison"),
        (Role.SOURCE, "health-office"),
    ):
        with city.lock:
            monkeypatch.setenv(
                f"CORDON_{role.value.upper()}_KEY", enlist.create_key(city.on.world, role, owner)
            )

    def cordon(*words: str, ends: Exit = Exit.OK) -> Result:
        console.said.dry_run = console.said.yes = False
        said = CliRunner().invoke(app, forward(["--profile", "environment", *words]))
        assert said.exit_code == ends, (said.exit_code, said.stdout, said.stderr, said.exception)
        return said

    return cordon


def lines(said: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said.stdout.splitlines()]


def test_data_is_on_standard_output_in_the_shape_that_was_asked_for(run: Any, city: Town) -> None:
    piped = lines(run("orders", "list"))
    assert {one["order_id"] for one in piped} == set(city.gifts.values())
    assert json.loads(run("orders", "list", "-o", "json").stdout) == piped
    table = run("orders", "list", "--output", "table").stdout
    assert "risk" in table and "EASTER" in table
    assert all("compound" not in one and "Secretive" not in str(one) for one in piped)


def test_orders_are_filtered_and_shown(run: Any, city: Town) -> None:
    (back,) = lines(run("orders", "list", "--risk", "back"))
    assert back["order_id"] == city.gifts["parcel-b"]
    assert lines(run("orders", "list", "--brand", "nobody")) == []
    shown = json.loads(run("orders", "show", back["order_id"]).stdout)
    assert shown["state"] == "returned" and shown["custody"]["stretches"]
    assert "Why it was decided so" in run("orders", "evidence", back["order_id"], "--page").stdout
    assert lines(run("orders", "evidence", back["order_id"]))[0]["step"] == "dispatch"
    assert len(lines(run("orders", "watch", "--rounds", "1", "--every", "0"))) == len(city.gifts)


def test_what_is_not_there_and_what_has_moved_end_so_that_a_script_can_tell(run: Any, city: Town) -> None:
    missing = run("orders", "show", "ord_nobody", ends=Exit.MISSING)
    assert missing.stdout == "" and "no order 'ord_nobody'" in missing.stderr
    run("orders", "act", city.gifts["easter-1"], "hold", "--version", "1", "--yes", ends=Exit.CONFLICT)
    run("orders", "act", city.gifts["easter-1"], "conjure", "--yes", ends=Exit.WRONG)
    run(
        "orders", "act", city.gifts["easter-1"], "hold", ends=Exit.USAGE
    )  # nobody can be asked, and nobody said yes
    run("orders", "reroute", city.gifts["easter-1"], "--to", "nowhere", ends=Exit.USAGE)
    run("nonsense", ends=Exit.USAGE)


def test_a_dry_run_writes_nothing_and_the_deed_stands_in_the_audit(run: Any, city: Town) -> None:
    order_id = city.gifts["easter-2"]
    before = city.on.order(order_id).version
    dry = run("orders", "act", order_id, "hold", "--reason", "waits", "--dry-run")
    assert "would hold EASTER-2" in dry.stderr and city.on.order(order_id).version == before
    until = (city.on.clock.now + timedelta(hours=1)).isoformat()
    told = json.loads(
        run("orders", "act", order_id, "hold", "--reason", "waits", "--until", until, "-y").stdout
    )
    assert told["version"] > before
    (deed,) = act.deeds_of(city.on.plain, order_id)
    assert (deed.what, deed.who, deed.why) == (What.HELD, "control-room", "waits")


def test_a_held_gift_is_rerouted_to_another_courier(run: Any, city: Town) -> None:
    order_id = city.gifts["easter-3"]
    run("orders", "reroute", order_id, "--to", "another", "--reason", "its van broke down", "--yes")
    assert [deed.what for deed in act.deeds_of(city.on.plain, order_id)] == [What.REDISPATCHED]
    run("orders", "reroute", order_id, "--to", "again", "--yes", ends=Exit.USAGE)  # it has no hours


def feature(name: str = "zone-new", **changes: Any) -> dict[str, Any]:
    properties = {
        "zone_id": name,
        "level": "no_access",
        "policy": "banned@1",
        "unit": {"kind": "compound", "district": "310101", "compound": "Jade Court"},
        "valid_from": "2022-04-11T00:00:00Z",
        **changes,
    }
    return {"type": "Feature", "geometry": None, "properties": properties}


def written(place: Path, *features: dict[str, Any]) -> str:
    place.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return str(place)


def test_a_file_of_zones_is_validated_weighed_and_published_and_again_is_nothing_new(
    run: Any, city: Town, tmp_path: Path
) -> None:
    wrong = run(
        "zones", "validate", written(tmp_path / "wrong.json", feature(policy="none@1")), ends=Exit.WRONG
    )
    assert lines(wrong)[0]["pointer"] == "/features/0/properties/policy"
    run("zones", "validate", __file__, ends=Exit.WRONG)
    right = written(tmp_path / "right.json", feature())
    assert json.loads(run("zones", "validate", right).stdout)["new"] == 1
    touched = lines(run("zones", "impact", right))
    assert city.gifts["parcel-c"] in {one["order_id"] for one in touched}
    dry = json.loads(run("zones", "import", right, "--dry-run").stdout)
    assert dry["would"]["new"] == 1 and city.state("parcel-c") is OrderState.BOOKED
    done = json.loads(run("zones", "import", right, "--yes").stdout)
    assert done["state"] == "published" and done["difference"]["new"] == 1
    again = json.loads(run("zones", "import", right, "--yes").stdout)
    assert again["unchanged"] is True


def test_each_question_is_a_new_one_and_a_file_that_would_replace_everything_is_asked_about_as_such(
    run: Any, city: Town, tmp_path: Path
) -> None:
    file = written(tmp_path / "more.json", feature("zone-more"))
    before = run("zones", "impact", file).stderr
    with city.lock:
        city.place("between-two-questions")
    after = run("zones", "impact", file).stderr  # within the same minute
    assert before.splitlines()[-1] != after.splitlines()[-1]
    wrong = run("zones", "validate", file, "--mode", "replace", ends=Exit.WRONG)
    assert "/leaves_out" in wrong.stdout or "policy" in wrong.stdout, "it states no policy of its own"
    assert run("zones", "impact", file, "--mode", "change", ends=Exit.USAGE).stdout == ""


def test_two_files_are_compared_without_any_deployment(run: Any, tmp_path: Path) -> None:
    old = written(tmp_path / "old.json", feature("a"), feature("b"))
    new = written(tmp_path / "new.json", feature("b", level="sealed"), feature("c"))
    told = {
        one["zone_id"]: (one["change"], one.get("differs")) for one in lines(run("zones", "diff", old, new))
    }
    assert told == {"a": ("-", None), "b": ("~", ["level"]), "c": ("+", None)}


def test_a_point_meets_the_zones_that_are_drawn_there(run: Any) -> None:
    (found,) = lines(run("zones", "at", "121.49,31.22"))
    assert (found["zone_id"], found["level"]) == ("district-310101", "precautionary")
    assert lines(run("zones", "at", "121.49,31.22", "--when", "2022-04-01T00:00:00Z")) == []
    run("zones", "at", "here", ends=Exit.USAGE)
    run("zones", "at", "500,31", ends=Exit.WRONG)


def test_couriers_are_listed_suspended_and_resumed(run: Any, city: Town) -> None:
    (one,) = lines(run("couriers", "list"))
    assert (one["courier_id"], one["suspended"]) == ("paper-co", False)
    run("couriers", "suspend", "paper-co", "--dry-run")
    assert lines(run("couriers", "list"))[0]["suspended"] is False
    run("couriers", "suspend", "paper-co", "--yes")
    assert lines(run("couriers", "list"))[0]["suspended"] is True
    run("couriers", "resume", "paper-co", "--yes")
    run("couriers", "suspend", "nobody", "--yes", ends=Exit.MISSING)


def test_a_link_lets_a_dispatcher_in_and_a_key_is_shown_once(run: Any, city: Town) -> None:
    made = json.loads(run("keys", "link", "lin", "--yes").stdout)
    assert made["url"].startswith(f"{city.url}/enter#")
    run("keys", "turn-away", "lin", "--yes")
    run("keys", "turn-away", "stranger", "--yes", ends=Exit.MISSING)
    key = json.loads(run("keys", "create", "--role", "brand", "--owner", "autre", "--yes").stdout)
    assert key["secret"].startswith("cordon_brand_")
    assert json.loads(run("keys", "disable", key["key_hash"], "--yes").stdout)["disabled"] is True
    assert run("keys", "create", "--role", "brand", "--owner", "x", "--dry-run").stdout == ""


def test_the_doctor_says_what_is_wrong_and_ends_so(run: Any) -> None:
    told = lines(run("doctor", ends=Exit.WRONG))
    wrong = {one["what"] for one in told if one["well"] == "NO"}
    assert {"dead letters", "suspicions"} <= wrong and "markets" not in wrong


def test_a_profile_that_is_not_there_or_says_no_address_is_a_word_and_no_trace(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config.toml"
    monkeypatch.setenv("CORDON_CONFIG", str(config))
    assert "is not there" in run("-p", "prod", "orders", "list", ends=Exit.USAGE).stderr
    config.write_text("[prod]\nurl = 'http://127.0.0.1:9'\noperator_key_command = 'echo a-key'\n")
    assert "does not answer" in run("-p", "prod", "orders", "list", ends=Exit.FAILURE).stderr
    assert "no table [other]" in run("-p", "other", "orders", "list", ends=Exit.USAGE).stderr
    config.write_text("nonsense")
    assert "cannot be read" in run("-p", "prod", "orders", "list", ends=Exit.USAGE).stderr
    monkeypatch.setattr(profiles, "SANDBOX", tmp_path / "nothing.json")
    assert "make run" in run("-p", "sandbox", "orders", "list", ends=Exit.USAGE).stderr


def test_flags_that_every_command_knows_may_stand_last() -> None:
    assert forward(["orders", "list", "-o", "json", "--dry-run"]) == [
        "-o",
        "json",
        "--dry-run",
        "orders",
        "list",
    ]
    assert forward(["x", "--output=json", "--", "--yes"]) == ["--output=json", "x", "--", "--yes"]


def test_no_id_is_broken_in_a_narrow_terminal_and_what_has_no_room_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    console.said.output = console.Output.TABLE
    long = {"order_id": "ord_" + "a" * 26, "hours": "26 Nov 09:00-13:00", "courier": "", "brand": "b" * 30}
    console.rows([long | {"reasons": ["zone_unknown", "courier_refused"], "state": "held", "tier": "gold"}])
    told = capsys.readouterr()
    assert "ord_" + "a" * 26 in told.out and max(map(len, told.out.splitlines())) <= 80
    assert "no room for courier" in told.err and "courier" not in told.out.splitlines()[0]


def test_nothing_is_said_to_be_nothing(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    told = run("orders", "list", "--brand", "nobody", "-o", "table")
    assert told.stdout == "" and "no open gift" in told.stderr
    assert run("orders", "list", "--brand", "nobody", "-o", "json").stdout.strip() == "[]"
    assert console.counted(1, "market") == "1 market" and console.counted(2, "market") == "2 markets"


def test_hours_are_the_market_s_and_say_on_which_day_they_end(run: Any) -> None:
    one = lines(run("orders", "list"))[0]
    assert one["time_zone"] == "Asia/Shanghai"
    assert re.fullmatch(r"\d\d \w{3} \d\d:\d\d-(\d\d \w{3} )?\d\d:\d\d", one["hours"])


def test_a_day_is_not_played_for_a_report_that_cannot_be_written(run: Any, tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "none" / "report.html"):
        told = run("sim", "run", "--report", str(place), ends=Exit.USAGE)
        assert "--report" in told.stderr and told.stdout == ""
    assert "would play" in run("sim", "run", "--dry-run").stderr
    run("sim", "run", "atlantis", ends=Exit.USAGE)


def test_it_says_which_one_it_is(run: Any) -> None:
    assert run("--version").stdout == "cordon 1.0.0\n"


def test_a_text_from_outside_colours_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    console.said.output = console.Output.TABLE
    console.rows([{"name": "[red]\x1b[31mred\u202e"}])
    told = capsys.readouterr().out
    assert "\x1b" not in told and "\u202e" not in told and "[red]" in told
