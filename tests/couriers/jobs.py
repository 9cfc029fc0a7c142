"""A job to be carried, as every courier test wants one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from chalicelib.domain.dialect import Job
from chalicelib.domain.gifts import Gift, Item, ItemClass, TemperatureRange
from chalicelib.domain.legs import reference_of
from chalicelib.domain.orders import Contact, Recipient
from chalicelib.domain.places import Address, Coordinate, Datum, MatchQuality, Place
from chalicelib.domain.policies import Handover
from chalicelib.domain.shapes import Money

NOON = datetime(2022, 4, 11, 4, 0, tzinfo=UTC)
"""Noon in Shanghai."""
ORDER_ID = "ord_" + "a2b3c4d5e6f7" * 2 + "gh"
REFERENCE = reference_of(ORDER_ID, 1, 1)


def place(line: str, lng: float, lat: float, datum: Datum = Datum.WGS84, unit: str | None = "602") -> Place:
    return Place(
        address=Address(
            country="CN",
            city="上海市",
            district="徐汇区",
            compound="衡山小区",
            building="2号楼",
            unit=unit,
            line=line,
        ),
        coordinate=Coordinate(lng=lng, lat=lat, datum=datum),
        match_quality=MatchQuality.EXACT,
    )


def gift(
    fen: int = 88_000,
    item_class: ItemClass = ItemClass.FLOWERS,
    quantity: int = 1,
    currency: str = "CNY",
    temperature: TemperatureRange | None = None,
) -> Gift:
    item = Item(
        name="花束",
        item_class=item_class,
        quantity=quantity,
        value=Money(amount=fen, currency=currency),
        temperature=temperature,
    )
    return Gift(items=(item,))


def job(
    reference: str = REFERENCE,
    *,
    of: Gift | None = None,
    handover: Handover = Handover.DOOR,
    deliver_from: datetime = NOON + timedelta(hours=3),
    deliver_by: datetime = NOON + timedelta(hours=5),
    pick_up_from: datetime | None = NOON + timedelta(hours=2, minutes=30),
    datum: Datum = Datum.WGS84,
) -> Job:
    return Job(
        reference=reference,
        gift=of or gift(),
        pick_up_name="恒隆广场店",
        pick_up=place("南京西路1266号", 121.453217, 31.228611, datum, unit=None),
        pick_up_contact=Contact(name="刘一", phone="+8613712345678"),
        recipient=Recipient(
            name="王女士", phone="+8618512345678", place=place("衡山路100号", 121.446389, 31.206944, datum)
        ),
        deliver_from=deliver_from,
        deliver_by=deliver_by,
        pick_up_from=pick_up_from,
        handover=handover,
        time_zone="Asia/Shanghai",
    )
