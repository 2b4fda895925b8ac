"""What is remembered of an environment's ways: what it refuses, what was spent, how fast it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from syncd.core.ledger import Capability, Ledger, Message, learned, refusing
from syncd.core.model import iso
from syncd.state.revisions import recall, remember

__all__ = ["Pace", "Spent", "keep", "known", "pace", "refused", "shown", "spent"]

DAY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Spent:
    """What was sent in the last 24 hours: requests, and operations that the entitlement counts."""

    requests: int = 0
    operations: int = 0


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast an environment took changes last: rows a second, with lanes and batch size."""

    rate: float
    lanes: int
    size: int
    measured: str


def known(tx: Connection, env: int) -> dict[Message, Capability]:
    """Return what is known of each way to write that was ever tried."""
    kept = json.loads(recall(tx, f"capabilities:{env}") or "{}")
    return {
        Message(name): Capability(
            message=Message(name),
            works=each["works"],
            detail=each["detail"],
            learned=datetime.fromisoformat(each["learned"]),
            due=datetime.fromisoformat(each["due"]) if each["due"] else None,
        )
        for name, each in kept.items()
        if name in set(Message)
    }


def refused(tx: Connection, env: int, now: datetime) -> dict[Message, str]:
    """Return what an environment is not asked for until its time comes, with its sentence."""
    return refusing(known(tx, env), now)


def keep(tx: Connection, env: int, ledger: Ledger, now: datetime) -> None:
    """Remember what a run learned, spent and measured."""
    before = known(tx, env)
    after = learned(before, ledger, now)
    if after != before:
        remember(tx, f"capabilities:{env}", json.dumps(_written(after), sort_keys=True))
    hours = _hours(tx, env, now)
    bucket = f"{now:%Y-%m-%dT%H}"
    before_now = hours.get(bucket, (0, 0))
    requests, operations = ledger.unkept()
    hours[bucket] = (before_now[0] + requests, before_now[1] + operations)
    remember(tx, f"spent:{env}", json.dumps(hours, sort_keys=True))
    if ledger.rate is not None:
        measured = Pace(ledger.rate, ledger.lanes, ledger.size, iso(now))
        remember(tx, f"pace:{env}", json.dumps(asdict(measured)))


def spent(tx: Connection, env: int, now: datetime) -> Spent:
    """Count what was sent in the last 24 hours, by whole hours."""
    hours = _hours(tx, env, now).values()
    return Spent(sum(each[0] for each in hours), sum(each[1] for each in hours))


def pace(tx: Connection, env: int) -> Pace | None:
    """Return how fast the environment was when last measured."""
    kept = recall(tx, f"pace:{env}")
    return None if kept is None else Pace(**json.loads(kept))


def shown(tx: Connection, env: int, now: datetime) -> dict[str, Any]:
    """
    Describe all of it for people and programs: part of `syncd status --json`.

    `refused` says since when and until when a way is not taken, and why; `works` lists
    what was seen to work.
    """
    ways = known(tx, env)
    holding = refusing(ways, now)
    measured = pace(tx, env)
    return {
        "refused": [
            {
                "message": str(message),
                "detail": ways[message].detail,
                "since": iso(ways[message].learned),
                "until": iso(ways[message].due or now),
            }
            for message in sorted(holding)
        ],
        "works": sorted(str(message) for message, each in ways.items() if each.works),
        "last_24_hours": asdict(spent(tx, env, now)),
        "pace": None if measured is None else asdict(measured),
    }


def _written(ways: Mapping[Message, Capability]) -> dict[str, dict[str, Any]]:
    return {
        str(message): {
            "works": each.works,
            "detail": each.detail,
            "learned": each.learned.isoformat(),
            "due": each.due.isoformat() if each.due else None,
        }
        for message, each in ways.items()
    }


def _hours(tx: Connection, env: int, now: datetime) -> dict[str, tuple[int, int]]:
    """Return requests and operations by hour; what is older than a day is dropped."""
    first = f"{now - DAY:%Y-%m-%dT%H}"
    kept = json.loads(recall(tx, f"spent:{env}") or "{}")
    return {hour: (each[0], each[1]) for hour, each in kept.items() if hour > first}
