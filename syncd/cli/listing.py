"""Write lists for people, in columns, and for programs, one JSON document a line."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest

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
    columns, and columns for which even then there is no room go on below the first ones. What is
    piped, and ids and names, stay whole, to be searched for and copied.
    """
    cells = [["" if cell is None else _line(str(cell)) for cell in line] for line in lines]
    named = [head.upper() for head in heads]
    widths = [max(map(len, column)) for column in zip(named, *cells, strict=True)]
    if width is None and sys.stdout.isatty():
        width = console().width
    if width is None or sum(widths) + len(GAP) * (len(widths) - 1) <= width:
        _write([named, *cells], [list(enumerate(widths))])
        return
    whole = [
        place
        for place, column in enumerate(zip(*cells, strict=True))
        if not any(" " in cell for cell in column)
    ]
    left = width - len(GAP) * (len(widths) - 1) - sum(widths[place] for place in whole)
    if left >= FOLDED * (len(widths) - len(whole)):
        console(width=width).print(columns(cells, heads=named, whole=whole, indent=0))
        return
    most = [
        each if place in whole else min(each, width - len(GAP)) for place, each in enumerate(widths)
    ]
    _write([named, *cells], list(_decks(most, width)))


def _decks(widths: Sequence[int], width: int) -> Iterator[list[tuple[int, int]]]:
    """Share columns out, in order, to decks that are no wider; all but the first are indented."""
    deck: list[tuple[int, int]] = []
    used = 0
    for place, each in enumerate(widths):
        if deck and used + len(GAP) + each > width:
            yield deck
            deck, used = [], 0
        used += (len(GAP) if used or place else 0) + each
        deck.append((place, each))
    yield deck


def _write(lines: Iterable[Sequence[str]], decks: Sequence[Sequence[tuple[int, int]]]) -> None:
    """Write each line on as many decks as there are, of columns given with their widths."""
    for line in lines:
        for number, deck in enumerate(decks):
            folded = [_fold(line[place], width) for place, width in deck]
            for parts in zip_longest(*folded, fillvalue=""):
                padded = (part.ljust(width) for part, (_, width) in zip(parts, deck, strict=True))
                written = GAP.join(padded).rstrip()
                if written:
                    sys.stdout.write((GAP if number else "") + written + "\n")


def _fold(cell: str, width: int) -> list[str]:
    """Fold a sentence; what has no blank stays whole."""
    if len(cell) <= width or " " not in cell:
        return [cell]
    return textwrap.wrap(cell, width, break_on_hyphens=False)


def write_document(document: Mapping[str, object]) -> None:
    """Write one JSON document on a line of its own."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")


def put(line: str) -> None:
    """Write a line to standard output; names in it come from other systems."""
    sys.stdout.write("\n".join(map(printable, line.split("\n"))) + "\n")


def _line(text: str) -> str:
    """Put a cell on one line: a reason may be several."""
    return printable(" ".join(text.splitlines()))
