"""Of a page whose rows are all known, ids and versions are enough; of any other all is read."""

from __future__ import annotations

import json

import msgspec
import pytest

from syncd.connectors.dataverse.answers import Page
from syncd.connectors.dataverse.sifting import sifter


class Thing(msgspec.Struct):
    """A row as a table might have it."""

    etag: str = msgspec.field(name="@odata.etag")
    id: str = msgspec.field(name="thingid")
    name: str | None = None


decode = msgspec.json.Decoder(Page[Thing]).decode


def page(*rows: tuple[str, str, object]) -> bytes:
    """Write a page of rows, each with id, version and name, that another one follows."""
    value = [{"thingid": i, "@odata.etag": v, "name": name} for i, v, name in rows]
    return json.dumps({"value": value, "@odata.nextLink": "more"}).encode()


@pytest.mark.parametrize("known", [set(), {"a1", "b1", "c1"}, {"a1", "b2"}, {"x9"}])
def test_a_row_is_news_unless_its_id_and_version_are_known(known: set[str]) -> None:
    """Also with an id in upper case; and it stays known until somebody says that it counts."""
    before = set(known)
    sift = sifter(Thing, decode, known)
    content = page(("a", "1", "Ann"), ("B", "1", "Bob"))
    found = sift(content)

    assert sift(content) == found
    news = {row.id for row in found.value[0].news}
    assert news == {i for i, mark in (("a", "a1"), ("B", "b1")) if mark not in known}
    assert found.next == "more"
    assert found.value[0].id == "a"
    assert known == before
    assert not known or found.value[0].marks == ["a1", "b1"]


def test_a_known_page_is_looked_at_no_further() -> None:
    """A column that holds what it should not is found where a row is news."""
    odd = page(("a", "1", 7))
    for known, found in (({"a1"}, []), ({"a0"}, None)):
        sift = sifter(Thing, decode, known)
        sift(page(("a", "1", "Ann")))

        if found is None:
            with pytest.raises(msgspec.ValidationError):
                sift(odd)
        else:
            assert sift(odd).value[0].news == found


def test_the_first_page_with_rows_is_read_whole() -> None:
    """So a column of another type is noticed where nothing is new."""
    sift = sifter(Thing, decode, {"a1"})
    assert sift(page()).value == []

    with pytest.raises(msgspec.ValidationError):
        sift(page(("a", "1", 7)))


def test_a_page_without_rows_has_none() -> None:
    """It is empty whether or not anything is known."""
    assert sifter(Thing, decode, set())(page()).value == []
    assert sifter(Thing, decode, {"a1"})(page()).value == []
