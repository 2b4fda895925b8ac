"""`syncd conflicts`: which users have rows that contradict each other, and who wins."""

from __future__ import annotations

from syncd.app import App
from syncd.cli import desk, listing
from syncd.core.errors import UsageError
from syncd.state import lookup, observed
from syncd.state.database import Tx
from syncd.state.decisions import Verb
from syncd.state.lookup import Found

__all__ = ["HEADS", "resolve", "show", "withdraw"]

HEADS = (
    "environment", "user", "code", "profiles", "chosen", "first seen", "last seen", "state",
)  # fmt: skip


def show(app: App, environment: str | None, *, everything: bool, as_json: bool) -> None:
    """Show the conflicts that the last run saw."""
    lines: list[list[object]] = []
    with desk.look(app, environment) as (tx, places):
        for name, env in places:
            clashes = [] if env is None else lookup.clashes(tx, env, ended=everything)
            names, chosen = ({}, {}) if env is None else (_names(tx, env), lookup.choices(tx, env))
            bodies = [lookup.clash_shown(c, names, chosen.get(c.user)) for c in clashes]
            if as_json:
                listing.write_document({"environment": name, "conflicts": bodies})
            lines += [_line(name, body) for body in bodies]
    if as_json:
        return
    if not lines:
        listing.put("no conflicts" if everything else "no conflicts are open")
        return
    listing.write_columns(HEADS, lines)


def _names(tx: Tx, env: int) -> dict[str, str]:
    return {key: profile.name for key, profile in observed.resolve_profiles(tx, env).items()}


def _line(environment: str, body: dict[str, object]) -> list[object]:
    profiles = body["profiles"]
    shown = ", ".join(profiles) if isinstance(profiles, list) else ""
    if body["ended"]:
        state = f"ended {str(body['ended'])[:10]} by {body['ended_by']}"
    else:
        state = "open" if body["open"] else "settled by the last plan"
    return [
        environment, body["user_name"] or body["user"], body["code"], shown, body["chosen"],
        str(body["first_seen"])[:10], str(body["last_seen"])[:10], state,
    ]  # fmt: skip


def resolve(app: App, user: str, profile: str, reason: str, environment: str | None) -> None:
    """
    Choose the profile that wins for one user.

    It counts as the wanted one until the rules want another than they do now.
    """
    with desk.sit_down(app, environment, reason) as at:
        for place, found in desk.users_of(at, user):
            chosen = desk.profile_of(at.tx, place, profile)
            against = _against(at, place, found)
            at.add(Verb.PROFILE, found.id, place, value=chosen.id, against=against)
            listing.put(
                f"{place.name}: {chosen.name} wins for {found.name}, until the rules want another "
                "than now; the next run acts on it"
            )


def _against(at: desk.Desk, place: desk.Place, user: Found) -> str:
    wanted = lookup.wanted_profile(at.tx, place.env, user.id, at.at.date())
    if wanted is None:
        raise UsageError(
            f"{user.name}: the rules want no profile for this user of {place.name} now, so a "
            "choice would never count; see: syncd explain USER"
        )
    return wanted


def withdraw(app: App, user: str, reason: str, environment: str | None) -> None:
    """Take the choice back; the rules decide again."""
    with desk.sit_down(app, environment, reason) as at:
        done = desk.withdraw_for(at, Verb.PROFILE, user)
        if not done:
            raise UsageError(
                f"{user}: nobody chose a profile for this user; see: syncd conflicts list"
            )
        for place, _, name in done:
            listing.put(f"{place.name}: the rules decide about {name} again")
