"""What is usual of a source: learned from certified reads, and what is not usual withholds."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncd.connectors.records import Batch, Course, RowReading
from syncd.core.cells import Field
from syncd.core.certificate import Certificate
from syncd.core.mapping import PersonMapping
from syncd.core.model import iso
from syncd.core.ports import Known
from syncd.core.settings import CertificateLimits, Policy, SourceLimits
from syncd.engine.parts import Ranked, Silent
from syncd.engine.reading import read_sources
from syncd.state.database import Database
from syncd.state.decisions import Verb, add
from tests.state.desk import people, person, read, select
from tests.world import World

LIMITS = SourceLimits(
    bands=("department", "enabled"), smallest_group=4, learn=2, new_floor=3, max_new_percent=50
)


@pytest.fixture
def compared(world: World) -> World:
    """Give a world in which only groups and keys can speak against a read."""
    world.policy = Policy(certificate=CertificateLimits(max_shrink_percent=100))
    world.limits = LIMITS
    return world


def staff(field: int, office: int, *, first: str = "e", note: str = "") -> list[tuple[str, ...]]:
    """Describe so many people of two departments."""
    return [
        *(person(f"{first}f{n}", "field", mail=note) for n in range(field)),
        *(person(f"{first}o{n}", "office", mail=note) for n in range(office)),
    ]


def reads(world: World, *said: Iterable[tuple[str, ...]]) -> Iterator[Certificate]:
    """Let the source say one thing after the other, and judge each read."""
    for each in said:
        world.says(list(each))
        [certificate] = read(world)
        yield certificate


def learned(database: Database, value: str) -> list[int]:
    """Return what is remembered of a group."""
    found = select(database, "SELECT counts FROM bands WHERE value = :value", value=value)
    return json.loads(found[0][0]) if found else []


def accept(world: World) -> None:
    """Let the next read pass what the last one failed by."""
    with world.database.begin() as tx:
        add(tx, Verb.ACCEPT, "hr", env=None, reason="yes", who="olga", now="2026-03-02T08:00:00Z")


def test_groups_are_judged_once_they_are_learned(compared: World, database: Database) -> None:
    """The first reads say that they are learning; then a department that is lost is a finding."""
    first, second, third = reads(compared, staff(12, 8), staff(12, 9), staff(12, 4))

    assert first.notes == ("learning: groups are not compared yet; certified reads: 0 of 2",)
    assert second.notes == ("learning: groups are not compared yet; certified reads: 1 of 2",)
    assert third.notes == ()
    assert third.findings == (
        (
            "groups differ from what is usual: department office 4 where 8.5 are usual; "
            "max_group_shrink_percent is 40"
        ),
    )
    assert len(people(database)) == 21
    assert learned(database, "office") == [8, 9]


def test_while_it_learns_a_lost_department_is_believed(compared: World) -> None:
    """There is nothing to compare it with; floors and canaries hold from the first read on."""
    first, second = reads(compared, staff(9, 8), staff(9, 1))

    assert first.certified
    assert second.certified


def test_the_same_rows_are_counted_as_such(compared: World, database: Database) -> None:
    """Rows that are known, changed, new and gone all count, whatever was staged of them."""
    last = [*staff(4, 8), *staff(5, 0, note="new@contoso.com")[4:], person("z", "office")]
    *_, third = reads(compared, staff(9, 8), staff(9, 8)[::-1], last)

    assert third.findings
    assert "department field 5 where 9 are usual" in third.findings[0]
    [again] = reads(compared, [*last, *staff(9, 0)[5:]])
    assert again.certified
    assert learned(database, "field") == [9, 9, 9]
    assert learned(database, "office") == [8, 8, 9]


def test_a_read_of_the_same_file_is_learned_from_until_enough_is_known(
    compared: World, database: Database
) -> None:
    """A file that never changes would be learned from for ever; afterwards it says nothing new."""
    [_] = reads(compared, staff(9, 8))
    for _ in range(4):
        read(compared)

    assert learned(database, "office") == [8, 8]


def test_everybody_who_is_suddenly_disabled_is_a_finding(compared: World) -> None:
    """A status that is written in another way would make all of them leavers."""
    off = [person(each[0], each[8], status="aktiv") for each in staff(9, 8)]
    *_, third = reads(compared, staff(9, 8), staff(9, 9), off)

    assert "enabled true 0 where 17.5 are usual" in third.findings[0]


def test_an_accepted_read_is_what_is_usual_from_then_on(
    compared: World, database: Database
) -> None:
    """Somebody says that the department is closed; nothing is to be learned anew."""
    *_, third = reads(compared, staff(9, 8), staff(9, 9), staff(9, 1))
    accept(compared)
    fourth = read(compared)[0]
    [fifth] = reads(compared, staff(2, 1))

    assert not third.certified
    assert fourth.certified
    assert len(people(database)) == 10
    assert "department field 2 where 9 are usual" in fifth.findings[0]


def test_a_column_that_is_empty_now_is_a_finding(compared: World) -> None:
    """Also where every single group is too small to be judged."""
    compared.limits = SourceLimits(bands=("department",), smallest_group=4, learn=2)
    many = [person(f"e{n}", f"d{n}") for n in range(9)]
    none = [person(f"e{n}", "") for n in range(9)]
    *_, third = reads(compared, many, [*many, person("e9", "d9")], none)

    assert third.findings[0].startswith(
        "groups differ from what is usual: department with any value 0 where 9.5 are usual"
    )


def test_what_is_not_compared_any_more_is_forgotten(compared: World, database: Database) -> None:
    """Whoever names an attribute again begins to learn anew."""
    list(reads(compared, staff(9, 8), staff(9, 9)))
    compared.limits = SourceLimits(bands=("enabled",), smallest_group=4, learn=2)
    list(reads(compared, staff(9, 8)))

    assert learned(database, "office") == []
    assert learned(database, "true") == [17, 18, 17]


# --- reads of changes -------------------------------------------------------------------------


@dataclass
class Changing:
    """A source that tells what changed: pages of rows, all of them or those since a token."""

    rows: dict[str, str]
    changes: dict[str, str] = field(default_factory=dict)
    name: str = "hr"
    shape: str = "1"

    def read(self, known: Known) -> RowReading:
        """Read everything, or with a token the changes."""
        mapping = PersonMapping(Field("key"), attributes={"department": Field("department")})
        return RowReading("hr", known, mapping, self._read)

    def _read(self, token: str | None, course: Course) -> Iterator[Batch]:
        course.partial = token is not None
        course.token = "next"
        told = self.changes if course.partial else {**self.rows, **self.changes}
        yield Batch([(key, {"key": key, "department": of}) for key, of in told.items()])


LEARNED = SourceLimits(bands=("department",), smallest_group=4, learn=1, new_floor=3)


def followed(
    world: World, source: Changing, *, delta: bool = True, limits: SourceLimits = LEARNED
) -> Certificate:
    """Read a source that tells what changed."""
    with world.database.begin() as tx:
        ranked = [Ranked(source, 1, limits)]
        now = iso(world.clock())
        [found] = read_sources(tx, world.environment, ranked, now, Silent(), delta=delta)
    return found


def test_changes_are_compared_by_what_they_add_up_to(compared: World, database: Database) -> None:
    """A department that loses a few people with each delta is outside its band in the end."""
    source = Changing({f"e{n}": "field" if n < 10 else "office" for n in range(20)})
    first = followed(compared, source, delta=False)
    source.changes = {"e0": "office", "e1": "office", "e2": "office"}
    few = followed(compared, source)
    after = learned(database, "field"), learned(database, "office")
    source.changes = {f"e{n}": "office" for n in range(7)}
    many = followed(compared, source)

    assert first.certified
    assert few.certified
    assert after == ([7], [13])
    assert many.findings[0].startswith(
        "groups differ from what is usual: department field 3 where 7 are usual;"
    )


def test_keys_that_come_with_changes_can_be_strange(compared: World) -> None:
    """Else the full read after them would find all of them known, and the old ones gone."""
    source = Changing({f"e{n}": "field" for n in range(20)})
    followed(compared, source, delta=False)
    source.rows, source.changes = {}, {f"00e{n}": "field" for n in range(20)}
    delta = followed(compared, source)
    full = followed(compared, source, delta=False)

    assert [each.startswith("new keys: 20 of 20 ") for each in delta.findings] == [True]
    assert [each.startswith("new keys: 20 of 20 ") for each in full.findings] == [True]


def test_a_mapping_that_changed_counts_nobody_twice(compared: World, database: Database) -> None:
    """Everybody is read anew then, and what the picture has of them is not what was read."""
    source = Changing({f"e{n}": "field" for n in range(10)})
    followed(compared, source, delta=False)
    source.shape = "2"
    again = followed(compared, source, delta=False)

    assert again.certified
    assert learned(database, "field") == [10, 10]


COMPANIES = st.dictionaries(
    st.integers(0, 11).map(lambda n: f"e{n}"), st.sampled_from(["field", "office", ""]), min_size=1
)
NUMBERS = count()
EXAMPLES = settings.default.max_examples // 4 if settings.default else 10
"""A quarter of what the profile says: each has several reads, on two databases."""


@settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
)
@given(steps=st.lists(st.tuples(COMPANIES, st.booleans()), min_size=1, max_size=5))
def test_what_is_remembered_is_what_the_picture_has(
    compared: World, database: Database, steps: list[tuple[dict[str, str], bool]]
) -> None:
    """However people come, change and go, in full reads and by changes: each is counted once."""
    limits = SourceLimits(("department",), 100, None, 1, 1, 100)
    source = Changing({}, name=f"hr{next(NUMBERS)}")
    for told, delta in steps:
        source.rows, source.changes = ({}, told) if delta else (told, {})
        assert followed(compared, source, delta=delta, limits=limits).certified

        sizes = Counter(json.loads(each)["department"] for each in people(database).values())
        known = select(
            database,
            "SELECT b.value, b.counts FROM bands b JOIN sources s ON s.id = b.source "
            "WHERE s.name = :name",
            name=source.name,
        )
        last = {value: json.loads(counts)[-1] for value, counts in known}
        any_value = sum(number for value, number in sizes.items() if value)
        assert last[""] == any_value
        assert {value: last.get(value, 0) for value in ("field", "office") if value in last} == {
            value: sizes[value] for value in ("field", "office") if value in last
        }
        if not delta:
            assert set(last) - {""} >= {value for value in sizes if value}


# --- keys -------------------------------------------------------------------------------------


def test_keys_in_another_format_are_a_finding_until_they_are_accepted(
    compared: World, database: Database
) -> None:
    """Each further read fails as well, though by then the keys are in the picture."""
    compared.limits = SourceLimits(new_floor=3)
    first, second, third = reads(
        compared,
        staff(9, 8),
        staff(9, 8, first="00e"),
        staff(9, 8, first="00e", note="x@contoso.com"),
    )
    again = read(compared)[0]
    everybody = people(database)
    accept(compared)
    passed = read(compared)[0]
    after = read(compared)[0]

    assert first.certified
    for each in (second, third, again):
        assert each.findings == (
            (
                "new keys: 17 of 17 are not among those of the last certified read, and "
                "max_new_percent is 50; has the column of the key changed?"
            ),
        )
    assert len(everybody) == 34
    assert passed.certified
    assert after.certified
    assert set(people(database)) == {each[0] for each in staff(9, 8, first="00e")}


def test_a_company_that_doubles_is_believed(compared: World) -> None:
    """Half of the keys are new then, and no key is lost."""
    compared.limits = SourceLimits(new_floor=3)
    *_, second = reads(compared, staff(9, 8), [*staff(9, 8), *staff(9, 8, first="n")])

    assert second.certified


def test_keys_that_only_a_doubted_read_showed_are_new_until_they_are_believed(
    compared: World, database: Database
) -> None:
    """Once a read is certified nobody is new any more."""
    compared.limits = SourceLimits(new_floor=3)
    compared.policy = Policy(certificate=CertificateLimits(max_shrink_percent=20))
    _, small = reads(compared, staff(9, 8), staff(2, 0))
    [_] = reads(compared, [*staff(9, 8), person("n1"), person("n2")])
    rest = select(database, "SELECT key FROM newcomers")

    assert not small.certified
    assert rest == []


# --- columns ----------------------------------------------------------------------------------


def test_a_new_column_is_said_once_and_fails_nothing(compared: World) -> None:
    """The header is remembered with the read that was believed."""
    compared.limits = SourceLimits()
    list(reads(compared, staff(2, 2)))
    path = compared.sources["hr"]
    lines = path.read_text(encoding="utf-8").splitlines()
    text = "\n".join([f"{lines[0]},Badge", *(f"{line},1" for line in lines[1:])])
    path.write_text(text + "\n", encoding="utf-8")
    told = read(compared)[0]
    path.write_text(text + "\n\n", encoding="utf-8")
    later = read(compared)[0]

    assert told.certified
    assert told.notes == ('column "Badge" is new',)
    assert later == Certificate("hr", certified=True, rows=4)
