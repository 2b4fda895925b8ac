"""What the commands of `syncd dead-letters` do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from syncd.app import App
from syncd.cli import desk, listing
from syncd.core.errors import UsageError
from syncd.state import escrow, journal, observed, overview
from syncd.state.database import Tx
from syncd.state.escrow import Entry

__all__ = ["Choice", "discard", "explain", "retry", "show"]

SEE = "see: syncd dead-letters list --all"


@dataclass(frozen=True, slots=True)
class Choice:
    """What is meant: one row, one cause, or everything; exactly one of them."""

    row: str | None
    cause: str | None
    everything: bool

    def __post_init__(self) -> None:
        """Raise UsageError unless it says which."""
        if sum((self.row is not None, self.cause is not None, self.everything)) != 1:
            raise UsageError("name either a ROW, or --cause CAUSE, or --all; nothing was changed")

    def meant(self, found: Sequence[Entry], *, states: Sequence[str]) -> list[Entry]:
        """Return the entries that are meant; many at once only in one of these states."""
        if self.row is not None:
            return [entry for entry in found if entry.membership.startswith(_ident(self.row))]
        return [
            entry for entry in found if entry.state in states and self.cause in (None, entry.cause)
        ]

    def __str__(self) -> str:
        """Say it as it was typed."""
        return self.row or (f"--cause {self.cause}" if self.cause else "--all")


def _ident(written: str) -> str:
    return written.strip().strip("{}").lower()


# --- look -----------------------------------------------------------------------------------------


def show(
    app: App, environment: str | None, cause: str | None, *, everything: bool, as_json: bool
) -> None:
    """Show what was given up, or everything that failed."""
    lines: list[list[object]] = []
    waiting = 0
    with desk.look(app, environment) as (tx, places):
        for name, env in places:
            found = [] if env is None else escrow.entries(tx, env)
            waiting += sum(entry.state == "waiting" for entry in found)
            chosen = [
                entry
                for entry in found
                if (everything or entry.state == "dead") and cause in (None, entry.cause)
            ]
            bodies = [_body(tx, env or 0, entry) for entry in chosen]
            if as_json:
                listing.write_document({"environment": name, "dead_letters": bodies})
            lines += [[name, *_cells(body)] for body in bodies]
    if as_json:
        return
    if lines:
        heads = ("environment", "row", "action", "person", "user", "cause", "tries", "since")
        listing.write_columns((*heads, "next try"), lines)
    else:
        listing.put("nothing has failed" if everything or cause else "there are no dead letters")
    if waiting and not everything:
        verb = "waits" if waiting == 1 else "wait"
        listing.put(f"{waiting} more {verb} for the next try: syncd dead-letters list --all")


def _body(tx: Tx, env: int, entry: Entry) -> dict[str, object]:
    profile = observed.resolve_profiles(tx, env).get(entry.after or "")
    return {
        **asdict(entry),
        "after": profile.name if profile else entry.after,
        "state": entry.state,
        "due": entry.due if entry.state == "waiting" else None,
    }


def _cells(body: dict[str, object]) -> list[object]:
    next_try = body["due"] or {"dead": "given up", "discarded": "discarded"}[str(body["state"])]
    who = [body["membership"], body["action"], body["person"], body["user_name"] or body["user"]]
    return [*who, body["cause"], body["tries"], body["first"], next_try]


def explain(app: App, environment: str | None, row: str, *, as_json: bool) -> None:
    """Say everything about one change that failed."""
    with desk.look(app, environment) as (tx, places):
        found = [
            (name, env, entry)
            for name, env in places
            if env is not None
            for entry in escrow.entries(tx, env, _ident(row))
        ]
        if not found:
            raise UsageError(f"{row}: no change of such a row has failed; {SEE}")
        if len({entry.membership for *_, entry in found}) > 1:
            raise UsageError(f"{row} begins the ids of {len(found)} rows; write more of it")
        for name, env, entry in found:
            body = {"environment": name, **_body(tx, env, entry), "history": _told(tx, env, entry)}
            if as_json:
                listing.write_document(body)
            else:
                _write(body)


def _told(tx: Tx, env: int, entry: Entry) -> list[dict[str, object]]:
    """Return what the audit log tells of a row since its change first failed, the oldest first."""
    users = [entry.user] if entry.user else None
    lines = overview.audit(tx, [env], users=users, since=entry.first)
    told = [line for line in lines if line["membership"] == entry.membership]
    names = ("at", "who", "what", "why", "result")
    return [{name: line[name] for name in names} for line in reversed(told)]


def _write(body: dict[str, object]) -> None:
    to = f" to {body['after']}" if body["after"] else ""
    next_try = body["due"] or "none; it is " + str(body["state"])
    facts = (
        ("row", body["membership"]),
        ("change", f"{body['action']}{to}, {body['situation']}"),
        ("person", body["person"] or "nobody in the sources"),
        ("user", f"{body['user_name'] or ''} {body['user'] or 'none'}".strip()),
        ("cause", body["cause"]),
        ("answer", body["detail"]),
        ("tries", f"{body['tries']}, from {body['first']} to {body['last']}"),
        ("next try", next_try),
        ("try again", f"syncd dead-letters retry {body['membership']} --reason TEXT"),
        ("let it be", f"syncd dead-letters discard {body['membership']} --reason TEXT"),
    )
    listing.put(str(body["environment"]))
    for name, fact in facts:
        listing.put(f"  {name:<11}{fact}")
    history = body["history"]
    for line in history if isinstance(history, list) else ():
        listing.put(f"  {line['at']}  {line['what']} by {line['who']}: {line['result']}")


# --- decide ---------------------------------------------------------------------------------


def retry(app: App, environment: str | None, choice: Choice, reason: str) -> None:
    """Let the next run try what is meant."""

    def again(at: desk.Desk, env: int, chosen: Sequence[Entry]) -> None:
        escrow.cancel(at.tx, env, chosen)

    states = ("dead", "waiting")
    _decide(app, environment, choice, reason, again, states, "dead letter retried")


def discard(app: App, environment: str | None, choice: Choice, reason: str) -> None:
    """Let be what is meant."""

    def leave(at: desk.Desk, env: int, chosen: Sequence[Entry]) -> None:
        escrow.discard(at.tx, env, chosen, at.now)

    _decide(app, environment, choice, reason, leave, ("dead",), "dead letter discarded")


def _decide(
    app: App,
    environment: str | None,
    choice: Choice,
    reason: str,
    act: Callable[[desk.Desk, int, Sequence[Entry]], None],
    states: Sequence[str],
    what: str,
) -> None:
    with desk.sit_down(app, environment, reason) as at:
        found = [(p, choice.meant(escrow.entries(at.tx, p.env), states=states)) for p in at.places]
        if choice.row is not None:
            _only_one(choice.row, [entry for _, chosen in found for entry in chosen])
        for place, chosen in found:
            act(at, place.env, chosen)
            for entry in chosen:
                _note(at, place.env, entry, what)
            if chosen:
                number = "1 change" if len(chosen) == 1 else f"{len(chosen)} changes"
                listing.put(f"{place.name}: {number} {SAID[what]}")
        if not any(chosen for _, chosen in found):
            raise UsageError(f"{choice}: there is no such change that failed; {SEE}")


SAID = {
    "dead letter retried": "will be tried by the next run: syncd reconcile",
    "dead letter discarded": "will not be tried while the same is planned for the row",
}


def _only_one(row: str, chosen: Sequence[Entry]) -> None:
    if len({entry.membership for entry in chosen}) > 1:
        raise UsageError(f"{row} begins the ids of {len(chosen)} rows; write more of it")


def _note(at: desk.Desk, env: int, entry: Entry, what: str) -> None:
    journal.note(
        at.tx, at.now, at.who, what, f"{entry.action}, {entry.cause}: {at.reason}", env=env,
        person=entry.person, user=entry.user, after=entry.after, membership=entry.membership,
    )  # fmt: skip
