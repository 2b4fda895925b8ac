"""Whether the groups, keys and columns of a read are those that are usual (practice, section 6)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import median

from syncd.core.ports import ReadFacts
from syncd.core.settings import SourceLimits

__all__ = [
    "GROUPS",
    "KEPT",
    "KEYS",
    "Comparison",
    "Group",
    "Look",
    "columns_kept",
    "columns_note",
    "compare",
    "grown",
    "learning_note",
    "odd_groups",
    "strange_keys",
]

GROUPS = "groups differ from what is usual: "
"""How a finding about groups begins."""
KEYS = "new keys: "
"""How a finding about keys begins."""
KEPT = 9
"""How many certified reads are remembered of each group; their median is what is usual."""
COLUMNS = 2_000
"""How many columns are remembered where rows need not have all of them."""
NAMED = 5
"""How many groups or columns a sentence names."""


@dataclass(frozen=True, slots=True)
class Group:
    """
    The people who have one value of an attribute, now and in recent certified reads.

    The group of `value` None are all who have any value. `before` has the oldest first.
    """

    attribute: str
    value: str | None
    now: int
    before: tuple[int, ...] = ()

    @property
    def usual(self) -> Fraction:
        """The median of recent certified reads, 0 where there was none."""
        return Fraction(median(self.before)) if self.before else Fraction(0)

    def judged(self, limits: SourceLimits) -> bool:
        """Tell whether it was seen often enough, and is large enough, to be compared."""
        return len(self.before) >= limits.learn and self.usual >= limits.smallest_group

    def odd(self, limits: SourceLimits) -> bool:
        """Tell whether it is outside its band."""
        if not self.judged(limits):
            return False
        least = self.usual * (100 - _exact(limits.max_group_shrink_percent)) / 100
        growth = limits.max_group_growth_percent
        most = None if growth is None else self.usual * (100 + _exact(growth)) / 100
        return self.now < least or (most is not None and self.now > most)

    def __str__(self) -> str:
        """Name the group with its numbers."""
        name = f"{self.attribute} {self.value}" if self.value is not None else self.attribute
        what = "" if self.value is not None else "with any value "
        return f"{name} {what}{self.now} where {float(self.usual):g} are usual"


@dataclass(frozen=True, slots=True)
class Comparison:
    """
    What comparing a read with certified ones gave.

    `groups` and `keys` are findings, `notes` are said and fail nothing. `failed_by` is what
    the last read failed by.
    """

    groups: str | None = None
    keys: str | None = None
    notes: tuple[str, ...] = ()
    failed_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Look:
    """
    What was counted of a read that is to be compared.

    Of `rows`, `new` have a key that no certified read has shown. `reads` is how many
    certified reads there were to learn from; `columns` are those of the last one.
    """

    groups: tuple[Group, ...] = ()
    reads: int = 0
    new: int = 0
    rows: int = 0
    columns: tuple[str, ...] | None = None
    failed_by: tuple[str, ...] = ()


def compare(look: Look, facts: ReadFacts, limits: SourceLimits) -> Comparison:
    """Judge what was counted of a read, and the columns that it has shown."""
    learning = learning_note(look.reads, limits)
    return Comparison(
        odd_groups(look.groups, limits),
        strange_keys(look.new, look.rows, limits),
        (*([learning] if learning else []), *columns_note(facts, look.columns)),
        look.failed_by,
    )


def odd_groups(groups: Iterable[Group], limits: SourceLimits) -> str | None:
    """Say in one sentence which groups are outside their band, None if all are as usual."""
    odd = [group for group in groups if group.odd(limits)]
    if not odd:
        return None
    parts = {group.attribute for group in odd if group.value is not None}
    # Fewer people in a group are also fewer with any value; that is said where no group says it.
    odd = [group for group in odd if group.value is not None or group.attribute not in parts]
    odd.sort(key=lambda group: (-abs(group.usual - group.now), group.attribute, group.value or ""))
    named = ", ".join(map(str, odd[:NAMED]))
    more = f" and {len(odd) - NAMED} more" if len(odd) > NAMED else ""
    limit = f"max_group_shrink_percent is {limits.max_group_shrink_percent:g}"
    if limits.max_group_growth_percent is not None:
        limit += f", max_group_growth_percent {limits.max_group_growth_percent:g}"
    return f"{GROUPS}{named}{more}; {limit}"


def grown(before: Sequence[int], now: int, limits: SourceLimits, *, anew: bool) -> tuple[int, ...]:
    """
    Return what is remembered of a group after a certified read.

    With *anew* an operator said that this is how it is: what was usual no longer counts.
    """
    return (now,) * limits.learn if anew else (*before, now)[-KEPT:]


def strange_keys(new: int, rows: int, limits: SourceLimits) -> str | None:
    """Say that too many of *rows* have a key that no certified read has shown."""
    if new <= limits.new_floor or new * 100 <= _exact(limits.max_new_percent) * rows:
        return None
    return (
        f"{KEYS}{new} of {rows} are not among those of the last certified read, and "
        f"max_new_percent is {limits.max_new_percent:g}; has the column of the key changed?"
    )


def learning_note(reads: int, limits: SourceLimits) -> str | None:
    """Say that groups are not compared yet, after so many certified *reads*."""
    if not limits.bands or reads >= limits.learn:
        return None
    return f"learning: groups are not compared yet; certified reads: {reads} of {limits.learn}"


def columns_note(facts: ReadFacts, before: Collection[str] | None) -> list[str]:
    """Say which columns are new, and which are gone: without mapped ones nothing was read."""
    if facts.columns is None or facts.partial or before is None:
        return []
    new = [name for name in facts.columns if name not in set(before)]
    gone = [name for name in before if name not in set(facts.columns)] if facts.declared else []
    return [
        f"{_columns(names)} {what}"
        for names, what in ((new, "new"), (gone, "gone (not mapped)"))
        if names
    ]


def columns_kept(facts: ReadFacts, before: Sequence[str] | None) -> tuple[str, ...] | None:
    """Return the columns to remember of a certified read."""
    if facts.columns is None or facts.partial:
        return None if before is None else tuple(before)
    if facts.declared:
        return facts.columns
    return tuple(dict.fromkeys([*(before or ()), *facts.columns]))[:COLUMNS]


def _columns(names: Sequence[str]) -> str:
    quoted = ", ".join(f'"{name}"' for name in sorted(names)[:NAMED])
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"column {quoted} is" if len(names) == 1 else f"columns {quoted}{more} are"


def _exact(percent: float) -> Fraction:
    """Return the percentage that was written, not its nearest float."""
    return Fraction(str(percent))
