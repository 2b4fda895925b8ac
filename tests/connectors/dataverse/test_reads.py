"""What is read is complete and in the core's form, or it is refused with a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from syncd.connectors.auth import NoAuth
from syncd.connectors.dataverse import DataverseTarget, open_target
from syncd.core.errors import (
    Stopped,
    TargetError,
    TargetIncomplete,
    TargetRefused,
    TargetThrottled,
    TargetUnreachable,
)
from syncd.core.model import Action, Rung
from syncd.core.ports import MembershipRow, UserRow
from syncd.sandbox.faults import Fault, FaultKind
from tests.connectors.dataverse.world import (
    P1,
    P2,
    ROWS,
    URL,
    Clock,
    World,
    change,
    profile,
    row_id,
    user_id,
)

ROOT = f"{URL}/api/data/v9.2/"
Answer = Callable[[httpx.Request], httpx.Response]


def all_users(target: DataverseTarget, known: set[str] | None = None) -> dict[str, UserRow]:
    """Read every user, by id."""
    return {row[0]: row for page in target.users(set() if known is None else known) for row in page}


def all_rows(target: DataverseTarget, known: set[str] | None = None) -> dict[str, MembershipRow]:
    """Read every row, by id."""
    pages = target.memberships(set() if known is None else known)
    return {row[0]: row for page in pages for row in page}


def answering(answer: Answer) -> DataverseTarget:
    """Open a target whose environment is that function."""
    clock = Clock()
    return open_target(
        url=URL,
        auth=NoAuth(URL),
        transport=httpx.MockTransport(answer),
        clock=clock,
        sleep=clock.sleep,
    )


def membership(number: int, **columns: object) -> dict[str, object]:
    """Describe a row as the wire shows it."""
    return {
        "@odata.etag": f'W/"{number}"',
        "usermobileofflineprofilemembershipid": row_id(number),
        "_systemuserid_value": user_id(number),
        "_mobileofflineprofileid_value": P1,
        "statecode": 0,
        "hasmobileofflineprofileidconflict": False,
        "createdon": "2026-01-01T00:00:00Z",
        **columns,
    }


def test_rows_are_read_page_by_page(world: World) -> None:
    """Every row comes once, also when a page holds two."""
    for number in range(1, 6):
        world.row(number, world.user(number), P2, active=number != 3, flagged=number == 4)
    target = world.open(page_size=2)

    rows = all_rows(target)

    assert sorted(rows) == [row_id(number) for number in range(1, 6)]
    assert world.sent == [f"GET {ROWS}"] * 3
    _, etag, user, given, active, flagged, created_on = rows[row_id(4)]
    assert (user, given, active, flagged) == (user_id(4), P2, True, True)
    assert etag.startswith('W/"')
    assert created_on.endswith("Z")
    assert rows[row_id(3)][4] is False


def test_known_rows_are_skipped_and_taken_out(world: World) -> None:
    """Afterwards *known* holds what is gone or has changed, and nothing else."""
    for number in (1, 2, 3):
        world.row(number, world.user(number))
    target = world.open()
    known = {row[0] + row[1] for row in all_rows(target).values()}
    world.call("DELETE", f"{ROWS}({row_id(1)})")
    world.call("PATCH", f"{ROWS}({row_id(2)})", {"name": "renamed"})

    rows = all_rows(target, known)

    assert list(rows) == [row_id(2)]
    assert {mark[:36] for mark in known} == {row_id(1), row_id(2)}


def test_a_husk_has_no_user(world: World) -> None:
    """A deleted user leaves a row with an empty lookup."""
    world.row(1, world.user(1))
    world.call("DELETE", f"systemusers({user_id(1)})")

    rows = all_rows(world.open())

    assert rows[row_id(1)][2:4] == (None, P1)


def test_candidates_are_accounts_of_people(world: World) -> None:
    """Behaviour.md section 3: no application, access mode 0 to 2, nobody's machine, no stub."""
    columns: list[dict[str, object]] = [
        {},
        {"accessmode": 2},
        {"accessmode": 3},
        {"accessmode": 4},
        {"isintegrationuser": True},
        {"setupuser": True},
        {"systemmanagedusertype": 2},
        {"systemmanagedusertype": 1},
        {"applicationid": P1},
    ]
    for number, given in enumerate(columns):
        world.user(number, **given)

    users = all_users(world.open())

    assert [users[user_id(number)][7] for number in range(len(columns))] == [
        True, True, False, False, False, False, False, True, False
    ]  # fmt: skip


