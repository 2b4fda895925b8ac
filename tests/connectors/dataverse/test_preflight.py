"""A look at a whole environment, and the one list of what is used held against what is sent."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import parse_qs, unquote

import httpx
import pytest

from syncd.connectors.dataverse import DataverseTarget
from syncd.connectors.dataverse.usage import MEMBERSHIP, tables
from syncd.core.doctor import judge
from syncd.core.model import Action, Rung
from syncd.core.preflight import Observation, Verdict, Wish
from syncd.core.uses import TableUse
from tests.connectors.dataverse.world import P1, P2, URL, World, change, numbered, row_id

Answer = Callable[[httpx.Request], httpx.Response]


def findings(target: DataverseTarget, *profiles: str) -> list[Observation]:
    """Look at the environment, and judge it."""
    facts = target.look(URL, "by nothing")
    return judge(facts, Wish(target.uses, list(profiles)))


def wrong(target: DataverseTarget, *profiles: str) -> list[tuple[str, str]]:
    """Return what is not well: check and what was seen."""
    found = findings(target, *profiles)
    return [(each.check, each.seen) for each in found if each.verdict is not Verdict.OK]


def order(world: World, what: str, body: object) -> None:
    """Give an order to the sandbox."""
    content = json.dumps(body).encode()
    assert world.sandbox.answer("POST", f"/_sandbox/{what}", "", {}, content).status == 204


@dataclass
class Between(httpx.BaseTransport):
    """Hears everything that is sent, and may answer instead."""

    world: World
    instead: Callable[[str], httpx.Response | None] = lambda _: None
    heard: list[tuple[str, str, bytes]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        address = unquote(request.extensions["target"].decode())
        self.heard.append((request.method, address, request.read()))
        answer = self.instead(address) or self.world.handle_request(request)
        answer.headers.update(self.headers)
        return answer


# --- the list ---------------------------------------------------------------------------------


def read_of(heard: list[tuple[str, str, bytes]]) -> dict[str, set[str]]:
    """Return the columns that were read, by entity set, as their logical names."""
    found: dict[str, set[str]] = {}
    for method, address, _ in heard:
        path, _, query = address.partition("?")
        if method == "GET" and "$select" in query:
            names = parse_qs(query)["$select"][0].split(",")
            plain = {re.sub(r"^_(\w+)_value$", r"\1", name) for name in names}
            found.setdefault(path.rpartition("/")[2], set()).update(plain)
    return found


def written_in(body: bytes) -> set[str]:
    """Return the properties of JSON bodies, binds by the name of their navigation."""
    return set(re.findall(r'"([A-Za-z]\w*)(?:@odata\.bind)?"\s*:', body.decode()))


def names(use: TableUse, *, updated: bool = False) -> set[str]:
    """Return what is written of a table as bodies name it."""
    navs = {each.column: each.nav for each in use.lookups}
    chosen = (c for c in use.columns if (c.updated if updated else c.created))
    return {navs.get(each.name, each.name) for each in chosen}


def test_the_list_of_what_is_used_is_what_reads_ask_for(world: World) -> None:
    """Not a column more and, but for those that are only written, not one less."""
    world.row(1, world.user(1))
    world.post("teams", {"teamid": P1, "name": "T"})
    world.post("teammobileofflineprofilememberships", {
        "name": "T", "TeamId@odata.bind": f"/teams({P1})",
        "MobileOfflineProfileId@odata.bind": f"/mobileofflineprofiles({P1})",
    })  # fmt: skip
    wire = Between(world)
    target = world.open(transport=wire)
    list(target.users(set()))
    list(target.memberships(set()))
    target.profiles()
    target.team_profiles()
    target.hints()
    read = read_of(wire.heard)

    for use in tables(tuple(Rung)):
        if use.vital:
            only_written = {c.name for c in use.columns if c.created or c.updated}
            used = {column.name for column in use.columns}
            assert read[use.entity_set] <= used
            assert used - read[use.entity_set] <= only_written
    assert read.keys() == {use.entity_set for use in tables(tuple(Rung)) if use.vital}


@pytest.mark.parametrize("match", [(Rung.OBJECT_ID,), (Rung.MAIL, Rung.EMPLOYEE_ID)])
def test_columns_that_only_a_rung_needs_are_used_with_it_alone(
    world: World, match: tuple[Rung, ...]
) -> None:
    """Who does not match by employee ids needs no such column."""
    world.user(1)
    wire = Between(world)
    target = world.open(transport=wire, match=match)
    list(target.users(set()))

    (users,) = [use for use in target.uses if use.name == "systemuser"]
    assert {column.name for column in users.columns} == read_of(wire.heard)["systemusers"]


def test_the_list_of_what_is_used_is_what_writes_send(world: World) -> None:
    """Creates and updates, each with the columns that metadata must allow for it."""
    users = [world.user(number) for number in range(1, 6)]
    for number in range(1, 5):
        world.row(number, users[number - 1], active=number != 2)
    wire = Between(world)
    target = world.open(transport=wire, batch_size=1)
    rows = target.fetch([row_id(number) for number in range(1, 5)])
    wire.heard.clear()
    create = change(Action.CREATE, row_id(5), user=users[4], after=P1)
    target.apply(numbered([create]), 7)
    created = set().union(*(written_in(body) for _, _, body in wire.heard))
    wire.heard.clear()
    done = target.apply(
        numbered([
            change(Action.MOVE, rows[row_id(1)], after=P2),
            change(Action.REACTIVATE, rows[row_id(2)], user=users[1], after=P1),
            change(Action.FLAG, rows[row_id(3)], after=P1),
            change(Action.DEACTIVATE, rows[row_id(4)]),
        ]),
        7,
    )  # fmt: skip
    updated = set().union(*(written_in(body) for _, _, body in wire.heard))

    (use,) = [each for each in tables(()) if each.name == MEMBERSHIP]
    assert all(each.result == "applied" for each in done), done
    assert created - {"Targets", "type"} == names(use)
    assert updated - {"Targets", "type"} <= names(use, updated=True) | {use.key}
    # The two others are written where a row that is there takes the place of a new one.
    assert names(use, updated=True) - updated == {"SystemUserId", "name"}


# --- the look ---------------------------------------------------------------------------------


def test_a_good_environment_needs_nothing(world: World) -> None:
    """And every check was made."""
    found = findings(world.open(), "Field Crew", P2)

    assert {each.verdict for each in found} == {Verdict.OK}
    checks = {each.check for each in found}
    assert {"WhoAmI", "organization", "messages", "profiles", "round trip"} <= checks
    assert {f"table {use.name}" for use in tables(())} <= checks
    assert not [each for each in world.sent if not each.startswith("GET ")]


@pytest.mark.parametrize("use", tables(tuple(Rung)), ids=lambda use: str(use.name))
def test_drift_of_any_column_is_found(world: World, use: TableUse) -> None:
    """One column missing and one retyped; what a run could not read is not said twice."""
    gone, odd = use.columns[0].name, use.columns[-1].name
    order(world, "metadata", {"table": use.name, "column": gone, "change": None})
    order(
        world, "metadata", {"table": use.name, "column": odd, "change": {"AttributeType": "Money"}}
    )

    found = wrong(world.open())

    assert len(found) == 2
    assert (f"table {use.name}", f"column {gone} is missing") in found
    assert any(seen.startswith(f"column {odd} has the type Money") for _, seen in found)


def test_a_name_that_became_too_short_is_found(world: World) -> None:
    """It is the only text that syncd writes."""
    order(world, "metadata", {"column": "name", "change": {"MaxLength": 60}})

    assert wrong(world.open()) == [
        (f"table {MEMBERSHIP}", "column name takes 60 characters instead of 100")
    ]


@pytest.mark.parametrize(
    ("lacking", "table"),
    [
        ("prvAppendToUser", "User"),
        ("prvAppendToMobileOfflineProfile", "Mobile Offline Profile"),
        ("prvReadUserMobileOfflineProfileMembership", "UserMobileOfflineProfileMembership"),
        ("prvDeleteUserMobileOfflineProfileMembership", "UserMobileOfflineProfileMembership"),
        ("prvReadTeam", "Team"),
    ],
)
def test_a_right_that_is_missing_is_said_once_and_by_its_name(
    world: World, lacking: str, table: str
) -> None:
    """The way to it names the table as the role editor does."""
    order(world, "lacking", {"privileges": [lacking]})

    bad = [each for each in findings(world.open()) if each.verdict is not Verdict.OK]

    assert [each.check for each in bad] == [f"rights on {table}"]
    assert f"table {table}, set " in bad[0].remedy
    assert f"({lacking})" in bad[0].remedy


def test_privileges_without_names_are_known_by_their_ids(world: World) -> None:
    """A name may be empty; then too it is said which privilege is missing."""
    order(world, "lacking", {"privileges": ["prvAppendToUser"]})

    def nameless(address: str) -> httpx.Response | None:
        if "RetrieveUserPrivileges" not in address:
            return None
        path, _, query = address.partition("?")
        answer = world.sandbox.answer("GET", path, query, {}, b"")
        body = json.loads(answer.content)
        for each in body["RolePrivileges"]:
            each["PrivilegeName"] = None
        return httpx.Response(200, json=body)

    bad = wrong(world.open(transport=Between(world, nameless)))

    assert [check for check, _ in bad] == ["rights on User"]


def test_roles_of_the_caller_are_read(world: World) -> None:
    """So that it can be said in which of them something is missing."""
    roles = {"value": [{"roleid": P1, "name": "syncd"}, {"roleid": P2, "name": "Basic User"}]}
    order(world, "lacking", {"privileges": ["prvAppendToUser"]})
    wire = Between(
        world, lambda at: httpx.Response(200, json=roles) if "roles_association" in at else None
    )

    (bad,) = [e for e in findings(world.open(transport=wire)) if e.verdict is not Verdict.OK]

    assert "in role syncd, table User, set Append To to Organization" in bad.remedy


def test_messages_and_features_that_are_off_are_warnings(world: World) -> None:
    """Nothing fails: syncd has another way for each."""
    order(world, "messages", {"refuse": ["Delete", "CreateMultiple"]})
    order(world, "tables", {"optimistic_concurrency": False, "change_tracking": False})

    bad = [each for each in findings(world.open()) if each.verdict is not Verdict.OK]

    assert {each.verdict for each in bad} == {Verdict.WARNING}
    assert [each.check for each in bad] == [f"table {MEMBERSHIP}"] * 2 + ["messages"]


@pytest.mark.parametrize(
    ("seconds", "verdict"),
    [(0, Verdict.OK), (180, Verdict.WARNING), (-600, Verdict.FAILURE)],
)
def test_the_clock_is_compared_with_the_servers(
    world: World, seconds: int, verdict: Verdict
) -> None:
    """By the Date of its first answer."""
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)
    target = world.open(transport=Between(world, headers={"Date": date}))

    (clock,) = [each for each in findings(target) if each.check == "clock"]

    assert clock.verdict is verdict
    assert ("behind" in clock.seen) == (seconds > 0)


@pytest.mark.parametrize(
    ("answer", "check", "said"),
    [
        (httpx.Response(401), "WhoAmI", "application user for this client id"),
        (
            httpx.Response(403, json={"error": {"code": "0x8004a104", "message": "off"}}),
            "WhoAmI",
            "administration mode",
        ),
        (httpx.Response(200, text="<html>"), "WhoAmI", "instead of JSON"),
        (httpx.Response(302, headers={"Location": "/login"}), "WhoAmI", "status 302"),
        (httpx.Response(503), "connection", "answered 503"),
    ],
)
def test_who_is_not_let_in_sees_one_failure(
    world: World, answer: httpx.Response, check: str, said: str
) -> None:
    """And nothing else is asked."""
    wire = Between(world, lambda _: answer)

    (found,) = findings(world.open(transport=wire))

    assert (found.check, found.verdict) == (check, Verdict.FAILURE)
    assert said in found.seen
    assert all(address.endswith("WhoAmI") for _, address, _ in wire.heard)


def test_an_environment_that_goes_away_is_not_asked_on(world: World) -> None:
    """Each further question would wait for its end."""
    wire = Between(world, lambda at: httpx.Response(503) if "EntityDef" in at else None)

    found = wrong(world.open(transport=wire))

    assert found[0][0] == "connection"
    assert len([address for _, address, _ in wire.heard if "EntityDef" in address]) == 4
    assert "/$batch" not in str(wire.heard)


def test_metadata_of_another_shape_is_a_sentence(world: World) -> None:
    """A proxy that rewrites, or a version that nobody has seen."""
    wire = Between(
        world,
        lambda at: httpx.Response(200, json={"LogicalName": "x"}) if "EntityDef" in at else None,
    )

    found = wrong(world.open(transport=wire))

    assert {check for check, _ in found} == {f"table {use.name}" for use in tables(tuple(Rung))}
    assert all("another shape than documented (KeyError)" in seen for _, seen in found)
