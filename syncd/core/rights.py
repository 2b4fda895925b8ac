"""Whether the caller may what a run does; if not, in words that an administrator can act on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from syncd.core.preflight import Caller, Facts, Observation, Trouble, Verdict, ok
from syncd.core.uses import Right, TableFound, TableUse

__all__ = ["judge_rights", "unreadable"]

GLOBAL = "Global"
DEPTHS: Mapping[str, str] = {
    "Basic": "User",
    "Local": "Business unit",
    "Deep": "Parent: child business units",
    GLOBAL: "Organization",
}
"""What the role editor calls a depth."""
BUILT_IN = frozenset(
    {"basic user", "delegate", "environment maker", "system administrator", "system customizer"}
)
"""Roles that nobody should change."""
KINDS: Mapping[str, str] = {"AppendTo": "Append To"}
WHERE = (
    "Power Platform admin center > Environments > this one > Settings > Users + permissions > "
    "Security roles"
)


def unreadable(facts: Facts) -> frozenset[str]:
    """Return the tables that the caller may not read at all, as its privileges say."""
    held = facts.privileges
    if isinstance(held, Trouble):
        return frozenset()
    return frozenset(
        name
        for name, found in facts.tables.items()
        if isinstance(found, TableFound)
        and "Read" in found.privileges
        and found.depth("Read", held) is None
    )


def judge_rights(facts: Facts, uses: Sequence[TableUse]) -> Iterator[Observation]:
    """Judge what the caller may do on each table, by the names of the privileges."""
    held = facts.privileges
    if isinstance(held, Trouble):
        yield Observation(
            "rights",
            Verdict.WARNING,
            held.sentence,
            "what can be read was tried all the same; whether it may write shows in the first run",
        )
        return
    role = _role(facts.caller)
    for use in uses:
        found = facts.tables.get(use.name)
        if isinstance(found, TableFound):
            yield from _table(use, found, held, role)


def _role(caller: Caller | Trouble) -> str:
    """Say in which role to add something."""
    if isinstance(caller, Trouble) or not caller.roles:
        return "a role of its own, which the application user then needs"
    own = [name for name in caller.roles if name.lower() not in BUILT_IN]
    if not own:
        return f"a role of its own, in addition to {', '.join(caller.roles)}"
    return f"role {own[0]}" if len(own) == 1 else f"one of the roles {', '.join(own)}"


def _table(
    use: TableUse, found: TableFound, held: Mapping[str, str], role: str
) -> Iterator[Observation]:
    check = f"rights on {found.display}"
    well = []
    for right in use.rights:
        name = found.privileges.get(right.kind)
        if name is None:
            continue  # the table knows no such privilege: nobody needs it
        depth = found.depth(right.kind, held)
        if depth == GLOBAL:
            well.append(KINDS.get(right.kind, right.kind))
        else:
            yield _lacking(check, right, name, depth, found.display, role)
    if well:
        yield ok(check, f"{', '.join(well)}: Organization")


def _lacking(
    check: str, right: Right, name: str, depth: str | None, table: str, role: str
) -> Observation:
    kind = KINDS.get(right.kind, right.kind)
    if depth is None:
        seen = f"{kind} is missing: {right.loss}"
    else:
        seen = f"{kind} reaches only {DEPTHS.get(depth, depth)}: {right.loss}"
    enough = depth is not None and not right.everywhere
    verdict = Verdict.WARNING if enough else Verdict.FAILURE
    remedy = f"{WHERE}: in {role}, table {table}, set {kind} to Organization ({name})"
    return Observation(check, verdict, seen, remedy)
