"""What an environment looks like in numbers: as it is, and as `syncd status` says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from syncd.core.errors import TargetUnreachable
from syncd.core.gauges import Gauges
from syncd.core.model import iso
from syncd.core.plan import Change, Outcome, Result
from syncd.core.settings import CertificateLimits, Grace, Limits, Policy
from syncd.state import decisions, observed, overview
from syncd.state.database import Database, bulk, run
from syncd.state.decisions import Verb
from syncd.state.gauges import gauges, size
from syncd.state.schema_service import metadata
from tests.state.desk import FIELD, OFFICE, ONE, TWO, person
from tests.world import ROWS, URL, World, number

STRICT = Limits(percent=0, absolute=0, floor=0)
TEAM = [person("e1"), person("e2", "office"), person("e3")]


def look(world: World) -> Gauges:
    """Say how the environment stands now."""
    with world.database.read() as tx:
        return gauges(tx, env_of(world), world.clock())


def env_of(world: World) -> int:
    """Return the number of the environment."""
    with world.database.begin() as tx:
        return observed.environment(tx, "contoso", URL)


def status(world: World) -> Any:
    """Say what `syncd status --json` says."""
    with world.database.read() as tx:
        return overview.status(tx, env_of(world), world.clock())


def seconds(world: World) -> float:
    """Return what the clock of the world shows, in seconds since 1970."""
    return world.clock().timestamp()


def member(world: World, which: int, user: str, profile: str, **more: object) -> None:
    """Let somebody else make a row."""
    made = {
        "usermobileofflineprofilemembershipid": number(3, which),
        "name": "by hand",
        "SystemUserId@odata.bind": f"/systemusers({user})",
        "MobileOfflineProfileId@odata.bind": f"/mobileofflineprofiles({profile})",
    }
    assert world.call("POST", ROWS, {**made, **more}) is not None


def some(table: str, **given: object) -> dict[str, object]:
    """Return a row of a table of which only these columns matter."""
    columns = metadata.tables[table].columns
    return {
        c.name: 0 if str(c.type) == "INTEGER" else "-" for c in columns if not c.nullable
    } | given


def put(world: World, table: str, *found: dict[str, object]) -> None:
    """Write rows."""
    with world.database.begin() as tx:
        for row in found:
            tx.execute(metadata.tables[table].insert(), row)


# --- runs -----------------------------------------------------------------------------------------


def test_before_the_first_run_there_is_nothing(world: World) -> None:
    """Not even a time, nor a source."""
    assert look(world) == Gauges()


def test_a_run_shows_what_it_found_and_did(world: World) -> None:
    """Two people get a row, and one has no account yet."""
    world.says([person("e1"), person("e2", "office"), person("e9")])
    world.reconcile()
    then = seconds(world)
    world.clock.wait(hours=1)

    shown = look(world)

    assert shown == Gauges(
        people={"ABSENT": 2, "UNRESOLVED_USER": 1},
        planned={"create": 2},
        gates={"removals": False},
        certified={"hr": True},
        source_rows={"hr": 3},
        certified_at={"hr": then},
        profiles={"Field": 1, "Office": 1},
        full_success=then,
        waiting_joiners=1,
    )


def test_the_numbers_are_those_of_status(world: World) -> None:
    """Situations, what is pending, conflicts, gates, certificates, and the last success."""
    world.policy = Policy(removals=STRICT, grace=Grace(out_of_scope=7))
    member(world, 1, TWO, OFFICE)
    member(world, 2, TWO, FIELD)
    world.says(TEAM)
    world.reconcile()
    world.clock.wait(hours=1)
    world.says([person("e1", status="Left"), TEAM[1], person("e3", "none")])
    world.reconcile()

    shown, said = look(world), status(world)

    assert shown.people == said["situations"] != {}
    assert shown.pending == said["needs"]["pending"] == {"gate": 1, "grace": 1}
    assert shown.conflicts == said["needs"]["conflicts"] == {"MULTI_PROFILE_DIRECT": 1}
    assert shown.gates == {"removals": True}
    assert {gate["gate"] for gate in said["needs"]["gates"]} == {"removals"}
    assert shown.full_success is not None
    assert iso(world.clock()) > said["last_full_success"]
    assert shown.full_success == seconds(world) - 3600


def test_a_read_that_is_not_believed_is_an_old_one(world: World) -> None:
    """Its lag counts from the last one that was."""
    world.policy = Policy(certificate=CertificateLimits(min_rows=2))
    world.says(TEAM)
    world.reconcile()
    then = seconds(world)
    world.clock.wait(hours=2)
    world.says(TEAM[:1])
    world.reconcile()

    shown = look(world)

    assert (shown.certified, shown.source_rows) == ({"hr": False}, {"hr": 1})
    assert shown.certified_at == {"hr": then}


def test_a_run_that_could_not_read_hides_nothing(world: World) -> None:
    """What the last judgement found stays; that nobody could look since is behind."""
    world.says(TEAM)
    world.reconcile()
    before = look(world)
    world.clock.wait(minutes=5)
    with world.target() as target:
        world.reconciler(Silent(target)).reconcile()
    then = seconds(world)
    world.clock.wait(minutes=5)

    shown = look(world)

    assert (shown.people, shown.profiles) == (before.people, before.profiles)
    assert (before.behind_since, shown.behind_since) == (None, then)


class Silent:
    """A target that cannot be reached."""

    def __init__(self, target: Any) -> None:
        self._target = target

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)

    def profiles(self) -> Any:
        raise TargetUnreachable("contoso could not be reached")


# --- what is behind -------------------------------------------------------------------------------


def test_freshness_counts_from_the_first_run_that_left_something(world: World) -> None:
    """A gate stops a removal in two runs; a pass lets it through."""
    world.policy = Policy(removals=STRICT)
    world.says(TEAM)
    world.reconcile()
    fresh = look(world).behind_since
    world.clock.wait(hours=1)
    then = seconds(world)
    world.says([*TEAM[:2], person("e3", status="Left")])
    for _ in range(2):
        world.reconcile()
        world.clock.wait(hours=1)
    stopped = look(world)
    for scope in ("run", "profile:Field"):
        grant(world, Verb.PASS, scope, value="1")
    passes = look(world).passes_open
    world.reconcile()

    assert fresh is None
    assert (stopped.behind_since, stopped.pending, passes) == (then, {"gate": 1}, 2)
    assert (look(world).behind_since, look(world).passes_open) == (None, 0)


def test_what_failed_is_behind_until_somebody_lets_it_go(world: World) -> None:
    """Also when no run tries it any more; a discarded change is not wanted any more."""
    world.says(TEAM)
    world.reconcile()
    env, early, late = env_of(world), "2026-03-01T00:00:00Z", "2026-03-01T12:00:00Z"
    put(
        world,
        "escrow",
        some("escrow", env=env, membership="1", cause="row", first=late),
        some("escrow", env=env, membership="2", cause="row", first=late),
        some("escrow", env=env, membership="3", cause="transient", first=early, dead=late),
        some("escrow", env=env, membership="4", cause="row", first="2026-01-01", discarded=late),
        some("escrow", env=env + 1, membership="5", cause="row", first="2026-01-01"),
    )

    shown = look(world)

    assert (shown.escrow, shown.dead_letters) == ({"row": 2}, 1)
    assert shown.behind_since == seconds(world) - 32 * 3600


def test_what_waits_is_behind_although_its_run_went_well(world: World) -> None:
    """A change that a blackout holds is; one in escrow counts from its own first try."""
    world.says(TEAM)
    world.reconcile()
    then = seconds(world)
    world.clock.wait(hours=1)
    found = {}
    for why in ("blackout", "escrow"):
        with world.database.begin() as tx:
            run(tx, "UPDATE changes SET held = :why WHERE number = 1", why=why)
        found[why] = look(world).behind_since

    assert found == {"blackout": then, "escrow": None}


def test_whoever_is_wanted_and_has_no_row_waits(world: World) -> None:
    """With an account that refuses its row, and without one; not before the first day."""
    world.says([person("e1"), person("e8"), person("e9", status="Left"), person("e2", "none")])
    with world.target() as target:
        world.reconciler(Refusing(target)).reconcile()
    refused = look(world).waiting_joiners
    world.reconcile()

    assert refused == 2
    assert look(world).waiting_joiners == 1


class Refusing:
    """A target that makes no row."""

    def __init__(self, target: Any) -> None:
        self._target = target

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)

    def apply(self, changes: Sequence[Change], run: int) -> list[Outcome]:
        return [Outcome(c.number, Result.MOVED, f"gone before run {run}") for c in changes]


# --- conflicts and flags --------------------------------------------------------------------------


def test_the_oldest_conflict_counts_from_the_run_that_saw_it(world: World) -> None:
    """It stays open in adopt mode, and its rows are flagged: nothing to disagree about."""
    member(world, 1, ONE, FIELD)
    member(world, 2, ONE, OFFICE)
    world.says(TEAM)
    world.reconcile()
    then = seconds(world)
    world.clock.wait(days=3)
    world.reconcile()

    shown = look(world)

    assert shown.conflicts == {"MULTI_PROFILE_DIRECT": 1}
    assert shown.conflicts_since == {"MULTI_PROFILE_DIRECT": then}
    assert shown.disagreements == {}


def test_flags_that_are_not_as_they_should_be_are_counted(world: World) -> None:
    """Two rows at odds without a flag, and a flag on a row that is at odds with nothing."""
    world.policy = Policy(flag=False, clear_stale_flags=False)
    member(world, 1, ONE, FIELD)
    member(world, 2, ONE, OFFICE)
    member(world, 3, TWO, OFFICE, hasmobileofflineprofileidconflict=True)
    world.says(TEAM)
    world.reconcile()

    assert look(world).disagreements == {"flag_missing": 2, "flag_stale": 1}


# --- what operators decided, and the service ------------------------------------------------------


def grant(world: World, verb: Verb, subject: str, **more: Any) -> None:
    """Let an operator decide."""
    with world.database.begin() as tx:
        decisions.add(
            tx, verb, subject, env=env_of_tx(tx), reason="so", who="olga", now=iso(world.clock()),
            **more,
        )  # fmt: skip


def env_of_tx(tx: Any) -> int:
    """Return the number of the environment, within a transaction."""
    return observed.environment(tx, "contoso", URL)


def test_holds_and_passes_count_while_they_stand(world: World) -> None:
    """Up to the last day, or the last moment."""
    grant(world, Verb.HOLD, ONE, until="2026-03-02")
    grant(world, Verb.HOLD, TWO)
    grant(world, Verb.PASS, "run", value="9", until="2026-03-02T09:00:00Z")
    grant(world, Verb.PASS, "run", value="9", until="2026-03-02T10:00:00Z")
    before = look(world)
    world.clock.wait(hours=1.5)
    between = look(world)
    world.clock.wait(days=1)
    after = look(world)

    assert [(g.held_users, g.passes_open) for g in (before, between, after)] == [
        (2, 2), (2, 1), (1, 0)
    ]  # fmt: skip


def test_the_service_is_remembered(world: World) -> None:
    """When jobs ran, whether writes are tried slowly, and what deltas had missed."""
    world.says(TEAM)
    report = world.reconcile()
    env, late, early = env_of(world), "2026-03-02T08:00:00Z", "2026-03-02T07:00:00Z"
    put(world, "jobs", some("jobs", env=env, job="delta", started=late, succeeded=early))
    put(world, "jobs", some("jobs", env=env, job="full", started=early))
    put(world, "quarantines", some("quarantines", env=env))
    with world.database.begin() as tx:
        run(tx, "UPDATE runs SET document = :said WHERE id = :id", id=report.run,
            said='{"missed_by_delta": 4}')  # fmt: skip

    shown = look(world)

    assert shown.attempts == {"delta": seconds(world), "full": seconds(world) - 3600}
    assert shown.successes == {"delta": seconds(world) - 3600}
    assert (shown.quarantined, shown.missed_by_delta) == (True, 4)


def test_profiles_of_one_name_count_together(world: World) -> None:
    """The number is by name, because the name is what a person knows."""
    twin = {"name": "Field", "componentstate": 0, "publishedon": "2026-01-01T00:00:00Z"}
    key = number(2, 9)
    made = world.call("POST", "mobileofflineprofiles", {**twin, "mobileofflineprofileid": key})
    member(world, 1, ONE, FIELD)
    member(world, 2, TWO, key)
    world.says([])
    world.reconcile()

    assert made is not None
    assert look(world).profiles == {"Field": 2, "Office": 0}


def test_another_environment_is_another_matter(world: World) -> None:
    """Nothing of it is counted."""
    world.says(TEAM)
    world.reconcile()

    with world.database.begin() as tx:
        other = observed.environment(tx, "fabrikam", "http://127.0.0.1:5001")
        assert gauges(tx, other, world.clock()) == Gauges()


# --- what it costs --------------------------------------------------------------------------------


def test_as_many_statements_whatever_there_is(world: World) -> None:
    """One for each question: not one for each run, person, source or conflict."""
    member(world, 1, ONE, FIELD)
    member(world, 2, ONE, OFFICE)
    world.says(TEAM)
    world.reconcile()
    env = env_of(world)
    once = asked(world, env)

    for _ in range(3):
        world.clock.wait(hours=1)
        world.reconcile()

    assert asked(world, env) == once
    assert 0 < once <= 16


def asked(world: World, env: int) -> int:
    """Count the statements."""
    with world.database.read() as tx, counted(tx.engine) as statements:
        gauges(tx, env, world.clock())
    return len(statements)


@contextmanager
def counted(engine: Any) -> Iterator[list[str]]:
    """Listen to what is sent to a database."""
    statements: list[str] = []

    def note(*call: Any) -> None:
        statements.append(str(call[2]))

    event.listen(engine, "before_cursor_execute", note)
    yield statements
    event.remove(engine, "before_cursor_execute", note)


def test_the_size_is_that_of_the_database(database: Database) -> None:
    """Two megabytes more are seen; how large it was before depends on who used it."""
    with database.rehearse() as tx:
        before = size(tx)
        run(tx, "CREATE TABLE ballast (words TEXT)")
        bulk(tx, "ballast", ("words",), [(f"{number:>1000}",) for number in range(2000)])
        assert 2_000_000 < size(tx) - before < 4_000_000
        assert before > 100_000
