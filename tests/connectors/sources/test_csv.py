"""CSV files that can be read."""

from __future__ import annotations

import gzip
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.connectors.sources.files import CsvSource
from syncd.core.mapping import Field
from syncd.core.ports import Known
from tests.connectors.sources.people import (
    HEADER,
    PEOPLE,
    as_csv,
    csv_source,
    nothing_known,
    people,
    read,
)

TWO = "EmployeeID,UPN,Department\nE1,Ada@contoso.com,Depot\nE2,,Küche\n"
TWO_READ = [
    ("E1", "ada@contoso.com", '{"department":"Depot"}'),
    ("E2", None, '{"department":"Küche"}'),
]
CELL = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters='",\ufeff'), max_size=6
)
TABLE = st.lists(st.tuples(CELL, CELL, CELL), max_size=8)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file of a test lies."""
    return tmp_path / "hr.csv"


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("utf-8", TWO.encode()),
        ("utf-8", TWO.encode("utf-8-sig")),
        ("utf-8", TWO.replace("\n", "\r\n").encode()),
        ("utf-8", TWO.replace("\n", "\r").encode()),
        ("utf-8", TWO.replace("\n", "\n\n").encode()),
        ("utf-8", TWO.rstrip().encode()),
        ("utf-8", TWO.replace("Depot", '"Depot"').encode()),
        ("windows-1252", TWO.encode("cp1252")),
        ("utf-16", TWO.encode("utf-16")),
        ("utf-16", TWO.encode("utf-16-le")),
        ("utf-16-be", TWO.encode("utf-16-be")),
        ("auto", TWO.encode()),
        ("auto", TWO.encode("utf-8-sig")),
        ("auto", TWO.encode("cp1252")),
        ("auto", TWO.encode("utf-16")),
        ("auto", TWO.encode("utf-16-le")),
        ("auto", TWO.encode("utf-16-be")),
    ],
)
def test_the_same_people_come_from_every_encoding(
    path: Path, encoding: str, content: bytes
) -> None:
    """Encoding, byte order mark, line ends and blank lines say nothing about people."""
    records, facts = read(csv_source(path, content, encoding=encoding))

    assert people(records) == TWO_READ
    assert (facts.rows, facts.findings, facts.usable) == (2, (), True)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("quote", [False, True])
def test_the_delimiter_is_found_by_the_header(path: Path, delimiter: str, *, quote: bool) -> None:
    """The delimiter that shows most columns wins, if the key's is among them."""
    content = as_csv([HEADER, ("E1", "ada@contoso.com", "A")], delimiter=delimiter, quote=quote)

    records, facts = read(csv_source(path, content, delimiter="auto"))

    assert [record[0] for record in records] == ["E1"]
    assert facts.findings == ()


def test_a_delimiter_that_hides_the_key_is_not_chosen(path: Path) -> None:
    """A header with many commas inside its names is still one of semicolons."""
    content = "EmployeeID;UPN;Department;a,b,c,d,e,f\nE1;u;A;x\n"

    records, _ = read(csv_source(path, content, delimiter="auto"))

    assert people(records) == [("E1", "u", '{"department":"A"}')]


def test_quoted_fields_may_hold_line_breaks_and_delimiters(path: Path) -> None:
    """A quoted field is one cell, whatever is in it."""
    content = 'EmployeeID,UPN,Department\nE1,u,"A, ""B""\nC"\nE2,,"D"\n'

    records, facts = read(csv_source(path, content))

    assert [record[9] for record in records] == [
        '{"department":"A, \\"B\\"\\nC"}',
        '{"department":"D"}',
    ]
    assert facts.rows == 2


def test_a_compressed_file_is_read_like_any_other(tmp_path: Path) -> None:
    """A name that ends in .gz says that the content is packed."""
    source = csv_source(tmp_path / "hr.csv.gz", gzip.compress(TWO.encode()))

    records, facts = read(source)

    assert people(records) == TWO_READ
    assert facts.findings == ()


def test_column_names_are_compared_in_normal_form(path: Path) -> None:
    """Spaces around a name and the way an accent is written do not matter."""
    path.write_text("  Schlu\u0308ssel ,x\nE1,1\n")
    mapping = replace(PEOPLE, key=Field("Schl\u00fcssel"), user_name=None, attributes={})

    records, facts = read(CsvSource("hr", path, mapping))

    assert [record[0] for record in records] == ["E1"]
    assert facts.findings == ()


def test_the_same_content_is_not_read_again(path: Path) -> None:
    """A file that did not change costs one look at its bytes."""
    source = csv_source(path, TWO)
    _, first = read(source)

    records, facts = read(source, Known(first.content, set))

    assert records == []
    assert facts.unchanged
    assert facts.content == first.content


