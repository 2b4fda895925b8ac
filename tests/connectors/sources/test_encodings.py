"""From bytes to lines, in whatever pieces the bytes come."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from syncd.connectors.sources.files.encodings import Encoding, byte_lines, scan, text_lines

PATH = Path("hr.csv")
CUTS = st.lists(st.integers(0, 40), max_size=6)
TEXT = st.text(st.sampled_from('aé€😀"\r\n'), max_size=40)


def pieces(content: bytes, cuts: list[int]) -> list[bytes]:
    """Cut content at some places; no piece is empty."""
    places = [0, *sorted(cuts), len(content)]
    return [content[a:b] for a, b in pairwise(places) if content[a:b]]


@given(text=TEXT, cuts=CUTS, codec=st.sampled_from(["utf-8", "utf-16-le", "utf-16-be"]))
def test_text_is_cut_into_the_same_lines_from_any_pieces(
    text: str, cuts: list[int], codec: str
) -> None:
    """A piece may end inside a character or between CR and LF."""
    chunks = pieces(text.encode(codec), cuts)

    lines = list(text_lines(PATH, chunks, Encoding(codec, 0, plain=False)))

    assert lines == list(io.StringIO(text, newline=""))


@given(text=TEXT, cuts=CUTS, separator=st.sampled_from([b"\n", b"\r\n"]))
def test_bytes_are_cut_into_the_same_lines_from_any_pieces(
    text: str, cuts: list[int], separator: bytes
) -> None:
    """Only the separator cuts, and an end without one is a line too."""
    content = text.encode()

    lines = list(byte_lines(PATH, pieces(content, cuts), separator, 0))

    assert lines == content.removesuffix(separator).split(separator) if content else lines == []


@given(text=TEXT, cuts=CUTS)
def test_a_scan_sees_the_same_in_any_pieces(text: str, cuts: list[int]) -> None:
    """Quotes, line ends and validity do not depend on how the bytes come."""
    content = text.encode()

    whole = scan([content], validate=True)
    cut = scan(pieces(content, cuts), validate=True)

    assert (cut.size, cut.quoted, cut.separator, cut.utf8) == (
        whole.size,
        '"' in text,
        whole.separator,
        True,
    )
    assert (whole.separator is None) == _differs(text)


def _differs(text: str) -> bool:
    pairs = text.count("\r\n")
    return text.count("\r") > pairs or (0 < pairs < text.count("\n"))
