"""`syncd usermappings`: rows of the table `usermapping`, as the configuration declares them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import typer

from syncd.app import App
from syncd.cli import desk, listing
from syncd.connectors.dataverse import DataverseTarget
from syncd.core.errors import ConfigError, TargetError, UsageError
from syncd.core.exits import ExitCode
from syncd.core.hints import Declared, glean
from syncd.core.ids import environment_space
from syncd.core.model import iso
from syncd.core.plan import Result
from syncd.core.usermappings import APPLICATIONS, Comparison, Step, Wish, compare, unfit
from syncd.state import journal, observed

__all__ = ["apply", "plan", "show"]

OFF = (
    "usermappings: this is switched off; rows of usermapping change SharePoint authentication for "
    "the whole organization, so set manage = true under [usermapping] first, if that is meant"
)
WARNING = (
    "This changes SharePoint authentication for the WHOLE ORGANIZATION behind {}: from then on the "
    "claims of all its users are taken as these rows say, not only those of syncd's people."
)
Ended = tuple[Step, Result, str]


@dataclass(frozen=True, slots=True)
class Seen:
    """One environment: its rows, and what they are compared with the declarations."""

    name: str
    rows: Sequence[Declared]
    usable: frozenset[str]
    compared: Comparison


def show(app: App, name: str, *, as_json: bool) -> int:
    """Show the rows that there are, and what each is to syncd."""
    with app.target(name) as target:
        seen = _look(app, name, target)
    hints = glean(seen.rows, seen.usable, app.config.claims)
    used = {column: hint.field for hint in hints.used for column in (hint.column,)}
    if as_json:
        listing.write_document(
            {
                "environment": name,
                "usermappings": [
                    {**_row(row), "declared": row not in seen.compared.others,
                     "compared_with": used.get(row.column or "") if row.application == 0 else None}
                    for row in seen.rows
                ],
                "remarks": list(hints.remarks),
            }
        )  # fmt: skip
        return ExitCode.DONE
    if not seen.rows:
        listing.put(f"{name}: no rows; the built-in claims are sent")
        return ExitCode.DONE
    heads = ("environment", "id", "application", "claim type", "attribute", "declared")
    listing.write_columns(
        heads,
        [
            [name, *_row(row).values(), "no" if row in seen.compared.others else "yes"]
            for row in seen.rows
        ],
    )
    for remark in hints.remarks:
        listing.put(f"{name}: {remark}")
    return ExitCode.DONE


def plan(app: App, name: str, *, as_json: bool) -> int:
    """Show what `apply` would do; writes nothing."""
    with app.target(name) as target:
        seen = _look(app, name, target)
    if as_json:
        listing.write_document(_document(seen))
    else:
        _put(seen)
    return ExitCode.DONE


def apply(app: App, name: str, *, reason: str, yes: bool, as_json: bool) -> int:
    """Bring the rows into line with the declarations, once somebody said yes."""
    with app.target(name) as target:
        seen = _look(app, name, target)
        if not as_json:
            _put(seen)
        if seen.compared.steps and not _agreed(target, yes=yes):
            listing.put(f"{name}: nothing was changed")
            return ExitCode.DONE
        ended = _carry_out(app, seen, target, reason)
    if as_json:
        listing.write_document(_document(seen, ended))
    else:
        for step, result, detail in ended:
            listing.put(f"{name}: {result}: {step.deed} {step.id}{detail and f' ({detail})'}")
    failed = any(result in (Result.FAILED, Result.MOVED) for _, result, _ in ended)
    return ExitCode.FAILED if failed else ExitCode.DONE


def allowed(app: App) -> None:
    """Refuse unless the configuration switches this on. Raises UsageError."""
    if not app.config.settings.usermapping.manage:
        raise UsageError(OFF)


def confirmable(*, yes: bool) -> None:
    """Refuse before anything is asked where nobody can answer. Raises UsageError."""
    if not yes and not sys.stdin.isatty():
        raise UsageError(
            "usermappings apply: it asks before it changes anything, and there is no terminal to "
            "ask on; give --yes if you have seen: syncd usermappings plan"
        )


# --- parts ------------------------------------------------------------------------------------


def _look(app: App, name: str, target: DataverseTarget) -> Seen:
    """Read the table and compare. Raises ConfigError for columns that users do not have."""
    wishes = [
        Wish(
            APPLICATIONS.index(each.application),
            each.claim_type,
            each.attribute if each.present else None,
            each.id,
        )
        for each in app.config.settings.usermappings
        if each.environments is None or name in each.environments
    ]
    usable = target.mappable()
    wrong = unfit(wishes, usable)
    if wrong:
        raise ConfigError([f"{name}: usermappings: {each}" for each in wrong])
    rows = target.mappings()
    space = environment_space(app.config.environments[name].url)
    return Seen(name, rows, usable, compare(wishes, rows, space))


def _agreed(target: DataverseTarget, *, yes: bool) -> bool:
    typer.echo(WARNING.format(target.host), err=True)
    return yes or typer.confirm("Change it?", default=False, err=True)


def _carry_out(app: App, seen: Seen, target: DataverseTarget, reason: str) -> list[Ended]:
    """Send one change after the other; each is on record before it leaves, and after."""
    ended: list[Ended] = []
    if not seen.compared.steps:
        return ended
    url = app.config.environments[seen.name].url
    with app.database() as database:

        def note(step: Step, result: str) -> None:
            before = _told(step.before) if step.before else None
            after = _told(step.after) if step.after else None
            with database.durable() as tx:
                journal.note(
                    tx, iso(app.clock()), desk.operator(), f"usermappings {step.deed}", reason,
                    env=observed.environment(tx, seen.name, url),
                    before=before, after=after, result=result,
                )  # fmt: skip

        for step in seen.compared.steps:
            note(step, "intended")
            try:
                result, detail = target.map(step)
            except TargetError as error:
                note(step, f"failed: {error}")
                raise
            note(step, f"{result}: {detail}" if detail else str(result))
            ended.append((step, result, detail))
    return ended


def _told(row: Declared | Wish) -> str:
    return f"{_application(row.application)}: {row.claim} from {row.column} ({row.id or 'new'})"


def _application(number: int | None) -> str | None:
    known = number is not None and 0 <= number < len(APPLICATIONS)
    return APPLICATIONS[number or 0] if known else None if number is None else str(number)


def _row(row: Declared) -> dict[str, object]:
    return {
        "id": row.id,
        "application": _application(row.application),
        "claim_type": row.claim,
        "attribute": row.column,
    }


def _step(step: Step) -> dict[str, object]:
    after = step.after and {
        "application": _application(step.after.application),
        "claim_type": step.after.claim,
        "attribute": step.after.column,
    }
    before = step.before and {k: v for k, v in _row(step.before).items() if k != "id"}
    return {
        "action": str(step.deed), "id": step.id, "before": before, "after": after,
        "reason": step.why,
    }  # fmt: skip


def _document(seen: Seen, ended: Sequence[Ended] | None = None) -> dict[str, object]:
    document: dict[str, object] = {
        "environment": seen.name,
        "changes": [_step(step) for step in seen.compared.steps],
        "in_step": [_row(row) for row in seen.compared.in_step],
        "undeclared": [_row(row) for row in seen.compared.others],
    }
    if ended is not None:
        document["outcomes"] = [
            {"id": step.id, "action": str(step.deed), "result": str(result), "detail": detail}
            for step, result, detail in ended
        ]
    return document


def _put(seen: Seen) -> None:
    compared = seen.compared
    if not compared.steps:
        listing.put(f"{seen.name}: in step; {len(compared.in_step)} as declared")
    else:
        lines = [
            [seen.name, str(s.deed), s.id, s.before and _told(s.before), s.after and _told(s.after),
             s.why]
            for s in compared.steps
        ]  # fmt: skip
        listing.write_columns(("environment", "action", "id", "before", "after", "why"), lines)
    for row in compared.others:
        listing.put(f"{seen.name}: left alone, since nobody declares it: {_told(row)}")
