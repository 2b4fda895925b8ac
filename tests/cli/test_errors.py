"""Every error ends the process with its code and one sentence."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr

import pytest
import typer

from syncd.cli.errors import exit_code, explain, sentence
from syncd.core.errors import (
    ConfigError,
    LeaseHeld,
    PlanError,
    StateBroken,
    StateLocked,
    StateUnusable,
    Stopped,
    TargetThrottled,
    UsageError,
)
from syncd.core.exits import ExitCode, gravest
from syncd.sandbox import SandboxError

CODES: tuple[tuple[BaseException, int], ...] = (
    (ConfigError(["a"]), 64),
    (UsageError("a"), 64),
    (PlanError("a"), 64),
    (StateUnusable("a"), 64),
    (SandboxError("a"), 64),
    (typer.BadParameter("a"), 64),
    (StateLocked("a"), 6),
    (LeaseHeld("a"), 6),
    (TargetThrottled("a"), 5),
    (StateBroken("a"), 70),
    (ValueError("a"), 70),
    (Stopped("a"), 130),
    (KeyboardInterrupt(), 130),
    (typer.Exit(3), 3),
)


@pytest.mark.parametrize(("error", "code"), CODES, ids=lambda each: type(each).__name__)
def test_every_error_has_its_code(error: BaseException, code: int) -> None:
    """The table is that of behaviour.md section 9."""
    assert exit_code(error) == code


def test_of_several_codes_the_gravest_counts() -> None:
    """Where several apply, the order is 70, 64, 6, 5, 4, 3, 2."""
    order = [70, 64, 6, 5, 4, 3, 2, 0]

    assert [gravest(order[place:]) for place in range(len(order))] == order
    assert gravest([]) is ExitCode.DONE


def test_a_mistake_of_ours_does_not_quote_data() -> None:
    """The text of a foreign error may hold a name; only its kind and its place are shown."""
    with said() as text:
        try:
            int("ada@contoso.com")
        except ValueError as error:
            explain(error)

    assert "internal error at test_errors.py:" in text.getvalue()
    assert "ValueError" in text.getvalue()
    assert "ada@" not in text.getvalue()


def test_a_traceback_is_shown_to_whoever_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """SYNCD_DEBUG shows where an error happened."""
    monkeypatch.setenv("SYNCD_DEBUG", "1")
    with said() as text:
        explain(UsageError("no such thing"))

    assert "UsageError" in text.getvalue()
    assert text.getvalue().endswith("syncd: no such thing\n")


def test_every_problem_of_a_configuration_is_a_line() -> None:
    """Problems are reported all at once, each on a line of its own."""
    assert sentence(ConfigError(["one", "two"])).splitlines() == ["one", "two"]


@contextmanager
def said() -> Iterator[io.StringIO]:
    """Collect what is written to standard error."""
    text = io.StringIO()
    with redirect_stderr(text):
        yield text
    assert sys.stderr is not text