def test_a_user_is_told_with_everything_a_rung_needs(world: World) -> None:
    """Ids in lower case; disabled counts, and so does soft deleted."""
    world.user(
        1,
        azureactivedirectoryobjectid="40000000-0000-4000-8000-00000000000A",
        employeeid="E1",
        isdisabled=True,
    )
    world.user(2, deletedstate=1)
    target = world.open()

    users = all_users(target)

    assert users[user_id(1)][2:] == (
        "user1@contoso.com",
        "User 1",
        "40000000-0000-4000-8000-00000000000a",
        "E1",
        "user1@contoso.com",
        True,
        True,
        None,
        (),
    )
    assert users[user_id(2)][8] is True


@pytest.mark.parametrize(
    "reference", [" O'Neil@Contoso.com", "mail@contoso.com", f"{{{P2.upper()}}}", user_id(1)]
)
def test_one_user_is_looked_up_by_name_or_id(world: World, reference: str) -> None:
    """With one request, however the name is written."""
    world.user(
        1, domainname="o'neil@contoso.com", internalemailaddress="mail@contoso.com",
        azureactivedirectoryobjectid=P2,
    )  # fmt: skip
    world.user(2)

    found = world.open().named(reference)

    assert [row[0] for row in found] == [user_id(1)]
    assert world.sent == ["GET systemusers"]


