"""What a receiver is told next, of what is the matter and of what it knows already."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from syncd.core.conditions import Condition, Event, Item, Matter, Phase, Told, differs
from syncd.core.model import iso

__all__ = [
    "HOUR",
    "Letter",
    "Post",
    "choose",
    "read_matter",
    "read_post",
    "read_told",
    "write",
]

APART = timedelta(minutes=15)
"""Changes of one condition are told no closer together than this."""
HOUR = timedelta(hours=1)
HOURLY = 10
"""How many messages one receiver gets in an hour; what is more becomes one message."""
STALE = timedelta(days=1)
"""What ended this long ago, and was never told, is not worth telling."""


@dataclass(frozen=True, slots=True)
class Post:
    """
    How it went with one receiver: known since when, and when it got messages.

    `sent` are the moments of single messages in the last hour, `more` is that of the last
    message that stood for many. Nothing is sent before `due`; `tries` counts failures in a row.
    """

    since: str
    sent: tuple[str, ...] = ()
    more: str | None = None
    tries: int = 0
    due: str | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """What a receiver is told next: one thing, or with *more* all that is left as one message."""

    about: tuple[tuple[Condition, Phase], ...]
    more: bool = False


def choose(
    conditions: Iterable[Condition], key: str, on: Collection[str], post: Post, now: datetime
) -> Letter | datetime | None:
    """
    Choose what the receiver *key* is told next: a letter, when to look again, or None.

    None means that there is nothing to tell until a condition changes.
    """
    if post.due is not None and now < _moment(post.due):
        return _moment(post.due)
    pending, later = _pending(conditions, key, on, post, now)
    if not pending:
        return min(later, default=None)
    recent = [_moment(at) for at in post.sent if now - _moment(at) < HOUR]
    if len(recent) < HOURLY:
        return Letter(pending[:1])
    if post.more is None or now - _moment(post.more) >= HOUR:
        return Letter(pending, more=True)
    return min([*recent, _moment(post.more)]) + HOUR


def _pending(
    conditions: Iterable[Condition], key: str, on: Collection[str], post: Post, now: datetime
) -> tuple[tuple[tuple[Condition, Phase], ...], list[datetime]]:
    """Find what is to be told now, the oldest first, and when something else will be."""
    pending, later = [], []
    for condition in conditions:
        if condition.matter.event not in on:
            continue
        told = condition.told.get(key)
        phase = _phase(condition, told, post, now)
        if phase is Phase.CHANGED and told is not None and now < _moment(told.at) + APART:
            later.append(_moment(told.at) + APART)
        elif phase is not None:
            pending.append((condition, phase))
    pending.sort(key=lambda each: (each[0].ended or each[0].changed, each[0].id))
    return tuple(pending), later


def _phase(condition: Condition, told: Told | None, post: Post, now: datetime) -> Phase | None:
    if condition.ended is not None:
        if told is not None:
            return None if told.matter is None else Phase.ENDED
        # Whoever was not there yet, or could not be told for a day, need not hear of it any more.
        ended = _moment(condition.ended)
        return Phase.ENDED if ended > _moment(post.since) and now - ended < STALE else None
    if told is None or told.matter is None:
        return Phase.ENTERED
    return Phase.CHANGED if differs(told.matter, condition.matter) else None


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


# --- as JSON ------------------------------------------------------------------------------


def write(value: Matter | Post | Mapping[str, Told]) -> str:
    """Write something down as canonical JSON."""
    plain = (
        {key: asdict(told) for key, told in value.items()}
        if isinstance(value, Mapping)
        else asdict(value)
    )
    return json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def read_matter(text: str) -> Matter:
    """Read what `write` wrote."""
    return _as_matter(json.loads(text))


def read_told(text: str | None) -> dict[str, Told]:
    """Read what receivers were told."""
    return {
        key: Told(
            told["at"],
            told["number"],
            None if told["matter"] is None else _as_matter(told["matter"]),
        )
        for key, told in json.loads(text or "{}").items()
    }


def read_post(text: str | None, now: datetime) -> Post:
    """Read how it went with a receiver; one that is new is known from now on."""
    if text is None:
        return Post(since=iso(now))
    found = json.loads(text)
    return Post(**{**found, "sent": tuple(found["sent"])})


def _as_matter(found: dict[str, Any]) -> Matter:
    items = tuple(Item(**item) for item in found["items"])
    return Matter(Event(found["event"]), items, found["seen"], found["mark"])
