"""A page that came like this before is not decoded; of any other what is new is found."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.connectors.dataverse.answers import Page
from syncd.connectors.dataverse.sifting import Sheet, Sieve, sheets
from syncd.connectors.http import Channel
from syncd.connectors.throttle import Throttle
from syncd.core.errors import TargetIncomplete
from syncd.core.ports import Remembered


class Thing(msgspec.Struct):
    """A row as a table might have it."""

    etag: str = msgspec.field(name="@odata.etag")
    id: str = msgspec.field(name="thingid")
    name: str | None = None


decode = msgspec.json.Decoder(Page[Thing]).decode
sheet = sheets(Thing, memory={})
Row = tuple[str, str, object]
ANN, BOB, CY = ("a", "1", "Ann"), ("B", "1", "Bob"), ("c", "1", "Cy")


def page(*rows: Row, **more: str) -> bytes:
    """Write a page of rows, each with id, version and name, that another one follows."""
    value = [{"thingid": i, "@odata.etag": v, "name": name} for i, v, name in rows]
    told = {"@odata.context": "here", "value": value, "@odata.nextLink": "more", **more}
    return json.dumps(told, separators=(",", ":")).encode()


def only(content: bytes) -> Sheet:
    """Return the sheet that a page is."""
    (found,) = sheet(content).value
    return found


@dataclass
class Memory:
    """What is remembered of pages, in memory; `asked` tells whether anybody had to be known."""

    known: set[str]
    pages: dict[bytes, list[str]] = field(default_factory=dict)
    whole: bool = True
    asked: bool = False

    def to_use(self) -> Remembered:
        """Give what a read is given."""
        return Remembered(
            frozenset(self.pages),
            self.whole,
            lambda digest: self.pages[digest],
            self._known,
            lambda digest, marks: self.pages.update({digest: list(marks)}),
        )

    def _known(self) -> set[str]:
        self.asked = True
        return set(self.known)


def sieve(known: set[str], memory: Remembered | None = None) -> Sieve[Thing]:
    """Build what holds back the things that are known."""
    with httpx.Client() as client:
        channel = Channel(client, "http://127.0.0.1", Throttle())
    return Sieve(channel, "things", Thing, decode, known, memory)


def read(memory: Memory, *pages: bytes) -> tuple[list[Row], set[str]]:
    """Read pages; return the rows that are news, and whom only the memory knew."""
    known: set[str] = set()
    use = memory.to_use()
    held = sieve(known, use)
    news = [row for each in pages for row in held.news(only(each))]
    held.end()
    for digest in use.pages - use.came:
        del memory.pages[digest]
    return [(row.id, row.etag, row.name) for row in news], known


@pytest.fixture
def memory() -> Memory:
    """Remember two pages with two rows and one."""
    known = {"a1", "b1", "c1"}
    filled = Memory(known, whole=False)
    read(filled, page(ANN, BOB), page(CY))
    return Memory(known, filled.pages)


@pytest.mark.parametrize("known", [set(), {"a1", "b1", "c1"}, {"a1", "b2"}, {"x9"}])
def test_a_row_is_news_unless_its_id_and_version_are_known(known: set[str]) -> None:
    """Also with an id in upper case; what was seen is taken out."""
    before = set(known)
    news = sieve(known).news(only(page(ANN, BOB)))

    assert {row.id for row in news} == {
        i for i, mark in (("a", "a1"), ("B", "b1")) if mark not in before
    }
    assert known == before - {"a1", "b1"}


def test_a_page_without_news_is_looked_at_no_further() -> None:
    """A column that holds what it should not is found where a row is news."""
    odd = only(page(("c", "1", 7)))
    for known, fine in (({"a1", "c1"}, True), ({"a1", "c0"}, False)):
        held = sieve(known)
        held.news(only(page(ANN)))

        if fine:
            assert held.news(odd) == []
        else:
            with pytest.raises(TargetIncomplete, match="name of things"):
                held.news(odd)


def test_the_first_page_is_read_whole() -> None:
    """So a column of another type is noticed where nothing is new."""
    with pytest.raises(TargetIncomplete, match="name of things"):
        sieve({"a1"}).news(only(page(("a", "1", 7))))


def test_a_column_of_another_type_is_another_page(memory: Memory) -> None:
    """Where pages are remembered it is noticed, too: no row has changed its version."""
    with pytest.raises(TargetIncomplete, match="name of things"):
        read(memory, page(("a", "1", 7), BOB), page(CY))


@pytest.mark.parametrize(
    "again", [[(ANN, BOB), (CY,)], [(CY,), (ANN, BOB)], [(CY,), (ANN, BOB), (CY,)]]
)
def test_pages_that_all_come_again_are_not_news(
    memory: Memory, again: Sequence[Sequence[Row]]
) -> None:
    """In whatever order, one of them twice; nobody need be known then."""
    assert read(memory, *(page(*rows) for rows in again)) == ([], set())
    assert not memory.asked
    assert len(memory.pages) == 2


@pytest.mark.parametrize(
    ("pages", "news", "left"),
    [
        ([(ANN, ("b", "2", "Bo")), (CY,)], [("b", "2", "Bo")], {"b1"}),
        ([(CY,), (ANN, ("b", "2", "Bo"))], [("b", "2", "Bo")], {"b1"}),
        ([(ANN,), (CY,)], [], {"b1"}),
        ([(ANN, BOB)], [], {"c1"}),
        ([(CY,)], [], {"a1", "b1"}),
        ([], [], {"a1", "b1", "c1"}),
        ([(ANN, BOB), (CY,), (("d", "1", "Di"),)], [("d", "1", "Di")], set()),
        ([(BOB, ANN), (CY,)], [], set()),
        ([(ANN,), (BOB, CY)], [], set()),
        ([(CY,), (BOB, ANN), (CY,)], [CY], set()),
    ],
)
def test_whatever_is_otherwise_is_found(
    memory: Memory, pages: Sequence[Sequence[Row]], news: list[Row], left: set[str]
) -> None:
    """Rows that changed, left or came; rows and pages in another place; a page that comes twice."""
    assert read(memory, *(page(*rows) for rows in pages)) == (news, left)
    assert memory.asked
    told = {only(page(*rows)).digest for rows in pages}
    assert set(memory.pages) == told


@pytest.mark.parametrize("lost", ["a1", "b1"])
def test_a_known_page_has_news_where_its_rows_are_not_stored(memory: Memory, lost: str) -> None:
    """Somebody else may have written rows since."""
    stored = Memory(memory.known - {lost} | {"x1"}, memory.pages, whole=False)
    news, left = read(stored, page(ANN, BOB), page(CY))

    assert [row[0].lower() + str(row[1]) for row in news] == [lost]
    assert left == {"x1"}


names = st.text(max_size=5) | st.sampled_from(["}]", '"value":[', '],"@odata.nextLink":"x"}'])
rows = st.lists(st.tuples(st.uuids().map(str), names, names), max_size=4)


@given(rows, st.sampled_from(["", " "]), names, st.sampled_from(["links", "rows"]))
def test_a_page_is_the_same_however_its_links_are_written(
    given_rows: list[Row], spaces: str, link: str, before: str
) -> None:
    """The links are found whatever stands around them, and only rows count for the digest."""
    value = [{"@odata.etag": v, "thingid": i, "name": n} for i, v, n in given_rows]
    links = {"@odata.nextLink": link, "@odata.count": 3}
    told = (
        {**links, "value": value} if before == "links" else {"x": {"y": 1}, "value": value, **links}
    )
    separators = (f",{spaces}", f":{spaces}")
    content = json.dumps(told, separators=separators).encode()
    plain = json.dumps({"value": value}, separators=separators).encode()
    found = sheet(content)

    assert found.next == decode(content).next
    assert found.delta is None
    assert [each.digest for each in found.value] == [each.digest for each in sheet(plain).value]
    assert [each.id for each in found.value] == [row[0] for row in given_rows[:1]]


@pytest.mark.parametrize("content", [b'{"value":[]}', b'{"value": [ ], "x": [{"y": 1}]}'])
def test_a_page_without_rows_has_none(content: bytes) -> None:
    """It is empty whether or not anything is known."""
    assert sheet(content).value == []


def test_what_is_no_page_is_refused() -> None:
    """A page that ends in the middle, one without rows at all, one whose rows are none."""
    whole = page(ANN, BOB)
    for content in (whole[:-1], whole[:-40], b"{}", b"[]"):
        with pytest.raises(msgspec.DecodeError):
            sheet(content)
    for value in (b'{"value":{}}', b'{"value":null}', b'{"value":[7]}'):
        with pytest.raises(TargetIncomplete):
            sieve(set()).news(only(value))
