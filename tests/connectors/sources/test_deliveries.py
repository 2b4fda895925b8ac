"""Files as systems deliver them: many in a folder, with markers and checksums, old and packed."""

from __future__ import annotations

import gzip
import hashlib
import os
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from syncd.config.sources import CsvSource as Settings
from syncd.connectors.sources import open_source
from syncd.connectors.sources.files import CsvSource, Delivery, JsonlSource
from syncd.core.ports import Known
from tests.connectors.sources.people import PEOPLE, read

HEADER = "EmployeeID,UPN,Department\n"
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    """Where files are delivered."""
    folder = tmp_path / "drop"
    folder.mkdir()
    return folder


def deliver(path: Path, key: str = "E1", *, hours: float = 0.0) -> Path:
    """Write a file with one person, so many hours before now."""
    content = f"{HEADER}{key},a,A\n".encode()
    match path.suffix:
        case ".gz":
            content = gzip.compress(content)
        case ".zip":
            content = archive({"hr.csv": content})
    path.write_bytes(content)
    return aged(path, hours)


def aged(path: Path, hours: float) -> Path:
    """Let a file be written so many hours before now."""
    moment = (NOW - timedelta(hours=hours)).timestamp()
    os.utime(path, (moment, moment))
    return path


def archive(members: dict[str, bytes], **how: Any) -> bytes:
    """Pack a zip archive."""
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", **how) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return packed.getvalue()


def source(path: Path, **delivery: Any) -> CsvSource:
    """Return a source that looks at the files at noon on 2 March."""
    return CsvSource("hr", path, PEOPLE, delivery=Delivery(**delivery), clock=lambda: NOW)


def keys(of: CsvSource | JsonlSource) -> tuple[list[str], tuple[str, ...]]:
    """Read a source; who is in it, and what it has to complain of."""
    records, facts = read(of)
    return [record[0] for record in records], facts.findings


# --- which file counts --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "newest"),
    [
        (["hr-20260301.csv", "hr-20260228.csv"], "hr-20260301.csv"),
        (["hr-9.csv", "hr-10.csv"], "hr-10.csv"),
        (["hr-2026-9-30.csv", "hr-2026-10-1.csv"], "hr-2026-10-1.csv"),
        (["hr-1.csv", "hr-2.csv.done", "hr-3.txt", ".hr-4.csv", "ab-5.csv"], "hr-1.csv"),
    ],
)
def test_the_last_by_name_counts(drop: Path, names: list[str], newest: str) -> None:
    """Digits are numbers; files that do not fit and hidden ones do not count."""
    for name in names:
        deliver(drop / name, name)

    assert keys(source(drop / "hr-*.csv")) == ([newest], ())


def test_the_last_by_time_counts(drop: Path) -> None:
    """Where names say nothing about the order."""
    deliver(drop / "hr-b.csv", "old", hours=2)
    deliver(drop / "hr-a.csv", "new", hours=1)

    assert keys(source(drop / "hr-?.csv", newest="time")) == (["new"], ())


def test_the_last_by_date_in_the_name_counts(drop: Path) -> None:
    """Where the order of digits is not that of days; a name without a date comes last."""
    deliver(drop / "hr-28.02.2026.csv", "old")
    deliver(drop / "hr-01.03.2026.csv", "new")
    deliver(drop / "hr-final.csv", "none")
    chosen = source(drop / "hr-*.csv", newest="date", date="%d.%m.%Y")

    assert keys(chosen) == (["new"], ())


def test_json_lines_are_delivered_likewise(drop: Path) -> None:
    """Both kinds of file are delivered in the same ways."""
    (drop / "hr-1.jsonl").write_text('{"EmployeeID":"E1","UPN":"a","Department":"A"}\n')
    (drop / "hr-2.jsonl").write_text('{"EmployeeID":"E2","UPN":"b","Department":"B"}\n')

    assert keys(JsonlSource("hr", drop / "hr-*.jsonl", PEOPLE)) == (["E2"], ())


def test_a_folder_without_such_a_file_is_a_finding(drop: Path) -> None:
    """Nothing was delivered, or it is called otherwise now."""
    path = drop / "hr-*.csv"

    assert keys(source(path))[1] == (
        f"{path}: no file in the folder has such a name; was any delivered?",
    )


def test_a_folder_that_is_not_there_is_a_finding(tmp_path: Path) -> None:
    """A mount that is gone, for instance."""
    path = tmp_path / "gone" / "hr-*.csv"

    assert keys(source(path))[1] == (
        f"{path}: the folder could not be read: No such file or directory",
    )


