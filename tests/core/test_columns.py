"""A page mapped by columns is what its rows are, mapped one by one."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from syncd.core.columns import compile_page, normal_forms
from syncd.core.identity import guid, login, text
from syncd.core.mapping import Field, PersonMapping, Type, compile_mapping

ORDER = ["id", "oid", "upn", "mail", "on", "from", "until", "unit", "grade"]
BLANK = ["", " ", "\u00a0x"]
FORMS = ["E1", " E2 ", "{AB}", "\u00fc", "U\u0308", "\u00df"]
TYPED_WORDS = ["true", "no", "maybe", "31.01.2026", "2026-01-31", "7", "x7"]
WORDS = st.sampled_from([*BLANK, *FORMS, *TYPED_WORDS])
CELLS = st.one_of(WORDS, st.text(max_size=4))
ROWS = st.lists(st.tuples(*[CELLS] * len(ORDER)), min_size=1, max_size=12)
MAPPING = PersonMapping(
    Field("id"),
    object_id=Field("oid"),
    user_name=Field("upn"),
    mail=Field("mail"),
    enabled=Field("on", Type.BOOL),
    starts_on=Field("from", format="%d.%m.%Y"),
    leaves_on=Field("until"),
    attributes={"unit": Field("unit"), "grade": Field("grade", Type.INT)},
)
TYPED = PersonMapping(Field("id", default="E9"), employee_id=Field("grade", Type.INT))


@given(st.sampled_from([MAPPING, TYPED, PersonMapping(Field("id"))]), ROWS)
def test_a_page_becomes_what_its_rows_become(
    mapping: PersonMapping, rows: list[tuple[str, ...]]
) -> None:
    """Whatever fits or not, is odd or not plain ASCII; of a row without a key none is made."""
    marks = [bytes([number]) * 16 for number in range(len(rows))]
    wanted = list(map(compile_mapping(mapping, ORDER), rows, marks))
    page = compile_page(mapping, ORDER)(list(zip(*rows, strict=True)), marks)

    assert (None if page is None else list(page)) == (None if None in wanted else wanted)


@given(st.lists(st.none() | CELLS), st.sampled_from([text, guid, login]))
def test_forms_of_a_column_are_those_of_its_cells(
    cells: list[str | None], normal: Callable[[str], str]
) -> None:
    """One odd cell among plain ones, or one that is empty, changes nothing about the others."""
    wanted = [None if cell is None else normal(cell) or None for cell in cells]

    assert list(normal_forms(cells, normal)) == wanted
