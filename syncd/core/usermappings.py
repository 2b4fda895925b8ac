"""
What must happen for rows of `usermapping` to be as they are declared.

There is one row for each application and claim. A row that syncd made is known by its id,
which follows from both; once it is declared no more it goes. What others made is changed
where it is declared otherwise, and never removed unless a declaration says so.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID, uuid5

from syncd.core.hints import Claim, Declared

__all__ = [
    "APPLICATIONS",
    "Comparison",
    "Deed",
    "Step",
    "Wish",
    "compare",
    "fulfilled",
    "own_id",
    "unfit",
]

APPLICATIONS = ("sharepoint", "exchange")
"""Names of the partner applications, by number."""


class Deed(StrEnum):
    """What is done to one row; a row whose id is declared is put where none may be."""

    CREATE = "create"
    UPSERT = "upsert"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Wish:
    """A row as it is declared; `column` is None where there shall be none."""

    application: int
    claim: str
    column: str | None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One change: the row as it was read, if there is one, and as it shall be."""

    deed: Deed
    id: str
    before: Declared | None
    after: Wish | None
    why: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """What must be done, which rows are as declared, and which nobody declared."""

    steps: tuple[Step, ...]
    in_step: tuple[Declared, ...]
    others: tuple[Declared, ...]


def own_id(space: UUID, application: int, claim: str) -> str:
    """Return the id that syncd gives a row; *space* is the namespace of the environment."""
    return str(uuid5(space, f"usermapping/{application}/{Claim.of(claim)}"))


def unfit(wishes: Sequence[Wish], usable: Collection[str]) -> list[str]:
    """Say of each declared column that users do not have, or that cannot be sent."""
    return [
        f"{wish.column} (claim {wish.claim}) is no column of systemuser that can be read and holds "
        "text or a GUID; write its logical name"
        for wish in wishes
        if wish.column is not None and wish.column not in usable
    ]


def compare(wishes: Sequence[Wish], rows: Sequence[Declared], space: UUID) -> Comparison:
    """Compare declarations with all *rows*; there is one for each application and claim."""
    taken = _taken(wishes, rows, space)
    steps: list[Step] = []
    kept: list[Declared] = []
    seen = {row.id for row in taken.values()}
    for wish in wishes:
        alike = _free(wish, rows, taken)
        chosen = taken.get(wish) or _best(wish, alike, space)
        seen |= {row.id for row in alike}
        steps += _steps(wish, chosen, space)
        kept += [chosen] if chosen is not None and fulfilled(wish, chosen) else []
        why = "declared absent" if wish.column is None else "a second row for this claim"
        steps += [_delete(row, why) for row in alike if row is not chosen]
    left = [row for row in rows if row.id not in seen]
    ours = [row for row in left if _is_own(row, space)]
    steps += [_delete(row, "no longer declared") for row in ours]
    return Comparison(tuple(steps), tuple(kept), tuple(row for row in left if row not in ours))


def _taken(wishes: Sequence[Wish], rows: Sequence[Declared], space: UUID) -> dict[Wish, Declared]:
    """
    Return the rows that declarations must have, because nothing else may have their ids.

    That is a row whose id is declared, and one that has the id of a row that would be created.
    """
    by_id = {row.id: row for row in rows}
    taken = {w: by_id[w.id] for w in wishes if w.id in by_id and w.id and w.column is not None}
    while True:
        more = {
            wish: row
            for wish in wishes
            if wish not in taken and wish.id is None and wish.column is not None
            if not _free(wish, rows, taken)
            if (row := by_id.get(own_id(space, wish.application, wish.claim))) is not None
            if row not in taken.values()
        }
        if not more:
            return taken
        taken |= more


def _free(wish: Wish, rows: Sequence[Declared], taken: dict[Wish, Declared]) -> list[Declared]:
    """Return the rows for the claim of a declaration that no other one must have."""
    others = [row for each, row in taken.items() if each != wish]
    return [row for row in rows if _alike(row, wish) and row not in others]


def fulfilled(wish: Wish, row: Declared) -> bool:
    """Tell whether a row is as declared."""
    there = (row.application, row.claim, row.column)
    return wish.column is not None and there == (wish.application, wish.claim, wish.column)


def _alike(row: Declared, wish: Wish) -> bool:
    same = row.application == wish.application
    return same and row.claim is not None and Claim.of(row.claim) == Claim.of(wish.claim)


def _is_own(row: Declared, space: UUID) -> bool:
    known = row.application is not None and row.claim is not None
    return known and row.id == own_id(space, row.application or 0, row.claim or "")


def _best(wish: Wish, alike: Sequence[Declared], space: UUID) -> Declared | None:
    """Return the row that stays: one that is right, else ours, else the first."""
    if wish.column is None or wish.id is not None:
        return None
    own = own_id(space, wish.application, wish.claim)
    ranked = sorted(alike, key=lambda row: (not fulfilled(wish, row), row.id != own, row.id))
    return ranked[0] if ranked else None


def _steps(wish: Wish, chosen: Declared | None, space: UUID) -> list[Step]:
    if wish.column is None:
        return []
    if chosen is None:
        deed = Deed.CREATE if wish.id is None else Deed.UPSERT
        ident = wish.id or own_id(space, wish.application, wish.claim)
        return [Step(deed, ident, None, wish, "declared, and not there")]
    if fulfilled(wish, chosen):
        return []
    return [Step(Deed.UPDATE, chosen.id, chosen, wish, "declared otherwise")]


def _delete(row: Declared, why: str) -> Step:
    return Step(Deed.DELETE, row.id, row, None, why)
