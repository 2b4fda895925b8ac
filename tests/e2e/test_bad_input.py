"""Files and configurations that are wrong: said in one sentence, and nobody loses anything."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.campaign import long
from tests.e2e.house import (
    AFTER,
    BEFORE,
    HEADER,
    NEW,
    OLD,
    House,
    document,
    logged,
    opened,
    sentences,
)
from tests.e2e.rights import without_rights


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Give a house in the morning of its second day."""
    with opened(tmp_path) as house:
        yield house


def test_an_undisturbed_day_ends_as_the_others_must(house: House) -> None:
    """Every other test of this folder compares with these rows."""
    done = house.run()

    assert (done.code, sentences(done)) == (0, [])
    assert house.rows() == NEW
    assert house.heal() == NEW


BAD = {
    "empty": (b"", "the file is empty (0 bytes)"),
    "header only": (HEADER.encode(), "a source without rows is never believed"),
    "truncated in a row": (BEFORE.encode() + b"E5;De", "cells"),
    "truncated in quotes": (BEFORE.encode() + b'"E5;Depot;yes\n', "quote"),
    "not utf-8": (BEFORE.encode() + b"E5;J\xf6rg;yes\n", "0xF6"),
    "utf-16": (BEFORE.encode("utf-16"), "utf-16-le"),
    "gzip": (gzip.compress(BEFORE.encode(), mtime=0), "which encoding does the file have?"),
    "column missing": (BEFORE.replace("Active", "Aktiv").encode(), '"Active" is absent'),
    "key missing": ((BEFORE + ";Field;yes\n").encode(), "key"),
    "most rows missing": ((HEADER + "E3;Field;yes\n").encode(), "75.0 percent fewer"),
}


LATER = ("header only", "truncated in a row", "utf-16", "gzip", "key missing")
"""What a plain run leaves to the campaign: the connector's own tests have them all."""


@pytest.mark.parametrize("kind", [long(kind) if kind in LATER else kind for kind in BAD])
def test_a_file_that_is_wrong_removes_nobody(kind: str, house: House) -> None:
    """Line 1 says that the source was not believed; on the next day all is made up for."""
    content, named = BAD[kind]
    house.write(content)
    done = house.run("reconcile")
    between = house.rows()

    assert done.code == 4
    assert "hr was not believed, removals withheld" in " ".join(done.out.split("\n")[:2])
    assert named in " ".join(done.out.split()).replace("W", "w")
    assert logged(done)["exit_code"] == 4
    assert between == OLD
    assert house.heal() == NEW


def test_a_key_that_is_there_twice_holds_that_person_only(house: House) -> None:
    """Nobody can tell which line is right; the others have their changes."""
    house.write(AFTER + "E1;Depot;yes\n")
    done = house.run()
    (held,) = document(done)["plan"]["reports"]

    assert done.code == 0
    assert (held["situation"], held["person"]) == ("HELD", "E1")
    assert house.rows() == sorted([*NEW, ("E1", "Field Crew")])
    assert house.heal() == NEW


@pytest.mark.parametrize("kind", ["absent", "folder", "forbidden"])
def test_a_file_that_cannot_be_read_removes_nobody(kind: str, house: House) -> None:
    """It says which file, and why."""
    path = house.folder / "hr.csv"
    under: tuple[str, ...] = ()
    if kind == "forbidden":
        path.chmod(0)
        under = without_rights()
    else:
        path.unlink()
        if kind == "folder":
            path.mkdir()
    done = house.run(under=under)
    between = house.rows()
    if kind == "folder":
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
    (certificate,) = document(done)["plan"]["certificates"]

    assert done.code == 4
    assert certificate["certified"] is False
    assert "hr.csv" in " ".join(certificate["findings"])
    assert between == OLD
    assert house.heal() == NEW


def test_a_profile_that_nobody_has_is_reported(house: House) -> None:
    """Who is meant for it keeps what is there; the name is said."""
    text = (house.folder / "syncd.toml").read_text(encoding="utf-8")
    wrong = text.replace('profile = "Depot"', 'profile = "Deport"')
    (house.folder / "syncd.toml").write_text(wrong, encoding="utf-8")
    done = house.run()
    reports = document(done)["plan"]["reports"]
    between = house.rows()
    (house.folder / "syncd.toml").write_text(text, encoding="utf-8")

    assert done.code == 0
    assert [(each["situation"], each["profile"]) for each in reports] == [
        ("UNRESOLVED_PROFILE", "Deport")
    ]
    assert document(done)["plan"]["situations"]["UNRESOLVED_PROFILE"] == 3
    assert {("E2", "Field Crew"), ("E4", "Depot")} < set(between)
    assert house.heal() == NEW


def test_five_mistakes_in_a_configuration_are_five_sentences(house: House) -> None:
    """All are said at once, each with its place; nothing is read and nothing is made."""
    house.state.unlink()
    path = house.folder / "syncd.toml"
    text = path.read_text(encoding="utf-8")
    wrong = (
        text.replace("batch_size = 1", "batch_size = 0")
        .replace('type = "csv"', 'type = "cvs"')
        .replace("person.department ==", "person.departement ==", 1)
        .replace('auth.method = "none"', 'auth.method = "nine"')
    )
    path.write_text(f"[polcy]\nx = 1\n{wrong}", encoding="utf-8")
    done = house.run("reconcile")

    said = sentences(done)
    places = ("polcy:", "http.batch_size:", "sources.0.type:", "rules.0.when:", "auth.method:")
    assert (done.code, done.out) == (64, "")
    assert all(any(place in line for line in said) for place in places), said
    assert all(line.startswith("syncd: ") and "syncd.toml" in line for line in said), said
    assert not house.state.exists()
    assert house.rows() == OLD


@pytest.mark.parametrize(
    ("content", "named"),
    [(None, "syncd.toml"), (b"[environments\n", "line 1"), (b"a = '\xff'", "UTF-8")],
    ids=["absent", "not TOML", "not UTF-8"],
)
def test_a_configuration_that_cannot_be_read_is_64(
    content: bytes | None, named: str, house: House
) -> None:
    """One sentence, with the file's name."""
    path = house.folder / "syncd.toml"
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    done = house.run("reconcile")

    (said,) = sentences(done)
    assert (done.code, done.out) == (64, "")
    assert "syncd.toml" in said
    assert named in said
