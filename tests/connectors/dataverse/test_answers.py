"""A schema that drifts: what syncd needs and does not find has a name (issue: schema drift)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import httpx
import pytest

from syncd.connectors.dataverse import DataverseTarget
from syncd.core.errors import TargetIncomplete, TargetRefused
from tests.connectors.dataverse.world import ROWS, World

Read = Callable[[DataverseTarget], object]
READS: dict[str, Read] = {
    ROWS: lambda target: list(target.memberships(set())),
    "systemusers": lambda target: list(target.users(set())),
    "mobileofflineprofiles": lambda target: target.profiles(),
    "teammobileofflineprofilememberships": lambda target: target.team_profiles(),
}


@dataclass
class Drifted(httpx.BaseTransport):
    """An environment in which one column has gone, or holds *value* in every row."""

    world: World
    column: str
    gone: bool = False
    value: object = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        name = self.column.encode()
        if self.gone:  # the sandbox itself says what it says of columns that it does not have
            request.extensions["target"] = request.extensions["target"].replace(name, name + b"_2")
        answer = self.world.handle_request(request)
        content = answer.read().replace(name + b"_2", name)
        if not self.gone:
            page = json.loads(content)
            for row in page["value"]:
                row[self.column] = self.value
            content = json.dumps(page).encode()
        kept = {"Content-Type": answer.headers["Content-Type"]}
        return httpx.Response(answer.status_code, headers=kept, content=content)


@pytest.fixture
def peopled(world: World) -> World:
    """Give an environment with one user, one row and one team with a profile."""
    world.row(1, world.user(1))
    return world


@pytest.mark.parametrize(
    ("what", "column"),
    [
        (ROWS, "_systemuserid_value"),
        (ROWS, "hasmobileofflineprofileidconflict"),
        ("systemusers", "employeeid"),
        ("systemusers", "deletedstate"),
        ("mobileofflineprofiles", "componentstate"),
        ("teammobileofflineprofilememberships", "statecode"),
    ],
)
def test_a_column_that_is_gone_stops_the_read_by_its_name(
    peopled: World, what: str, column: str
) -> None:
    """One sentence says which column of which table, and what to do."""
    drifted = Drifted(peopled, column, gone=True)
    with pytest.raises(TargetIncomplete) as caught:
        READS[what](peopled.open(transport=drifted))

    said = str(caught.value)
    assert said.startswith(f"column {column} of {what} is not there in 127.0.0.1")
    assert "\n" not in said
    assert "syncd doctor" in said


@pytest.mark.parametrize(
    ("what", "column", "value", "words"),
    [
        (ROWS, "statecode", "Active", "holds text where syncd needs a whole number or nothing"),
        (ROWS, "hasmobileofflineprofileidconflict", 1, "a whole number where syncd needs yes or"),
        ("systemusers", "employeeid", 7, "a whole number where syncd needs text or nothing"),
        ("systemusers", "accessmode", [1], "a list where syncd needs a whole number"),
        ("mobileofflineprofiles", "name", {"a": 1}, "an object where syncd needs text or nothing"),
    ],
)
def test_a_column_of_another_type_stops_the_read_by_its_name(
    peopled: World, what: str, column: str, value: object, words: str
) -> None:
    """Nothing that a row holds is quoted."""
    drifted = Drifted(peopled, column, value=value)
    with pytest.raises(TargetIncomplete) as caught:
        READS[what](peopled.open(transport=drifted))

    said = str(caught.value)
    assert said.startswith(f"column {column} of {what} in 127.0.0.1 holds ")
    assert words in said
    assert "Active" not in said


def test_a_column_too_many_is_fine(peopled: World) -> None:
    """Somebody added one; syncd does not look at it."""
    drifted = Drifted(peopled, "new_shoesize", value={"eu": 42})

    pages = [list(page) for page in peopled.open(transport=drifted).memberships(set())]

    assert [len(page) for page in pages] == [1]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("0x8004a104", "is disabled or in administration mode"),
        ("0x8004a112", "has disabled syncd's application user"),
        ("0x80040220", "does not let us read systemusers"),
    ],
)
def test_a_closed_door_says_which_one(world: World, code: str, words: str) -> None:
    """The environment, the application user, or one right: each is mended elsewhere."""
    error = {"error": {"code": code, "message": "no"}}
    refusing = httpx.MockTransport(lambda _: httpx.Response(403, json=error))

    with pytest.raises(TargetRefused, match=words):
        READS["systemusers"](world.open(transport=refusing))
