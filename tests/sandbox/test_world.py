"""Worlds: loading, keeping, showing."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from syncd.sandbox import Sandbox, SandboxError, Store, world
from syncd.sandbox.keeping import Keeper
from syncd.sandbox.registrations import standing_rows
from syncd.sandbox.tables import SETS, TABLES
from tests.sandbox.door import (
    ADA,
    CREW,
    NEW,
    ROW,
    ROWS,
    SMALL,
    Door,
    envelope,
    membership,
    part,
    sandbox_of,
)

NOW = "2026-01-01T00:00:00Z"
SCENARIOS = sorted(Path(__file__).parents[1].glob("scenarios/*/world.json"))


def everything(door: Door) -> dict[str, list[dict[str, object]]]:
    """Return all rows of a sandbox."""
    return {name: door.get(name)["value"] for name in SETS}


def load(path: Path, rows: object) -> Store:
    """Load a world from a file."""
    path.write_text(json.dumps(rows))
    store = Store()
    world.load(store, path, NOW)
    return store


def test_absent_columns_get_the_tables_defaults(door: Door) -> None:
    """And what is given stays, read-only columns included."""
    user = door.get(f"systemusers({ADA})")
    row = door.get(f"{ROWS}({ROW})")

    assert (user["isdisabled"], user["accessmode"], user["deletedstate"]) == (False, 0, 0)
    assert (row["statecode"], row["statuscode"]) == (0, 1)
    assert row["hasmobileofflineprofileidconflict"] is False
    assert row["createdon"] == NOW


def test_what_a_world_says_about_a_row_is_kept(tmp_path: Path) -> None:
    """Versions, dates, states; the next version is greater than all of them."""
    given = {
        "usermobileofflineprofilemembershipid": ROW.upper(),
        "createdon": "2025-09-01T08:00:00Z",
        "versionnumber": 900,
        "statecode": 1,
        "@odata.etag": 'W/"900"',
        "statecode@OData.Community.Display.V1.FormattedValue": "Inactive",
    }
    door = Door(Sandbox(load(tmp_path / "world.json", {ROWS: [given]})))

    door.send("POST", ROWS, {"usermobileofflineprofilemembershipid": NEW})

    row = door.get(f"{ROWS}({ROW})")
    assert (row["createdon"], row["@odata.etag"]) == ("2025-09-01T08:00:00Z", 'W/"900"')
    assert (row["statecode"], row["statuscode"]) == (1, 2)
    assert door.get(f"{ROWS}({NEW})")["versionnumber"] == 901


def test_a_lookup_may_dangle_in_a_world() -> None:
    """Real environments hold such pointers; they can be read and cannot be made."""
    door = Door(
        sandbox_of({"systemusers": [{"systemuserid": ADA, "_mobileofflineprofileid_value": CREW}]})
    )

    assert door.get(f"systemusers({ADA})")["_mobileofflineprofileid_value"] == CREW


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.parent.name)
def test_the_worlds_of_the_scenarios_load(path: Path) -> None:
    """Every row of each; and their administrators' edits are done."""
    store = Store()
    world.load(store, path, NOW)
    door = Door(Sandbox(store))
    given: Mapping[str, Sequence[object]] = json.loads(path.read_text(encoding="utf-8"))
    counts = {name: len(rows) for name, rows in everything(door).items()}

    steps = json.loads((path.parent / "steps.json").read_text(encoding="utf-8"))
    edits = [edit for step in steps for edit in step.get("edits", []) if "<" not in edit["path"]]
    found = [
        door.send(
            edit["method"],
            edit["path"],
            edit.get("body"),
            {"If-Match": "*"} if edit["method"] == "PATCH" else None,
        ).status
        for edit in edits
    ]

    standing = {TABLES[name].set_name: rows for name, rows in standing_rows().items()}
    assert counts == {name: len(given.get(name, standing.get(name, ()))) for name in SETS}
    assert found == [204] * len(edits)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([], "no object of arrays"),
        ({"accounts": []}, "accounts"),
        ({"systemusers": [{"sytemuserid": ADA}]}, "sytemuserid"),
        ({"systemusers": [{"systemuserid": "x"}]}, r"systemusers\[0\]"),
        ({"systemusers": [{"systemuserid": ADA}, {"systemuserid": ADA}]}, "is there"),
        ({"systemusers": [{"fullname": "x" * 201}]}, "length"),
        ({"systemusers": [5]}, r"systemusers\[0\]"),
    ],
)
def test_a_wrong_world_is_one_clear_sentence(tmp_path: Path, rows: object, says: str) -> None:
    """It names the row and what is wrong with it."""
    with pytest.raises(SandboxError, match=says) as caught:
        load(tmp_path / "world.json", rows)
    assert "\n" not in str(caught.value)


def test_a_world_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With the reason."""
    with pytest.raises(SandboxError, match=r"nothing\.json"):
        world.load(Store(), tmp_path / "nothing.json", NOW)


def kept(path: Path) -> tuple[Door, Keeper]:
    """Open a sandbox whose rows are in a file, as `serve --db` does."""
    store, keeper = Store(), Keeper(path)
    if not keeper.read(store, NOW):
        world.fill(store, SMALL, NOW)
        keeper.write(store)
    return Door(Sandbox(store, keep=lambda changes: keeper.keep(changes, store.version))), keeper


def test_a_file_outlives_its_process(tmp_path: Path) -> None:
    """Creates, updates, deletions and cascades are in it when the answer is given."""
    door, keeper = kept(tmp_path / "sandbox.db")
    door.batch(
        envelope(
            part("POST", ROWS, membership()),
            part("PATCH", f"{ROWS}({ROW})", {"statecode": 1}, If_Match="*"),
            part("DELETE", f"systemusers({ADA})"),
        )
    )
    door.send("POST", ROWS, membership(usermobileofflineprofilemembershipid=ADA))
    door.send("DELETE", f"{ROWS}({ADA})")
    before = everything(door)
    keeper.close()

    again, second = kept(tmp_path / "sandbox.db")

    assert everything(again) == before
    assert door.sandbox.store.version == again.sandbox.store.version
    second.close()


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    """In one sentence."""
    path = tmp_path / "letter.txt"
    path.write_text("Dear reader, this is no database, and it is long enough to be sure of that.")

    with pytest.raises(SandboxError, match=r"letter\.txt"):
        Keeper(path)
    with pytest.raises(sqlite3.DatabaseError):
        sqlite3.connect(path).execute("SELECT * FROM sqlite_master")
