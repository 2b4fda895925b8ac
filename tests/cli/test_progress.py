"""The bar that a person sees while they wait."""

from __future__ import annotations

import io
import time

from rich.console import Console

from syncd.cli.progress import PATIENCE, Bar


def on_a_terminal() -> tuple[io.StringIO, Console]:
    """Give a terminal, and what is written to it."""
    out = io.StringIO()
    return out, Console(file=out, force_terminal=True, width=80)


def until(out: io.StringIO, text: str) -> bool:
    """Wait until something is written."""
    end = time.monotonic() + 30
    while text not in out.getvalue() and time.monotonic() < end:
        pass
    return text in out.getvalue()


def test_what_is_over_in_a_moment_draws_nothing() -> None:
    """Two seconds pass before a person wants to know."""
    out, console = on_a_terminal()
    bar = Bar(console)
    bar.phase("reading hr")
    bar.advance(5)
    bar.phase("applying", 10)
    bar.close()

    assert PATIENCE == 2
    assert out.getvalue() == ""


def test_a_phase_that_lasts_shows_how_far_it_is() -> None:
    """What is done, of how much, how fast, and how long it will still take."""
    out, console = on_a_terminal()
    bar = Bar(console, patience=0)
    bar.phase("applying", 1000)
    bar.advance(250)

    drawn = until(out, "250 of 1,000")
    bar.close()

    assert drawn
    assert "/s" in out.getvalue()
    assert "left" in out.getvalue()


def test_a_phase_of_unknown_length_counts() -> None:
    """Nobody knows how long a file is before it is read."""
    out, console = on_a_terminal()
    bar = Bar(console, patience=0)
    bar.phase("reading hr")
    bar.advance(1234)

    drawn = until(out, "1,234")
    bar.close()

    assert drawn
    assert "so far" in out.getvalue()
