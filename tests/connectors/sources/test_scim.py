"""People on a SCIM server: a real one, and one that does what servers should not do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from syncd.connectors.sources.scim import ScimSource
from syncd.core.mapping import Field, PersonMapping
from syncd.core.ports import Known, ReadFacts, Record
from tests.connectors.dataverse.world import Clock
from tests.connectors.sources.backends.scim import EXTENSION, TOKEN, Scim, open_scim
from tests.connectors.sources.people import read
from tests.connectors.sources.web import Answer, Asked, Reply, serve, site

KEY = PersonMapping(Field("id"), attributes={"name": Field("userName")})
GROUPED = PersonMapping(Field("externalId"), attributes={"groups": Field("groups", split=";")})


@pytest.fixture
def scim(tmp_path: Path) -> Iterator[Scim]:
    """Give a tenant of a real server."""
    with open_scim(tmp_path) as opened:
        yield opened


def since(source: ScimSource, facts: ReadFacts) -> tuple[list[Record], ReadFacts]:
    """Read what changed since a read, with nobody remembered."""
    return read(source, Known(None, set, facts.token))


def queries(scim: Scim, kind: str) -> list[dict[str, list[str]]]:
    """Return what was asked for, in order."""
    return [
        parse_qs(urlsplit(each.target).query)
        for each in scim.web.asked
        if each.path.endswith(f"/{kind}")
    ]


def test_groups_are_told_with_those_they_come_through(scim: Scim) -> None:
    """Also where groups have each other, and where nobody is in any."""
    ada, bob = scim.user("ada"), scim.user("bob")
    scim.user("eve")
    inner = scim.group("Inner", ada)
    outer = scim.group("Outer", inner, bob)
    scim.group("Inner", ada, outer)

    records, facts = read(scim.source(GROUPED))

    assert facts.findings == ()
    assert sorted((each[0], each[9]) for each in records) == [
        ("ada", '{"groups":["Inner","Outer"]}'),
        ("bob", '{"groups":["Inner","Outer"]}'),
        ("eve", '{"groups":[]}'),
    ]


def test_only_mapped_attributes_are_asked_for(scim: Scim) -> None:
    """A directory has far more on record than syncd needs, and photos among it."""
    scim.put("K1", {"employee_id": "E1", "mail": "k1@contoso.com", "department": "field"})

    read(scim.source())

    assert queries(scim, "Users")[0]["attributes"] == [
        f"externalId,{EXTENSION}:employeeNumber,emails,{EXTENSION}:department"
    ]


def test_changes_are_asked_for_by_their_time(scim: Scim) -> None:
    """The filter goes back behind the last read, and nobody leaves for not being shown."""
    scim.user("ada")
    source = scim.source(KEY, overlap=timedelta(0))
    _, first = read(source)
    records, later = since(source, first)
    asked = queries(scim, "Users")[-1]["filter"]

    assert first.token is not None
    assert asked == [f'meta.lastModified gt "{first.token}"']
    assert (later.partial, later.findings, later.gone) == (True, (), set())
    assert len(records) <= 1


def test_a_read_of_changes_gives_who_changed_within_the_overlap(scim: Scim) -> None:
    """Once more is harmless; a clock that is behind is not."""
    scim.user("ada", title="clerk")
    source = scim.source(PersonMapping(Field("externalId"), attributes={"t": Field("title")}))
    _, first = read(source)
    scim.user("ada", title="lead")
    records, _ = since(source, first)

    assert [(each[0], each[9]) for each in records] == [("ada", '{"t":"lead"}')]


def test_a_changed_group_makes_everything_new(scim: Scim) -> None:
    """Users do not change when they are taken out of a group, so all of them are read."""
    ada = scim.user("ada")
    scim.group("Field", ada)
    source = scim.source(GROUPED)
    _, first = read(source)
    _, same = since(source, first)
    scim.group("Field")
    records, changed = since(source, first)

    assert (same.partial, changed.partial) == (True, False)
    assert [each[9] for each in records] == ['{"groups":[]}']


def test_a_filter_says_who_is_read(scim: Scim) -> None:
    """Of whole reads and of changes alike."""
    scim.user("ada", userType="Employee")
    scim.user("bob", userType="Guest")
    source = scim.source(KEY, filter='userType eq "Employee"')
    records, first = read(source)
    changed, later = since(source, first)

    assert [each[9] for each in records] == ['{"name":"ada"}']
    assert [each[9] for each in changed] == ['{"name":"ada"}']
    assert later.partial


def test_a_filter_that_is_wrong_is_a_finding_in_the_servers_words(scim: Scim) -> None:
    """Only the server knows its attributes."""
    _, facts = read(scim.source(KEY, filter="userType is Employee"))

    assert len(facts.findings) == 1
    assert "turned the read down (status 400): invalid syntax" in facts.findings[0]


def test_a_wrong_token_is_one_sentence(scim: Scim) -> None:
    """It names where to look, and not the token."""
    scim.client.headers["Authorization"] = "Bearer other"
    url = f"{scim.web.url}{scim.client.base_url.path}v2"

    _, facts = read(ScimSource("idp", site(url), KEY))

    assert len(facts.findings) == 1
    assert "does not accept how syncd signs in (status 401); check auth" in facts.findings[0]
    assert TOKEN not in facts.findings[0]


def users(*numbers: int) -> list[Mapping[str, object]]:
    """Return users as they stand in a page."""
    return [{"id": f"id{each}", "userName": f"u{each}"} for each in numbers]


def listed(rows: list[Mapping[str, object]], total: int | None, **more: object) -> Reply:
    """Return a page."""
    counted = {} if total is None else {"totalResults": total}
    return Reply({"Resources": rows, **counted, **more})


def paged(total: int, give: Callable[[int, int], Reply]) -> Answer:
    """Return a server that gives users by index and tells nothing about itself."""

    def answer(asked: Asked) -> Reply:
        if asked.path.endswith("/ServiceProviderConfig"):
            return Reply(b"<h1>no such page</h1>", 404, {"Content-Type": "text/html"})
        assert total >= 0
        return give(int(asked.query["startIndex"]), int(asked.query["count"]))

    return answer


def read_from(answer: Answer, **settings: object) -> tuple[list[str], ReadFacts]:
    """Read users of a server that is that function; return their ids."""
    with serve(answer) as web:
        given = {"page_size": 4, **settings}
        source = ScimSource("idp", site(web.url), KEY, **given)  # type: ignore[arg-type]  # as named
        records, facts = read(source)
    return [each[0] for each in records], facts


def test_a_server_that_gives_fewer_than_asked_is_read_to_the_end() -> None:
    """The next page begins behind what came."""
    answer = paged(10, lambda at, _: listed(users(*range(at, min(at + 3, 11))), 10))

    found, facts = read_from(answer)

    assert found == [f"id{each}" for each in range(1, 11)]
    assert facts.findings == ()


def test_a_server_that_ignores_paging_gives_everybody_once() -> None:
    """All at once, whatever is asked for."""
    found, facts = read_from(paged(9, lambda _at, _: listed(users(*range(9)), 9)))

    assert len(found) == 9
    assert facts.findings == ()


def test_a_server_that_repeats_its_first_page_is_not_believed() -> None:
    """It would look like a company of four."""
    found, facts = read_from(paged(9, lambda _at, _: listed(users(1, 2, 3, 4), 9)))

    assert len(found) == 4
    assert len(facts.findings) == 1
    assert "the same page of users again and again" in facts.findings[0]


def test_a_total_that_is_not_reached_is_a_finding() -> None:
    """Missing people are not leavers."""
    answer = paged(9, lambda at, _: listed(users(1, 2, 3, 4) if at == 1 else [], 9))

    _, facts = read_from(answer)

    assert facts.findings == (
        "source idp: 127.0.0.1 says that there are 9 users and gave 4; run again, and if it "
        "stays so try another paging or page_size",
    )
    assert facts.token is None


def test_a_total_that_is_too_small_is_not_the_end() -> None:
    """A page that is full has another one behind it, until one is not."""
    answer = paged(4, lambda at, _: listed(users(*range(at, min(at + 4, 8))), 4))

    found, facts = read_from(answer)

    assert len(found) == 7
    assert facts.findings == ()


def test_who_slipped_between_two_pages_is_found_by_reading_again() -> None:
    """Somebody in front is deleted under way: all behind move up by one."""
    calls: list[int] = []

    def give(at: int, _: int) -> Reply:
        calls.append(at)
        everybody = list(range(1, 10)) if len(calls) == 1 else list(range(2, 10))
        return listed(users(*everybody[at - 1 : at + 3]), len(everybody))

    found, facts = read_from(paged(9, give))

    assert found == ["id1", "id2", "id3", "id4", "id6", "id7", "id8", "id9", "id5"]
    assert facts.findings == ()


def test_a_list_that_never_stands_still_is_a_finding() -> None:
    """Each page names another total."""
    calls: list[int] = []

    def give(at: int, _: int) -> Reply:
        calls.append(at)
        return listed(users(*range(at, min(at + 4, 8))), 8 + len(calls) % 2)

    _, facts = read_from(paged(9, give))

    assert len(facts.findings) == 1
    assert "changed the number of users each time" in facts.findings[0]


def test_users_without_an_id_are_a_finding() -> None:
    """Nobody can be told apart from anybody then."""
    _, facts = read_from(paged(3, lambda _at, _: listed([*users(1), {"userName": "x"}, {}], 3)))

    assert facts.findings == (
        "source idp: 127.0.0.1 gave 2 users without an id; they were not read",
    )


def by_cursor(give: Callable[[str], Reply]) -> Answer:
    """Return a server that pages by cursor and says so."""

    def answer(asked: Asked) -> Reply:
        if asked.path.endswith("/ServiceProviderConfig"):
            return Reply({"pagination": {"cursor": True, "index": False}})
        assert "startIndex" not in asked.query
        return give(asked.query["cursor"])

    return answer


def test_cursors_are_followed_until_there_is_none() -> None:
    """As RFC 9865 has it; a total need not be told."""
    pages = {"": (users(1, 2), "b"), "b": ([], "c"), "c": (users(3), "")}

    def give(cursor: str) -> Reply:
        rows, following = pages[cursor]
        return listed(rows, None, **({"nextCursor": following} if following else {}))

    found, facts = read_from(by_cursor(give))

    assert found == ["id1", "id2", "id3"]
    assert facts.findings == ()


def test_a_server_may_go_over_to_cursors_unasked() -> None:
    """The next page is asked for as the server says."""

    def answer(asked: Asked) -> Reply:
        if asked.path.endswith("/ServiceProviderConfig"):
            return Reply({}, 404)
        if "startIndex" in asked.query:
            return listed(users(1, 2), 3, nextCursor="b")
        return listed(users(3), 3)

    found, facts = read_from(answer)

    assert found == ["id1", "id2", "id3"]
    assert facts.findings == ()


def test_an_expired_cursor_starts_over_once() -> None:
    """Nobody is given twice for that."""
    calls: list[str] = []

    def give(cursor: str) -> Reply:
        calls.append(cursor)
        if cursor and len(calls) == 2:
            return Reply({"status": "400", "scimType": "expiredCursor"}, 400)
        return listed(users(3), 3) if cursor else listed(users(1, 2), 3, nextCursor="b")

    found, facts = read_from(by_cursor(give))

    assert found == ["id1", "id2", "id3"]
    assert calls == ["", "b", "", "b"]
    assert facts.findings == ()


def test_a_cursor_that_expires_each_time_is_a_finding() -> None:
    """The rest is missing."""

    def give(cursor: str) -> Reply:
        if cursor:
            return Reply({"status": "400", "scimType": "expiredCursor"}, 400)
        return listed(users(1, 2), None, nextCursor="b")

    _, facts = read_from(by_cursor(give))

    assert len(facts.findings) == 1
    assert "forgot its cursor for users twice" in facts.findings[0]


def test_cursors_that_go_in_a_circle_end() -> None:
    """With a finding."""
    _, facts = read_from(by_cursor(lambda _: listed(users(1), None, nextCursor="b")))

    assert len(facts.findings) == 1
    assert "in a circle" in facts.findings[0]


def test_a_server_that_cannot_filter_by_time_is_read_whole() -> None:
    """A read of changes becomes a read of everything."""

    def answer(asked: Asked) -> Reply:
        if asked.path.endswith("/ServiceProviderConfig"):
            return Reply({}, 404)
        if "filter" in asked.query:
            return Reply({"status": "400", "scimType": "invalidFilter"}, 400)
        return listed(users(1, 2), 2)

    with serve(answer) as web:
        source = ScimSource("idp", site(web.url), KEY)
        _, first = read(source)
        records, facts = since(source, first)

    assert len(records) == 2
    assert (facts.partial, facts.findings) == (False, ())


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Reply(b"<html>sign in</html>", 200, {"Content-Type": "text/html"}), "text/html instead"),
        (Reply(b'{"Resources": ['), "not valid JSON"),
        (Reply({"users": []}), "something else than a list of users"),
        (Reply([1, 2]), "something else than a list of users"),
        (Reply(b"", 302, {"Location": "https://evil.example/"}), "to another page (status 302)"),
        (Reply({"detail": "no"}, 403), "not read this (status 403)"),
        (Reply(b"", 503), "answered 503 4 times"),
        (Reply(listed(users(1), 1).content, cut=True), "broke off its answer 4 times"),
        (Reply(b"[" * 100_000), "JSON"),
    ],
)
def test_what_a_server_answers_instead_is_one_sentence(reply: Reply, says: str) -> None:
    """Nothing is raised, and nobody leaves."""
    _, facts = read_from(lambda _: reply, paging="index")

    assert len(facts.findings) == 1
    assert says in facts.findings[0]
    assert "evil" not in facts.findings[0]


def test_a_server_is_left_alone_as_long_as_it_asks() -> None:
    """What it says is waited for, and then the read goes on."""
    clock = Clock()
    replies = iter([Reply(b"", 429, {"Retry-After": "37"}), listed(users(1), 1)])
    with serve(lambda _: next(replies)) as web:
        source = ScimSource("idp", site(web.url, clock), KEY, paging="index")
        records, facts = read(source)

    assert len(records) == 1
    assert facts.findings == ()
    assert clock.naps == [37.0]


def test_a_server_that_wants_too_much_patience_is_a_finding() -> None:
    """A run does not wait for an hour."""
    _, facts = read_from(lambda _: Reply(b"", 429, {"Retry-After": "3600"}))

    assert len(facts.findings) == 1
    assert "longer than a run waits" in facts.findings[0]


def test_a_character_that_no_database_takes_is_replaced() -> None:
    """One bad name must not cost the whole read."""
    rows = [{"id": "id1", "userName": "a\x00b"}]

    with serve(lambda _: listed(rows, 1)) as web:  # type: ignore[arg-type]  # a row is a mapping
        records, facts = read(ScimSource("idp", site(web.url), KEY, paging="index"))

    assert records[0][9] == '{"name":"a\N{REPLACEMENT CHARACTER}b"}'
    assert facts.findings == ()
