"""The face of Microsoft Graph, as its documentation describes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from syncd.sandbox import Answer, Fault, FaultKind, Sandbox

HOST = "graph.example"
ROOT = f"http://{HOST}/v1.0/"
EVENTUAL = {"ConsistencyLevel": "eventual"}


@dataclass
class Face:
    """Speaks to the Graph face of one sandbox."""

    sandbox: Sandbox = field(default_factory=Sandbox)

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request below the root."""
        content = b"" if body is None else json.dumps(body).encode()
        address, _, query = path.removeprefix(ROOT).partition("?")
        return self.sandbox.answer(
            method, f"/v1.0/{address}", query, {"Host": HOST, **(headers or {})}, content
        )

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Any:
        """Return what a read that succeeds answers."""
        answer = self.send("GET", path, headers=headers)
        assert answer.status == 200, answer.content
        return json.loads(answer.content)

    def refused(self, method: str, path: str, body: object = None) -> tuple[int, str]:
        """Return status and code of a refusal."""
        answer = self.send(method, path, body)
        return answer.status, json.loads(answer.content)["error"]["code"]

    def order(self, method: str, name: str, body: object = None) -> None:
        """Give an order."""
        content = b"" if body is None else json.dumps(body).encode()
        answer = self.sandbox.answer(method, f"/_sandbox/{name}", "", {}, content)
        assert answer.status == 204, answer.content

    def user(self, name: str, **properties: object) -> str:
        """Put a user in."""
        given = {
            "displayName": name,
            "mailNickname": name,
            "userPrincipalName": f"{name}@contoso.com",
            "accountEnabled": True,
            **properties,
        }
        answer = self.send("POST", "users", given)
        assert answer.status == 201, answer.content
        return str(json.loads(answer.content)["id"])

    def group(self, name: str, *members: str) -> str:
        """Put a group with members in."""
        given = {
            "displayName": name,
            "mailNickname": name,
            "mailEnabled": False,
            "securityEnabled": True,
        }
        ident = str(json.loads(self.send("POST", "groups", given).content)["id"])
        for member in members:
            reference = {"@odata.id": f"{ROOT}directoryObjects/{member}"}
            assert self.send("POST", f"groups/{ident}/members/$ref", reference).status == 204
        return ident

    def follow(
        self, path: str, headers: Mapping[str, str] | None = None
    ) -> tuple[list[dict[str, Any]], str]:
        """Follow next links; return all objects and the delta link, if there is one."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.get(path, headers)
            found += page["value"]
            if "@odata.nextLink" not in page:
                return found, page.get("@odata.deltaLink", "")
            path = page["@odata.nextLink"]


@pytest.fixture
def face() -> Face:
    """Give an empty tenant."""
    return Face()


# --- single objects and lists --------------------------------------------------------------


def test_a_user_shows_what_is_selected(face: Face) -> None:
    """Without a selection the default set, which lacks what HR wants; null where nothing is."""
    ident = face.user("ada", employeeId="E1", department="Field")

    assert "employeeId" not in face.get(f"users/{ident}")
    assert face.get("users/ADA@contoso.com?$select=id,employeeId,mail") == {
        "id": ident,
        "employeeId": "E1",
        "mail": None,
    }


@pytest.mark.parametrize(
    ("method", "path", "body", "says"),
    [
        ("GET", "users/nobody", None, (404, "Request_ResourceNotFound")),
        ("GET", "users?$select=departmnt", None, (400, "BadRequest")),
        ("GET", "users?$top=1000", None, (400, "Request_BadRequest")),
        ("GET", "users?$nonsense=1", None, (400, "Request_BadRequest")),
        ("GET", "users?$filter=startswith(mail,'a')", None, (400, "Request_UnsupportedQuery")),
        ("GET", "users?$orderby=mail", None, (400, "Request_UnsupportedQuery")),
        ("GET", "users/delta?$top=5", None, (400, "Request_UnsupportedQuery")),
        ("GET", "users/delta?$filter=mail eq 'a'", None, (400, "Request_UnsupportedQuery")),
        ("GET", "users/delta?$deltatoken=x", None, (400, "Request_BadRequest")),
        ("GET", "devices", None, (400, "Request_BadRequest")),
        ("PUT", "users", {}, (405, "Request_BadRequest")),
        ("POST", "users", {"displayName": "Bo"}, (400, "Request_BadRequest")),
        ("POST", "users", {"shoeSize": 44}, (400, "Request_BadRequest")),
        ("POST", "$batch", {"requests": []}, (400, "BadRequest")),
        ("PATCH", "users/ada@contoso.com", {"employeeId": "x" * 17}, (400, "Request_BadRequest")),
        ("PATCH", "users/ada@contoso.com", {"accountEnabled": 1}, (400, "Request_BadRequest")),
    ],
)
def test_what_graph_refuses_is_refused(
    face: Face, method: str, path: str, body: object, says: tuple[int, str]
) -> None:
    """With status and code."""
    face.user("ada")

    assert face.refused(method, path, body) == says


def test_a_name_belongs_to_one_user(face: Face) -> None:
    """Whoever is deleted gives it up, and cannot come back while another has it."""
    ident = face.user("ada")
    taken = {"userPrincipalName": "ADA@contoso.com"}
    bo = face.user("bo")

    assert face.refused("PATCH", f"users/{bo}", taken) == (400, "Request_BadRequest")

    face.send("DELETE", f"users/{ident}")
    again = face.user("ada")

    assert again != ident
    restore = f"directory/deletedItems/{ident}/restore"
    assert face.refused("POST", restore) == (400, "Request_BadRequest")


def test_lists_have_pages_filters_and_a_count(face: Face) -> None:
    """The count comes with the first page only, and only to an advanced query."""
    for number in range(5):
        face.user(f"user{number}", department="Field" if number else "Depot")
    first = face.get("users?$top=2&$count=true&$select=id", EVENTUAL)
    second = face.get(first["@odata.nextLink"], EVENTUAL)
    field_crew, _ = face.follow("users?$filter=department%20eq%20'field'&$select=id&$top=3")

    assert (first["@odata.count"], len(first["value"])) == (5, 2)
    assert "@odata.count" not in second
    assert len(face.follow("users?$top=2")[0]) == 5
    assert len(field_crew) == 4
    assert "@odata.count" not in face.get("users?$count=true")


# --- groups --------------------------------------------------------------------------------


def test_members_come_directly_or_through_groups(face: Face) -> None:
    """Each once, groups too, also in a circle; a cast needs an advanced query."""
    ada, bo = face.user("ada"), face.user("bo")
    inner = face.group("inner", ada)
    outer = face.group("outer", bo, inner)
    face.send("POST", f"groups/{inner}/members/$ref", {"@odata.id": f"{ROOT}x/{outer}"})

    direct = face.get(f"groups/{outer}/members?$select=id")["value"]
    everybody = face.get(f"groups/{outer}/transitiveMembers?$select=id")["value"]
    cast = f"groups/{outer}/transitiveMembers/microsoft.graph.user?$select=id&$count=true"

    assert {each["id"]: each["@odata.type"] for each in direct} == {
        bo: "#microsoft.graph.user",
        inner: "#microsoft.graph.group",
    }
    assert {each["id"] for each in everybody} == {ada, bo, inner}
    assert face.refused("GET", cast) == (400, "Request_UnsupportedQuery")
    assert {each["id"] for each in face.get(cast, EVENTUAL)["value"]} == {ada, bo}
    check = face.send("POST", f"users/{ada}/checkMemberGroups", {"groupIds": [outer, "x"]})
    assert json.loads(check.content)["value"] == [outer]
    ids = {"groupIds": ["x"] * 21}
    assert face.refused("POST", f"users/{ada}/checkMemberGroups", ids)[0] == 400


def test_a_soft_deletion_leaves_memberships_as_they_are(face: Face) -> None:
    """Lists do not show it; the group changes only when it is for good."""
    ada = face.user("ada")
    crew = face.group("crew", ada)
    _, link = face.follow("groups/delta?$select=members")
    face.send("DELETE", f"users/{ada}")
    soft, link = face.follow(link)
    shown = face.get(f"groups/{crew}/members")["value"]
    face.send("DELETE", f"directory/deletedItems/{ada}")
    hard, _ = face.follow(link)

    assert (soft, shown) == ([], [])
    assert hard == [
        {
            "id": crew,
            "members@delta": [
                {
                    "@odata.type": "#microsoft.graph.user",
                    "id": ada,
                    "@removed": {"reason": "deleted"},
                }
            ],
        }
    ]


# --- deltas --------------------------------------------------------------------------------


def test_a_first_round_shows_what_was_ever_set(face: Face) -> None:
    """A property never set is absent, one that was emptied is null."""
    ada = face.user("ada", mail="a@contoso.com")
    face.user("bo")
    face.send("PATCH", f"users/{ada}", {"mail": None})

    found, link = face.follow("users/delta?$select=displayName,mail")

    assert [set(each) for each in found] == [{"id", "displayName", "mail"}, {"id", "displayName"}]
    assert found[0]["mail"] is None
    assert link.startswith(f"{ROOT}users/delta?$deltatoken=")


def test_later_rounds_show_what_changed_of_what_is_tracked(face: Face) -> None:
    """All that was selected, or with a preference only what changed; deletions by their kind."""
    ada, bo, cy = face.user("ada"), face.user("bo"), face.user("cy")
    _, link = face.follow("users/delta?$select=department,displayName")
    face.send("PATCH", f"users/{ada}", {"jobTitle": "Fitter"})
    face.send("PATCH", f"users/{bo}", {"department": "Field"})
    face.send("DELETE", f"users/{cy}")
    found, after = face.follow(link)
    minimal, _ = face.follow(link, {"Prefer": "return=minimal"})
    face.send("DELETE", f"directory/deletedItems/{cy}")
    purged, after = face.follow(after)

    removed = {"id": cy, "@removed": {"reason": "changed"}}
    assert found == [{"id": bo, "department": "Field", "displayName": "bo"}, removed]
    assert minimal == [{"id": bo, "department": "Field"}, removed]
    assert purged == [{"id": cy, "@removed": {"reason": "deleted"}}]
    assert face.follow(after)[0] == []


def test_a_round_may_begin_now_or_be_for_some_only(face: Face) -> None:
    """`latest` gives a link and nothing else; a filter names ids."""
    ada = face.user("ada")
    page = face.get("users/delta?$deltatoken=latest&$select=mail")
    bo = face.user("bo")

    assert page["value"] == []
    assert [each["id"] for each in face.follow(page["@odata.deltaLink"])[0]] == [bo]
    some, _ = face.follow(f"users/delta?$filter=id eq '{ada}'&$select=id")
    assert some == [{"id": ada}]


def test_what_changes_while_pages_are_read_is_told_again(face: Face) -> None:
    """A first round misses nobody, and the next one replays."""
    ids = [face.user(f"user{number}") for number in range(5)]
    face.order("POST", "graph", {"page_size": 2})
    page = face.get("users/delta?$select=mail")
    face.send("PATCH", f"users/{ids[0]}", {"mail": "a@contoso.com"})
    face.send("PATCH", f"users/{ids[4]}", {"mail": "e@contoso.com"})
    rest, link = face.follow(page["@odata.nextLink"])
    replayed, _ = face.follow(link)

    assert [each["id"] for each in page["value"] + rest] == ids
    assert rest[-1]["mail"] == "e@contoso.com"
    assert [each["id"] for each in replayed] == [ids[0], ids[4]]


def test_deltas_have_habits(face: Face) -> None:
    """Empty pages, objects that come again, and groups that are spread over pages."""
    ids = [face.user(f"user{number}") for number in range(5)]
    crew = face.group("crew", *ids)
    face.order("POST", "graph", {"page_size": 2, "empty": True, "twice": True})
    found, _ = face.follow("users/delta?$select=id")
    page = face.get(face.get("users/delta?$select=id")["@odata.nextLink"])
    face.order("POST", "graph", {"page_size": 2})
    slices, _ = face.follow("groups/delta?$select=members")

    assert [each["id"] for each in found] == [*ids[:2], ids[1], *ids[2:4], ids[3], ids[4]]
    assert page["value"] == []
    assert [len(each["members@delta"]) for each in slices] == [2, 2, 1]
    assert {each["id"] for each in slices} == {crew}


def test_tokens_may_be_too_old(face: Face) -> None:
    """410 says where to start, or 400 by its code; new tokens are good."""
    face.user("ada")
    _, link = face.follow("users/delta")
    face.order("DELETE", "graph-tracking")
    answer = face.send("GET", link)
    again, fresh = face.follow(answer.headers["Location"])
    face.order("POST", "graph", {"lost": 400})

    assert answer.status == 410
    assert len(again) == 1
    assert face.refused("GET", link) == (400, "syncStateNotFound")
    assert face.follow(fresh)[0] == []


# --- batches -------------------------------------------------------------------------------


def batch(face: Face, *steps: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Send a batch; return the answers by id."""
    answer = face.send("POST", "$batch", {"requests": list(steps)})
    assert answer.status == 200, answer.content
    return {each["id"]: each for each in json.loads(answer.content)["responses"]}


