"""Exports of people over HTTP: how pages are asked for, and all that a server may do wrong."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from syncd.config.web import Cursor, NextLink, Offset, PageNumber, Since
from syncd.connectors.auth.simple import HeaderAuth
from syncd.connectors.sources.http_json import HttpJsonSource
from syncd.core.mapping import Field, PersonMapping
from syncd.core.ports import Known, ReadFacts
from tests.connectors.dataverse.world import Clock
from tests.connectors.sources.people import read
from tests.connectors.sources.web import Answer, Asked, Reply, Web, serve, site

MAPPING = PersonMapping(Field("id"), attributes={"unit": Field("unit.name")})
KEY = PersonMapping(Field("id"))
LINKS = NextLink(method="next-link", path="next")
PAGES = PageNumber(method="page", size_parameter="size", size=4)
OFFSETS = Offset(method="offset", size=4)
CURSORS = Cursor(method="cursor", path="next", size_parameter="size", size=4)


def rows(*numbers: int) -> list[dict[str, Any]]:
    """Return rows of an export."""
    return [{"id": each, "unit": {"name": f"unit {each}"}} for each in numbers]


def source(web: Web, clock: Clock | None = None, **settings: Any) -> HttpJsonSource:
    """Return what reads that server."""
    given: dict[str, Any] = {"mapping": KEY, "rows": "items", **settings}
    return HttpJsonSource("hr", site(f"{web.url}/people", clock), **given)


def read_from(answer: Answer, **settings: Any) -> tuple[list[str], ReadFacts]:
    """Read a server that is that function; return the keys."""
    with serve(answer) as web:
        records, facts = read(source(web, **settings))
    return [each[0] for each in records], facts


def finding(answer: Answer, **settings: Any) -> str:
    """Return the one finding of a read, which leaves nothing to go on from."""
    _, facts = read_from(answer, since=Since(parameter="since"), **settings)
    assert len(facts.findings) == 1
    assert facts.token is None
    return facts.findings[0]


def numbered(start: int, size: int, most: int = 10) -> list[dict[str, Any]]:
    """Return the rows of one page of ten people."""
    return rows(*range(start, min(start + size, most + 1)))


def by_link(asked: Asked) -> Reply:
    """Name the next page in the page."""
    at = int(asked.query.get("at", "1"))
    following = {"next": f"/people?at={at + 4}"} if at + 4 <= 10 else {"next": None}
    return Reply({"items": numbered(at, 4), **following})


def by_header(asked: Asked) -> Reply:
    """Name it in a header, as RFC 8288 has it."""
    at = int(asked.query.get("at", "1"))
    link = {"Link": f'<?at={at + 4}>; rel="next"'} if at + 4 <= 10 else {}
    return Reply({"items": numbered(at, 4)}, headers=link)


def by_page(asked: Asked) -> Reply:
    """Give a page by its number."""
    size = int(asked.query["size"])
    return Reply({"items": numbered((int(asked.query["page"]) - 1) * size + 1, size)})


def by_offset(asked: Asked) -> Reply:
    """Give what stands behind so many rows."""
    limit = min(int(asked.query["limit"]), 3)  # it gives fewer than it is asked for
    return Reply({"items": numbered(int(asked.query["offset"]) + 1, limit)})


def by_cursor(asked: Asked) -> Reply:
    """Give each page a number that asks for the next one."""
    at = int(asked.query.get("cursor", "1"))
    more = {"next": at + 4} if at + 4 <= 10 else {}
    return Reply({"items": numbered(at, int(asked.query["size"])), **more})


@pytest.mark.parametrize(
    ("answer", "settings"),
    [
        (by_link, {"paging": LINKS}),
        (by_header, {"paging": NextLink(method="next-link")}),
        (by_page, {"paging": PAGES}),
        (by_offset, {"paging": OFFSETS}),
        (by_cursor, {"paging": CURSORS}),
        (lambda _: Reply({"items": rows(*range(1, 11))}), {}),
        (lambda _: Reply(rows(*range(1, 11))), {"rows": None}),
        (lambda _: Reply({"d": {"list": rows(*range(1, 11))}}), {"rows": "d.list"}),
    ],
    ids=["link", "header", "page", "offset", "cursor", "one", "bare", "nested"],
)
def test_everybody_comes_however_pages_are_asked_for(
    answer: Answer, settings: Mapping[str, Any]
) -> None:
    """Once each, in the order of the export."""
    found, facts = read_from(answer, **settings)

    assert found == [str(each) for each in range(1, 11)]
    assert (facts.findings, facts.rows) == ((), 10)


def test_parameters_go_along_with_each_request() -> None:
    """Those of the settings beside those of paging; next links are taken as they are."""
    with serve(by_page) as web:
        read(source(web, paging=PAGES, query={"fields": "id"}))

    assert [each.query for each in web.asked] == [
        {"fields": "id", "size": "4", "page": str(number)} for number in (1, 2, 3, 4)
    ]


def test_a_nested_value_is_a_column() -> None:
    """Names with dots between; one that holds a dot itself is found, too."""
    mapping = PersonMapping(
        Field("id"), attributes={"unit": Field("unit.name"), "plain": Field("a.b")}
    )
    given = [{"id": 1, "unit": {"name": "field"}, "a.b": "x"}]

    with serve(lambda _: Reply({"items": given})) as web:
        records, _ = read(source(web, mapping=mapping))

    assert records[0][9] == '{"plain":"x","unit":"field"}'


def test_a_column_that_is_gone_is_named_with_what_it_may_be_now() -> None:
    """Nothing of such a read is used."""
    mapping = PersonMapping(Field("id"), attributes={"unit": Field("department")})
    given = [{"id": 1, "departement": "field"}]

    _, facts = read_from(lambda _: Reply({"items": given}), mapping=mapping)

    assert not facts.usable
    assert facts.findings == (
        'source hr: the mapped column "department" is absent; is it "departement" now?',
    )


@pytest.mark.parametrize(
    ("form", "sent"),
    [
        ("%Y-%m-%dT%H:%M:%SZ", "2026-03-01T07:50:00Z"),
        ("%d.%m.%Y", "01.03.2026"),
        ("unix", "1772351400"),
        ("unix-ms", "1772351400000"),
    ],
)
def test_changes_are_asked_for_since_the_servers_time(form: str, sent: str) -> None:
    """Ours may be wrong; the overlap is for what was written late."""
    since = Since(parameter="since", format=form, overlap=timedelta(minutes=10))
    headers = {"Date": "Sun, 01 Mar 2026 08:00:00 GMT"}

    def answer(asked: Asked) -> Reply:
        return Reply({"items": rows(2) if "since" in asked.query else rows(1, 2)}, headers=headers)

    with serve(answer) as web:
        _, first = read(source(web, since=since))
        records, later = read(source(web, since=since), Known(None, set, first.token))

    assert first.token == "2026-03-01T08:00:00Z"
    assert web.asked[1].query == {"since": sent}
    assert [each[0] for each in records] == ["2"]
    assert (later.partial, later.token, later.gone) == (True, first.token, set())


def test_a_token_of_another_program_means_a_whole_read() -> None:
    """It says nothing about this server."""
    since = Since(parameter="since")

    with serve(lambda _: Reply({"items": rows(1)})) as web:
        _, facts = read(source(web, since=since), Known(None, set, "yesterday"))

    assert (facts.partial, web.asked[0].query) == (False, {})


def test_deleted_rows_are_told_and_not_given() -> None:
    """In a whole read they are simply not there."""
    given = [{"id": 1}, {"id": 2, "gone": True}, {"id": 3, "gone": "true"}, {"id": 4, "gone": 0}]

    found, facts = read_from(lambda _: Reply({"items": given}), deleted="gone")

    assert found == ["1", "4"]
    assert facts.findings == ()


def test_a_row_that_slips_onto_the_next_page_is_one() -> None:
    """Somebody is put in front under way; two different rows with one key stay two."""

    def answer(asked: Asked) -> Reply:
        start = int(asked.query["offset"])
        everybody = rows(1, 2, 3, 4, 5) if start == 0 else rows(0, 1, 2, 3, 4, 5)
        return Reply({"items": [*everybody, {"id": 5, "unit": None}][start : start + 4]})

    found, facts = read_from(answer, paging=OFFSETS)

    assert found == ["1", "2", "3", "4", "5", "5"]
    assert facts.findings == ()


def test_who_slipped_between_two_pages_is_found_by_reading_again() -> None:
    """A total that changes under way gives it away."""
    calls: list[int] = []

    def answer(asked: Asked) -> Reply:
        calls.append(1)
        everybody = rows(*range(1, 10)) if len(calls) == 1 else rows(*range(2, 10))
        start = int(asked.query["offset"])
        return Reply({"items": everybody[start : start + 4], "total": len(everybody)})

    found, facts = read_from(answer, paging=OFFSETS, total="total")

    assert sorted(found) == [str(each) for each in range(1, 10)]
    assert facts.findings == ()


def test_an_export_that_never_stands_still_is_a_finding() -> None:
    """Somebody may be missing each time."""
    calls: list[int] = []

    def answer(asked: Asked) -> Reply:
        calls.append(1)
        start = int(asked.query["offset"])
        return Reply({"items": numbered(start + 1, 4), "total": 9 + len(calls) % 2})

    assert "changed the number of rows each time" in finding(answer, paging=OFFSETS, total="total")


def test_a_total_that_is_not_reached_is_a_finding() -> None:
    """Missing people are not leavers."""
    says = finding(lambda _: Reply({"items": rows(1, 2), "total": "431"}), total="total")

    assert says == (
        "source hr: 127.0.0.1 says that there are 431 rows and gave 2; run again, and if it "
        "stays so check paging"
    )


def test_no_page_behind_the_last_one_may_be_an_error() -> None:
    """Where the total says that all are there; elsewhere it would hide missing people."""

    def answer(asked: Asked) -> Reply:
        number = int(asked.query["page"])
        if number == 3:
            return Reply({"detail": "Invalid page."}, 404)
        return Reply({"items": numbered(number * 4 - 3, 4, 8), "total": 8})

    found, facts = read_from(answer, paging=PAGES, total="total")

    assert (len(found), facts.findings) == (8, ())
    assert "has nothing at this address (status 404)" in finding(answer, paging=PAGES)


def test_a_server_that_ignores_the_page_number_is_not_believed() -> None:
    """It would look like a company of four."""
    says = finding(lambda _: Reply({"items": rows(1, 2, 3, 4)}), paging=PAGES)

    assert "the same page again and again; check paging.parameter" in says


@pytest.mark.parametrize(
    "answer",
    [
        lambda asked: Reply({"items": rows(1), "next": asked.target}),
        lambda asked: Reply({"items": rows(1), "next": asked.target + "?again"}),
        lambda asked: Reply({"items": [], "next": asked.target + "1"}),
    ],
    ids=["circle", "same rows", "no rows"],
)
def test_next_links_without_end_have_one(answer: Answer) -> None:
    """Nothing new comes, so the read is over; and it is not believed."""
    assert "leads on and on with its next links" in finding(answer, paging=LINKS)


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/people?page=2",
        "//evil.example/people",
        "https://127.0.0.1/people",
        "http://user:pass@{host}/people",
    ],
)
def test_a_next_link_to_another_host_is_not_followed(link: str) -> None:
    """The key that goes along is for one host only; scheme and port are part of it."""

    def answer(asked: Asked) -> Reply:
        return Reply({"items": rows(1), "next": link.replace("{host}", asked.headers["Host"])})

    with serve(answer) as web:
        signer = HeaderAuth(web.url, "X-Api-Key", "hunter2")
        way = site(f"{web.url}/people", auth=signer)
        reading = HttpJsonSource("hr", way, KEY, rows="items", paging=LINKS)
        _, facts = read(reading)

    assert len(web.asked) == 1
    assert len(facts.findings) == 1
    assert "was not followed" in facts.findings[0]
    assert "hunter2" not in facts.findings[0]
    assert "pass@" not in facts.findings[0]


@pytest.mark.parametrize(
    ("reply", "settings", "says"),
    [
        (Reply(b"<html>", headers={"Content-Type": "text/html"}), {}, "text/html instead of JSON"),
        (Reply(b'{"items": [', 200), {}, "not valid JSON"),
        (Reply(b"\xff\xfe"), {}, "not valid JSON"),
        (Reply({"items": {}}), {}, 'no list at "items"; check rows'),
        (Reply({"people": [], "n": 1}), {"rows": None}, 'there is one at "people"'),
        (Reply({"items": [1, None, *rows(1)]}), {}, "gave 2 rows that are no objects"),
        (Reply({"items": []}), {"total": "total"}, 'no number at "total"'),
        (Reply({"items": [], "total": True}), {"total": "total"}, 'no number at "total"'),
        (Reply({"items": [], "next": 7}), {"paging": LINKS}, "a next link that is no address"),
        (Reply({"items": [], "next": [7]}), {"paging": CURSORS}, 'no text at "next"'),
        (Reply(b"", 307, {"Location": "/x"}), {}, "to another page (status 307)"),
        (Reply(b"", 401), {}, "does not accept how syncd signs in (status 401); check auth"),
        (Reply(b"", 403), {}, "not read this (status 403)"),
        (Reply({"message": "no such field"}, 422), {}, "(status 422): no such field; check"),
        (Reply(b"", 502), {}, "answered 502 4 times"),
        (Reply({"items": rows(1)}, cut=True), {}, "broke off its answer 4 times"),
        (Reply(b"no gzip", headers={"Content-Encoding": "gzip"}), {}, "broke off its answer"),
    ],
)
def test_what_a_server_answers_instead_is_one_sentence(
    reply: Reply, settings: Mapping[str, Any], says: str
) -> None:
    """What, where, and what to do; nothing is raised."""
    assert says in finding(lambda _: reply, **settings)


def test_a_server_that_is_gone_is_a_finding() -> None:
    """Whoever was read before stays."""
    with serve(lambda _: Reply({"items": rows(1)})) as web:
        reading = source(web)
    _, facts = read(reading)

    assert len(facts.findings) == 1
    assert "could not be reached; check url" in facts.findings[0]


def test_what_passes_is_asked_for_again() -> None:
    """A gateway's error, a lost answer, and a server that wants to be left alone."""
    replies = iter(
        [
            Reply(b"", 503),
            Reply({"items": rows(1)}, cut=True),
            Reply(b"", 429, {"Retry-After": "37"}),
            Reply(b"", 503, {"Retry-After": "5"}),
            Reply({"items": rows(1)}),
        ]
    )
    clock = Clock()
    with serve(lambda _: next(replies)) as web:
        records, facts = read(source(web, clock))

    assert (len(records), facts.findings) == (1, ())
    assert [round(each) for each in clock.naps[-2:]] == [37, 5]
    assert len(clock.naps) == 4


