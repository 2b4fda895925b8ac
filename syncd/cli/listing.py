"""Write lists for people, in columns, and for programs, one JSON document a line."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence

__all__ = ["put", "write_columns", "write_document"]

GAP = "  "


def write_columns(heads: Sequence[str], lines: Sequence[Sequence[object]]) -> None:
    """Write lines below their heads, each column as wide as it must be; None is left blank."""
    cells = [["" if cell is None else str(cell) for cell in line] for line in lines]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    for line in [[head.upper() for head in heads], *cells]:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        put(GAP.join(padded).rstrip())


def write_document(document: Mapping[str, object]) -> None:
    """Write one JSON document on a line of its own."""
    put(json.dumps(document, ensure_ascii=False))


def put(line: str) -> None:
    """Write a line to standard output."""
    sys.stdout.write(line + "\n")
