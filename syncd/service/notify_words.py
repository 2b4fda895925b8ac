"""What is told of a condition: in words, with its numbers and the command that acts."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from syncd.core.conditions import Condition, Event, Item, Matter, Phase, Told, fresh

__all__ = ["Notice", "Refusal", "compose", "summary"]

SHOWN = 10
"""How many parts of a condition, or other notices, are shown one by one."""
LONGEST = 300
"""Characters of one line; names come from other systems."""
TITLE = 150
"""Characters of a title: what the header of a Slack message holds."""

PAGES = {Event.CONFLICTS: "/conflicts"}
"""Where in the console more is told than on its first page."""


@dataclass(frozen=True, slots=True)
class Notice:
    """
    One message. `id` stays the same when it is sent again, `thread` for one condition.

    `new` counts what came since the receiver was told last. Nothing in it says who.
    """

    id: str
    thread: str
    environment: str
    event: str
    phase: str
    title: str
    since: str
    at: str
    lines: tuple[str, ...]
    meaning: str = ""
    commands: tuple[str, ...] = ()
    items: tuple[Item, ...] = ()
    new: int = 0
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a message did not arrive. `wait` is in seconds; `lasting` if trying soon is no use."""

    why: str
    wait: float | None = None
    lasting: bool = False


def compose(
    condition: Condition, phase: Phase, told: Told | None, name: str, link: str | None
) -> Notice:
    """Say of the environment *name* what happened to a condition, to whom knows what is *told*."""
    matter, number = condition.matter, told.number + 1 if told else 1
    thread = f"{name}/{matter.event}/{condition.id}"
    ended = phase is Phase.ENDED
    knew = told.matter if told and told.matter else Matter(matter.event, ())
    new = 0 if ended else fresh(knew, matter)
    title = _over(matter.event) if ended else _title(matter, phase, new)
    return Notice(
        id=f"{thread}/{number}",
        thread=thread,
        environment=name,
        event=str(matter.event),
        phase=str(phase),
        title=_fit(f"{name}: {title}", TITLE),
        since=condition.since,
        at=condition.ended or condition.changed,
        lines=() if ended else _lines(matter),
        meaning="" if ended else _meaning(matter),
        commands=() if ended else _commands(matter, name),
        items=() if ended else matter.items[:SHOWN],
        new=new,
        link=link and link + PAGES.get(matter.event, "/"),
    )


def summary(notices: Sequence[Notice], link: str | None) -> Notice:
    """Tell of many things at once; of each only its title."""
    lines = tuple(notice.title for notice in notices[:SHOWN])
    rest = len(notices) - len(lines)
    places = sorted({notice.environment for notice in notices})
    ident = f"more/{notices[0].id}/{len(notices)}"
    return Notice(
        id=ident,
        thread=ident,
        environment=places[0] if len(places) == 1 else "",
        event="more",
        phase="",
        title=f"and {len(notices)} more, in one message",
        since=min(notice.since for notice in notices),
        at=max(notice.at for notice in notices),
        lines=(*lines, f"and {rest} more") if rest else lines,
        meaning="More happened than is told one by one within an hour.",
        commands=tuple(f"syncd status --environment {place}" for place in places[:SHOWN]),
        link=link and f"{link}/",
    )


# --- titles -------------------------------------------------------------------------------


def _title(matter: Matter, phase: Phase, new: int) -> str:
    total = sum(item.count for item in matter.items)
    match matter.event:
        case Event.GATE:
            most = max(item.count for item in matter.items)
            return f"a gate holds {_number(most, 'change')}"
        case Event.CERTIFICATE:
            names = ", ".join(item.subject for item in matter.items)
            return f"{names} {'is' if len(matter.items) == 1 else 'are'} not believed"
        case Event.QUARANTINE:
            return "in quarantine, because too many changes fail"
        case Event.CONFLICTS:
            what, verb = "conflict", "needs" if total == 1 else "need"
        case Event.DEAD_LETTERS:
            what, verb = "change", "was given up" if total == 1 else "were given up"
    if phase is Phase.CHANGED:
        return f"{_number(total, what)} {verb}{_decision(matter)}, {new} of them new"
    return f"{_number(total, what)} {verb}{_decision(matter)}"


def _decision(matter: Matter) -> str:
    return " a decision" if matter.event is Event.CONFLICTS else ""


def _over(event: Event) -> str:
    match event:
        case Event.GATE:
            return "no gate holds anything any more"
        case Event.CERTIFICATE:
            return "every source is believed again"
        case Event.QUARANTINE:
            return "out of quarantine"
        case Event.CONFLICTS:
            return "no conflict needs a decision any more"
        case Event.DEAD_LETTERS:
            return "nothing that was given up is left"


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


# --- numbers, meanings, commands ------------------------------------------------------------


def _lines(matter: Matter) -> tuple[str, ...]:
    lines = [_fit(_line(matter.event, item), LONGEST) for item in matter.items[:SHOWN]]
    rest = len(matter.items) - SHOWN
    return (*lines, f"and {rest} more") if rest > 0 else tuple(lines)


def _line(event: Event, item: Item) -> str:
    match event:
        case Event.GATE:
            return f"{item.detail}, {item.subject}: {item.count} planned, {item.limit} allowed"
        case Event.CERTIFICATE:
            return f"{item.subject}: {item.detail}"
        case Event.QUARANTINE:
            return f"{item.count} of {item.limit} changes failed, mostly by {item.subject}"
        case Event.CONFLICTS | Event.DEAD_LETTERS:
            return f"{item.subject}: {item.count}"


def _meaning(matter: Matter) -> str:
    match matter.event:
        case Event.GATE:
            if any(item.detail == "creates" for item in matter.items):
                return (
                    "New rows wait, and so does all that takes a profile away. If this is right, "
                    "raise policy.gates.creates in the configuration."
                )
            return "What takes a profile away waits; everything else goes on."
        case Event.CERTIFICATE:
            return "Nothing is removed while a source is not believed."
        case Event.QUARANTINE:
            return "Reading goes on; changes are tried at a falling rate."
        case Event.CONFLICTS:
            return "Their rows stay as they are until somebody decides."
        case Event.DEAD_LETTERS:
            return "They failed for too long; somebody must look."


def _commands(matter: Matter, name: str) -> tuple[str, ...]:
    """Return what somebody would type, ready for a shell; what they must fill in is in capitals."""
    match matter.event:
        case Event.GATE:
            passes = [item for item in matter.items if item.detail == "removals"][:SHOWN]
            granted = [_grant(item, name) for item in passes]
            return (f"syncd status --environment {name}", *granted)
        case Event.CERTIFICATE:
            accepts = [_accept(item) for item in matter.items[:SHOWN] if item.certain]
            return ("syncd sources list", *accepts)
        case Event.QUARANTINE:
            return (f"syncd dead-letters list --environment {name}",)
        case Event.CONFLICTS:
            return (
                f"syncd conflicts list --environment {name}",
                f"syncd conflicts resolve USER --profile NAME --reason TEXT --environment {name}",
            )
        case Event.DEAD_LETTERS:
            return (f"syncd dead-letters list --environment {name}",)


def _grant(item: Item, name: str) -> str:
    scope = shlex.quote(item.subject)
    return (
        f"syncd passes grant --scope {scope} --max {item.count} --expires 2h --reason TEXT "
        f"--environment {name}"
    )


def _accept(item: Item) -> str:
    return f"syncd sources accept {shlex.quote(item.subject)} --reason TEXT"


def _fit(text: str, longest: int) -> str:
    """Return a text as one line that is not too long."""
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
