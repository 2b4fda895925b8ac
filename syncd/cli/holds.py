"""`syncd holds`: users whom nothing may change for a while, whatever the sources say."""

from __future__ import annotations

from datetime import date

from syncd.app import App
from syncd.cli import desk, listing
from syncd.core.errors import UsageError
from syncd.state import lookup
from syncd.state.database import Tx
from syncd.state.decisions import Ruling, Verb

__all__ = ["add", "remove", "show"]


def show(app: App, environment: str | None, *, as_json: bool) -> None:
    """Show who is held, why and until when."""
    lines: list[list[object]] = []
    with desk.look(app, environment) as (tx, places):
        today = app.clock().date().isoformat()
        for name, env in places:
            found = [] if env is None else lookup.rulings(tx, Verb.HOLD, env)
            bodies = [_body(tx, env or 0, ruling, today) for ruling in found]
            if as_json:
                listing.write_document({"environment": name, "holds": bodies})
            lines += [[name, *_cells(body)] for body in bodies]
    if as_json:
        return
    if not lines:
        listing.put("nobody is held")
        return
    listing.write_columns(("environment", "user", "until", "since", "by", "reason"), lines)


def _body(tx: Tx, env: int, ruling: Ruling, today: str) -> dict[str, object]:
    names = [user.user_name for user in lookup.users(tx, env, ruling.subject)]
    return {
        "user": ruling.subject,
        "user_name": names[0] if names else None,
        "until": ruling.until,
        "expired": ruling.until is not None and ruling.until < today,
        "since": ruling.at,
        "set_by": ruling.who,
        "reason": ruling.reason,
    }


def _cells(body: dict[str, object]) -> list[object]:
    until = f"{body['until'] or 'removed'}{' (expired)' if body['expired'] else ''}"
    user = body["user_name"] or body["user"]
    return [user, until, str(body["since"])[:10], body["set_by"], body["reason"]]


def add(app: App, user: str, reason: str, until: str | None, environment: str | None) -> None:
    """Let nothing change for this user, whatever the sources say."""
    with desk.sit_down(app, environment, reason, about=user) as at:
        last = None if until is None else _day(until, at.at.date())
        for place, found in desk.users_of(at, user):
            at.add(Verb.HOLD, found.id, place, until=last)
            how_long = f"until {last}, that day included" if last else "until the hold is removed"
            listing.put(f"{place.name}: {found.name} is held {how_long}")


def _day(written: str, today: date) -> str:
    try:
        day = date.fromisoformat(written.strip())
    except ValueError:
        raise UsageError(f"--until {written}: is no day; write it as 2026-03-31") from None
    if day < today:
        raise UsageError(f"--until {written}: is past; the last day may be today at the earliest")
    return day.isoformat()


def remove(app: App, user: str, reason: str, environment: str | None) -> None:
    """Take a hold back; the next run decides about the user as about everybody."""
    with desk.sit_down(app, environment, reason, about=user) as at:
        done = desk.withdraw_for(at, Verb.HOLD, user)
        if not done:
            raise UsageError(f"{user}: nobody holds this user; see: syncd holds list")
        for place, _, name in done:
            listing.put(f"{place.name}: {name} is no longer held")