@pytest.mark.parametrize("quote", [False, True])
def test_only_new_and_edited_rows_are_given_again(path: Path, *, quote: bool) -> None:
    """Known rows are counted and skipped; the marks of edited and deleted ones are gone."""
    before = [HEADER, ("E1", "a", "A"), ("E2", "b", "B"), ("E3", "c", "C")]
    marks = {r[0]: r[1] for r in read(csv_source(path, as_csv(before, quote=quote)))[0]}
    after = as_csv([HEADER, ("E4", "d", "D"), ("E2", "b", "X"), ("E1", "a", "A")], quote=quote)

    records, facts = read(
        csv_source(path, after), Known(None, lambda: {m for m in marks.values() if m})
    )

    assert [record[0] for record in records] == ["E4", "E2"]
    assert facts.gone == {marks["E2"], marks["E3"]}
    assert facts.rows == 3


def test_a_quote_somewhere_makes_no_other_row_new(path: Path) -> None:
    """A row has the same mark whether the file is read line by line or parsed."""
    records, _ = read(csv_source(path, TWO))
    marks = {record[1] for record in records if record[1]}

    again, facts = read(csv_source(path, TWO + '"E3","u","A"\n'), Known(None, lambda: set(marks)))

    assert [record[0] for record in again] == ["E3"]
    assert facts.gone == set()


def test_rows_that_differ_only_in_where_cells_end_have_different_marks(path: Path) -> None:
    """A delimiter inside a quoted cell is not one between cells."""
    header = "EmployeeID,UPN,Department\n"
    records, _ = read(csv_source(path, header + 'E1,"x,y",z\n'))
    marks = {record[1] for record in records if record[1]}

    again, _ = read(csv_source(path, header + 'E1,x,"y,z"\n'), Known(None, lambda: set(marks)))

    assert people(again) == [("E1", "x", '{"department":"y,z"}')]


def test_another_order_of_columns_makes_every_row_new(path: Path) -> None:
    """A line means something else under another header."""
    records, _ = read(csv_source(path, "EmployeeID,UPN,Department\nE1,x,y\n"))
    marks = {record[1] for record in records if record[1]}

    again, _ = read(
        csv_source(path, "EmployeeID,Department,UPN\nE1,x,y\n"), Known(None, lambda: set(marks))
    )

    assert people(again) == [("E1", "y", '{"department":"x"}')]


def test_a_line_that_is_there_twice_comes_twice(path: Path) -> None:
    """Whoever keeps the records must see that a key is doubled, also when the row was known."""
    source = csv_source(path, "EmployeeID,UPN,Department\nE1,x,y\nE1,x,y\n")
    records, facts = read(source)
    marks = {record[1] for record in records if record[1]}

    again, second = read(source, Known(None, lambda: set(marks)))

    assert [record[0] for record in records] == ["E1", "E1"]
    assert [record[0] for record in again] == ["E1"]
    assert (facts.rows, second.rows) == (2, 2)


def test_a_row_with_a_problem_is_given_each_time(path: Path) -> None:
    """A row that nobody could read has no mark by which it could be skipped."""
    path.write_text("EmployeeID,Grade\nE1,three\n")
    mapping = replace(PEOPLE, user_name=None, leaves_on=Field("Grade"), attributes={})

    records, facts = read(CsvSource("hr", path, mapping))

    assert [(r[0], r[1], r[10]) for r in records] == [
        ("E1", None, 'column "Grade": "three" is not a date like %Y-%m-%d')
    ]
    assert (facts.rows, facts.findings) == (1, ())


def test_pages_are_bounded(path: Path) -> None:
    """No page holds more than ten thousand records."""
    rows = [(f"E{number}", "u", "A") for number in range(25_000)]
    reading = csv_source(path, as_csv([HEADER, *rows])).read(nothing_known())

    sizes = [len(page) for page in reading]

    assert sizes == [10_000, 10_000, 5_000]
    assert reading.facts.rows == 25_000


def odd_lines() -> list[str]:
    """Write a header and 3500 rows, of which some are odd: doubled, ragged, keyless, unfit."""
    rows = [f"E{n},u{n}@x.com,A{n % 7}" for n in range(3500)]
    rows[10] = rows[9]  # on one page of lines
    rows[2500] = rows[900]  # on two
    rows[1999], rows[2000], rows[2001] = "E1999,ragged", ",keyless,A", ""
    rows[3100] = "E3100, U3100@X.com ,\u00e9"
    return [",".join(HEADER), *rows]


