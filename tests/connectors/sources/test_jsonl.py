"""JSON Lines files, good and bad."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest

from syncd.connectors.sources.files import JsonlSource
from syncd.core.mapping import Field, Type
from syncd.core.ports import Known
from tests.connectors.sources.people import PEOPLE, jsonl_source, people, read

ADA = '{"EmployeeID":"E1","UPN":"Ada@contoso.com","Department":"Küche"}\n'
BEN = '{"Department":null,"EmployeeID":1002,"other":{"deep":[1]}}\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file of a test lies."""
    return tmp_path / "hr.jsonl"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_people_come_from_objects(path: Path, encoding: str) -> None:
    """A column is a key, in any order; a key that a row lacks is null."""
    declared = {"utf-8-sig": "utf-8"}.get(encoding, encoding)

    records, facts = read(
        jsonl_source(path, (ADA + "\n" + BEN).encode(encoding), encoding=declared)
    )

    assert people(records) == [
        ("E1", "ada@contoso.com", '{"department":"Küche"}'),
        ("1002", None, '{"department":null}'),
    ]
    assert (facts.rows, facts.findings, facts.usable) == (2, (), True)


def test_a_compressed_file_is_read_like_any_other(tmp_path: Path) -> None:
    """A name that ends in .gz says that the content is packed."""
    records, facts = read(jsonl_source(tmp_path / "hr.jsonl.gz", gzip.compress(ADA.encode())))

    assert [record[0] for record in records] == ["E1"]
    assert facts.findings == ()


def test_json_values_are_taken_where_they_fit(path: Path) -> None:
    """Numbers, booleans and lists come as they are; 1, 1.0 and "1" stay what they were."""
    mapping = replace(
        PEOPLE,
        user_name=None,
        enabled=Field("on"),
        starts_on=Field("from"),
        attributes={"grade": Field("grade"), "groups": Field("groups", split=";")},
    )
    rows = [
        {"EmployeeID": "E1", "on": True, "from": "2026-03-01", "grade": 1, "groups": ["a", "b"]},
        {"EmployeeID": "E2", "on": 0, "from": None, "grade": 1.0, "groups": "a;b"},
        {"EmployeeID": "E3", "on": "no", "from": "", "grade": "1", "groups": []},
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows))

    records, facts = read(JsonlSource("hr", path, mapping))

    assert [record[6:10] for record in records] == [
        (1, 739676, None, '{"grade":"1","groups":["a","b"]}'),
        (0, None, None, '{"grade":"1.0","groups":["a","b"]}'),
        (0, None, None, '{"grade":"1","groups":[]}'),
    ]
    assert facts.findings == ()


def test_a_value_that_does_not_fit_holds_the_person(path: Path) -> None:
    """It never becomes null, and nobody is shown what is inside it."""
    mapping = replace(PEOPLE, attributes={"d": Field("Department"), "g": Field("g", Type.INT)})
    path.write_text('{"EmployeeID":"E1","UPN":["x"],"Department":{"secret":1},"g":true}\n')

    records, facts = read(JsonlSource("hr", path, mapping))

    assert records[0][10] == (
        'column "Department": an object is not a text; column "g": true is not a whole number; '
        'column "UPN": a list is not a text'
    )
    assert records[0][1] is None
    assert facts.rows == 1


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('{"EmployeeID":"E2" "UPN":1}', "column 20: this is not JSON (expecting ',' delimiter)"),
        (
            '{"EmployeeID":"E2","UPN":"ab',
            "column 26: this is not JSON (unterminated string starting at)",
        ),
        ('["E2"]', "column 1: this is a list and not an object"),
        ("7", "column 1: this is a number and not an object"),
        ('{"EmployeeID":NaN}', "column 15: this is not JSON (a value has no exact meaning)"),
        ('{"EmployeeID":"\\ud800"}', "column 1: this is not JSON (a value has no exact meaning)"),
        ('{"EmployeeID":"E\\u0000"}', "column 17: there is a NUL character"),
        ('{"EmployeeID":"E2"," EmployeeID":"E3"}', '"EmployeeID" is there twice'),
        ('{"x":' + "[" * 5000, "column 1: values are nested too deeply"),
        (
            f'{{"EmployeeID":"E2","Grade":{"9" * 5000}}}',
            "column 1: this is not JSON that can be read (a number has too many digits)",
        ),
    ],
)
def test_a_broken_line_is_not_read(path: Path, line: str, sentence: str) -> None:
    """The finding names line and column; the other lines are read."""
    records, facts = read(jsonl_source(path, ADA + line + "\n" + BEN))

    assert [record[0] for record in records] == ["E1", "1002"]
    assert facts.findings == (f"{path}, line 2: {sentence}; the line was not read",)
    assert (facts.usable, facts.rows) == (True, 2)


@pytest.mark.parametrize("key", ["null", '" "', "{}"])
def test_a_line_without_a_key_is_not_read(path: Path, key: str) -> None:
    """Nobody can be recognised by nothing."""
    records, facts = read(jsonl_source(path, ADA + f'{{"EmployeeID":{key}}}\n'))

    assert [record[0] for record in records] == ["E1"]
    assert facts.findings == (
        f'{path}, line 2: the key "EmployeeID" is empty; the line was not read',
    )


@pytest.mark.parametrize(
    ("content", "settings", "sentence"),
    [
        (b"", {}, "{path}: the file is empty (0 bytes)"),
        (
            b'{"EmployeeID":"E1","Upn":"a","Dept":"A"}\n',
            {},
            '{path}, all lines: the mapped column "UPN" is absent; is it "Upn" now?',
        ),
        (
            ADA.encode() + b'{"EmployeeID":"J\xf6"}\n',
            {},
            (
                "{path}, line 2, column 17: the byte 0xF6 is not UTF-8 here; "
                "nothing was read. Which encoding does the file have?"
            ),
        ),
        (
            '{"EmployeeID":"E1"}'.encode("utf-16-le"),
            {},
            "{path}, line 1, column 2: there is a NUL character; the file is damaged or not UTF-8",
        ),
    ],
)
def test_nothing_is_used_of_a_file_that_cannot_be_understood(
    path: Path, content: bytes, settings: dict[str, str], sentence: str
) -> None:
    """One sentence names the file, the place and what is wrong with it."""
    _, facts = read(jsonl_source(path, content, **settings))

    assert facts.findings[0] == sentence.format(path=path)
    assert (facts.usable, facts.rows) == (False, 0)


def test_a_column_that_only_known_rows_have_is_not_absent(path: Path) -> None:
    """Rows that are skipped still say which columns there are."""
    records, _ = read(jsonl_source(path, ADA))
    marks = {record[1] for record in records if record[1]}

    again, facts = read(
        jsonl_source(path, '{"EmployeeID":"E2"}\n' + ADA), Known(None, lambda: set(marks))
    )

    assert [record[0] for record in again] == ["E2"]
    assert (facts.rows, facts.findings, facts.usable) == (2, (), True)


def test_only_new_and_edited_lines_are_given_again(path: Path) -> None:
    """Known lines are counted and skipped; the marks of edited ones are gone."""
    marks = {record[0]: record[1] for record in read(jsonl_source(path, ADA + BEN))[0]}
    edited = BEN.replace("null", '"A"')

    records, facts = read(
        jsonl_source(path, ADA + edited), Known(None, lambda: {m for m in marks.values() if m})
    )

    assert people(records) == [("1002", None, '{"department":"A"}')]
    assert facts.gone == {marks["1002"]}
    assert facts.rows == 2
