"""Every way in which a CSV file can be bad has its sentence."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from syncd.connectors.sources.files import CsvSource
from syncd.core.ports import Known
from tests.connectors.sources.people import HEADER, PEOPLE, as_csv, csv_source, people, read

UNDECODABLE = "; nothing was read. Which encoding does the file have?"
CUT = "nothing from here on was read"
LONG = f"a field is longer than 131072 characters, as if a quote were not closed; {CUT}"
GOOD = "EmployeeID,UPN,Department\nE1,a,A\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file of a test lies."""
    return tmp_path / "hr.csv"


@pytest.mark.parametrize(
    ("content", "settings", "sentence"),
    [
        (b"", {}, "{path}: the file is empty (0 bytes)"),
        (b"\n\n", {}, "{path}: the file has no header"),
        (b"\xef\xbb\xbf", {}, "{path}: the file has no header"),
        (
            b"EmployeeID,UPN,Dept\nE1,a,A\n",
            {},
            '{path}, line 1: the mapped column "Department" is absent; is it "Dept" now?',
        ),
        (
            b"\nEmployeeID,UPN,xyz\nE1,a,A\n",
            {},
            '{path}, line 2: the mapped column "Department" is absent',
        ),
        (
            b"EmployeeID;UPN;Department\nE1;a;A\n",
            {},
            '{path}, line 1: delimiter is ",", but ";" is what parts the header into the mapped '
            'columns; set delimiter = ";"',
        ),
        (
            b"EmployeeID\tUPN\tDepartment\nE1\ta\tA\n",
            {"delimiter": ";"},
            '{path}, line 1: delimiter is ";", but "\\t" is what parts the header into the mapped '
            'columns; set delimiter = "\\t"',
        ),
        (
            b"EmployeeID,UPN,Department,UPN\nE1,a,A,b\n",
            {},
            '{path}, line 1: the mapped column "UPN" is there 2 times',
        ),
        (
            GOOD.encode() + b"E2,J\xf6rg,A\n",
            {},
            "{path}, line 3, column 5: the byte 0xF6 is not UTF-8 here{more}",
        ),
        (
            GOOD.encode() + b'"E2",J\xf6rg,A\n',
            {},
            "{path}, line 3, column 7: the byte 0xF6 is not UTF-8 here{more}",
        ),
        (
            GOOD.encode() + b"E2,\x81,A\n",
            {"encoding": "windows-1252"},
            "{path}, line 3, column 4: the byte 0x81 is not CP1252 here{more}",
        ),
        (
            GOOD.encode() + b"E2,a\0,A\n",
            {},
            "{path}, line 3, column 5: there is a NUL character; the file is damaged or not UTF-8",
        ),
        (
            GOOD.encode("utf-16-le"),
            {},
            "{path}, line 1, column 2: there is a NUL character; the file is damaged or not UTF-8",
        ),
        (
            GOOD.encode("utf-16"),
            {},
            (
                '{path}, line 1, column 1: encoding is "utf-8", but the file begins with the '
                'byte order mark of UTF-16-LE; set encoding = "utf-16-le"'
            ),
        ),
        (
            GOOD.encode("utf-16")[:-1],
            {"encoding": "auto"},
            "{path}, line 2, column 7: the byte 0x0A is not UTF-16-LE here{more}",
        ),
        (
            GOOD.encode() + "E2,é".encode()[:-1],
            {"encoding": "auto"},
            "{path}, line 3, column 4: the byte 0xC3 is not UTF-8 here{more}",
        ),
        (
            GOOD.encode(),
            {"encoding": "klingon"},
            (
                '{path}: encoding "klingon" is not known; use "utf-8", "utf-16", '
                '"windows-1252" or "auto"'
            ),
        ),
        (
            b'"EmployeeID,UPN,Department\nE1,a,A\n',
            {},
            "{path}, line 1: the header: the file ends inside quotes; " + CUT,
        ),
        (
            b"EmployeeID" * 1_000_000,
            {},
            "{path}, line 1: the line is longer than 8388608 bytes",
        ),
    ],
)
def test_nothing_is_used_of_a_file_that_cannot_be_understood(
    path: Path, content: bytes, settings: dict[str, str], sentence: str
) -> None:
    """One sentence names the file, the place and what is wrong with it."""
    _, facts = read(csv_source(path, content, **settings))

    assert facts.findings == (sentence.format(path=path, more=UNDECODABLE),)
    assert (facts.usable, facts.rows, facts.gone) == (False, 0, frozenset())


@pytest.mark.parametrize(
    ("tail", "sentence", "rows"),
    [
        ("E2,b\nE3,c,C\n", "line 3: 2 cells where the header has 3; the row was not read", 2),
        ("E2,b,B,\nE3,c,C\n", "line 3: 4 cells where the header has 3; the row was not read", 2),
        ("  \nE3,c,C\n", "line 3: 1 cell where the header has 3; the row was not read", 2),
        (
            " ,b,B\nE3,c,C\n",
            'line 3: the key is empty (column 1, "EmployeeID"); the row was not read',
            2,
        ),
        (
            'E2,"b\n",\nE3,"c',
            "line 5: the file ends inside quotes; nothing from here on was read",
            2,
        ),
        (
            'E2,b,"B"x\nE3,c,C\n',
            f"line 3: text follows a closing quote in the row that begins here; {CUT}",
            1,
        ),
        (
            f"E2,b,{'B' * 131_073}\nE3,c,C\n",
            f"line 3: {LONG}",
            1,
        ),
        (
            f'E2,b,"{"B" * 131_073}"\nE3,c,C\n',
            f"line 3: {LONG}",
            1,
        ),
    ],
)
def test_a_broken_row_is_not_read(path: Path, tail: str, sentence: str, rows: int) -> None:
    """The rows before it are read and counted, and those after it where that is safe."""
    records, facts = read(csv_source(path, GOOD + tail))

    assert facts.findings == (f"{path}, {sentence}",)
    assert (facts.usable, facts.rows, len(records)) == (True, rows, rows)


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_file_that_is_wrong_throughout_says_so_once(path: Path, quote: str) -> None:
    """Five findings of a kind are listed, the rest is counted."""
    content = GOOD + f"{quote}E2{quote},b\n" * 9 + ",b,B\n"

    _, facts = read(csv_source(path, content))

    assert [sentence.split(":")[0] for sentence in facts.findings] == [
        *(f"{path}, line {line}" for line in range(3, 8)),
        f"{path}, line 12",
        f"{path}",
    ]
    assert facts.findings[-1] == (
        f"{path}: there are 4 more rows with more or fewer cells than the header"
    )