def test_a_batch_answers_each_of_its_requests(face: Face) -> None:
    """In another order, each with its own status; what depends on a failure is not done."""
    ada = face.user("ada")
    steps: list[dict[str, Any]] = [
        {"id": "1", "method": "GET", "url": f"/users/{ada}?$select=displayName"},
        {"id": "2", "method": "GET", "url": "/users/nobody"},
        {"id": "3", "method": "DELETE", "url": f"/users/{ada}", "dependsOn": ["2"]},
        {"id": "4", "method": "PATCH", "url": f"/users/{ada}", "body": {"mail": "a@b.example"}},
    ]
    found = batch(face, *steps)

    assert list(found) == ["4", "3", "2", "1"]
    assert {name: each["status"] for name, each in found.items()} == {
        "1": 200,
        "2": 404,
        "3": 424,
        "4": 204,
    }
    assert found["1"]["body"] == {"id": ada, "displayName": "ada"}


def test_a_batch_has_at_most_twenty_requests(face: Face) -> None:
    """One more is refused as a whole."""
    steps = [{"id": str(number), "method": "GET", "url": "/users"} for number in range(21)]

    assert len(batch(face, *steps[:20])) == 20
    assert face.refused("POST", "$batch", {"requests": steps}) == (400, "BadRequest")