def test_a_link_out_of_the_folder_is_not_followed(drop: Path) -> None:
    """Who may deliver files may not choose any file of the machine."""
    outside = deliver(drop.parent / "other.csv", "outside")
    (drop / "hr-9.csv").symlink_to(outside)

    assert keys(source(drop / "hr-*.csv")) == (
        [],
        (f"{drop / 'hr-9.csv'}: this link leads out of the folder; nothing was read",),
    )


def test_a_link_within_the_folder_is_followed(drop: Path) -> None:
    """`current` points at what is current."""
    deliver(drop / "a.csv", "inside")
    (drop / "hr-9.csv").symlink_to("a.csv")

    assert keys(source(drop / "hr-*.csv")) == (["inside"], ())


def test_a_name_with_brackets_may_be_a_name(drop: Path) -> None:
    """A file that is called so is that file."""
    deliver(drop / "hr[1].csv", "itself")

    assert keys(source(drop / "hr[1].csv")) == (["itself"], ())


# --- markers ------------------------------------------------------------------------------


@pytest.mark.parametrize("marker", ["hr-2.csv.gz.done", "hr-2.csv.done", "hr-2.done"])
def test_a_file_counts_once_its_marker_is_there(drop: Path, marker: str) -> None:
    """Until then the one before it does; the marker is named after the file."""
    deliver(drop / "hr-1.csv.gz", "old", hours=9)
    deliver(drop / "hr-2.csv.gz", "new", hours=2)
    aged(deliver(drop / "hr-1.done"), 8)
    marked = source(drop / "hr-*.csv.gz", done=".done")
    before = keys(marked)
    aged(deliver(drop / marker), 1)

    assert before == (["old"], ())
    assert keys(marked) == (["new"], ())


def test_a_marker_older_than_its_file_says_nothing(drop: Path) -> None:
    """The file is being written anew while the marker of yesterday lies there."""
    deliver(drop / "hr.csv", hours=0)
    aged(deliver(drop / "hr.csv.done"), 24)
    path = drop / "hr.csv"

    assert keys(source(path, done=".done"))[1] == (
        f"{path}: there is no marker hr.csv.done that is newer than the file, so it is not "
        "complete yet",
    )


def test_files_without_any_marker_are_a_finding(drop: Path) -> None:
    """The ending may have changed."""
    deliver(drop / "hr-1.csv")
    deliver(drop / "hr-2.csv")
    path = drop / "hr-*.csv"

    assert keys(source(path, done=".done"))[1] == (
        f"{path}: none of the 2 files has a marker *.done that is newer than the file, so none "
        "is complete yet",
    )


def test_a_file_that_is_not_there_needs_no_marker(drop: Path) -> None:
    """What is missing is the file."""
    deliver(drop / "hr.done")

    assert keys(source(drop / "hr.csv", done=".done"))[1] == (
        f"{drop / 'hr.csv'}: there is no such file",
    )


# --- checksums ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written",
    [
        "{sum}",
        "{sum}  hr.csv\n",
        "{SUM} *hr.csv\r\n",
        "SHA256 (hr.csv) = {sum}\n",
        "{zero}  other.csv\n{sum}  hr.csv\n",
    ],
)
@pytest.mark.parametrize("codec", ["utf-8", "utf-16"])
def test_a_file_with_its_checksum_is_read(drop: Path, written: str, codec: str) -> None:
    """As sha256sum, BSD, PowerShell and others write it, alone or in a list."""
    path = deliver(drop / "hr.csv")
    digits = hashlib.sha256(path.read_bytes()).hexdigest()
    content = written.format(sum=digits, SUM=digits.upper(), zero="0" * 64)
    (drop / "hr.csv.sha256").write_bytes(content.encode(codec))

    assert keys(source(path, checksum=".sha256")) == (["E1"], ())


@pytest.mark.parametrize("name", ["hr.csv", "hr.csv.gz", "hr.csv.zip"])
def test_a_file_with_another_checksum_is_not_read(drop: Path, name: str) -> None:
    """It was cut or changed on the way. What is summed is the file as it lies there."""
    path = deliver(drop / name)
    good = hashlib.sha256(path.read_bytes()).hexdigest()
    (drop / f"{name}.sha256").write_text(good)
    before = keys(source(path, checksum=".sha256"))
    (drop / f"{name}.sha256").write_text("0" * 64)

    assert before == (["E1"], ())
    assert keys(source(path, checksum=".sha256")) == (
        [],
        (
            f"{path}: its SHA-256 is not the one beside it, in *.sha256; nothing was read. "
            "Was it cut on the way?",
        ),
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "hr.csv: there is no hr.csv.sha256 beside it; nothing was read"),
        ("", "hr.csv.sha256: it holds no SHA-256 of hr.csv"),
        ("abc  hr.csv", "hr.csv.sha256: it holds no SHA-256 of hr.csv"),
        (
            f"{'0' * 64}  a.csv\n{'1' * 64}  b.csv\n",
            "hr.csv.sha256: it holds 2 SHA-256 sums, and which is of hr.csv?",
        ),
    ],
)
def test_a_checksum_that_says_nothing_is_a_finding(
    drop: Path, content: str | None, sentence: str
) -> None:
    """It was asked for, so without it nothing is read."""
    path = deliver(drop / "hr.csv")
    if content is not None:
        (drop / "hr.csv.sha256").write_text(content)

    assert keys(source(path, checksum=".sha256")) == ([], (f"{drop}/{sentence}",))


