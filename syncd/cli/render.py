"""How syncd's text looks: what a console does, columns, counts, and the words for situations."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO, cast

if TYPE_CHECKING:
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

__all__ = [
    "WIDEST",
    "columns",
    "console",
    "counted",
    "heading",
    "more",
    "moved",
    "printable",
    "styled",
    "summed",
    "unread",
    "when",
]

WIDEST = 110
"""Columns that a line may take on a wide terminal; longer ones are hard to read."""


def console(stream: TextIO | None = None, width: int | None = None) -> Console:
    """
    Return what text is written with: folded to the terminal, to 80 columns where there is none.

    No colours but on a terminal. Data is never taken for markup.
    """
    from rich.console import Console

    out = stream or sys.stdout
    found = Console(
        file=out if out.isatty() else cast("TextIO", _Trimmed(out)),
        width=width,
        markup=False,
        emoji=False,
        highlight=False,
        soft_wrap=False,
    )
    if width is None and found.width > WIDEST:
        found.width = WIDEST
    return found


@dataclass(frozen=True, slots=True)
class _Trimmed:
    """Writes lines without the blanks that tables leave at their ends."""

    stream: TextIO

    def write(self, text: str) -> int:
        self.stream.write(re.sub(r" +(?=\n)", "", text))
        return len(text)

    def flush(self) -> None:
        self.stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def unread() -> Iterator[None]:
    """Let output end quietly when nobody reads it any more (`| head`); the work goes on."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except SystemExit as error:
        # That is how rich says it, once it has turned standard output away.
        if not isinstance(error.__context__, BrokenPipeError):
            raise


def styled(*parts: str | tuple[str, str]) -> Text:
    """Put together a line from texts and (text, style) pairs."""
    from rich.text import Text

    pairs = ((part, "") if isinstance(part, str) else part for part in parts)
    return Text.assemble(*((printable(text), style) for text, style in pairs), overflow="fold")


def printable(text: str) -> str:
    """Take out what would steer a terminal: names come from other systems."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in text)


def heading(title: str, note: str = "", style: str = "bold") -> Text:
    """Return the line above a group."""
    return styled((title, style), (f"  {note}" if note else "", "dim"))


def columns(
    lines: Iterable[Sequence[str | Text | None]],
    *,
    heads: Sequence[str] = (),
    whole: Sequence[int] = (),
    indent: int = 2,
) -> Padding:
    """Return a table without lines. Cells that are too wide fold, but in the columns *whole*."""
    from rich.padding import Padding
    from rich.table import Table

    table = Table(
        box=None,
        show_header=bool(heads),
        header_style="dim",
        pad_edge=False,
        padding=(0, 2, 0, 0),
        collapse_padding=True,
    )
    found = [list(line) for line in lines]
    if not heads:
        # A column in which nobody has anything would only push the others apart.
        longest = max(map(len, found), default=0)
        found = [[*line, *[""] * (longest - len(line))] for line in found]
        filled = [place for place, column in enumerate(zip(*found, strict=True)) if any(column)]
        found = [[line[place] for place in filled] for line in found]
    number = len(heads) or max((len(line) for line in found), default=0)
    for place in range(number):
        head = heads[place] if heads else ""
        table.add_column(head, overflow="fold", no_wrap=place in whole)
    for line in found:
        table.add_row(*(_cell(cell) for cell in line))
    return Padding(table, (0, 0, 0, indent), expand=False)


def _cell(cell: str | Text | None) -> str | Text:
    if cell is None:
        return "—"
    return "\n".join(map(printable, cell.split("\n"))) if isinstance(cell, str) else cell


def moved(before: str | None, after: str | None) -> str:
    """Show a profile before and after."""
    return f"{before or '—'} → {after or '—'}" if before != after else before or "—"


def more(total: int, shown: int) -> str:
    """Say how many are not shown, or nothing."""
    return f"… and {total - shown:,} more; --json lists them all" if total > shown else ""


def counted(number: int, word: str, plural: str = "") -> str:
    """Count things: 1 change, 2 changes."""
    return f"{number:,} {word if number == 1 else plural or word + 's'}"


def summed(counts: Mapping[str, int]) -> str:
    """List counts, the largest first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return " · ".join(f"{number:,} {name}" for name, number in ordered if number)


def when(moment: Any) -> str:
    """Show a moment of the state database to the minute."""
    return str(moment)[:16].replace("T", " ") if moment else "—"
