"""What each country asks, as data: complete, with its sources, and read on the client's own clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.domain import jurisdictions
from chalicelib.domain.clients import Client, Consent, Purpose
from chalicelib.domain.jurisdictions import (
    TABLE,
    Jurisdiction,
    jurisdiction_of,
    may_be_told,
    may_be_written_to,
    next_open,
    stays_in,
)
from tests.domain.test_clients import client
from tests.fakes import NOON

ZONES = {"CN": "Asia/Shanghai", "IT": "Europe/Rome", "FR": "Europe/Paris", "DE": "Europe/Berlin",
         "CH": "Europe/Zurich", "AE": "Asia/Dubai"}  # fmt: skip


def living_in(country: str, *purposes: Purpose) -> Client:
    given = tuple(
        Consent(purpose=one, granted_at=NOON - timedelta(days=1), evidence="form-7") for one in purposes
    )
    return client(country=country, time_zone=ZONES[country], consents=given)


def test_the_six_countries_are_there_whole_and_read_back_as_written() -> None:
    assert [one.country for one in TABLE] == list(ZONES)
    for one in TABLE:
        assert Jurisdiction.model_validate_json(one.model_dump_json()) == one
        assert one.sources, one.country
        assert one.country in one.border.free_to


@pytest.mark.parametrize("country", ZONES)
@pytest.mark.parametrize("kind", ["service", "marketing"])
def test_nobody_is_written_to_without_consent_and_each_kind_has_its_own(country: str, kind: str) -> None:
    other = {"service": Purpose.MARKETING, "marketing": Purpose.SERVICE}[kind]
    asked = [living_in(country), living_in(country, other), living_in(country, Purpose(kind))]
    assert [may_be_written_to(one, kind, NOON) for one in asked] == [False, False, True]  # type: ignore[arg-type]
    leaving = asked[2].model_copy(update={"erasure_asked_at": NOON})
    assert not may_be_written_to(leaving, kind, NOON)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("at", "kind", "country", "opens"),
    [
        ("2022-04-11T13:30:00+08:00", "service", "CN", "2022-04-11T13:30:00+08:00"),
        ("2022-04-11T21:00:00+08:00", "service", "CN", "2022-04-12T08:00:00+08:00"),
        ("2022-04-11T07:59:00+08:00", "service", "CN", "2022-04-11T08:00:00+08:00"),
        ("2022-04-09T19:30:00+02:00", "marketing", "IT", "2022-04-11T09:00:00+02:00"),  # a Saturday evening
        ("2022-03-26T20:00:00+01:00", "marketing", "FR", "2022-03-28T08:00:00+02:00"),  # the clock changes
        ("2022-04-10T12:00:00+04:00", "marketing", "AE", "2022-04-10T12:00:00+04:00"),  # Sunday is a day there
        ("2022-04-10T18:00:00+04:00", "marketing", "AE", "2022-04-11T09:00:00+04:00"),
    ],
)  # fmt: skip
def test_quiet_hours_end_on_the_clients_own_clock(at: str, kind: str, country: str, opens: str) -> None:
    moment = datetime.fromisoformat(at).astimezone(UTC)
    found = next_open(living_in(country), kind, moment)  # type: ignore[arg-type]
    assert found == datetime.fromisoformat(opens)
    assert next_open(living_in(country), kind, found) == found  # type: ignore[arg-type]


def test_data_stays_where_it_is_until_the_client_has_agreed() -> None:
    assert stays_in(living_in("CN"), NOON) == "CN"
    assert stays_in(living_in("CN", Purpose.CROSS_BORDER), NOON) is None
    allowed = {one.country: {r for r in ZONES if may_be_told(one.country, r)} for one in TABLE}
    union = {"IT", "FR", "DE", "CH"}
    assert allowed == {"CN": {"CN"}, "AE": {"AE"}} | dict.fromkeys(union, union)
    assert not may_be_told("FR", "US")


def test_of_a_country_that_nobody_has_looked_up_the_strictest_is_assumed() -> None:
    unknown = jurisdiction_of("BR")
    assert unknown.border.free_to == {"BR"}
    for one in TABLE:
        assert unknown.marketing.hours.since >= one.marketing.hours.since
        assert unknown.marketing.hours.until <= one.marketing.hours.until
    assert not unknown.marketing.hours.on_sundays
    assert jurisdictions.EEA.isdisjoint(jurisdictions.ADEQUATE)
