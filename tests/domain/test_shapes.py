"""Moments are read the same however they are spelled, our own spelling included, which is read the quick way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AwareDatetime, TypeAdapter, ValidationError

from chalicelib.domain.shapes import Instant, stamp

READ = TypeAdapter(Instant)
WITH_CARE = TypeAdapter(AwareDatetime)
FIRST, LAST = (datetime(*day, tzinfo=UTC).replace(tzinfo=None) for day in ((1970, 1, 2), (8999, 12, 30)))
MOMENTS = st.datetimes(FIRST, LAST, timezones=st.just(UTC))


@given(MOMENTS)
def test_what_we_write_is_read_as_it_was(moment: datetime) -> None:
    for text in (stamp(moment), READ.dump_json(moment).decode().strip('"')):
        assert READ.validate_json(f'"{text}"') == moment
        assert READ.validate_python(text).tzinfo is UTC


@given(
    MOMENTS,
    st.sampled_from(["T", " "]),
    st.sampled_from(["", ".", ".5", ".123456", ".1234567"]),
    st.sampled_from(["Z", "z", "+00:00", "+08:00", "-0330", "", " Z"]),
)
def test_every_spelling_is_read_as_the_library_reads_it(
    moment: datetime, between: str, fraction: str, offset: str
) -> None:
    text = moment.strftime(f"%Y-%m-%d{between}%H:%M:%S").rjust(19, "0") + fraction + offset
    assert _read(READ, text) == _read(WITH_CARE, text)


def _read(adapter: TypeAdapter[Any], text: str) -> object:
    try:
        return adapter.validate_python(text)
    except ValidationError as error:
        return [(fault["type"], fault["msg"]) for fault in error.errors()]


@pytest.mark.parametrize("text", ["2022-02-30T09:00:00Z", "2022-04-11T25:00:00Z", "2022-04-11T09:60:00Z"])
def test_a_day_or_an_hour_that_does_not_exist_is_told_as_the_library_tells_it(text: str) -> None:
    assert _read(READ, text) == _read(WITH_CARE, text) != []


def test_a_moment_keeps_its_instant_and_is_kept_in_utc() -> None:
    shanghai = datetime(2022, 4, 11, 9, tzinfo=timezone(timedelta(hours=8)))
    assert READ.validate_python(shanghai) == shanghai
    assert READ.validate_python(shanghai).tzinfo is UTC


@pytest.mark.parametrize("moment", [1649638800, 1.5, True, "1649638800", "2022-04-11", "tomorrow"])
def test_a_moment_that_is_not_written_out_is_not_guessed(moment: object) -> None:
    with pytest.raises(ValidationError, match="a time such as 2022-04-11T09:00:00"):
        READ.validate_python(moment)


@pytest.mark.parametrize(
    "text", ["1969-12-31T23:59:59Z", "9000-01-01T00:00:00Z", "9000-01-01T00:00:00+08:00"]
)
def test_a_moment_outside_the_years_that_can_be_reckoned_with_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="between the years 1970 and 9000"):
        READ.validate_python(text)


def test_a_moment_without_an_offset_is_refused() -> None:
    with pytest.raises(ValidationError, match="timezone"):
        READ.validate_python("2022-04-11T09:00:00")
