"""`syncd sources check` and `syncd sources preview`: read to look, and remember nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING

from syncd.cli import listing
from syncd.cli.progress import shown
from syncd.cli.render import columns, console, counted, heading, unread
from syncd.cli.turns import turns
from syncd.core.errors import UsageError
from syncd.core.exits import ExitCode
from syncd.core.model import iso
from syncd.engine.checking import Checked, Preview, check, preview
from syncd.engine.parts import Silent, Watchful
from syncd.state import observed
from syncd.state.aside import aside

if TYPE_CHECKING:
    from rich.console import Console

    from syncd.cli.program import Context
    from syncd.core.bands import Group
    from syncd.core.model import Value

__all__ = ["look", "show"]

GROUPS = 12
"""How many groups of an attribute are listed; those outside their band always are."""
NAMES = 60
"""How many columns that nothing is mapped to are listed."""
WIDE = 28
"""Characters of a value that are shown."""


# --- check ------------------------------------------------------------------------------------


def look(shared: Context, name: str | None, environment: str | None, *, as_json: bool) -> int:
    """
    Read the sources, or one, and say what a run would say of them.

    Returns the exit code that a run would end with because of them.
    """
    names = [source.name for source in shared.app.config.sources]
    _known(names, name)
    environments = shared.app.names(environment)

    def work(each: str) -> int:
        found = _checked(shared, each, names if name is None else [name])
        believed = all(one.certificate.certified for one in found)
        code = ExitCode.DONE if believed else ExitCode.NOT_BELIEVED
        with unread():
            if as_json:
                bodies = [_check_body(one) for one in found]
                document = {"environment": each, "sources": bodies, "exit_code": int(code)}
                listing.write_document(document)
            else:
                _show_checks(console(), each if len(environments) > 1 else "", found)
        return code

    return turns(shared, environments, work, as_json=False)


def _known(names: Sequence[str], name: str | None) -> None:
    if name is not None and name not in names:
        raise UsageError(f"{name}: there is no such source; there are {', '.join(names)}")


def _checked(shared: Context, name: str, names: Sequence[str]) -> list[Checked]:
    app = shared.app
    environment = app.environment(name)
    with app.database() as database, shown() as bar, aside(database, reading=True) as tx:
        observed.environment(tx, name, environment.url)
        progress = Watchful(bar or Silent(), shared.stop)
        return check(tx, environment, app.sources(), names, iso(app.clock()), progress)


def _check_body(found: Checked) -> dict[str, object]:
    certificate = found.certificate
    return {
        "source": certificate.source,
        "certified": certificate.certified,
        "rows": certificate.rows,
        "last_certified_rows": found.last_rows,
        "unchanged": found.unchanged,
        "new_keys": found.new,
        "accepted": found.accepted,
        "findings": list(certificate.findings),
        "notes": list(certificate.notes),
        "groups": [
            {
                "attribute": group.attribute,
                "value": group.value,
                "people": group.now,
                "usual": float(group.usual) if group.before else None,
                "reads": len(group.before),
            }
            for group in found.groups
        ],
        "columns": None if found.columns is None else list(found.columns),
    }


def _show_checks(out: Console, environment: str, found: Sequence[Checked]) -> None:
    for each in found:
        certificate = each.certificate
        where = f" for {environment}" if environment else ""
        verdict = "would be believed" if certificate.certified else "would NOT be believed"
        style = "bold" if certificate.certified else "bold yellow"
        out.print(heading(f"{certificate.source}{where}", verdict, style))
        lines = [["rows", _rows(each)], *(["finding", said] for said in certificate.findings)]
        lines += [["note", said] for said in _notes(each)]
        out.print(columns(lines))
        _show_groups(out, each.groups)


def _rows(found: Checked) -> str:
    rows = f"{found.certificate.rows:,}"
    if found.last_rows is None:
        return f"{rows}; no read was believed yet"
    if found.unchanged:
        return f"{rows}; the content of the last read that was believed"
    return f"{rows} where the last one believed gave {found.last_rows:,}; new keys: {found.new:,}"


def _notes(found: Checked) -> Iterator[str]:
    if found.accepted:
        yield "an operator lets the next read pass one finding"
    if found.last_rows is None:
        yield "there is nothing to compare with: only min_rows and canaries are judged"
    yield from found.certificate.notes


def _show_groups(out: Console, groups: Sequence[Group]) -> None:
    for attribute in dict.fromkeys(group.attribute for group in groups):
        own = [each for each in groups if each.attribute == attribute and each.value is not None]
        own.sort(key=lambda group: -max(float(group.now), float(group.usual)))
        lines = [
            [group.value, f"{group.now:,}", f"{float(group.usual):g}" if group.before else "new"]
            for group in own[:GROUPS]
        ]
        if lines:
            out.print(columns(lines, heads=(attribute, "now", "usual")))
        if len(own) > GROUPS:
            out.print(columns([[f"and {len(own) - GROUPS:,} more: --json shows all"]]))


# --- preview ----------------------------------------------------------------------------------


def show(shared: Context, name: str, *, people: int, rows: int, as_json: bool) -> int:
    """
    Show what the mapping of a source makes of its first people.

    Returns 4 where the read would not be believed, since it has faults of its own.
    """
    app = shared.app
    _known([source.name for source in app.config.sources], name)
    settings = next(source for source in app.config.sources if source.name == name)
    ranked = next(each for each in app.sources() if each.source.name == name)
    with shown() as bar:
        progress = Watchful(bar or Silent(), shared.stop)
        mapping = settings.mapping()
        found = preview(ranked.source, mapping, progress, people=people, rows=rows)
    with unread():
        if as_json:
            listing.write_document(_preview_body(found))
        else:
            _show_preview(console(), found)
    return ExitCode.NOT_BELIEVED if found.findings or not found.rows else ExitCode.DONE


def _preview_body(found: Preview) -> dict[str, object]:
    return {
        "source": found.source,
        "rows": found.rows,
        "whole": found.whole,
        "findings": list(found.findings),
        "fields": [
            {
                "field": each.name,
                "column": each.column,
                "empty": each.empty,
                "empty_share": round(each.empty / found.rows, 4) if found.rows else None,
            }
            for each in found.fields
        ],
        "unmapped": None if found.unmapped is None else list(found.unmapped),
        "held": found.held,
        "doubled": found.doubled,
        "problems": list(found.problems),
        "people": [{name: _plain(value) for name, value in one.items()} for one in found.people],
    }


def _plain(value: Value) -> object:
    if isinstance(value, date):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value


def _show_preview(out: Console, found: Preview) -> None:
    what = counted(found.rows, "row") if found.whole else f"the first {found.rows:,} rows"
    out.print(heading(found.source, what))
    lines = [["finding", each] for each in found.findings]
    lines += [["cell", each] for each in found.problems]
    if found.held:
        lines.append(["held", f"{found.held:,} people, since a cell of theirs does not fit"])
    if found.doubled:
        lines.append(["doubled", f"{counted(found.doubled, 'row')} with a key that came before"])
    if lines:
        out.print(columns(lines))
    if found.rows:
        out.print(_table(found))
    _show_unmapped(out, found)


def _table(found: Preview) -> object:
    heads = ("field", "column", "empty", *(f"person {n}" for n, _ in enumerate(found.people, 1)))
    lines = [
        [
            each.name,
            each.column,
            f"{100 * each.empty / found.rows:.1f} %",
            *(_short(person.get(each.name)) for person in found.people),
        ]
        for each in found.fields
    ]
    return columns(lines, heads=heads)


def _short(value: Value) -> str:
    plain = _plain(value)
    if plain is None:
        return ""
    said = ", ".join(plain) if isinstance(plain, list) else str(plain)
    said = said.lower() if isinstance(plain, bool) else said
    return said if len(said) <= WIDE else f"{said[: WIDE - 1]}…"


def _show_unmapped(out: Console, found: Preview) -> None:
    if found.unmapped is None:
        return
    named = ", ".join(found.unmapped[:NAMES]) or "none"
    more = len(found.unmapped) - NAMES
    said = f"{named} and {more:,} more: --json shows all" if more > 0 else named
    out.print(columns([["not mapped", said]]))