# --- age ----------------------------------------------------------------------------------


def test_a_file_that_is_too_old_is_read_and_not_believed(drop: Path) -> None:
    """The export has stopped. Joiners still count, nobody is removed."""
    path = deliver(drop / "hr.csv", hours=30)

    assert keys(source(path, max_age=timedelta(hours=26))) == (
        ["E1"],
        (
            f"{path}: it is of 2026-03-01 06:00 UTC, which is 30 hours ago, and max_age is "
            "26 hours; is it still delivered?",
        ),
    )
    assert keys(source(path, max_age=timedelta(hours=31))) == (["E1"], ())


def test_known_content_that_is_too_old_is_not_believed_either(drop: Path) -> None:
    """That nothing changed is just what an export that has stopped looks like."""
    path = deliver(drop / "hr.csv", hours=30)
    _, first = read(source(path))

    _, facts = read(source(path, max_age=timedelta(hours=26)), Known(first.content, set))

    assert facts.unchanged
    assert len(facts.findings) == 1


def test_the_date_in_the_name_counts_however_new_the_file_is(drop: Path) -> None:
    """A file that was copied again is not newer for that."""
    path = deliver(drop / "hr-20260228.csv")
    dated = source(drop / "hr-*.csv", date="hr-%Y%m%d", max_age=timedelta(days=2))

    assert keys(dated) == (
        ["E1"],
        (
            f"{path}: it is of 2026-02-28 00:00 UTC, which is 60 hours ago, and max_age is "
            "48 hours; is it still delivered?",
        ),
    )


@pytest.mark.parametrize("codec", ["utf-8", "utf-16"])
@pytest.mark.parametrize(("day", "findings"), [("2026-03-02", 0), ("2026-02-20", 1)])
def test_a_date_in_the_content_counts(drop: Path, codec: str, day: str, findings: int) -> None:
    """With what stands around it, in whatever encoding."""
    path = drop / "hr.csv"
    path.write_bytes(f"EmployeeID,UPN,Department,As of {day}\nE1,a,A,\n".encode(codec))
    dated = source(path, date="As of %Y-%m-%d", date_in="content", max_age=timedelta(days=2))

    found = keys(replace(dated, encoding="auto"))

    assert (found[0], len(found[1])) == (["E1"], findings)


@pytest.mark.parametrize(
    ("where", "place"), [("name", "the name"), ("content", "the beginning of the content")]
)
def test_a_file_without_its_date_is_not_read(drop: Path, where: str, place: str) -> None:
    """Nobody knows how old it is."""
    path = deliver(drop / "hr.csv")
    dated = source(path, date="%Y%m%d", date_in=where, max_age=timedelta(days=2))

    assert keys(dated) == ([], (f'{path}: {place} holds no date like "%Y%m%d"',))


def test_a_date_that_is_yet_to_come_is_a_finding(drop: Path) -> None:
    """Day and month are the wrong way round, or a clock is; tomorrow is somewhere today."""
    late = deliver(drop / "hr-2026-12-01.csv")
    soon = deliver(drop / "hr-2026-03-03.csv")

    assert keys(source(late, date="%Y-%m-%d")) == (
        ["E1"],
        (
            f'{late}: it is of 2026-12-01, which is yet to come; is its date written like "%Y-%m-%d"?',  # noqa: E501 - one sentence
        ),
    )
    assert keys(source(soon, date="%Y-%m-%d")) == (["E1"], ())


# --- the same again -----------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "csv.zip"])
def test_the_same_delivered_twice_is_a_finding_where_asked_for(drop: Path, ending: str) -> None:
    """Packed files are compared by what is in them; their times differ anyway."""
    first = deliver(drop / f"hr-1.{ending}")
    second = drop / f"hr-2.{ending}"
    if ending == "csv.gz":
        second.write_bytes(gzip.compress(gzip.decompress(first.read_bytes()), mtime=7))
    else:
        deliver(second)
    path = drop / f"hr-*.{ending}"

    assert keys(source(path)) == (["E1"], ())
    assert keys(source(path, repeated="finding")) == (
        ["E1"],
        (
            f"{second}: it has the content of hr-1.{ending}, which came before it; is the same "
            "delivered again and again?",
        ),
    )


