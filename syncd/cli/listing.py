"""Write lists for people, in columns, and for programs, one JSON document a line."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence

from syncd.cli.render import columns, console, printable

__all__ = ["put", "write_columns", "write_document"]

GAP = "  "
FOLDED = 12
"""A column of sentences is not folded to less."""


def write_columns(
    heads: Sequence[str], lines: Sequence[Sequence[object]], width: int | None = None
) -> None:
    """
    Write lines below their heads, each column as wide as it must be; None is left blank.

    Where that is more than *width*, without one that of the terminal, sentences fold in their
    columns. What is piped, and ids and names, stay whole, to be searched for and copied.
    """
    cells = [["" if cell is None else _line(str(cell)) for cell in line] for line in lines]
    named = [head.upper() for head in heads]
    widths = [max(map(len, column)) for column in zip(named, *cells, strict=True)]
    if width is None and sys.stdout.isatty():
        width = console().width
    spare = None if width is None else width - len(GAP) * (len(widths) - 1)
    if spare is not None and sum(widths) > spare:
        whole = [
            place
            for place, column in enumerate(zip(*cells, strict=True))
            if not any(" " in cell for cell in column)
        ]
        left = spare - sum(widths[place] for place in whole)
        if left >= FOLDED * (len(widths) - len(whole)):
            table = columns(cells, heads=named, whole=whole, indent=0)
            console(width=width).print(table)
            return
    for line in [named, *cells]:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        sys.stdout.write(GAP.join(padded).rstrip() + "\n")


def write_document(document: Mapping[str, object]) -> None:
    """Write one JSON document on a line of its own."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")


def put(line: str) -> None:
    """Write a line to standard output; names in it come from other systems."""
    sys.stdout.write("\n".join(map(printable, line.split("\n"))) + "\n")


def _line(text: str) -> str:
    """Put a cell on one line: a reason may be several."""
    return printable(" ".join(text.splitlines()))
