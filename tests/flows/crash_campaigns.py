"""Steps of the crash test's stories about lists of clients and campaigns."""

from __future__ import annotations

import json
from collections import Counter
from functools import partial
from typing import Any

from chalicelib.domain import lists
from chalicelib.domain.campaigns import Calling, CampaignState, NewCampaign, campaign_id_of, order_name
from chalicelib.domain.lanes import WORK
from chalicelib.domain.lists import ListStart, ListState, members_of_row
from chalicelib.domain.orders import order_id_of
from chalicelib.domain.programme import NewProgramme
from chalicelib.flows import enrol, follow, gather, mount, set_up, steer, sum_up, take_in
from tests.flows.crash_play import Play
from tests.flows.crash_steps import Step, refused
from tests.stage import NOON, body, new_client, place_at

ONE_A_PAGE: dict[Any, object] = {
    (module, "PAGE"): 1 for module in (take_in, gather, mount, sum_up)
}  # two clients are two pages, and two lanes
CAMPAIGN = campaign_id_of("maison", "boxes")


def order_key(client: str) -> str:
    """The idempotency key of that client's order."""
    return order_name(CAMPAIGN, client)


HEAD = "reference,name,phone,country,locale,time_zone,spent,currency,spent_on"
ROWS = [f"vic-{n},Wang,+861380013800{n},CN,zh-CN,Asia/Shanghai,1000.00,CNY,2022-04-01" for n in (1, 2)]
RIGHT = "\n".join([HEAD, *ROWS]).encode()
MOVED = "\n".join([HEAD, ROWS[0]]).replace("Asia/Shanghai", "Europe/Paris").encode()
"""The first of them again, in another zone: the noon of that day is another moment, and the sum the same."""
WRONG = RIGHT.replace(b"+8613800138002", b"8613800138002")


def handed_in(raw: bytes, name: str, **start: Any) -> Step:
    """A list, its part twice, the second time right, and finished twice."""

    def step(play: Play) -> None:
        world = play.on.world
        told = ListStart.model_validate(start)
        begun = play.act(lambda: take_in.begin(world, "maison", told))
        play.known[name] = begun.list_id
        for text in (b"not yet" * 99, raw, raw):
            play.act(partial(take_in.add_part, world, "maison", begun.list_id, 1, text))
        for _ in range(2):
            play.act(lambda: take_in.finish(world, "maison", begun.list_id, 1))
        play.settle()

    return step


def read_the_lists(play: Play) -> None:
    """Whoever asks again and again how far they are."""
    world = play.on.world
    play.act(lambda: take_in.lists_of(world, "maison", 2, None))
    for name in ("right", "wrong"):
        found = play.act(lambda name=name: take_in.list_of(world, "maison", play.known[name]))
        play.act(lambda found=found: take_in.faults(world, found, 5, 0))


def everybody_is_enrolled_once(play: Play) -> None:
    """And nothing personal is left of the lists."""
    right = take_in.list_of(play.on.plain, "maison", play.known["right"])
    assert (right.state, right.progress.clients) == (ListState.READY, 2)
    moved = take_in.list_of(play.on.plain, "maison", play.known["moved"])
    assert (moved.state, moved.progress.clients, moved.progress.reasons) == (ListState.READY, 1, {})
    wrong = take_in.list_of(play.on.plain, "maison", play.known["wrong"])
    assert (wrong.state, wrong.fault_count) == (ListState.REFUSED, 1)
    for found in (right, moved, wrong):
        rows = play.table.read(lists.collection(found.list_id)).rows
        kinds = Counter(row.key.sk.partition("#")[0] for row in rows)
        assert not kinds.keys() & {"part", "rows", "lane"}, f"{found.state}, and there is {kinds}"
    pages = [play.table.get(lists.members_key(right.list_id, page)) for page in range(2)]
    assert [member.client for page in pages for member in members_of_row(page)] == ["vic-1", "vic-2"]
    for name in ("vic-1", "vic-2"):
        client = enrol.client_of(play.on.plain, "maison", name)
        (spent,) = play.table.read(client.client_id, "purchase#").rows
        assert json.loads(spent.body)["amount"]["amount"] == 100_000
    assert not play.table.find_due(WORK, NOON.replace(year=2030), 10).keys


# --- campaigns ----------------------------------------------------------------------------------------------


def two_clients(play: Play) -> None:
    """Enrolled with a home each."""
    for number in (1, 2):
        home = place_at("Yongjia")
        home["address"]["unit"] = str(number)
        person = {"name": "Wang", "phone": f"+861380013800{number}", "places": {"home": home}}
        new = new_client(person=person)
        play.act(partial(enrol.enrol, play.on.world, "maison", f"vic-{number}", new))