def test_parts_of_a_batch_are_throttled_each_on_its_own(face: Face) -> None:
    """Their Retry-After is inside."""
    fault = Fault(kind=FaultKind.OPERATION, path="users/b", status=429, retry_after=7)
    face.sandbox.misbehave([fault])
    steps = [{"id": name, "method": "GET", "url": f"/users/{name}"} for name in "ab"]
    found = batch(face, *steps)

    assert found["a"]["status"] == 404
    assert found["b"]["status"] == 429
    assert found["b"]["headers"]["Retry-After"] == "7"


def test_others_refuse_in_the_words_of_graph(face: Face) -> None:
    """Whoever throttles, in a batch too, or misses a token."""
    throttle = Fault(kind=FaultKind.THROTTLE, path="users?", retry_after=1)
    part = Fault(kind=FaultKind.OPERATION, path="users/a", status=429, code="0x80072322")
    face.sandbox.misbehave([throttle, part])
    throttled = face.refused("GET", "users")
    found = batch(face, {"id": "1", "method": "GET", "url": "/users/a"})
    face.order("POST", "sign-in", {"required": True})
    answer = face.send("GET", "users")

    assert throttled == (429, "TooManyRequests")
    assert found["1"]["body"]["error"]["code"] == "TooManyRequests"
    assert json.loads(answer.content)["error"]["code"] == "InvalidAuthenticationToken"
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
