"""Dates are found where they stand, and nothing else is taken for one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.stamps import stamp_reader


@pytest.mark.parametrize(
    ("form", "text", "moment"),
    [
        ("%Y%m%d", "hr-20260301.csv", "2026-03-01T00:00:00+00:00"),
        ("%Y%m%d", "hr-1-20260301120000.csv", "2026-03-01T00:00:00+00:00"),
        ("%Y%m%d", "hr-99999999-20260301.csv", "2026-03-01T00:00:00+00:00"),
        ("-%d.%m.%y", "export-01.03.26.csv", "2026-03-01T00:00:00+00:00"),
        ("%Y-%m-%dT%H:%M:%S%z", '"at":"2026-03-01T08:00:00+02:00"', "2026-03-01T08:00:00+02:00"),
        ("as of %d %B %Y", "Staff as of 01 March 2026;;", "2026-03-01T00:00:00+00:00"),
        ("100%% %Y-%j", "100% 2026-060", "2026-03-01T00:00:00+00:00"),
        ("%Y%m%d", "hr.csv", None),
        ("%Y%m%d", "hr-20261301.csv", None),
        ("v%Y.%m.%d", "v2026-03-01", None),
    ],
)
def test_the_first_date_written_so_is_found(form: str, text: str, moment: str | None) -> None:
    """What stands around it must be there; digits that are no date are passed over."""
    found = stamp_reader(form)(text)

    assert found == (None if moment is None else datetime.fromisoformat(moment))


@pytest.mark.parametrize("form", ["%Y-%m", "hr", "%H:%M", "%d.%m.", "%c", "%Q", "%Y%m%d%"])
def test_a_form_that_names_no_day_is_refused(form: str) -> None:
    """A date that cannot be found would make every file too old."""
    with pytest.raises(ValueError, match=r"does not name year|cannot be looked for"):
        stamp_reader(form)


@given(
    st.datetimes(datetime.fromisoformat("1000-01-01"), datetime.fromisoformat("9999-12-31")),
    st.text(st.characters(exclude_categories=["Nd", "Cs"]), max_size=20),
    st.text(max_size=20),
)
def test_every_moment_is_found_again(moment: datetime, before: str, after: str) -> None:
    """Whatever is around it."""
    form = "%Y-%m-%d_%H%M%S"

    found = stamp_reader(form)(before + moment.strftime(form) + after)

    assert found == moment.replace(microsecond=0, tzinfo=UTC)