@pytest.mark.parametrize("edited", [None, 2, 1001, 2003, 3499])
def test_lines_looked_at_together_are_read_as_if_one_by_one(path: Path, edited: int | None) -> None:
    """A quote in the header lets no line be looked at but by itself: all is as without it."""
    lines = odd_lines()
    plain, quoted = (
        csv_source(path.with_name(name), "\n".join([head, *lines[1:]]))
        for name, head in (("hr.csv", lines[0]), ("quoted.csv", f'"{HEADER[0]}",UPN,Department'))
    )
    records, facts = read(plain)
    wanted, told = read(quoted)
    marks = {record[1] for record in records[: edited or 0] if record[1]}
    again, second = read(plain, Known(None, lambda: set(marks)))

    assert records == wanted
    assert facts.rows == told.rows == 3497
    assert [each.replace("hr.csv", "quoted.csv") for each in facts.findings] == list(told.findings)
    assert (again, second.rows) == (read(quoted, Known(None, lambda: set(marks)))[0], 3497)
    assert second.gone == set()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_rows_over_several_lines_are_counted_by_their_lines(path: Path, end: str) -> None:
    """Also where thousands are looked at together before, of which some were known."""
    rows = [f'"E{n}","u{n}","A{end}{end}B"' for n in range(1500)]
    rows[700:700] = ["", "E700,ragged", ""]
    rows += ['E1,"doubled",A', "E1500,u,A,B", 'E1501,"u"x,A', "E1502,u,A"]
    source = csv_source(path, end.join([",".join(HEADER), *rows]))
    records, facts = read(source)
    marks = {record[1] for record in records[:1200] if record[1]}
    again, second = read(source, Known(None, lambda: set(marks)))

    assert [record[0] for record in records] == [*(f"E{n}" for n in range(1500)), "E1"]
    assert facts.findings == second.findings
    assert [each.split(": ")[0] for each in facts.findings] == [
        f"{path}, line {line}" for line in (2 + 2100 + 1, 2 + 4503 + 1, 2 + 4503 + 2)
    ]
    assert (again, facts.rows, second.rows, second.gone) == (records[1200:], 1501, 1501, set())


@pytest.mark.parametrize("quote", [False, True])
def test_a_file_of_several_chunks_is_read_whole(path: Path, *, quote: bool) -> None:
    """Where the reading of bytes pauses says nothing about rows."""
    rows = [(f"E{number}", f"é{number}@x.com", "€" * (number % 50)) for number in range(30_000)]
    content = as_csv([HEADER, *rows], quote=quote).replace("\n", "\r\n").encode()

    records, facts = read(csv_source(path, content))

    assert len(content) > 2 << 20
    assert [record[4] for record in records] == [row[1] for row in rows]
    assert (facts.rows, facts.findings) == (30_000, ())


def test_the_shape_follows_from_all_that_decides_about_a_row(path: Path) -> None:
    """Another encoding, delimiter or mapping is another shape; another path is not."""
    source = CsvSource("hr", path, PEOPLE)
    others = [
        replace(source, encoding="auto"),
        replace(source, delimiter=";"),
        replace(source, mapping=replace(PEOPLE, mail=Field("UPN"))),
    ]

    assert len({source.shape, *(other.shape for other in others)}) == 4
    assert source.shape == replace(source, path=path / "other").shape


@given(table=TABLE)
def test_quotes_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, table: list[tuple[str, str, str]]
) -> None:
    """Every table without quotes reads the same line by line as through the parser."""
    folder = tmp_path_factory.mktemp("tables")
    lines = "".join(",".join(row) + "\n" for row in [HEADER, *table])

    plain, plain_facts = read(csv_source(folder / "plain.csv", lines))
    quoted, quoted_facts = read(
        csv_source(folder / "quoted.csv", as_csv([HEADER, *table], quote=True))
    )

    assert plain == quoted
    assert plain_facts.rows == quoted_facts.rows


@given(table=TABLE, seed=st.integers())
def test_the_order_of_rows_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, table: list[tuple[str, str, str]], seed: int
) -> None:
    """The same rows in another order are the same records."""
    folder = tmp_path_factory.mktemp("orders")
    shuffled = random.Random(seed).sample(table, len(table))

    records, facts = read(csv_source(folder / "a.csv", as_csv([HEADER, *table])))
    others, other_facts = read(csv_source(folder / "b.csv", as_csv([HEADER, *shuffled])))

    assert sorted(records, key=repr) == sorted(others, key=repr)
    assert facts.rows == other_facts.rows
