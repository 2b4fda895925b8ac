"""What no run does, whatever the world is like."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

from hypothesis import given
from sqlalchemy import text

from syncd.core.identity import guid, login
from syncd.core.settings import Limits, Ownership
from tests.properties.stage import Stage, searching
from tests.strategies import FIELD, OFFICE, PROFILES, Scene, scenes
from tests.world import World

Rows = dict[str, tuple[str | None, str | None, bool, bool]]


def managed(world: World) -> set[str]:
    """Return the profiles that rules name, also through people."""
    names = {row[-1].strip() for rows in world.said.values() for row in rows} - {""}
    named = {ident for ident, (name, _) in PROFILES.items() if name in names or ident in names}
    return {FIELD, OFFICE} | named


def protected(world: World) -> set[str]:
    """Return the users whom the configuration protects."""
    return {
        each["systemuserid"]
        for each in world.call("GET", "systemusers")["value"]
        if {login(each["domainname"] or ""), guid(each["azureactivedirectoryobjectid"] or "")}
        & world.policy.protected
    }


def held(world: World) -> set[str]:
    """Return the users whom an operator holds today."""
    day = world.clock.now.date().isoformat()
    sql = (
        "SELECT subject FROM decisions WHERE kind = 'hold' AND ended IS NULL "
        "AND (until IS NULL OR until >= :day)"
    )
    with world.database.read() as tx:
        return set(tx.execute(text(sql), {"day": day}).scalars())


def ours(world: World) -> set[str]:
    """Return the rows that a link makes ours."""
    return {row for _, row, *_ in world.links()}


def changed(before: Rows, after: Rows) -> set[str]:
    """Return the rows that were there and are not as they were."""
    return {ident for ident, row in before.items() if after.get(ident) != row}


@searching(0.3)
@given(scenes(gates=True))
def test_nobody_protected_or_held_is_touched(stage: Stage, scene: Scene) -> None:
    """No row of a user who is protected or held changes, and none is made for them."""
    with stage(scene) as world:
        scene.live(world)
        before, safe = world.members(), protected(world) | held(world)

        world.reconcile()

        after = world.members()
        whole = {ident for ident, row in before.items() if row[1] is not None}
        assert not {before[ident][0] for ident in changed(before, after) & whole} & safe
        assert not {after[ident][0] for ident in after.keys() - before.keys()} & safe


@searching(0.3)
@given(scenes(gates=True))
def test_rows_of_other_profiles_stay_as_they_are(stage: Stage, scene: Scene) -> None:
    """A row whose profile no rule names changes only if it is ours."""
    with stage(scene) as world:
        scene.live(world)
        before = world.members()
        known = ours(world)
        with world.database.read() as tx:
            ever = set(tx.execute(text("SELECT membership FROM links")).scalars())

        world.reconcile()

        for ident in changed(before, world.members()) - known - ours(world):
            user, profile, _, _ = before[ident]
            husk = user is None or profile is None
            assert profile in managed(world) or profile is None or (husk and ident in ever)


@searching(0.3)
@given(scenes())
def test_in_adopt_mode_a_row_of_somebody_else_is_not_taken_away(stage: Stage, scene: Scene) -> None:
    """Only a twin with the same profile goes, and then its user keeps one."""
    with stage(scene) as world:
        scene.live(world)
        before, known = world.members(), ours(world)
        with world.database.read() as tx:
            known |= set(tx.execute(text("SELECT membership FROM links")).scalars())

        world.reconcile()

        after = world.members()
        if world.policy.ownership is Ownership.ADOPT:
            for ident in changed(before, after) - known - ours(world):
                user, profile, active, _ = before[ident]
                gone = ident not in after or after[ident][:3] != (user, profile, active)
                twins = [row for row in after.values() if row[0] == user and row[2]]
                assert not gone or len(twins) == 1


@searching(0.3)
@given(scenes(gates=True))
def test_nobody_who_is_wanted_loses_the_last_row(stage: Stage, scene: Scene) -> None:
    """Whoever is wanted with an enabled user, and had an active row, has one afterwards."""
    with stage(scene) as world:
        scene.live(world)
        had = {row[0] for row in world.members().values() if row[2] and row[0] and row[1]}

        world.reconcile()

        sql = (
            "SELECT s.user_id FROM standing s JOIN people p ON p.key = s.person "
            "JOIN answers a ON a.combo = p.combo JOIN users u ON u.id = s.user_id "
            "WHERE s.first_day <= :day AND :day <= s.last_day AND a.reference IS NOT NULL "
            "AND u.disabled = 0 AND s.finding IN ('linked', 'decided')"
        )
        with world.database.read() as tx:
            day = {"day": world.clock.now.date().toordinal()}
            wanted = set(tx.execute(text(sql), day).scalars())
        has = {row[0] for row in world.members().values() if row[2]}
        assert wanted & had <= has


def allowed(limits: Limits, base: int) -> int:
    """Say how many risky changes a gate lets through."""
    share = int(Fraction(limits.percent) * base / 100)
    return max(limits.floor, min(limits.absolute, share))


@searching(0.3)
@given(scenes(gates=True))
def test_no_gate_is_ever_exceeded(stage: Stage, scene: Scene) -> None:
    """Whatever left or vanished: all together and of each profile, no more goes than is allowed."""
    with stage(scene) as world:
        scene.live(world)
        before, known = world.members(), ours(world)
        base = Counter(row[1] for ident, row in before.items() if ident in known and row[2])

        world.reconcile()

        after = world.members()
        lost: Counter[str | None] = Counter()
        for ident, (_, profile, active, _) in before.items():
            now = after.get(ident)
            if now is None or (active and (not now[2] or now[1] != profile)):
                lost[profile] += 1
        limits = world.policy.removals
        assert lost.total() <= allowed(limits, base.total())
        for profile, number in lost.items():
            assert profile is None or number <= allowed(limits, base[profile])
