"""Change tracking: first reads, deltas, and tokens that are too old."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.sandbox import Sandbox, Store, world
from syncd.sandbox.keeping import Keeper
from tests.sandbox.door import (
    ADA,
    NEW,
    NOW,
    ROOT,
    ROW,
    ROWS,
    SMALL,
    Door,
    change_set,
    envelope,
    membership,
    part,
    refused,
)

KEY = "usermobileofflineprofilemembershipid"
TRACK = "odata.track-changes"


def follow(door: Door, path: str, prefer: str = TRACK) -> tuple[list[dict[str, Any]], str, int]:
    """Follow next links to the delta link; return the entries, that link, and how many pages."""
    found: list[dict[str, Any]] = []
    pages = 0
    while True:
        page = door.get(path, prefer)
        found += page["value"]
        pages += 1
        if "@odata.deltaLink" in page:
            assert "@odata.nextLink" not in page
            return found, page["@odata.deltaLink"].partition(ROOT)[2], pages
        path = page["@odata.nextLink"].partition(ROOT)[2]


def test_a_first_read_ends_with_a_delta_link(door: Door) -> None:
    """With the columns that were asked for, frozen into the link."""
    answer = door.send("GET", f"{ROWS}?$select=name", headers={"Prefer": TRACK})

    page = json.loads(answer.content)
    assert [row["name"] for row in page["value"]] == ["by hand"]
    start = f"http://contoso.example{ROOT}{ROWS}?$select=name&$deltatoken="
    assert page["@odata.deltaLink"].startswith(start)
    assert answer.headers["Preference-Applied"] == TRACK


def test_nothing_new_is_an_empty_delta_with_a_fresh_link(door: Door) -> None:
    """The context says what it is."""
    _, link, _ = follow(door, f"{ROWS}?$select=name")

    page = door.get(link)

    assert page["value"] == []
    assert page["@odata.context"].endswith(f"#{ROWS}(name,{KEY})/$delta")
    assert "@odata.deltaLink" in page


def test_changes_come_by_version_and_deletions_last(door: Door) -> None:
    """New and changed rows look alike; of a deletion there is the id."""
    door.send("POST", ROWS, membership())
    _, link, _ = follow(door, f"{ROWS}?$select=name")
    third = NEW[:-1] + "e"
    door.send("DELETE", f"{ROWS}({NEW})")
    door.send("POST", ROWS, {KEY: third, "name": "new"})
    door.send("PATCH", f"{ROWS}({ROW})", {"name": "changed"})
    door.send("PATCH", f"{ROWS}({third})", {"name": "newer"})

    changes, later, _ = follow(door, link, "")

    assert [entry.get("name") for entry in changes] == ["changed", "newer", None]
    assert set(changes[0]) == {"@odata.etag", "name", KEY}
    assert changes[2] == {
        "@odata.context": f"http://contoso.example{ROOT}$metadata#{ROWS}/$deletedEntity",
        "id": NEW,
        "reason": "deleted",
    }
    assert follow(door, later, "")[0] == []
    assert follow(door, link, "")[0] == changes


def test_a_row_that_came_and_went_is_a_deletion(door: Door) -> None:
    """Of an id that nobody has seen."""
    _, link, _ = follow(door, ROWS)
    door.send("POST", ROWS, membership())
    door.send("DELETE", f"{ROWS}({NEW})")

    changes, _, _ = follow(door, link, "")

    assert [entry["id"] for entry in changes] == [NEW]


def test_what_the_platform_does_by_itself_is_a_change_too(door: Door) -> None:
    """A user who is deleted leaves a row that changed."""
    _, link, _ = follow(door, f"{ROWS}?$select=_systemuserid_value")
    door.send("DELETE", f"systemusers({ADA})")

    changes, _, _ = follow(door, link, "")

    assert [(entry[KEY], entry["_systemuserid_value"]) for entry in changes] == [(ROW, None)]


def test_a_change_set_that_failed_is_no_change(door: Door) -> None:
    """Neither what it wrote nor what it deleted."""
    _, link, _ = follow(door, ROWS)
    door.batch(
        envelope(
            change_set(
                part("POST", ROWS, membership(), content_id="1"),
                part("DELETE", f"{ROWS}({ROW})", content_id="2"),
                part("DELETE", f"{ROWS}({ADA})", content_id="3"),
            )
        )
    )

    assert follow(door, link, "")[0] == []


def test_the_token_survives_next_links(door: Door) -> None:
    """Whether the header is repeated or not; what is written meanwhile comes with the delta."""
    for number in range(5):
        door.send("POST", ROWS, {"name": f"row {number}"})
    first = door.get(f"{ROWS}?$select=name", f"{TRACK},odata.maxpagesize=2")
    door.send("PATCH", f"{ROWS}({first['value'][0][KEY]})", {"name": "meanwhile"})
    path = first["@odata.nextLink"].partition(ROOT)[2]

    rest, link, pages = follow(door, path, "odata.maxpagesize=2")
    changes, _, _ = follow(door, link, "")

    assert "istracking%3D%22True%22" in path
    assert (len(first["value"]) + len(rest), pages) == (6, 2)
    assert [entry["name"] for entry in changes] == ["meanwhile"]


def test_a_delta_has_pages_too(door: Door) -> None:
    """Rows and deletions go on over them; what is written meanwhile comes with the next."""
    made = [f"{NEW[:-1]}{number}" for number in range(5)]
    for key in made:
        door.send("POST", ROWS, {KEY: key, "name": "x"})
    _, link, _ = follow(door, f"{ROWS}?$select=name")
    for key in made[:3]:
        door.send("DELETE", f"{ROWS}({key})")
    for key in (*made[3:], ROW):
        door.send("PATCH", f"{ROWS}({key})", {"name": "y"})
    first = door.get(link, "odata.maxpagesize=2")
    door.send("PATCH", f"{ROWS}({ROW})", {"name": "z"})
    path = first["@odata.nextLink"].partition(ROOT)[2]

    rest, later, pages = follow(door, path, "odata.maxpagesize=2")

    found = [entry.get(KEY, entry.get("id")) for entry in (*first["value"], *rest)]
    assert (found, pages) == ([*made[3:], *made[:3]], 2)
    assert [entry["name"] for entry in follow(door, later, "")[0]] == ["z"]


def test_pending_changes_are_counted(door: Door) -> None:
    """As plain text with its mark, like any count."""
    _, link, _ = follow(door, ROWS)
    token = link.partition("$deltatoken=")[2]
    door.send("POST", ROWS, membership())
    door.send("DELETE", f"{ROWS}({ROW})")

    answer = door.send("GET", f"{ROWS}/$count?$deltatoken={token}")

    assert answer.content.decode("utf-8-sig") == "2"


def test_a_link_may_be_written_again_by_a_client(door: Door) -> None:
    """Decoded and encoded in another way it is the same."""
    _, link, _ = follow(door, f"{ROWS}?$select=name")
    path, _, token = link.partition("$deltatoken=")
    spelled = f"{path.replace('$', '%24')}%24deltatoken={token.replace('%20', '+').lower()}"

    assert door.get(spelled)["value"] == []


@pytest.mark.parametrize(
    "option",
    [
        "$filter=statecode%20eq%200",
        "$orderby=name",
        "$expand=SystemUserId",
        "$top=1",
        "%24top=1",
    ],
)
def test_some_options_do_not_go_with_tracking(door: Door, option: str) -> None:
    """Neither in the first read nor in a delta."""
    _, link, _ = follow(door, ROWS)

    first = door.send("GET", f"{ROWS}?{option}", headers={"Prefer": TRACK})
    delta = door.send("GET", f"{link}&{option}")

    assert refused(first) == refused(delta) == (400, "0x80060888")


@pytest.mark.parametrize(
    "token", ["x", "1", "1!", "1!99/99/2026 00:00:00", "", "-1!03/02/2026 06:00:00"]
)
def test_a_malformed_token_is_refused(door: Door, token: str) -> None:
    """It is to be followed byte for byte."""
    answer = door.send("GET", f"{ROWS}?$deltatoken={quote(token)}")

    assert refused(answer) == (400, "0x80060888")


def test_tracking_may_be_off_for_a_table(door: Door) -> None:
    """By order; plain reads work all the same."""
    _, link, _ = follow(door, ROWS)
    body = json.dumps({"change_tracking": False}).encode()
    door.sandbox.answer("POST", "/_sandbox/tables", "", {}, body)

    first = door.send("GET", ROWS, headers={"Prefer": TRACK})

    assert refused(first) == refused(door.send("GET", link)) == (400, "0x80072491")
    assert door.send("GET", ROWS).status == 200
    assert door.send("GET", "systemusers", headers={"Prefer": TRACK}).status == 200


def aged(days: int, clock: list[Any]) -> Door:
    """Return a door into a sandbox whose clock is *clock*'s one entry."""
    store = Store()
    world.fill(store, SMALL, "2026-01-01T00:00:00Z")
    door = Door(Sandbox(store, clock=lambda: clock[0]))
    (organization,) = door.get("organizations")["value"]
    if days:
        path = f"organizations({organization['organizationid']})"
        door.send("PATCH", path, {"expirechangetrackingindays": days})
    return door