def test_a_server_that_wants_too_much_patience_is_a_finding() -> None:
    """A run does not wait for an hour."""
    says = finding(lambda _: Reply(b"", 429, {"Retry-After": "3600"}))

    assert "asks to be left alone for longer than a run waits" in says


def test_an_answer_without_end_is_not_taken_in() -> None:
    """However small it is on the way: it is counted as it is unpacked."""
    packed = gzip.compress(json.dumps({"items": [], "x": "0" * (4 << 20)}).encode())
    assert len(packed) < 1 << 16

    with serve(lambda _: Reply(packed, headers={"Content-Encoding": "gzip"})) as web:
        way = site(f"{web.url}/people", largest=1 << 20)
        _, facts = read(HttpJsonSource("hr", way, KEY, rows="items"))

    assert len(facts.findings) == 1
    assert "gave more than 1 MB at once; let it give pages" in facts.findings[0]


def test_a_read_of_changes_that_breaks_off_keeps_what_came() -> None:
    """It goes on from where it began, with the token of before."""
    since = Since(parameter="since")

    def answer(asked: Asked) -> Reply:
        second = asked.query["offset"] == "4"
        return Reply(b"", 500) if second else Reply({"items": rows(1, 2, 3, 4)})

    with serve(answer) as web:
        reading = source(web, since=since, paging=OFFSETS)
        records, facts = read(reading, Known(None, set, "2026-03-01T08:00:00Z"))

    assert len(records) == 4
    assert (facts.partial, facts.token, len(facts.findings)) == (True, None, 1)