def test_a_header_alone_is_a_read_of_no_rows(path: Path) -> None:
    """That it cannot be believed is for the certificate to say."""
    records, facts = read(csv_source(path, "EmployeeID,UPN,Department\n"))

    assert records == []
    assert (facts.rows, facts.findings, facts.usable) == (0, (), True)


def test_a_file_that_is_not_there_is_a_finding(path: Path) -> None:
    """A source that cannot be reached gives no row and no error."""
    _, facts = read(CsvSource("hr", path, PEOPLE))

    assert facts.findings == (f"{path}: there is no such file",)
    assert not facts.usable


def test_a_directory_is_a_finding(tmp_path: Path) -> None:
    """A path that leads to a directory is told from one that leads nowhere."""
    _, facts = read(CsvSource("hr", tmp_path, PEOPLE))

    assert facts.findings == (f"{tmp_path}: this is a directory and not a file",)
    assert not facts.usable


def test_a_pipe_is_not_waited_for(path: Path) -> None:
    """Nobody may ever write to it."""
    os.mkfifo(path)

    _, facts = read(CsvSource("hr", path, PEOPLE))

    assert facts.findings == (f"{path}: this is not a regular file",)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_forbidden_file_is_a_finding(path: Path) -> None:
    """A right that is missing is named."""
    source = csv_source(path, GOOD)
    path.chmod(0)

    _, facts = read(source)

    assert facts.findings == (f"{path}: there is no permission to read this file",)


def test_a_path_through_a_file_is_a_finding(path: Path) -> None:
    """Whatever else the system says is passed on."""
    path.write_text(GOOD)

    _, facts = read(CsvSource("hr", path / "deeper", PEOPLE))

    assert facts.findings == (f"{path}/deeper: the file could not be read: Not a directory",)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda packed: packed[:-9], "the gzip data end too early; was it cut?"),
        (lambda _: GOOD.encode(), "this is not sound gzip data (Not a gzipped file (b'Em'))"),
        (lambda packed: packed[:10] + b"\xff" * 9 + packed[19:], "the gzip data are damaged"),
    ],
)
def test_nothing_is_used_of_a_damaged_gzip_file(
    tmp_path: Path, damage: Callable[[bytes], bytes], sentence: str
) -> None:
    """What it unpacks to before the damage shows is not certain either."""
    path = tmp_path / "hr.csv.gz"
    _, facts = read(csv_source(path, damage(gzip.compress(GOOD.encode() * 9))))

    assert facts.findings == (f"{path}: {sentence}",)
    assert not facts.usable


def test_a_file_that_changed_before_anything_was_given_is_read_again(path: Path) -> None:
    """A small file that is written while it is read is simply read once more."""
    source = csv_source(path, GOOD)
    writes = [GOOD + "E2,b,B\n"]

    def marks() -> set[bytes]:
        if writes:
            path.write_text(writes.pop())
        return set()

    records, facts = read(source, Known(None, marks))

    assert [record[0] for record in records] == ["E1", "E2"]
    assert (facts.usable, facts.findings) == (True, ())


def test_nothing_is_used_of_a_file_that_keeps_changing(path: Path) -> None:
    """After the second try the certificate fails."""
    source = csv_source(path, GOOD)

    def marks() -> set[bytes]:
        with path.open("a") as file:
            file.write("E2,b,B\n")
        return set()

    records, facts = read(source, Known(None, marks))

    assert records == []
    assert not facts.usable
    assert facts.findings[0].startswith(f"{path}: the file changed while it was read")


def test_nothing_is_used_of_a_big_file_that_changed(path: Path) -> None:
    """Pages that were given already cannot be taken back, so the read says not to use them."""
    rows = [(f"E{number}", "u", "A") for number in range(20_001)]
    reading = csv_source(path, as_csv([HEADER, *rows])).read(Known(None, set))

    pages = iter(reading)
    first = next(pages)
    path.write_text(GOOD)
    rest = list(pages)

    assert len(first) == 10_000
    assert sum(map(len, rest)) <= 10_001
    assert not reading.facts.usable
    assert "changed while it was read" in reading.facts.findings[0]


def test_a_replaced_file_is_read_as_it_was(path: Path) -> None:
    """A file that is renamed over the old one disturbs no read in progress."""
    source = csv_source(path, GOOD)

    def marks() -> set[bytes]:
        new = path.with_name("new.csv")
        new.write_text(GOOD + "E2,b,B\n")
        new.rename(path)
        return set()

    records, facts = read(source, Known(None, marks))

    assert people(records) == [("E1", "a", '{"department":"A"}')]
    assert (facts.usable, facts.findings) == (True, ())