def test_only_what_is_used_is_asked_for() -> None:
    """Employee ids and mail addresses stay where they are unless a rung needs them."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params["$select"])
        user = {"@odata.etag": 'W/"1"', "systemuserid": user_id(1)}
        return httpx.Response(200, json={"value": [user]})

    target = open_target(
        url=URL,
        auth=NoAuth(URL),
        transport=httpx.MockTransport(answer),
        match=[Rung.OBJECT_ID, Rung.MAIL],
    )
    all_users(target)

    assert "internalemailaddress" in asked[0].split(",")
    assert "employeeid" not in asked[0].split(",")


def test_an_environment_without_users_is_not_believed() -> None:
    """At least the user that asks is there: whoever shows none shows too little."""
    empty = httpx.MockTransport(lambda _: httpx.Response(200, json={"value": []}))
    target = open_target(url=URL, auth=NoAuth(URL), transport=empty)

    with pytest.raises(TargetIncomplete, match="no users at all"):
        all_users(target)


def test_a_page_that_is_nested_without_end_is_not_believed() -> None:
    """Whoever answers like this lies or is broken; it is no mistake of ours."""
    depth = 100_000
    deep = b'{"value": [{"x": ' + b"[" * depth + b"]" * depth + b"}]}"
    kind = {"Content-Type": "application/json"}
    endless = httpx.MockTransport(lambda _: httpx.Response(200, content=deep, headers=kind))
    target = open_target(url=URL, auth=NoAuth(URL), transport=endless)

    with pytest.raises(TargetIncomplete, match="nested too deeply"):
        all_users(target)
    with pytest.raises(TargetIncomplete, match="nested too deeply"):
        all_rows(target)


def test_a_profile_is_published_when_it_ever_was(world: World) -> None:
    """Component state 0 and a day of publishing (behaviour.md section 4)."""
    draft = "20000000-0000-4000-8000-000000000003"
    world.post("mobileofflineprofiles", profile(draft, "Draft", None))

    profiles = world.open().profiles()

    assert sorted(profiles) == [
        (P1, "Field Crew", True),
        (P2, "Office", True),
        (draft, "Draft", False),
    ]


def teams(world: World) -> None:
    """Put users 1 and 2 into team 1, which brings two rows with one profile; team 2 brings none."""
    for number in (1, 2):
        world.user(number)
        world.post("teams", {"teamid": user_id(100 + number), "name": f"team {number}"})
    for number in (1, 2):
        member = {"systemuserid": user_id(number), "teamid": user_id(101)}
        world.post("teammemberships", {"teammembershipid": row_id(number), **member})
    for number, state in ((1, 0), (2, 0), (3, 1)):
        brought = P2 if state else P1
        world.post(
            "teammobileofflineprofilememberships",
            {
                "teammobileofflineprofilemembershipid": row_id(number),
                "name": "t",
                "TeamId@odata.bind": f"/teams({user_id(101)})",
                "MobileOfflineProfileId@odata.bind": f"/mobileofflineprofiles({brought})",
            },
        )
        if state:
            path = f"teammobileofflineprofilememberships({row_id(number)})"
            world.call("PATCH", path, {"statecode": 1, "statuscode": 2})


def test_a_team_brings_its_profile_to_its_members_once(world: World) -> None:
    """Inactive rows bring nothing, doubled ones bring it once."""
    teams(world)

    brought = world.open().team_profiles()

    assert list(brought) == [(user_id(1), P1, user_id(101)), (user_id(2), P1, user_id(101))]


def test_without_team_rows_members_are_not_read(world: World) -> None:
    """Teams may have very many members."""
    brought = world.open().team_profiles()

    assert list(brought) == []
    assert world.sent == ["GET teammobileofflineprofilememberships"]


def test_rows_are_fetched_as_they_are_now(world: World) -> None:
    """Those that do not exist are left out, however many are asked for."""
    for number in range(1, 4):
        world.row(number, world.user(number))
    target = world.open(page_size=2)

    rows = target.fetch([row_id(number) for number in range(1, 250)])

    assert sorted(rows) == [row_id(number) for number in range(1, 4)]
    assert rows[row_id(2)].user == user_id(2)


def test_a_filter_that_is_ignored_gives_nothing_that_was_not_asked_for() -> None:
    """Whatever else the answer holds, only these rows are looked at."""
    shown = {"value": [membership(1), membership(2)]}

    rows = answering(lambda _: httpx.Response(200, json=shown)).fetch([row_id(2)])

    assert list(rows) == [row_id(2)]


def test_next_links_are_followed_byte_for_byte() -> None:
    """What the server wrote is what it gets, with the page size on every page."""
    token = '%3Ccookie%20pagenumber=%222%22%20x=%22%253cc%2522%22%20y="a\'|<b>{}[]^`\\"%20/%3E'
    asked: list[tuple[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((request.extensions["target"].decode(), request.headers["Prefer"]))
        page: dict[str, object] = {"value": [membership(len(asked))]}
        if len(asked) == 1:
            page["@odata.nextLink"] = f"{ROOT}{ROWS}?$skiptoken={token}"
        return httpx.Response(200, json=page)

    rows = all_rows(answering(answer))

    assert len(rows) == 2
    assert asked[1] == (
        f"/api/data/v9.2/{ROWS}?$skiptoken={token}",
        "odata.track-changes,odata.maxpagesize=5000",
    )


@pytest.mark.parametrize(
    "link",
    [
        "https://127.0.0.1:5000/api/data/v9.2/x",
        "http://127.0.0.1:5001/api/data/v9.2/x",
        "http://evil.example/api/data/v9.2/x",
        "http://user:word@127.0.0.1:5000/x",
        "http://127.0.0.1:5000@evil.example/x",
        "/api/data/v9.2/x",
        "http://127.0.0.1:5000/x y",
        "http://127.0.0.1:5000/x\r\nHost: evil.example",
        "http://[",
        "",
    ],
)
def test_a_next_link_that_leads_elsewhere_is_not_followed(link: str) -> None:
    """Our token would go along."""
    sent: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.url.host)
        return httpx.Response(200, json={"value": [], "@odata.nextLink": link})

    with pytest.raises(TargetIncomplete, match="next link"):
        all_rows(answering(answer))

    assert sent == ["127.0.0.1"]


def test_links_that_go_round_in_a_circle_end() -> None:
    """The same link twice is no way to the end."""

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"value": [], "@odata.nextLink": f"{ROOT}{ROWS}?p=2"})

    with pytest.raises(TargetIncomplete, match="twice") as raised:
        all_rows(answering(answer))

    assert "127.0.0.1" in str(raised.value)


@pytest.mark.parametrize("rounds", [1, 3])
@pytest.mark.parametrize("read", ["rows", "users", "profiles", "members"])
def test_ever_new_links_that_bring_nothing_new_end(read: str, rounds: int) -> None:
    """Neither empty pages nor the same rows again and again are a way to the end."""
    told: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        told.append(len(told))
        number = told[-1] % rounds
        name = request.url.path.rpartition("/")[2]
        row = {**membership(number), "systemuserid": user_id(number), "teamid": P1,
               "_teamid_value": P1, "mobileofflineprofileid": P1}  # fmt: skip
        link = f"{ROOT}{name}?p={len(told)}"
        page: dict[str, object] = {"value": [row] if len(told) % 2 else []}
        if name != "teammobileofflineprofilememberships":
            page["@odata.nextLink"] = link
        return httpx.Response(200, json=page)

    target = answering(answer)
    reads: dict[str, Callable[[], object]] = {
        "rows": lambda: all_rows(target),
        "users": lambda: all_users(target),
        "profiles": target.profiles,
        "members": target.team_profiles,
    }

    with pytest.raises(TargetIncomplete, match=r"100 pages .* brought no new row"):
        reads[read]()

    assert 100 < len(told) < 110


def test_some_empty_pages_on_the_way_do_no_harm() -> None:
    """A plug-in may hide whole pages of rows; after each page that brings one the count is new."""
    told: list[int] = []

    def answer(_: httpx.Request) -> httpx.Response:
        told.append(len(told))
        rows = [membership(len(told))] if len(told) % 100 == 0 else []
        page: dict[str, object] = {"value": rows}
        if len(told) < 299:
            page["@odata.nextLink"] = f"{ROOT}{ROWS}?p={len(told)}"
        return httpx.Response(200, json=page)

    rows = all_rows(answering(answer))

    assert sorted(rows) == [row_id(100), row_id(200)]
    assert len(told) == 299


JSON = {"Content-Type": "application/json"}
FULL = json.dumps({"value": [membership(1)]}).encode()


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, html="<html>Sign in</html>"),
        httpx.Response(200, content=FULL),
        httpx.Response(200, content=FULL, headers={"Content-Type": "text/plain"}),
        httpx.Response(200, content=FULL[:-20], headers=JSON),
        httpx.Response(200, content=b"", headers=JSON),
        httpx.Response(200, content=b"\xff" + FULL, headers=JSON),
        httpx.Response(200, json={}),
        httpx.Response(200, json={"value": None}),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"value": [membership(1, **{"@odata.etag": None})]}),
        httpx.Response(200, json={"value": [membership(1, **{"@odata.etag": ""})]}),
        httpx.Response(200, json={"value": [{"@odata.etag": 'W/"1"'}]}),
        httpx.Response(200, json={"value": [membership(1, _systemuserid_value="x" * 36)]}),
        httpx.Response(200, json={"value": [membership(1, _systemuserid_value="1")]}),
        httpx.Response(200, json={"value": [membership(1, statecode="0")]}),
        httpx.Response(204),
        httpx.Response(206, content=FULL, headers=JSON),
        httpx.Response(302, headers={"Location": "http://evil.example/"}),
        httpx.Response(304),
        httpx.Response(400, json={"error": {"code": "0x80060888", "message": "bad"}}),
        httpx.Response(404, html="<html></html>"),
    ],
)
def test_an_answer_that_is_not_a_whole_page_is_refused(answer: httpx.Response) -> None:
    """Nothing is planned on a read that is not complete (behaviour.md section 6)."""
    with pytest.raises(TargetIncomplete) as raised:
        all_rows(answering(lambda _: answer))

    assert "\n" not in str(raised.value)
    assert "127.0.0.1" in str(raised.value)


def test_a_byte_order_mark_does_no_harm() -> None:
    """Some answers begin with one (dataverse-web-api.md section 3.2)."""
    answer = httpx.Response(200, content=b"\xef\xbb\xbf" + FULL, headers=JSON)

    rows = all_rows(answering(lambda _: answer))

    assert list(rows) == [row_id(1)]


def test_ids_come_in_lower_case() -> None:
    """Whatever the wire writes; the same mark as ever finds them."""
    shown = membership(10, usermobileofflineprofilemembershipid=row_id(10).upper())
    known = {row_id(10) + 'W/"10"'}

    rows = all_rows(answering(lambda _: httpx.Response(200, json={"value": [shown]})), known)

    assert (rows, known) == ({}, set())


@pytest.mark.parametrize("kind", [FaultKind.CUT, FaultKind.ERROR, FaultKind.THROTTLE])
def test_a_read_survives_what_passes(world: World, kind: FaultKind) -> None:
    """Three times cut off, failing or throttled, and still complete."""
    for number in (1, 2, 3):
        world.row(number, world.user(number))
    world.misbehave(Fault(kind=kind, count=3, skip=1))

    rows = all_rows(world.open(page_size=1))

    assert len(rows) == 3
    assert len(world.clock.naps) == 3


def failing(world: World, fault: Fault) -> TargetError:
    """Read until it fails for good."""
    world.row(1, world.user(1))
    world.misbehave(fault)
    with pytest.raises(TargetError) as raised:
        all_rows(world.open())
    return raised.value


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(kind=FaultKind.CUT, count=None), TargetIncomplete),
        (Fault(kind=FaultKind.ERROR, status=503, count=None), TargetUnreachable),
        (Fault(kind=FaultKind.ERROR, status=403, code="0x80040220", count=None), TargetRefused),
        (Fault(kind=FaultKind.ERROR, status=401), TargetRefused),
        (Fault(kind=FaultKind.THROTTLE, retry_after=301), TargetThrottled),
        (Fault(kind=FaultKind.THROTTLE, retry_after=300, count=None), TargetThrottled),
        (Fault(kind=FaultKind.THROTTLE, count=None), TargetThrottled),
    ],
)
def test_a_read_that_cannot_be_completed_says_why(
    world: World, fault: Fault, kind: type[TargetError]
) -> None:
    """Each reason has its own exception, one sentence, and an end."""
    error = failing(world, fault)

    assert type(error) is kind
    assert "\n" not in str(error)


def test_a_host_that_is_not_there_is_named() -> None:
    """Connection refused or no such name: after three more tries, with what to check."""

    def answer(request: httpx.Request) -> httpx.Response:
        tried.append(request.method)
        raise httpx.ConnectError("Name or service not known", request=request)

    tried: list[str] = []
    with pytest.raises(
        TargetUnreachable, match=r"127\.0\.0\.1 could not be reached.*check the url"
    ):
        all_rows(answering(answer))

    assert len(tried) == 4


def test_stopping_ends_a_read(world: World) -> None:
    """Between pages, and in the middle of a pause."""
    world.row(1, world.user(1))
    world.misbehave(Fault(kind=FaultKind.THROTTLE, retry_after=30, count=None))
    paused = world.open(sleep=lambda _: world.stop.set())

    with pytest.raises(Stopped):
        all_rows(paused)
    with pytest.raises(Stopped):
        all_rows(world.open())

    assert world.stop.is_set()


def test_lanes_are_as_many_as_the_server_hints(world: World) -> None:
    """Five until it has spoken, then what it says, 48 at most; a number that is set wins."""
    target = world.open()
    before = target.lanes
    target.profiles()
    many = answering(
        lambda _: httpx.Response(200, json={"value": []}, headers={"x-ms-dop-hint": "52"})
    )
    many.profiles()

    assert (before, target.lanes, many.lanes, world.open(lanes=3).lanes) == (5, 4, 48, 3)
    assert target.requests == 1


def test_sizes_stay_within_what_the_server_takes(world: World) -> None:
    """A thousand operations a batch (dataverse-web-api.md section 3.1)."""
    with world.open(batch_size=5000, page_size=100_000) as target:
        rows = all_rows(target)

        assert (target.batch_size, rows) == (1000, {})


def test_marks_of_users_work_like_those_of_rows(world: World) -> None:
    """A user who did not change is not given again."""
    for number in (1, 2):
        world.user(number)
    target = world.open()
    known = {row[0] + row[1] for row in all_users(target).values()}
    world.call("PATCH", f"systemusers({user_id(2)})", {"employeeid": "E2"})

    users = all_users(target, known)

    assert [(row[0], row[5]) for row in users.values()] == [(user_id(2), "E2")]


def test_a_row_just_written_is_read_as_planned(world: World) -> None:
    """Reading and writing agree about what a row is."""
    target = world.open()
    target.apply([change(Action.CREATE, row_id(1), user=world.user(1), after=P1)], 3)

    row = target.fetch([row_id(1)])[row_id(1)]

    facts: Any = (row.user, row.profile, row.active, row.flagged)
    assert facts == (user_id(1), P1, True, False)
