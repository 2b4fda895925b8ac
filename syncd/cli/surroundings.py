"""What inspect shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from syncd.cli import listing
from syncd.cli.program import Context
from syncd.cli.render import columns, console, heading, styled, when
from syncd.cli.turns import turns
from syncd.core.errors import UsageError
from syncd.core.exits import ExitCode

if TYPE_CHECKING:
    from rich.console import Console

    from syncd.core.inspection import Neighbour, RowSeen, Seen, Stamp, UserSeen

__all__ = ["inspect"]


def inspect(shared: Context, names: Sequence[str], reference: str, *, as_json: bool) -> int:
    """
    Show a user or a row in each environment that has it; returns the exit code.

    Raises UsageError if none has it and all could be asked.
    """
    found = 0

    def work(name: str) -> int:
        nonlocal found
        with shared.app.target(name) as target:
            seen = target.inspect(reference)
        if seen is not None:
            found += 1
            _put(name, seen, as_json=as_json)
        return ExitCode.DONE

    code = turns(shared, names, work, as_json=False)
    if not found and not code:
        raise UsageError(
            f"{reference}: no user of {' or '.join(names)} has this user name, mail, id or "
            "object id, and no row has this id; check it"
        )
    return code


def _put(name: str, seen: Seen, *, as_json: bool) -> None:
    if as_json:
        head = {"schema": "syncd.inspect/1", "environment": name}
        listing.write_document({**head, **asdict(seen)})
        return
    out = console()
    _show_user(out, name, seen)
    for row in seen.rows:
        _show_row(out, row)
    for trouble in seen.troubles:
        out.print(styled(("  not shown: ", "yellow"), trouble))


def _show_user(out: Console, name: str, seen: Seen) -> None:
    user = seen.user
    who = "no user" if user is None else f"{user.full_name or '—'}  {user.user_name or '—'}"
    out.print(heading(name, who))
    lines: list[list[str]] = []
    if user is not None:
        lines.append(["user", user.id])
        lines.append(["account", _account(user)])
        lines += [["team", _team(each.name, each.profiles)] for each in seen.teams]
        lines.append(["old field", _pointer(user)])
    if seen.default_profile:
        lines.append(["organization", f"its default profile is {seen.default_profile}"])
    if not seen.rows:
        lines.append(["rows", "none"])
    if lines:
        out.print(columns(lines, whole=(0,)))


def _account(user: UserSeen) -> str:
    kind = "a person's" if user.candidate else "no person's (application, system account or stub)"
    return f"{kind}, {'disabled' if user.disabled else 'enabled'}"


def _team(name: str, profiles: Sequence[str]) -> str:
    return f"{name}, brings {', '.join(profiles) or 'no profile'}"


def _pointer(user: UserSeen) -> str:
    if user.pointer is None:
        return "empty"
    return f"{user.pointer}{', a profile that is not there' if user.pointer_dangles else ''}"


def _show_row(out: Console, row: RowSeen) -> None:
    out.print()
    if row.gone:
        out.print(heading(f"row {row.id}", "is gone; this still refers to it", "bold yellow"))
    else:
        out.print(heading(f"row {row.id}", row.name or ""))
        out.print(columns(list(_facts(row)), whole=(0,)))
    out.print(columns([line for each in row.neighbours for line in _around(each)], whole=(0,)))


def _facts(row: RowSeen) -> Iterator[list[str]]:
    yield ["user", f"{row.user_name or '—'}  {row.user or ''}" if row.user else "none: a husk"]
    profile = row.profile_name or row.profile
    state = f"{'active' if row.active else 'inactive'}{', flagged' if row.flagged else ''}"
    yield ["profile", f"{profile or 'none: a husk'}, {state}"]
    for word, stamp in (("created", row.created), ("changed", row.modified)):
        if stamp is not None:
            yield [word, _stamped(stamp)]


def _stamped(stamp: Stamp) -> str:
    behalf = f" on behalf of {stamp.on_behalf_of}" if stamp.on_behalf_of else ""
    return f"{when(stamp.at)} by {stamp.by or '—'}{behalf}"


def _around(each: Neighbour) -> Iterator[list[str]]:
    if each.trouble is not None:
        yield [each.title, f"not shown: {each.trouble}"]
        return
    if not each.entries:
        yield [each.title, "none"]
    for number, entry in enumerate(each.entries):
        at = f"{when(entry.at)}  " if entry.at else ""
        yield ["" if number else each.title, f"{at}{entry.said or entry.id}"]
    if each.more:
        yield ["", "… and more, older ones"]