@pytest.mark.parametrize(("days", "kept"), [(0, 7), (2, 2)])
def test_tokens_age_out(days: int, kept: int) -> None:
    """After seven days, or what the organization says; then everything is to be read again."""
    clock = [NOW]
    door = aged(days, clock)
    _, link, _ = follow(door, ROWS)

    clock[0] = NOW + timedelta(days=kept)
    fresh = door.send("GET", link)
    clock[0] += timedelta(seconds=1)
    old = door.send("GET", link)

    assert fresh.status == 200
    assert refused(old) == (400, "0x80044352")


def test_tokens_may_expire_on_order(door: Door) -> None:
    """Those given so far; later ones are good. One of another database is none of ours."""
    _, link, _ = follow(door, ROWS)

    door.sandbox.answer("DELETE", "/_sandbox/tracking", "", {}, b"")
    _, later, _ = follow(door, ROWS)

    assert refused(door.send("GET", link)) == (400, "0x80044352")
    assert door.get(later)["value"] == []
    stranger = quote(f"99999!{NOW:%m/%d/%Y %H:%M:%S}")
    assert refused(door.send("GET", f"{ROWS}?$deltatoken={stranger}")) == (400, "0x80044352")


def test_a_token_outlives_the_process_with_the_file(tmp_path: Path) -> None:
    """Changes and deletions since, from before and after the restart."""
    keeper, store = Keeper(tmp_path / "sandbox.db"), Store()
    world.fill(store, SMALL, "2026-01-01T00:00:00Z")
    keeper.write(store)
    door = Door(Sandbox(store, clock=lambda: NOW, keep=lambda c: keeper.keep(c, store.version)))
    _, link, _ = follow(door, f"{ROWS}?$select=name")
    door.send("POST", ROWS, membership(name="before"))
    door.send("DELETE", f"{ROWS}({ROW})")
    keeper.close()

    again, second = Keeper(tmp_path / "sandbox.db"), Store()
    again.read(second, "2026-01-01T00:00:00Z")
    door = Door(Sandbox(second, clock=lambda: NOW, keep=lambda c: again.keep(c, second.version)))
    door.send("POST", ROWS, {KEY: NEW[:-1] + "e", "name": "after"})
    changes, _, _ = follow(door, link, "")
    door.send("POST", ROWS, {KEY: ROW, "name": "back"})
    back, _, _ = follow(door, link, "")
    again.close()

    assert [entry.get("name", entry.get("id")) for entry in changes] == ["before", "after", ROW]
    assert [entry["name"] for entry in back] == ["before", "after", "back"]


@given(
    st.lists(st.lists(st.integers(-4, 4).filter(bool), max_size=6), min_size=1, max_size=5),
    st.integers(1, 3),
)
def test_whoever_applies_every_delta_has_the_table(rounds: list[list[int]], size: int) -> None:
    """Whatever is made, changed and deleted between two of them, and however small the pages."""
    door = Door()
    keys = {number: f"{NEW[:-1]}{number}" for number in range(1, 5)}
    entries, link, _ = follow(door, f"{ROWS}?$select=name", f"{TRACK},odata.maxpagesize={size}")
    known = {entry[KEY]: entry["name"] for entry in entries}

    for count, steps in enumerate(rounds):
        for step in steps:
            path = f"{ROWS}({keys[abs(step)]})"
            if step > 0:
                door.send("PATCH", path, {"name": f"{count} {step}"})
            else:
                door.send("DELETE", path)
        entries, link, _ = follow(door, link, f"odata.maxpagesize={size}")
        for entry in entries:
            if "reason" in entry:
                known.pop(entry["id"], None)
            else:
                known[entry[KEY]] = entry["name"]

        assert known == {row[KEY]: row["name"] for row in door.get(ROWS)["value"]}
