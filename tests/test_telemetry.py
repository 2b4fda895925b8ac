"""The log: structured, on the stream it was given, and without names."""

from __future__ import annotations

import io
import json

import structlog
from hypothesis import given
from hypothesis import strategies as st

from syncd.telemetry import MASK, configure


def written(
    event: str, *, personal_data: bool = False, level: str = "info", **facts: object
) -> str:
    """Return what one log call writes."""
    out = io.StringIO()
    configure(style="json", level=level, personal_data=personal_data, stream=out)
    structlog.get_logger().info(event, **facts)
    return out.getvalue()


def test_a_line_is_one_json_object() -> None:
    """Facts are fields."""
    line = json.loads(written("run finished", run=7, applied=3))

    assert (line["event"], line["level"], line["run"], line["applied"]) == (
        "run finished",
        "info",
        7,
        3,
    )


def test_names_and_addresses_are_masked() -> None:
    """In their own fields, inside sentences, and inside lists."""
    text = written("x", user_name="ada", problem="ada@contoso.com is odd", list=["b@c.de"])

    assert "ada" not in text
    assert "b@c" not in text
    assert json.loads(text)["problem"] == f"{MASK} is odd"


def test_a_switch_shows_them() -> None:
    """For looking into one case."""
    assert "ada@contoso.com" in written("x", personal_data=True, user_name="ada@contoso.com")


def test_less_important_lines_are_left_out() -> None:
    """As `log.level` says."""
    assert written("x", level="warning") == ""


@given(st.emails(), st.text(max_size=20))
def test_no_address_reaches_the_log(address: str, around: str) -> None:
    """Whatever stands around it."""
    assert (
        address not in json.loads(written("x", problem=f"{around} {address} {around}"))["problem"]
    )
