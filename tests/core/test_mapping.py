"""From cells to a record (behaviour.md section 1)."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.mapping import (
    Field,
    PersonMapping,
    Type,
    compile_mapping,
    decode_attributes,
    encode_attributes,
)
from syncd.core.model import Value
from syncd.core.ports import Record

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUE = st.one_of(
    st.none(),
    TEXT,
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.dates(),
    st.lists(TEXT).map(tuple),
)
MARK = b"m" * 16


def attribute(field: Field, cell: object, *, native: bool = False) -> tuple[Value, str | None]:
    """Return what a single attribute becomes, and the problem."""
    mapping = PersonMapping(Field("key"), attributes={"it": field})
    record = compile_mapping(mapping, ["key", field.column], native=native)(["E1", cell], MARK)
    assert record is not None
    return decode_attributes(record[9])["it"], record[10]


def person(cells: list[object], **fields: Field) -> Record | None:
    """Return the record of a row whose columns are a, b, c and so on, the key first."""
    mapping = PersonMapping(Field("a"), **fields)  # type: ignore[arg-type]  # no attributes here
    return compile_mapping(mapping, "abcdefgh"[: len(cells)])(cells, MARK)


@given(st.dictionaries(TEXT, VALUE))
def test_attributes_come_back_as_they_were(attributes: dict[str, Value]) -> None:
    """Text, numbers, days and lists survive being written, each as what it was."""
    again = decode_attributes(encode_attributes(attributes))

    assert again == attributes
    assert {n: type(v) for n, v in again.items()} == {n: type(v) for n, v in attributes.items()}


@given(st.dictionaries(TEXT, VALUE))
def test_equal_attributes_are_the_same_text(attributes: dict[str, Value]) -> None:
    """The order in which they were mapped does not matter."""
    turned = dict(reversed(attributes.items()))

    assert encode_attributes(turned) == encode_attributes(attributes)


def test_attributes_are_written_without_waste() -> None:
    """Keys sorted, no spaces, letters as they are, days marked as days."""
    attributes: dict[str, Value] = {"z": date(2026, 3, 1), "b": ("ä", "y"), "a": None}

    encoded = encode_attributes(attributes)

    assert encoded == '{"a":null,"b":["ä","y"],"z":{"d":"2026-03-01"}}'


def test_identities_get_their_normal_forms() -> None:
    """A GUID loses braces and capitals, names and mail their case, an employee id only spaces."""
    record = person(
        ["  K1 ", "{0AB4-E}", " 007a ", "Ada@X.com", "STRASSE@x", "yes", "2026-03-01", ""],
        object_id=Field("b"),
        employee_id=Field("c"),
        user_name=Field("d"),
        mail=Field("e"),
        enabled=Field("f"),
        starts_on=Field("g"),
        leaves_on=Field("h"),
    )

    day = date(2026, 3, 1).toordinal()
    assert record == (
        *("K1", MARK, "0ab4-e", "007a", "ada@x.com", "strasse@x"),
        *(1, day, None, "{}", None),
    )


def test_an_empty_cell_is_null_everywhere() -> None:
    """Spaces alone are empty too."""
    record = person(
        ["E1", " ", "", " ", "", " ", ""],
        object_id=Field("b"),
        employee_id=Field("c"),
        user_name=Field("d"),
        mail=Field("e"),
        enabled=Field("f"),
        starts_on=Field("g"),
    )

    assert record == ("E1", MARK, *[None] * 7, "{}", None)


@pytest.mark.parametrize("key", ["", "  ", None, ["x"], {}])
def test_a_row_without_a_key_is_no_record(key: object) -> None:
    """Nobody can be recognised by nothing, nor by what is no text."""
    assert person([key]) is None


def test_every_cell_that_does_not_fit_is_named() -> None:
    """The record keeps what could be read, says what could not, and cannot be known again."""
    mapping = PersonMapping(
        Field("key"),
        user_name=Field("upn"),
        enabled=Field("on"),
        leaves_on=Field("Last day", format="%d.%m.%Y"),
        attributes={"grade": Field("Grade", Type.INT), "site": Field("Site")},
    )
    to_record = compile_mapping(mapping, ["key", "upn", "on", "Last day", "Grade", "Site"])

    record = to_record(["E1", "U", "maybe", "31.02.2026", "4x", "Lyon"], MARK)

    assert record is not None
    assert record[:9] == ("E1", None, None, None, "u", None, None, None, None)
    assert record[9] == '{"grade":null,"site":"Lyon"}'
    assert record[10] == (
        'column "Grade": "4x" is not a whole number; '
        'column "on": "maybe" is not true or false; '
        'column "Last day": "31.02.2026" is not a date like %d.%m.%Y'
    )


@pytest.mark.parametrize(
    ("field", "cell", "value"),
    [
        (Field("c"), " Cafe\u0301 ", "Caf\u00e9"),
        (Field("c", default=" none "), "", "none"),
        (Field("c", default="none"), "x", "x"),
        (Field("c", Type.INT), "-042", -42),
        (Field("c", Type.INT, default="7"), " ", 7),
        (Field("c", Type.FLOAT), "1e3", 1000.0),
        (Field("c", Type.FLOAT), ".5", 0.5),
        (Field("c", Type.BOOL), "YES", True),
        (Field("c", Type.BOOL), "0", False),
        (Field("c", Type.BOOL, true_values=("Active", " On leave")), "On leave", True),
        (Field("c", Type.BOOL, true_values=("Active",)), "active", False),
        (Field("c", Type.BOOL, true_values=("Active",)), "", None),
        (Field("c", Type.DATE), "2026-03-01", date(2026, 3, 1)),
        (Field("c", Type.DATE, format="%d.%m.%Y"), "01.03.2026", date(2026, 3, 1)),
        (Field("c", Type.DATE, format="%Y-%m-%dT%H:%M"), "2026-03-01T23:59", date(2026, 3, 1)),
        (Field("c", split=";"), " a; b;;c ;", ("a", "b", "c")),
        (Field("c", split=";"), "  ", ()),
        (Field("c", split=";", default="x;y"), "", ("x", "y")),
    ],
)
def test_a_text_becomes_its_type(field: Field, cell: str, value: Value) -> None:
    """Trimmed, composed, and read exactly as the type says."""
    got, problem = attribute(field, cell)

    assert (got, type(got), problem) == (value, type(value), None)


@pytest.mark.parametrize(
    ("field", "cell"),
    [
        *((Field("c", Type.INT), cell) for cell in ["1_000", "1.0", "٣", "0x1", "9" * 20]),
        (Field("c", Type.INT), str(2**63)),
        *((Field("c", Type.FLOAT), cell) for cell in ["nan", "inf", "1_0.0", "1,5", "1e999"]),
        *((Field("c", Type.BOOL), cell) for cell in ["y", "on", "2"]),
        *((Field("c", Type.DATE), cell) for cell in ["20260301", "2026-02-30", "1.3.2026"]),
    ],
)
def test_a_text_that_does_not_fit_is_a_problem(field: Field, cell: str) -> None:
    """It never becomes null in silence; the sentence names the column."""
    value, problem = attribute(field, cell)

    assert value is None
    assert problem is not None
    assert problem.startswith(f'column "c": "{cell}" is not ')


@pytest.mark.parametrize(
    ("field", "cell", "value"),
    [
        (Field("c"), 5, "5"),
        (Field("c"), 1.5, "1.5"),
        (Field("c"), None, None),
        (Field("c", Type.INT), 5, 5),
        (Field("c", Type.FLOAT), 5, 5.0),
        (Field("c", Type.BOOL), False, False),
        (Field("c", Type.BOOL), 1, True),
        (Field("c", Type.BOOL, true_values=("x",)), True, True),
        (Field("c", Type.BOOL, true_values=("1",)), 1, True),
        (Field("c", split=";"), [" a ", 5, None, ""], ("a", "5")),
        (Field("c", split=";"), [], ()),
    ],
)
def test_a_json_value_is_taken_where_it_fits(field: Field, cell: object, value: Value) -> None:
    """A number in a text column is its text, a list in a split one is the list."""
    got, problem = attribute(field, cell, native=True)

    assert (got, type(got), problem) == (value, type(value), None)


@pytest.mark.parametrize(
    ("field", "cell", "shown"),
    [
        (Field("c"), True, "true is not a text"),
        (Field("c"), ["x"], "a list is not a text"),
        (Field("c"), {"x": 1}, "an object is not a text"),
        (Field("c"), 10**400, "a huge number is not a text"),
        (Field("c", Type.INT), 1.0, "1.0 is not a whole number"),
        (Field("c", Type.INT), True, "true is not a whole number"),
        (Field("c", Type.INT), 2**63, f"{2**63} is not a whole number of at most 64 bits"),
        (Field("c", Type.FLOAT), 10**400, "a huge number is not a number"),
        (Field("c", Type.BOOL), 2, "2 is not true or false"),
        (Field("c", Type.DATE), 20260301, "20260301 is not a date like %Y-%m-%d"),
        (Field("c", split=";"), [["x"]], "a list is not a list of texts"),
    ],
)
def test_a_json_value_that_does_not_fit_is_a_problem(
    field: Field, cell: object, shown: str
) -> None:
    """What is nested is named by its kind only."""
    value, problem = attribute(field, cell, native=True)

    assert (value, problem) == (None, f'column "c": {shown}')


def test_a_long_cell_is_cut_where_it_is_shown() -> None:
    """Forty characters are enough to find it."""
    _, problem = attribute(Field("c", Type.INT), "x" * 41)

    assert problem == f'column "c": "{"x" * 40}…" is not a whole number'


def test_values_that_are_equal_but_not_the_same_are_kept_apart() -> None:
    """1, 1.0 and true hash alike, and a remembered row must not be taken for another."""
    mapping = PersonMapping(Field("k"), attributes={"a": Field("c", Type.BOOL), "b": Field("d")})
    to_record = compile_mapping(mapping, ["k", "c", "d"], native=True)
    rows: list[list[Any]] = [["E1", 1, 1], ["E2", True, 1.0], ["E3", True, True]]

    records = [to_record(row, MARK) for row in rows]

    assert [record and record[9:] for record in records] == [
        ('{"a":true,"b":"1"}', None),
        ('{"a":true,"b":"1.0"}', None),
        ('{"a":true,"b":null}', 'column "d": true is not a text'),
    ]


def test_columns_are_named_once_and_in_normal_form() -> None:
    """Whoever looks for them in a header compares normal forms."""
    mapping = PersonMapping(
        Field(" id "), employee_id=Field("id"), attributes={"x": Field("Cafe\u0301")}
    )

    assert mapping.columns() == ("id", "Caf\u00e9")


def test_an_identity_may_have_a_type_and_a_default() -> None:
    """What is not text is compared by its text form."""
    record = person(
        ["007", " ", "x"],
        employee_id=Field("a", Type.INT),
        mail=Field("b", default="None@x.com"),
        user_name=Field("c", Type.INT),
    )

    assert record is not None
    assert (record[3], record[5]) == ("7", "none@x.com")
    assert record[10] == 'column "c": "x" is not a whole number'


def test_the_shape_does_not_follow_the_order_of_attributes() -> None:
    """Only what decides how a row is read makes another shape."""
    one = PersonMapping(Field("k"), attributes={"a": Field("x"), "b": Field("y")})
    two = PersonMapping(Field("k"), attributes={"b": Field("y"), "a": Field("x")})
    other = PersonMapping(Field("k"), attributes={"a": Field("x"), "b": Field("y", Type.INT)})

    assert one.shape() == two.shape()
    assert one.shape() != other.shape()