def counting_households(play: Play) -> None:
    """Their brand gives one gift to a household in three days."""
    new = NewProgramme.model_validate({"caps": [{"per": "household", "at_most": 1, "days": 3}]})
    play.act(lambda: set_up.set_up(play.on.world, "maison", new, "brand", None))


def mounted(audience: Any, **changes: Any) -> Step:
    """A campaign asked for twice; `audience` may be the name of a list."""

    def step(play: Play) -> None:
        whole = {name: body()[name] for name in ("market", "gift", "pick_up")} | {
            "reference": "BOXES",
            "audience": {"list_id": play.known[audience]} if isinstance(audience, str) else audience,
            "day": "2022-04-11",
            "hours": [{"start": "13:00", "end": "16:00"}],
            **changes,
        }
        new = NewCampaign.model_validate_json(json.dumps(whole))
        for _ in range(2):
            play.act(lambda: mount.mount(play.on.world, "maison", "boxes", new))
        play.settle()

    return step


def told(verb: str, *, settled: bool = True, **how: Any) -> Step:
    """The brand says what is to become of it, on what it has just read; whoever is not answered says it again."""

    def step(play: Play) -> None:
        world = play.on.world
        version = play.act(lambda: mount.campaign_of(world, "maison", CAMPAIGN)).version
        more = (Calling.model_validate(how),) if how else ()
        do = {"plan": mount.plan_again, "place": mount.place, "pause": mount.pause, "off": mount.call_off}
        refused(play, lambda: do[verb](world, "maison", CAMPAIGN, version, *more))
        if settled:
            play.settle()

    return step


def steered(verb: str, *, settled: bool = True, **how: Any) -> Step:
    """A dispatcher does so, on what stands at the board; whoever is not answered does it again, and nobody does it
    twice."""

    def step(play: Play) -> None:
        world = play.on.world
        version = play.act(lambda: steer.campaign_at(world, "SHA", CAMPAIGN)).version
        more = (Calling.model_validate(how),) if how else ()
        do = {"pause": steer.pause, "proceed": steer.proceed, "off": steer.call_off}
        for _ in range(2):
            refused(play, lambda: do[verb](world, "SHA", CAMPAIGN, version, *more, "mei"))
        if settled:
            play.settle()

    return step


def followed(play: Play) -> None:
    """The board's campaigns are looked at until there is a count and a report."""
    world = play.on.world
    for _ in range(3):
        play.act(lambda: follow.watch(world, "SHA"))
        play.settle()
        play.on.clock.forward(seconds=30)
    campaign = play.act(lambda: steer.campaign_at(world, "SHA", CAMPAIGN))
    play.act(lambda: follow.progress_now(world, "SHA", campaign))
    play.act(lambda: steer.deeds_of(world, CAMPAIGN))


def steered_once_each(ended: Any, *deeds: str) -> Any:
    """It `ended` so, and its audit says each deed once, in the order in which they were done."""

    def check(play: Play) -> None:
        ended(play)
        found = [deed.what.value for deed in steer.deeds_of(play.on.plain, CAMPAIGN)]
        assert found == list(deeds), f"the audit says {found}"

    return check


def reported(play: Play) -> None:
    """Asked for twice, and read as often as there is one; and who has got what."""
    world = play.on.world
    for _ in range(2):
        campaign = play.act(lambda: mount.campaign_of(world, "maison", CAMPAIGN))
        play.act(lambda campaign=campaign: mount.ask_report(world, campaign))
        play.settle()
        refused(play, lambda campaign=campaign: mount.report_of(world, campaign))
        play.act(lambda campaign=campaign: mount.view(world, campaign))
        play.act(lambda campaign=campaign: sum_up.outcomes(world, campaign, 9, 0))
    play.act(lambda: mount.campaigns_of(world, "maison", 2, None))


def ended_as(state: CampaignState, **outcomes: int) -> Any:
    """Where the campaign ended, that it adds up, and that nobody has two gifts."""

    def check(play: Play) -> None:
        campaign = mount.campaign_of(play.on.plain, "maison", CAMPAIGN)
        assert campaign.state is state, f"the campaign is {campaign.state}"
        tally = campaign.called_off or campaign.placed
        assert tally is not None
        assert tally.outcomes == outcomes, f"it adds up to {tally.outcomes}"
        assert sum(tally.outcomes.values()) == campaign.clients
        ids = {order_id_of("maison", order_key(f"vic-{n}")) for n in (1, 2)}
        assert {order.order_id for order in play.orders()} == ids
        found = mount.report_of(play.on.plain, campaign)
        assert found.tally.clients == campaign.clients
        assert not play.table.find_due(WORK, NOON.replace(year=2030), 10).keys

    return check
