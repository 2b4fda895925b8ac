"""`syncd passes`: let one larger change through a gate, once."""

from __future__ import annotations

import re
from datetime import timedelta

from syncd.app import App
from syncd.cli import desk, listing
from syncd.core.errors import UsageError
from syncd.core.model import iso
from syncd.state import lookup, observed, rulings
from syncd.state.decisions import Ruling, Verb

__all__ = ["give", "grant", "revoke", "show"]

RUN = "run"
PROFILE = "profile:"
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
LONGEST = timedelta(days=366)


def show(app: App, environment: str | None, *, as_json: bool) -> None:
    """Show the passes that no run has used yet."""
    lines: list[list[object]] = []
    with desk.look(app, environment) as (tx, places):
        now = iso(app.clock())
        for name, env in places:
            found = [] if env is None else lookup.rulings(tx, Verb.PASS, env)
            bodies = [_body(ruling, now) for ruling in found]
            if as_json:
                listing.write_document({"environment": name, "passes": bodies})
            lines += [[name, *_cells(body)] for body in bodies]
    if as_json:
        return
    if not lines:
        listing.put("no passes are open")
        return
    heads = ("environment", "id", "scope", "max", "expires", "by", "reason")
    listing.write_columns(heads, lines)


def _body(ruling: Ruling, now: str) -> dict[str, object]:
    return {
        "id": ruling.id,
        "scope": ruling.subject,
        "max": int(ruling.value or 0),
        "expires": ruling.until,
        "expired": ruling.until is not None and ruling.until < now,
        "granted": ruling.at,
        "granted_by": ruling.who,
        "reason": ruling.reason,
    }


def _cells(body: dict[str, object]) -> list[object]:
    expires = f"{body['expires']}{' (expired)' if body['expired'] else ''}"
    return [body["id"], body["scope"], body["max"], expires, body["granted_by"], body["reason"]]


def grant(
    app: App, scope: str, most: int, expires: str, reason: str, environment: str | None
) -> None:
    """Raise one scope of the removals gate, for the first run that needs it."""
    for sentence in give(app, scope, most, expires, reason, environment):
        listing.put(sentence)


def give(
    app: App, scope: str, most: int, expires: str, reason: str, environment: str | None
) -> list[str]:
    """Grant passes, and return what to say about each. Raises UsageError."""
    said = []
    with desk.sit_down(app, environment, reason) as at:
        until = iso(at.at + _duration(expires))
        for place in at.places:
            named = _scope(at, place, scope)
            at.add(Verb.PASS, named, place, value=str(most), until=until)
            number = lookup.rulings(at.tx, Verb.PASS, place.env)[-1].id
            risky = "1 risky change" if most == 1 else f"{most} risky changes"
            said.append(
                f"{place.name}: pass {number} lets {risky} through the gate of {named}, once, "
                f"until {until}"
            )
    return said


def _duration(written: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,6})([smhd])", written.strip())
    length = timedelta(**{UNITS[found[2]]: int(found[1])}) if found else timedelta()
    if not timedelta() < length <= LONGEST:
        raise UsageError(
            f"--expires {written}: is no duration up to a year; write a number with s, m, h or d, "
            "such as 2h"
        )
    return length


def _scope(at: desk.Desk, place: desk.Place, scope: str) -> str:
    if scope == RUN:
        return RUN
    name = scope.removeprefix(PROFILE).strip()
    if name == scope or not name:
        raise UsageError(f"--scope {scope}: is neither run nor profile:NAME")
    profile = desk.profile_of(at.tx, place, name, published=False)
    known = observed.resolve_profiles(at.tx, place.env).values()
    alone = sum(each.name == profile.name for each in known) == 1
    return PROFILE + (profile.name if alone else profile.id)


def revoke(app: App, number: int, reason: str) -> None:
    """Take back a pass that no run has used yet."""
    with desk.sit_down(app, None, reason) as at:
        scope = rulings.revoke(at.tx, number, reason=at.reason, who=at.who, now=at.now)
        if scope is None:
            raise UsageError(f"pass {number}: there is no such pass open; see: syncd passes list")
        listing.put(f"pass {number} for {scope} is withdrawn")
