"""Whether tables are still what syncd uses of them: too much is fine, too little has a name."""

from __future__ import annotations

from collections.abc import Iterator

from syncd.core.preflight import Observation, Trouble, Verdict, ok
from syncd.core.uses import Column, ColumnFound, TableFound, TableUse

__all__ = ["judge_table"]

RESTORE = (
    "bring it back (a solution may have changed the table), or use a syncd that knows this version "
    "of it"
)


def judge_table(
    use: TableUse, found: TableFound | Trouble | None, reading: Trouble | None
) -> Iterator[Observation]:
    """
    Compare one table with what syncd uses of it.

    *reading* is what stood in the way of reading one row with just the columns that a run
    reads.
    """
    check = f"table {use.name}"
    wrong = Verdict.FAILURE if use.vital else Verdict.WARNING
    if isinstance(found, Trouble):
        # What could be read is no worse for a definition that could not.
        verdict = wrong if found.absent else Verdict.WARNING
        yield _said(check, verdict, found)
    problems = list(_problems(use, found)) if isinstance(found, TableFound) else []
    if reading is not None and not problems:
        yield _said(check, wrong, reading)
    if not isinstance(found, TableFound):
        return
    for seen, remedy in problems:
        yield Observation(check, wrong, seen, remedy)
    yield from _features(use, found)
    if not problems and reading is None:
        yield ok(check, _summary(use, found))


def _said(check: str, verdict: Verdict, trouble: Trouble) -> Observation:
    """Take a sentence apart: what is wrong, and what to do."""
    seen, _, remedy = trouble.sentence.rpartition("; ")
    return Observation(check, verdict, seen or remedy, remedy if seen else "")


def _summary(use: TableUse, found: TableFound) -> str:
    parts = [f"all {len(use.columns)} columns are as needed"]
    if use.lookups:
        parts.append("navigation names too")
    unique = [key for key in found.keys if key.status.lower() == "active"]
    if unique:
        parts.append(f"unique by {' and by '.join(' + '.join(key.columns) for key in unique)}")
    return ", ".join(parts)


def _problems(use: TableUse, found: TableFound) -> Iterator[tuple[str, str]]:
    """Give what is wrong, and what to do."""
    if found.type and found.type != "Standard":
        yield (
            f"it is a table of the type {found.type}, and syncd can only work with Standard",
            "nothing can be done in this environment; see who made the table anew",
        )
    if found.entity_set != use.entity_set:
        yield f"its set is called {found.entity_set} instead of {use.entity_set}", RESTORE
    if found.key != use.key:
        yield f"its key is {found.key} instead of {use.key}", RESTORE
    for column in use.columns:
        yield from _column(column, found.columns.get(column.name))
    for lookup in use.lookups:
        navs = found.navs.get(lookup.column, {})
        if navs.get(lookup.nav) != lookup.target and lookup.column in found.columns:
            names = ", ".join(f"{nav} to {table}" for nav, table in sorted(navs.items()))
            yield (
                f"lookup {lookup.column} is called {names or 'nothing'} instead of {lookup.nav} to "
                f"{lookup.target}; capitals count",
                RESTORE,
            )


def _column(column: Column, found: ColumnFound | None) -> Iterator[tuple[str, str]]:
    if found is None:
        yield f"column {column.name} is missing", RESTORE
        return
    if found.type not in column.types:
        types = " or ".join(sorted(column.types))
        yield f"column {column.name} has the type {found.type} instead of {types}", RESTORE
        return
    may = (("read", found.read), ("create", found.create), ("update", found.update))
    asked = {"read": True, "create": column.created, "update": column.updated}
    refused = [name for name, allowed in may if asked[name] and not allowed]
    if refused:
        yield f"column {column.name} is not valid for {' and '.join(refused)}", RESTORE
    if found.length is not None and found.length < column.length:
        yield (
            f"column {column.name} takes {found.length} characters instead of {column.length}",
            f"raise its maximum length to {column.length} again: longer values are refused",
        )


def _features(use: TableUse, found: TableFound) -> Iterator[Observation]:
    check = f"table {use.name}"
    if use.versions and not found.versions:
        yield Observation(
            check,
            Verdict.WARNING,
            "optimistic concurrency is off: a change that somebody makes in the last moment may "
            "be overwritten",
            "nothing has to be done: syncd reads such rows again just before it writes them",
        )
    if use.tracked and not found.tracked:
        yield Observation(
            check,
            Verdict.WARNING,
            "change tracking is off: each run reads all rows",
            f"Power Apps > Tables > {found.display} > Properties > Advanced > Track changes; it "
            "cannot be switched off again",
        )
