"""The picture of the sources: replaced by a read that is believed, extended by any other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field

import pytest

from syncd.core.certificate import Certificate
from syncd.core.model import iso
from syncd.core.ports import Known, ReadFacts, Record
from syncd.core.settings import CertificateLimits, Policy
from syncd.engine.parts import Ranked, Silent
from syncd.engine.reading import read_sources
from syncd.state.database import Database
from tests.state.desk import day, people, person, read, select
from tests.world import World


def departments(database: Database) -> dict[str, str]:
    """Return everybody in the picture, with their department."""
    return {key: json.loads(body).get("department", "") for key, body in people(database).items()}


def changed(database: Database) -> int:
    """Return how often the people have changed."""
    found = select(database, "SELECT value FROM meta WHERE name = 'revision:people'")
    return int(found[0][0]) if found else 0


def test_what_a_source_says_is_there_when_it_is_committed(world: World, database: Database) -> None:
    """A read that is rolled back leaves nothing behind; the same one kept leaves all of it."""
    world.says([person("e1"), person("e2", "office")])
    with database.rehearse() as tx:
        world.judge(tx)
    before = people(database)
    certificates = read(world)

    assert before == {}
    assert [(c.certified, c.rows) for c in certificates] == [(True, 2)]
    assert departments(database) == {"e1": "field", "e2": "office"}


def test_the_same_file_again_changes_nobody(world: World, database: Database) -> None:
    """It is known as a whole, is certified with its rows, and nobody is looked at again."""
    world.says([person("e1"), person("e2")])
    read(world)
    before, marks = changed(database), select(database, "SELECT key, mark FROM records ORDER BY 1")
    certificates = read(world)

    assert [(c.certified, c.rows) for c in certificates] == [(True, 2)]
    assert changed(database) == before
    assert select(database, "SELECT key, mark FROM records ORDER BY 1") == marks
    assert departments(database) == {"e1": "field", "e2": "field"}


def test_two_who_read_the_same_news_at_once_see_no_double(world: World, database: Database) -> None:
    """What the second one knows is what the first one left, not what was there as it began."""
    world.says([person("e1")])
    read(world)
    world.says([person("e1", "office"), person("e2"), person("e3")])
    with ThreadPoolExecutor(1) as other:
        with database.begin() as tx:
            read_sources(tx, world.environment, world.ranked, iso(world.clock()), Silent())
            second = other.submit(read, world)
            wait([second], 0.5)  # by now it waits for the first one, or is about to
        certificates = second.result()

    assert [(c.certified, c.rows) for c in certificates] == [(True, 3)]
    assert select(database, "SELECT key FROM records WHERE doubled = 1") == []
    assert departments(database) == {"e1": "office", "e2": "field", "e3": "field"}


def test_the_same_rows_in_another_order_change_nobody(world: World, database: Database) -> None:
    """A file that was only sorted differently says nothing new."""
    world.says([person("e1"), person("e2", "office"), person("e3")])
    read(world)
    before = changed(database)
    world.says([person("e3"), person("e2", "office"), person("e1")])
    read(world)

    assert changed(database) == before
    assert departments(database) == {"e1": "field", "e2": "office", "e3": "field"}


def test_rows_that_changed_are_taken_and_keys_that_vanished_leave(
    world: World, database: Database
) -> None:
    """A certified read replaces the picture, with everything that it says of a person."""
    world.policy = Policy(certificate=CertificateLimits(max_shrink_percent=100))
    world.says([person("e1"), person("e2"), person("e3")])
    read(world)
    world.says([person("e2", "office", status="Gone", last="2026-03-09"), person("e4")])
    (certificate,) = read(world)
    found = select(database, "SELECT enabled, leaves_on FROM people WHERE key = 'e2'")

    assert certificate.certified
    assert departments(database) == {"e2": "office", "e4": "field"}
    assert found == [(0, day("2026-03-09"))]


def test_a_read_that_is_not_believed_lets_nobody_leave(world: World, database: Database) -> None:
    """What was read is laid over the picture, and the baseline stays what it was."""
    world.policy = Policy(certificate=CertificateLimits(max_shrink_percent=20))
    world.says([person("e1"), person("e2"), person("e3")])
    read(world)
    world.says([person("e2", "office")])
    (certificate,) = read(world)
    baseline = select(database, "SELECT certified_rows, failed_by FROM sources")

    assert not certificate.certified
    assert departments(database) == {"e1": "field", "e2": "office", "e3": "field"}
    assert baseline[0][0] == 3
    assert "fewer" in baseline[0][1]


def test_a_believed_read_after_one_that_was_not_replaces_all_again(
    world: World, database: Database
) -> None:
    """Also rows that the read in between had shown, and rows that come back as they were."""
    world.policy = Policy(certificate=CertificateLimits(max_shrink_percent=40))
    world.says([person("e1"), person("e2"), person("e3")])
    read(world)
    world.says([person("e4")])
    read(world)
    between = set(people(database))
    world.says([person("e1"), person("e2", "office")])
    (certificate,) = read(world)

    assert between == {"e1", "e2", "e3", "e4"}
    assert certificate.certified
    assert departments(database) == {"e1": "field", "e2": "office"}


def test_a_source_without_rows_is_never_believed(world: World, database: Database) -> None:
    """On a first read the picture stays empty; later everybody stays in it."""
    world.says([])
    (first,) = read(world)
    nobody = people(database)
    world.says([person("e1")])
    read(world)
    world.says([])
    (last,) = read(world)

    assert (first.certified, last.certified) == (False, False)
    assert nobody == {}
    assert set(people(database)) == {"e1"}


@pytest.mark.parametrize("known", [False, True])
def test_two_rows_of_one_key_decide_nothing(
    *, known: bool, world: World, database: Database
) -> None:
    """Neither is used, whichever came first, and what they said of identity is kept aside."""
    if known:
        world.says([person("e1", mail="old@x.org"), person("e2")])
        read(world)
    world.says([person("e1", mail="a@x.org"), person("e2"), person("e1", "office", mail="b@x.org")])
    (certificate,) = read(world)
    found = select(database, "SELECT doubled, employee_id, mail FROM people WHERE key = 'e1'")
    aside = select(database, "SELECT mail FROM doubles WHERE key = 'e1' ORDER BY 1")

    assert (certificate.certified, certificate.rows) == (True, 3)
    assert found == [(1, None, None)]
    assert aside == [("a@x.org",), ("b@x.org",)]


def test_a_key_is_doubled_as_long_as_it_has_two_rows(world: World, database: Database) -> None:
    """Whatever else changes in the file, and also if everything before was believed."""
    sql = "SELECT doubled FROM people WHERE key = 'e1'"
    world.policy = Policy(certificate=CertificateLimits(max_shrink_percent=100))
    one, other = person("e1", mail="a@x.org"), person("e1", "office", mail="b@x.org")
    found = []
    for rows in (
        [one, other, person("e2")],
        [other, one, person("e2")],
        [person("e2"), one, person("e3"), other],
        [person("e2"), one, person("e3")],
        [person("e3"), one, person("e2")],
        [person("e3"), one, one, person("e2")],
    ):
        world.says(rows)
        read(world)
        found += select(database, sql)

    assert found == [(1,), (1,), (1,), (0,), (0,), (1,)]


def test_a_key_that_was_doubled_stays_so_until_a_believed_read(
    world: World, database: Database
) -> None:
    """A read that is not believed does not clear it; the next one that is does."""
    sql = "SELECT doubled FROM people WHERE key = 'e1'"
    world.policy = Policy(certificate=CertificateLimits(max_shrink_percent=30))
    world.says([person("e1"), person("e1"), person("e2"), person("e3")])
    read(world)
    world.says([person("e1")])
    read(world)
    between = select(database, sql)
    world.says([person("e1"), person("e2"), person("e3")])
    read(world)

    assert between == [(1,)]
    assert select(database, sql) == [(0,)]
    assert select(database, "SELECT count(*) FROM doubles") == [(0,)]


def test_several_sources_make_one_person_field_by_field(world: World, database: Database) -> None:
    """The lowest rank with a value wins; enabled and last day take the strictest word."""
    world.says([person("e1", "", grade="", last="2026-05-01"), person("e2")], "hr")
    world.says(
        [person("e1", "office", status="Gone", mail="A@X.org", last="2026-04-01"), person("e3")],
        "directory",
    )
    read(world)
    sql = "SELECT s.name, p.enabled, p.leaves_on, p.mail FROM people p JOIN sources s ON s.id = p.source WHERE key = 'e1'"  # noqa: E501  # one statement

    assert select(database, sql) == [("hr", 0, day("2026-04-01"), "a@x.org")]
    assert departments(database) == {"e1": "office", "e2": "field", "e3": "field"}


def test_another_order_of_sources_merges_everybody_anew(world: World, database: Database) -> None:
    """Nobody's record is another, and yet another source's word counts."""
    world.says([person("e1"), person("e2")], "hr")
    world.says([person("e1", "office"), person("e3")], "directory")
    read(world)
    before = departments(database)
    world.sources = dict(reversed(world.sources.items()))
    read(world)
    after, revision = departments(database), changed(database)
    read(world)

    assert before == {"e1": "field", "e2": "field", "e3": "field"}
    assert after == {"e1": "office", "e2": "field", "e3": "field"}
    assert changed(database) == revision


def test_who_leaves_one_of_two_sources_stays_by_the_other(world: World, database: Database) -> None:
    """What the other one says counts alone then."""
    world.policy = Policy(certificate=CertificateLimits(max_shrink_percent=100))
    world.says([person("e1"), person("e2")], "hr")
    world.says([person("e1", "office"), person("e3")], "directory")
    read(world)
    both = departments(database)
    world.says([person("e2")], "hr")
    read(world)

    assert both == {"e1": "field", "e2": "field", "e3": "field"}
    assert departments(database) == {"e1": "office", "e2": "field", "e3": "field"}


def test_a_source_that_is_withdrawn_takes_its_people_along(
    world: World, database: Database
) -> None:
    """Whom the configuration no longer asks says nothing; asked again, it says all anew."""
    world.says([person("e1")], "hr")
    world.says([person("e1", "office"), person("e2")], "directory")
    read(world)
    path = world.sources.pop("directory")
    read(world)
    without = departments(database)
    world.sources["directory"] = path
    (_, again) = read(world)

    assert without == {"e1": "field"}
    assert again.certified
    assert departments(database) == {"e1": "field", "e2": "field"}


def test_thousands_of_people_come_over_as_they_are(world: World, database: Database) -> None:
    """More than one page, first as new and then with every tenth changed."""
    crowd = [person(f"p{which:05}", "field") for which in range(6000)]
    world.says(crowd)
    read(world)
    world.says(
        [(*one[:8], "office", *one[9:]) if not n % 10 else one for n, one in enumerate(crowd)]
    )
    read(world)
    found = departments(database)

    assert len(found) == 6000
    assert {key for key, name in found.items() if name == "office"} == {
        f"p{which:05}" for which in range(0, 6000, 10)
    }


@dataclass(slots=True)
class Told:
    """A source that reads what it is told to."""

    given: Sequence[Record]
    facts: ReadFacts
    known: list[Known] = field(default_factory=list)
    name: str = "hr"
    shape: str = "one"

    def read(self, known: Known) -> Told:
        self.known.append(known)
        return self

    def __iter__(self) -> Iterator[Sequence[Record]]:
        yield self.given


def record(key: str, department: str = "field", which: int = 1) -> Record:
    """Describe somebody; the mark begins with what only the key decides."""
    mark = key.encode().ljust(8) + bytes([which] * 8)
    attributes = json.dumps({"department": department}, separators=(",", ":"))
    return (key, mark, None, None, None, None, 1, None, None, attributes, None)


def take(world: World, source: Told, *, delta: bool = True) -> Certificate:
    """Read a source, and keep what was read."""
    with world.database.begin() as tx:
        environment, ranked = world.environment, [Ranked(source, 1)]
        now = iso(world.clock())
        return read_sources(tx, environment, ranked, now, Silent(), delta=delta)[0]


def everything(*records: Record) -> Told:
    """Read all there is."""
    return Told(records, ReadFacts(len(records), token="one"))


def test_changes_are_laid_over_the_picture(world: World, database: Database) -> None:
    """Whoever is not among them stays; whoever was deleted at the source has left."""
    take(world, everything(record("e1"), record("e2"), record("e3")))
    gone = frozenset({b"e2".ljust(8)})
    facts = ReadFacts(1, gone=gone, token="two", partial=True)
    certificate = take(world, Told([record("e1", "office", 2)], facts))

    assert certificate.certified
    assert departments(database) == {"e1": "office", "e2": "field", "e3": "field"}
    standing = select(database, "SELECT key, enabled FROM people ORDER BY 1")
    assert standing == [("e1", 1), ("e2", 0), ("e3", 1)]


def test_changes_go_on_where_the_last_believed_read_ended(world: World) -> None:
    """A token comes back with a read of changes; without a belief there is none."""
    take(world, everything(record("e1")))
    second = Told([], ReadFacts(0, token="two", partial=True))
    take(world, second)
    third = Told([], ReadFacts(0, findings=("the third page never came",), partial=True))
    take(world, third)
    fourth = everything(record("e1"))
    take(world, fourth)

    tokens = [source.known[0].token for source in (second, third, fourth)]
    assert tokens == ["one", "two", None]


def test_a_read_of_everything_asks_for_no_changes(world: World) -> None:
    """Nor does one of a source whose records are made in another way by now."""
    take(world, everything(record("e1")))
    whole = everything(record("e1"))
    take(world, whole, delta=False)
    other = Told([record("e1")], ReadFacts(1, token="three"), shape="two")
    take(world, other)

    assert [source.known[0].token for source in (whole, other)] == [None, None]


def test_few_changes_are_no_shrunken_source(world: World, database: Database) -> None:
    """Sizes are judged by reads of everything only, and the baseline stays theirs."""
    take(world, everything(*(record(f"e{which}") for which in range(10))))
    certificate = take(world, Told([], ReadFacts(0, token="two", partial=True)))

    assert certificate.certified
    assert select(database, "SELECT certified_rows FROM sources") == [(10,)]
    fewer = everything(*(record(f"e{which}") for which in range(5)))
    assert not take(world, fewer, delta=False).certified


def test_a_key_that_comes_twice_among_changes_is_used_neither_way(
    world: World, database: Database
) -> None:
    """It is held until a read of everything shows it once."""
    take(world, everything(record("e1"), record("e2")))
    twice = [record("e1", "office", 2), record("e1", "depot", 3)]
    take(world, Told(twice, ReadFacts(2, token="two", partial=True)))

    assert select(database, "SELECT key, doubled FROM people ORDER BY 1") == [("e1", 1), ("e2", 0)]
