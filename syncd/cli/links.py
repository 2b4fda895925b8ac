"""`syncd links`: whose user is whose, where the sources cannot say."""

from __future__ import annotations

from syncd.app import App
from syncd.cli import desk, listing
from syncd.cli.errors import say
from syncd.core.errors import UsageError
from syncd.core.identity import text
from syncd.state import lookup, observed, rulings
from syncd.state.database import Tx
from syncd.state.decisions import Verb

__all__ = ["join", "remove", "show"]


def show(app: App, person: str | None, environment: str | None, *, as_json: bool) -> None:
    """Show the links set by hand, and with PERSON the rows that are remembered as ours."""
    lines: list[list[object]] = []
    with desk.look(app, environment) as (tx, places):
        for name, env in places:
            bodies = [] if env is None else _bodies(tx, env, person and text(person))
            if as_json:
                listing.write_document({"environment": name, "links": bodies})
            lines += [[name, *_cells(body)] for body in bodies]
    if as_json:
        return
    if not lines:
        listing.put("no links" if person else "no links are set by hand")
        return
    listing.write_columns(("environment", "person", "user", "by", "since", "remark"), lines)


def _bodies(tx: Tx, env: int, person: str | None) -> list[dict[str, object]]:
    by_hand = [r for r in lookup.rulings(tx, Verb.LINK, env) if person in (None, r.subject)]
    found: list[dict[str, object]] = [
        {
            "person": ruling.subject,
            "user": ruling.value,
            "user_name": _name(tx, env, ruling.value or ""),
            "set_by": ruling.who,
            "reason": ruling.reason,
            "since": ruling.at,
        }
        for ruling in by_hand
    ]
    profiles = observed.resolve_profiles(tx, env)
    for kept in lookup.kept_links(tx, env, person) if person else ():
        profile = profiles.get(kept.profile or "")
        found.append(
            {
                "person": kept.person,
                "user": kept.user,
                "user_name": _name(tx, env, kept.user),
                "membership": kept.membership,
                "profile": profile.name if profile else kept.profile,
                "rung": kept.rung,
                "origin": kept.origin,
                "since": kept.since,
            }
        )
    return found


def _name(tx: Tx, env: int, user: str) -> str | None:
    return next((each.user_name for each in lookup.users(tx, env, user)), None)


def _cells(body: dict[str, object]) -> list[object]:
    by, remark = "hand", f"{body.get('set_by')}: {body.get('reason')}"
    if "membership" in body:
        by = str(body["rung"])
        remark = f"row {body['membership']} with {body['profile']}, {body['origin']}"
    user = body["user_name"] or body["user"]
    return [body["person"], user, by, str(body["since"])[:10], remark]


def join(app: App, person: str, user: str, reason: str, environment: str | None) -> None:
    """Say whose user this is. It stands above everything the sources say."""
    key = _key(person)
    with desk.sit_down(app, environment, reason, about=user) as at:
        for place, found in desk.users_of(at, user):
            if not found.candidate:
                raise UsageError(
                    f"{found.name}: this user of {place.name} is no person's account "
                    "(an application, a system account or a stub) and cannot be linked"
                )
            at.add(Verb.LINK, key, place, value=found.id)
            listing.put(f"{place.name}: {key} is {found.name}; the next run acts on it")
        if not lookup.is_known(at.tx, key):
            say(f"no source has shown {key} so far; the link waits until one does")


def _key(person: str) -> str:
    key = text(person)
    if not key:
        raise UsageError("PERSON is empty; give the key that the person has in the sources")
    return key


def remove(app: App, person: str, reason: str, environment: str | None) -> None:
    """
    Take back a link set by hand; without one, end what is remembered of the person.

    Rows whose link ends are no longer ours: nothing removes them until a run adopts them anew.
    """
    key = _key(person)
    with desk.sit_down(app, environment, reason) as at:
        done = [_remove(at, place, key) for place in at.places]
        if not any(done):
            names = ", ".join(place.name for place in at.places)
            raise UsageError(f"{key}: nothing links this person in {names}; see: syncd links list")


def _remove(at: desk.Desk, place: desk.Place, key: str) -> bool:
    if at.withdraw(Verb.LINK, key, place):
        kept = lookup.kept_links(at.tx, place.env, key)
        listing.put(f"{place.name}: {key} is no longer linked by hand{_still(key) if kept else ''}")
        return True
    ended = rulings.forget_links(at.tx, place.env, key, reason=at.reason, who=at.who, now=at.now)
    if ended:
        rows = "1 row is" if ended == 1 else f"{ended} rows are"
        listing.put(f"{place.name}: {rows} no longer ours; the next run looks for {key} anew")
    return ended > 0


def _still(key: str) -> str:
    return f"; rows stay remembered as theirs: to end that as well, run again: links remove {key}"
