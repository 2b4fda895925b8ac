"""What one cell means (behaviour.md section 1)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.cells import Field, Type, Unfit, cell_reader, written
from syncd.core.model import Value

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
COLUMN = "Last day"
ACTIVE = ("Active", "On leave")


@pytest.mark.parametrize("field", [Field(COLUMN, kind) for kind in Type])
@pytest.mark.parametrize("cell", ["", "   ", "\u00a0", None])
def test_an_empty_cell_is_null_whatever_its_type(field: Field, cell: str | None) -> None:
    """Section 1: an empty cell is null."""
    assert cell_reader(field)(cell) is None


def test_an_empty_split_cell_is_an_empty_list() -> None:
    """Section 1: and no list with an empty text in it."""
    read = cell_reader(Field(COLUMN, split=";"))

    assert [read(cell) for cell in ["", " ; ", "a;;b "]] == [(), (), ("a", "b")]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (Field(COLUMN, default="x"), "x"),
        (Field(COLUMN, Type.INT, default="7"), 7),
        (Field(COLUMN, Type.BOOL, default="yes"), True),
        (Field(COLUMN, Type.BOOL, true_values=ACTIVE, default="On leave"), True),
        (Field(COLUMN, Type.DATE, format="%d.%m.%Y", default="01.03.2026"), date(2026, 3, 1)),
        (Field(COLUMN, split=",", default="a,b"), ("a", "b")),
    ],
)
def test_a_default_stands_in_for_an_empty_cell_only(field: Field, value: Value) -> None:
    """Section 1: it is read as the cell would be."""
    assert cell_reader(field)(" ") == value


@pytest.mark.parametrize(
    ("cell", "value"),
    [("Active", True), (" On leave ", True), ("active", False), ("Gone", False), ("true", False)],
)
def test_true_values_are_read_exactly(cell: str, *, value: bool) -> None:
    """Section 1: any other text is false, also one that would mean true without them."""
    assert cell_reader(Field(COLUMN, Type.BOOL, true_values=ACTIVE))(cell) is value


@pytest.mark.parametrize(
    ("cell", "value"),
    [("TRUE", True), ("Yes", True), ("1", True), ("false", False), ("nO", False), ("0", False)],
)
def test_without_true_values_a_bool_is_one_of_six_words(cell: str, *, value: bool) -> None:
    """Section 1: true/false, yes/no, 1/0 in any case."""
    assert cell_reader(Field(COLUMN, Type.BOOL))(cell) is value


@pytest.mark.parametrize(
    ("field", "cell"),
    [
        (Field(COLUMN, Type.BOOL), "maybe"),
        (Field(COLUMN, Type.INT), "3.0"),
        (Field(COLUMN, Type.FLOAT), "three"),
        (Field(COLUMN, Type.DATE), "01.03.2026"),
        (Field(COLUMN, Type.DATE, format="%d.%m.%Y"), "2026-03-01"),
    ],
)
def test_a_cell_that_does_not_fit_never_becomes_null(field: Field, cell: str) -> None:
    """Section 1: it makes the person HELD, naming the column."""
    with pytest.raises(Unfit, match=f'column "{COLUMN}": "{cell}" is not '):
        cell_reader(field)(cell)


@given(TEXT)
def test_text_is_trimmed_and_composed_once(cell: str) -> None:
    """Section 1: reading what was read changes nothing; no text is empty."""
    read = cell_reader(Field(COLUMN))

    value = read(cell)

    assert value != ""
    assert read(value) == value


@given(st.dates())
def test_a_date_without_a_format_is_year_month_day(value: date) -> None:
    """Section 1: %Y-%m-%d; a day that was read before is the same day again."""
    read = cell_reader(Field(COLUMN, Type.DATE))

    assert read(value.isoformat()) == value
    assert read(value.isoformat()) == value


@given(st.sampled_from(Type), TEXT)
def test_a_cell_is_its_type_or_does_not_fit(kind: Type, cell: str) -> None:
    """Section 1: whatever stands in a file, it is a value, null, or a sentence."""
    kinds = {"text": str, "int": int, "float": float, "bool": bool, "date": date}
    value: Value = None
    sentence = ""
    try:
        value = cell_reader(Field(COLUMN, kind))(cell)
    except Unfit as unfit:
        sentence = str(unfit)

    assert value is None or type(value) is kinds[kind]
    assert not sentence or sentence.startswith(f'column "{COLUMN}": ')


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        (True, "true"),
        (False, "false"),
        (7, "7"),
        (date(2026, 3, 1), "2026-03-01"),
        (("a", "b"), "a,b"),
        ("x", "x"),
    ],
)
def test_an_identity_is_compared_as_text(value: Value, shown: str | None) -> None:
    """Section 3: employee ids as text, exactly, whatever type a column has."""
    assert written(value) == shown


@given(
    st.sampled_from(["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d%m%Y", "%Y %m %d", "on %d.%m.%y"]),
    st.dates() | st.text("0123456789.-/ ", max_size=11),
)
def test_a_day_is_what_strptime_makes_of_it(form: str, given: date | str) -> None:
    """Whether or not its digits are all written out, and whether or not it is one."""
    cell = given if isinstance(given, str) else f"{given:{form}}"
    read = cell_reader(Field(COLUMN, Type.DATE, format=form))

    def plainly(day: str) -> date:
        return datetime.strptime(day.strip(), form).date()  # noqa: DTZ007  # a day has no zone

    assert attempt(read, cell) == attempt(plainly, cell)


def attempt(read: Callable[[str], object], cell: str) -> object:
    """Return the day that is read, None for anything else."""
    try:
        return read(cell)
    except (ValueError, Unfit):
        return None
