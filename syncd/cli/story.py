"""The story that the demo tells: a company whose memberships have rotted, put in step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from syncd.app import App
from syncd.cli import news, passes
from syncd.cli.picture import Picture, World, look_at, pictures
from syncd.cli.render import columns, counted, moved, styled
from syncd.core.errors import Stopped, TargetError
from syncd.core.words import SAYS
from syncd.sandbox.registers import Register
from syncd.state import documents, lookup, observed, views
from syncd.state.database import Database, Tx
from syncd.state.views import Group, PlanShown

if TYPE_CHECKING:
    from rich.console import Console

    from syncd.engine.parts import RunReport

__all__ = ["Story", "tell"]

ENVIRONMENT = "contoso"
EXAMPLES = 2
ORDER = ("create", "reactivate", "unflag", "flag", "move", "remove")
DONE = {
    "create": "created",
    "reactivate": "reactivated",
    "unflag": "unflagged",
    "flag": "flagged",
    "move": "moved",
    "remove": "removed",
}
CODES = {
    "DUPLICATE_PAIR": "two rows with the same profile",
    "MULTI_PROFILE_DIRECT": "rows with two profiles",
    "MULTI_PROFILE_WANTED": "another profile than the one wanted",
    "SERVER_FLAG_ONLY": "flagged by the server, for no reason",
    "DIRECT_VS_TEAM": "a team brings another profile",
    "MULTI_PROFILE_TEAM": "teams bring different profiles",
    "LEGACY_POINTER": "the old field on the user says otherwise",
}
HEADS = ("profile", "should have it", "have it", "lack it", "have it wrongly")


@dataclass(frozen=True, slots=True)
class Story:
    """
    Where it happens, and the people as the register has them.

    `wake` makes it the next morning.
    """

    out: Console
    app: App
    database: Database
    register: Register
    people: list[dict[str, str]]
    url: str
    wake: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Seen:
    """A plan: what it found, what the rules wanted then, and how many conflicts there were."""

    report: RunReport
    plan: PlanShown
    wanted: set[tuple[str, str]]
    conflicts: Mapping[str, int]


def tell(story: Story) -> None:
    """Tell the story. Raises Stopped if somebody asks for it."""
    before = look_at(story.url)
    first = _plan(story)
    _company(story, before, first)
    _shown(story, before, first)
    _gate(story)
    _pass(story)
    last = _morning(story)
    _before_and_after(story, before, first, last)
    _once_more(story)
    _where_next(story)


# --- what happens ---------------------------------------------------------------------------


def _plan(story: Story) -> Seen:
    """Make a plan, and look at it while everything that it is made of is there."""
    seen: list[tuple[PlanShown, set[tuple[str, str]], Mapping[str, int]]] = []
    with story.app.reconciler(story.database, ENVIRONMENT) as reconciler:
        report = reconciler.plan(view=lambda tx, plan: seen.append(_look(story, tx, plan)))
    return Seen(report, *seen[0])


def _run(story: Story) -> Seen:
    with story.app.reconciler(story.database, ENVIRONMENT) as reconciler:
        report = reconciler.reconcile()
    _go_on(story)
    if report.plan is None:
        raise TargetError(f"the demo's sandbox failed: {report.problem}")
    with story.database.read() as tx:
        return Seen(report, *_look(story, tx, report.plan))


def _look(
    story: Story, tx: Tx, plan: str
) -> tuple[PlanShown, set[tuple[str, str]], Mapping[str, int]]:
    url = story.app.config.environments[ENVIRONMENT].url
    env = observed.environment(tx, ENVIRONMENT, url)
    wanted = lookup.wants(tx, env, story.app.clock().date())
    conflicts = Counter(str(each["code"]) for each in documents.remarks(tx, plan, "conflicts"))
    return views.plan_shown(tx, plan, EXAMPLES), wanted, conflicts


def _go_on(story: Story) -> None:
    if story.app.stop.is_set():
        raise Stopped("the demo was stopped; nothing of it is left")


# --- scenes ---------------------------------------------------------------------------------


def _scene(story: Story, title: str, says: str, command: str = "") -> None:
    _go_on(story)
    story.out.print()
    story.out.print(styled((title, "bold cyan")))
    if command:
        _typed(story, command)
    story.out.print(says)


def _typed(story: Story, command: str) -> None:
    """Show a command as somebody would type it, in one piece."""
    story.out.print(styled((f"$ {command}", "bold green")), soft_wrap=True)


def _company(story: Story, before: World, first: Seen) -> None:
    story.out.print(
        styled(
            ("syncd keeps mobile offline profiles as HR says. ", "bold"),
            "This is the real program at work on a made-up company; a sandbox on this machine "
            "stands in for Dataverse. Nothing of yours is touched.",
        )
    )
    people = first.report.certificates[0].rows
    says = (
        f"Contoso has {people:,} people in {story.register.words.place}, {before.users:,} users "
        f"in Dataverse, and {before.memberships:,} memberships that were made by hand over the "
        "years. Rules say which department gets which profile. This is how far it has come:"
    )
    _scene(story, "1 · The company", says)
    lines = [
        [each.profile, each.should, each.have, each.lack, each.wrong]
        for each in pictures(before, first.wanted)
    ]
    _table(story, lines)


def _shown(story: Story, world: World, seen: Seen) -> None:
    says = (
        "A plan changes nothing. It says what would be done, to whom, and why; here are two of "
        "each. Rows that are right already are adopted: from now on syncd looks after them. Rows "
        'that people made it would leave alone, but Contoso has set ownership = "exclusive".'
    )
    _scene(story, "2 · What syncd would do", says, "syncd plan")
    story.out.print()
    adopted = seen.plan.adopted
    lines = [[_name(world, each), each["profile"]] for each in adopted.first]
    _group(story, "adopt", adopted.total, SAYS["FOUND"], lines)
    _changes(story, world, seen)
    _reports(story, world, seen)


def _gate(story: Story) -> None:
    seen = _run(story)
    outcomes = {str(result): number for result, number in (seen.report.outcomes or {}).items()}
    run = seen.report.gates[0]
    says = (
        f"{counted(outcomes['applied'], 'change')} made, "
        f"{counted(seen.plan.adopted.total, 'row')} adopted. "
    )
    if seen.report.tripped:
        says += (
            f"But {run.count:,} moves and removals at once are more than a gate lets pass "
            f"({run.allowed:,}), so they are held, and the exit code is "
            f"{int(seen.report.exit_code)}. {story.register.words.broken} would end here, too."
        )
    _scene(story, "3 · A gate", says, "syncd reconcile")


def _pass(story: Story) -> None:
    says = (
        "Gates measure against the rows that syncd looks after by now. Somebody reads the plan, "
        "finds it right, and grants a pass where one still trips: for one run, and with a reason "
        "for the audit log."
    )
    _scene(story, "4 · A person decides", says)
    story.out.print()
    why = "first clean-up, read and agreed"
    for gate in _plan(story).report.gates:
        if gate.tripped:
            scope = f'"{gate.scope}"' if " " in gate.scope else gate.scope
            options = f"--scope {scope} --max {gate.count} --expires 2h"
            _typed(story, f"syncd passes grant {options} \\")
            story.out.print(styled((f'    --reason "{why}"', "bold green")))
            passes.give(story.app, gate.scope, gate.count, "2h", why, ENVIRONMENT)
    seen = _run(story)
    _typed(story, "syncd reconcile")
    kinds: Counter[str] = Counter()
    for group in seen.plan.changes:
        kinds[group.common[1]] += group.total
    made = ", ".join(f"{kinds[action]:,} {DONE[action]}" for action in ORDER if kinds[action])
    code = int(seen.report.exit_code)
    story.out.print(f"Rows {made or 'left as they are'}; exit code {code}.")


def _morning(story: Story) -> Seen:
    story.wake()
    told, changed = news.overnight(story.people, look_at(story.url), story.app.clock().date())
    story.register.put(changed)
    seen = _run(story)
    says = (
        f"{story.register.words.news}: {', '.join(told)}. And whoever has not been shown for a "
        "second day loses what they had; once may have been a mistake."
    )
    _scene(story, "5 · The next morning", says, "syncd reconcile")
    story.out.print()
    _changes(story, look_at(story.url), seen)
    return seen


def _before_and_after(story: Story, before: World, first: Seen, last: Seen) -> None:
    _scene(story, "6 · Before and after", "Users by profile, those who are disabled aside:")
    then = {each.profile: each for each in pictures(before, first.wanted)}
    after = pictures(look_at(story.url), last.wanted)
    _table(story, [_change(then.get(now.profile, now), now) for now in after])
    left = {group.common[0]: group.total for group in last.plan.conflicts}
    story.out.print()
    story.out.print("Conflicts:")
    story.out.print()
    numbers = sorted(first.conflicts.items(), key=lambda each: (each[0] in left, each[0]))
    lines = [
        [code, CODES.get(code, ""), f"{number:>3,} → {left.get(code, 0):,}"]
        for code, number in numbers
    ]
    story.out.print(columns(lines))
    if left:
        story.out.print()
        story.out.print(
            "Teams and the old field are somebody else's: syncd reports, and writes neither."
        )


def _once_more(story: Story) -> None:
    seen = _run(story)
    waiting = sum(group.total for group in seen.plan.reports)
    says = (
        f"{counted(seen.report.planned, 'change')}: all is in step, and every further run ends "
        f"like this until somebody changes something. {counted(waiting, 'case')} remain for a "
        "person; syncd says so in every run, and does not guess:"
    )
    _scene(story, "7 · Once more", says, "syncd reconcile")
    _reports(story, look_at(story.url), seen)


def _where_next(story: Story) -> None:
    story.out.print()
    story.out.print(styled(("Where to go next", "bold cyan")))
    lines = [
        ["syncd demo --keep", "the same, and everything stays up to play with"],
        ["syncd sandbox serve", "a Dataverse of your own, to try things on"],
        ["syncd -c FILE check-config", "what is wrong with a configuration"],
        ["syncd -c FILE plan", "what would be done; changes nothing"],
        ["syncd --help", "everything else"],
    ]
    story.out.print(columns(lines))


# --- parts ----------------------------------------------------------------------------------


def _table(story: Story, lines: Sequence[Sequence[object]]) -> None:
    """Show a line for each profile, numbers below each other."""
    cells = [[str(cell) for cell in line] for line in lines]
    widths = [max((len(line[place]) for line in cells), default=0) for place in range(len(HEADS))]
    aligned = [
        [line[0], *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        for line in cells
    ]
    story.out.print()
    story.out.print(columns(aligned, heads=HEADS))


def _change(then: Picture, now: Picture) -> list[object]:
    pairs = ((then.have, now.have), (then.lack, now.lack), (then.wrong, now.wrong))
    return [now.profile, now.should, *(f"{before:>3,} → {after:,}" for before, after in pairs)]


def _changes(story: Story, world: World, seen: Seen) -> None:
    for group in sorted(seen.plan.changes, key=_rank):
        situation, action, _ = group.common
        says = CODES["SERVER_FLAG_ONLY"] if action == "unflag" else SAYS[situation]
        lines = [[_name(world, each), _moved(each), each["reason"]] for each in group.first]
        _group(story, action, group.total, says, lines)


def _moved(each: Mapping[str, Any]) -> str:
    return moved(each["profile_before"], each["profile_after"])


def _rank(group: Group) -> tuple[int, str]:
    situation, action, _ = group.common
    return ORDER.index(action) if action in ORDER else len(ORDER), situation


def _reports(story: Story, world: World, seen: Seen) -> None:
    story.out.print()
    for group in seen.plan.reports:
        lines = [[_name(world, each), each["detail"]] for each in group.first]
        _group(story, "for a person", group.total, SAYS[group.common[0]], lines)


def _group(story: Story, word: str, total: int, says: str, lines: Sequence[Sequence[Any]]) -> None:
    story.out.print(styled((f"{word} {total:,}", "bold"), f"  {says}"))
    story.out.print(columns(lines, indent=2))


def _name(world: World, each: Mapping[str, Any]) -> str:
    """Return a person's full name; of whoever has no user, what HR calls them."""
    user = str(each.get("user") or "")
    return world.names.get(user) or str(each.get("person") or "nobody")