@pytest.mark.parametrize("ending", ["csv", "csv.gz"])
def test_another_content_is_no_repetition(drop: Path, ending: str) -> None:
    """Not even one of the same length; nor a file before it that cannot be read."""
    deliver(drop / f"hr-0.{ending}", "E2")
    (drop / f"hr-1.{ending}").write_bytes(b"\x1f\x8bnonsense")
    new = deliver(drop / f"hr-2.{ending}", "E3")
    path = drop / f"hr-*.{ending}"
    found = [keys(source(path, repeated="finding"))]
    new.rename(drop / f"hr-1.{ending}")
    found.append(keys(source(path, repeated="finding")))

    assert found == [(["E3"], ()), (["E3"], ())]


# --- archives -----------------------------------------------------------------------------


def test_a_zip_archive_with_one_file_is_read(drop: Path) -> None:
    """What macOS adds, hidden files and folders are no files of people."""
    path = drop / "hr.zip"
    people = f"{HEADER}E1,a,A\n".encode()
    members = {"x/": b"", "x/hr.csv": people, "__MACOSX/x/._hr.csv": b"?", ".DS_Store": b"?"}
    path.write_bytes(archive(members, compression=zipfile.ZIP_DEFLATED))
    records, facts = read(source(path))
    marks = {record[1] for record in records if record[1]}

    again, second = read(source(path), Known(None, lambda: set(marks)))

    assert ([record[0] for record in records], facts.findings) == (["E1"], ())
    assert (again, second.rows, second.content) == ([], 1, facts.content)


def test_a_path_inside_an_archive_leads_nowhere(drop: Path) -> None:
    """Nothing is ever unpacked to the disk."""
    path = drop / "hr.zip"
    path.write_bytes(archive({"../../evil.csv": f"{HEADER}E1,a,A\n".encode()}))

    assert keys(source(path)) == (["E1"], ())
    assert sorted(each.name for each in drop.parent.rglob("*")) == ["drop", "hr.zip"]


PEOPLE_ZIP = archive({"hr.csv": HEADER.encode() * 99}, compression=zipfile.ZIP_DEFLATED)
LOCKED = PEOPLE_ZIP.replace(b"PK\x03\x04\x14\x00\x00", b"PK\x03\x04\x14\x00\x01").replace(
    b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01"
)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (archive({}), "the zip archive holds 0 files where one is expected"),
        (archive({"a": b"", "b": b""}), "the zip archive holds 2 files where one is expected"),
        (PEOPLE_ZIP[:-30], "this is not a sound zip archive; was it cut?"),
        (HEADER.encode(), "this is not a sound zip archive; was it cut?"),
        (
            PEOPLE_ZIP.replace(PEOPLE_ZIP[36:60], b"\xff" * 24),
            "this is not a sound zip archive; was it cut?",
        ),
        (LOCKED, "the zip archive is locked or packed in a way that is not known"),
    ],
)
def test_nothing_is_used_of_an_archive_that_is_not_sound(
    drop: Path, content: bytes, sentence: str
) -> None:
    """Each way of being broken has its sentence."""
    path = drop / "hr.zip"
    path.write_bytes(content)

    assert keys(source(path)) == ([], (f"{path}: {sentence}",))


@pytest.mark.parametrize("name", ["hr.csv.gz", "hr.csv.zip"])
def test_a_bomb_is_not_unpacked(drop: Path, name: str) -> None:
    """A file of eighty kilobytes that holds eighty megabytes is no export."""
    path = drop / name
    zeros = bytes(80 << 20)
    packed = {"compression": zipfile.ZIP_DEFLATED}
    path.write_bytes(
        gzip.compress(zeros, 9) if name.endswith("gz") else archive({"hr.csv": zeros}, **packed)
    )

    assert keys(source(path)) == (
        [],
        (
            f"{path}: it unpacks to more than 200 times its size, as no export does; "
            "nothing of it is used",
        ),
    )


# --- settings -----------------------------------------------------------------------------


def test_settings_open_a_source(drop: Path) -> None:
    """What a configuration says arrives where files are chosen."""
    deliver(drop / "hr-1.csv", "old", hours=1)
    deliver(drop / "hr-2.csv", "new", hours=9)
    settings = Settings.model_validate(
        {
            "name": "hr",
            "type": "csv",
            "path": str(drop / "hr-*.csv"),
            "delivery": {"newest": "time", "max_age": "30m"},
            "person": {"key": "EmployeeID"},
        }
    )

    opened = open_source(settings, Event(), lambda: NOW)

    assert isinstance(opened, CsvSource)
    assert keys(opened)[0] == ["old"]
    assert "max_age is 30 minutes" in keys(opened)[1][0]
