"""What an environment refuses and what it was asked for are shown where people look."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.cli.office import BO, Office, opened


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """Give an office whose environment makes no rows."""
    with opened(tmp_path) as office:
        order = {"refuse": ["Create", "CreateMultiple"]}
        httpx.post(f"{office.url}/_sandbox/messages", json=order).raise_for_status()
        yield office


def test_status_shows_what_is_refused_and_what_was_spent(office: Office) -> None:
    """Which message, until when, what is done instead; requests of the last day."""
    office("reconcile")

    limits = office("status", "--json").json["limits"]
    said = office("status").out

    (refused,) = limits["refused"]
    assert (refused["message"], refused["until"]) == ("Create", "2026-03-03T08:00:00Z")
    assert limits["last_24_hours"]["requests"] >= 5
    assert "not taken by the environment" in said
    assert "joiners take emptied rows; without one they wait" in " ".join(said.split())
    assert "of the daily entitlement" in said


def test_a_create_that_must_wait_is_pending_and_says_why(office: Office) -> None:
    """The second run knows, and holds it back."""
    first = office("reconcile", "--json").json
    second = office("reconcile", "--json").json

    assert first["outcomes"]["moved"] == 1
    assert second["outcomes"]["held"] == 1
    (pending,) = [each for each in second["plan"]["pending"] if each["user"] == BO]
    assert pending["reason"] == "capability"
    assert "makes no rows" in office("plan").out


def test_a_plan_says_what_it_takes(office: Office) -> None:
    """In requests, in what the entitlement counts, and in seconds; the basis is named."""
    httpx.post(f"{office.url}/_sandbox/messages", json={"refuse": []}).raise_for_status()
    estimate = office("plan", "--json").json["estimate"]
    said = office("plan").out

    assert estimate == {"requests": 1, "operations": 3, "seconds": 0.1, "measured": False}
    assert "about 1 request, 1 s by published figures" in " ".join(said.split())
