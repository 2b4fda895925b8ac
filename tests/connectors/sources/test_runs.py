"""A file that was read before is read by what changed in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.connectors.sources.files.runs import MOST, Memory, runs
from syncd.core.ports import Known, ReadFacts, Record
from tests.connectors.sources.people import HEADER, csv_source, read

ODD = ("", "E1", ",keyless,A", "E7,u7,A", "E7,u7,B", "E900,\u00e9,A", "E901,U\u0308 ,B")
PLACES = st.integers(0, 400)
EDITS = st.lists(
    st.tuples(st.sampled_from(["out", "in", "move", "change", "copy"]), PLACES, st.integers(0, 6)),
    max_size=8,
)


def edited(lines: list[str], edits: Iterable[tuple[str, int, int]]) -> list[str]:
    """Return lines after some edits."""
    found = list(lines)
    for kind, place, which in edits:
        at = place % max(1, len(found))
        taken = found[at : at + which] if kind in {"out", "move"} else []
        del found[at : at + len(taken)]
        if kind == "in":
            found.insert(at, ODD[which])
        elif kind == "move":
            found[len(found) // 2 : 0] = taken
        elif kind == "change" and found:
            found[at] += "x"
        elif kind == "copy":
            found += found[at : at + 40 * which]
    return found


def content(lines: Iterable[str]) -> str:
    """Write a file of these rows."""
    return "\n".join([",".join(HEADER), *lines, ""])


def marks(records: Iterable[Record]) -> dict[bytes, str]:
    """Return the marks of records, and whose they are."""
    return {record[1]: record[0] for record in records if record[1]}


def never() -> set[bytes]:
    """Stand for marks that nobody should ask for."""
    pytest.fail("marks were asked for")


def kept(before: dict[bytes, str], records: Iterable[Record], facts: ReadFacts) -> dict[bytes, str]:
    """Return what syncd remembers after a read: nothing of a key that was doubled."""
    stay = {mark: key for mark, key in before.items() if mark not in facts.gone}
    times = Counter([*stay.values(), *(record[0] for record in records)])
    return {mark: key for mark, key in (stay | marks(records)).items() if times[key] == 1}


@given(EDITS, EDITS, st.sampled_from(["\n", "\r\n"]))
def test_changes_are_found_as_if_every_line_was_compared(
    tmp_path_factory: pytest.TempPathFactory,
    first: list[tuple[str, int, int]],
    second: list[tuple[str, int, int]],
    end: str,
) -> None:
    """Lines that come, go, move, change, double or are odd; also in the read after the next."""
    path = tmp_path_factory.mktemp("runs") / "hr.csv"
    lines = [f"E{n + 10},u{n},A{n % 5}" for n in range(300)]
    known, before = Known(None, set), dict[bytes, str]()
    for edits in ([], first, second):
        lines = edited(lines, edits)
        source = csv_source(path, content(lines).replace("\n", end))
        wanted, told = read(source, Known(None, set(before).copy))
        records, facts = read(source, known)
        if facts.unchanged:
            continue

        assert sorted(records, key=repr) == sorted(wanted, key=repr)
        assert (facts.rows, facts.findings, facts.gone) == (told.rows, told.findings, told.gone)
        single = len({*marks(records).values()}) == len(records)
        after = kept(before, records, facts)
        whole = single and len(after) == len(before) - len(facts.gone) + len(marks(records))
        known = Known(facts.content, never) if whole else Known(facts.bare, set(after).copy)
        before = after


def test_lines_that_did_not_change_are_not_compared(tmp_path: Path) -> None:
    """Marks are looked at where a run of lines is new, and there nothing else is given."""
    lines = [f"E{n},u{n},A" for n in range(5000)]
    source = csv_source(tmp_path / "hr.csv", content(lines))
    _, facts = read(source)
    lines[4000:4002] = [lines[4001], lines[4000]]
    (tmp_path / "hr.csv").write_text(content(["E6000,u,A", *lines]))
    records, second = read(source, Known(facts.content, never))

    assert [record[0] for record in records] == ["E6000"]
    assert (second.rows, second.gone) == (5001, set())


@pytest.mark.parametrize("front", [True, False])
def test_a_known_line_that_is_copied_comes_twice(tmp_path: Path, *, front: bool) -> None:
    """Before its run or after it: whoever keeps the records must see that a key is doubled."""
    lines = [f"E{n},u{n},A" for n in range(500)]
    source = csv_source(tmp_path / "hr.csv", content(lines))
    _, facts = read(source)
    both = [lines[250], *lines] if front else [*lines, lines[250]]
    (tmp_path / "hr.csv").write_text(content(both))
    records, second = read(source, Known(facts.content, never))

    assert [record[0] for record in records] == ["E250"]
    assert (second.rows, second.gone) == (501, set())


def test_only_what_the_source_tells_is_known_without_runs(tmp_path: Path) -> None:
    """A content that is nothing but a digest, as it once was and is of doubled keys."""
    source = csv_source(tmp_path / "hr.csv", content(["E1,u,A", "E2,u,A"]))
    records, facts = read(source)
    (tmp_path / "hr.csv").write_text(content(["E2,u,A", "E1,u,A", "E3,u,A"]))
    for before in (b"x" * 16, facts.bare):
        again, second = read(source, Known(before, lambda: set(marks(records))))

        assert [record[0] for record in again] == ["E3"]
        assert (second.rows, second.gone) == (3, set())


@given(st.lists(st.lists(st.binary(max_size=3), max_size=300), max_size=4))
def test_runs_are_all_lines_in_their_order(batches: list[list[bytes]]) -> None:
    """However the lines come."""
    found = [line for run in runs(batches) for line in run]

    assert found == [line for batch in batches for line in batch]


def test_no_run_is_waited_for_without_end() -> None:
    """Lines of which none ends a run are runs of a thousand."""
    assert [len(run) for run in runs([[b"x"] * 2500])] == [MOST, MOST, 500]


def test_a_run_is_known_once() -> None:
    """Its lines came a second time then, and somebody has to look at them."""
    run, own = b"r" * 16, [bytes([number]) * 16 for number in range(3)]
    first = Memory(Known(None, set))
    first.keep(run, own)
    first.note([b"z" * 16])
    first.complete()
    memory = Memory(Known(first.content(b"d" * 32), never))

    assert (memory.take(run), memory.take(run), memory.take(b"s" * 16)) == (3, 0, 0)
    assert memory.marks == {b"z" * 16}
