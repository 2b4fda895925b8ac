"""
What has changed since something was last computed.

Each input of a set-wise computation has a number that grows when the input changes.
A result that was computed from the same numbers is still right.
"""

from __future__ import annotations

from sqlalchemy import Connection

from syncd.state.database import one, run

__all__ = ["numbers", "recall", "remember", "touch"]


def touch(tx: Connection, what: str) -> None:
    """Note that an input changed."""
    run(
        tx,
        "INSERT INTO meta (name, value) VALUES (:name, '1') ON CONFLICT (name) "
        "DO UPDATE SET value = CAST(CAST(meta.value AS INTEGER) + 1 AS TEXT)",
        name=f"revision:{what}",
    )


def numbers(tx: Connection, *what: str) -> str:
    """Return the numbers of some inputs as one text."""
    return ",".join(f"{name}={recall(tx, f'revision:{name}') or 0}" for name in what)


def recall(tx: Connection, name: str) -> str | None:
    """Return what was remembered under a name."""
    found = one(tx, "SELECT value FROM meta WHERE name = :name", name=name)
    return None if found is None else str(found)


def remember(tx: Connection, name: str, value: str) -> None:
    """Remember a value under a name."""
    run(
        tx,
        "INSERT INTO meta (name, value) VALUES (:name, :value) "
        "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        name=name, value=value,
    )  # fmt: skip
