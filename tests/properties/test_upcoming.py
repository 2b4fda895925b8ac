"""What is said of days to come is what comes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from syncd.engine.planning import Order
from syncd.engine.upcoming import Coming, foresee
from syncd.state import observed
from syncd.state.circle import apart
from syncd.state.documents import changes
from tests.properties.stage import Stage, searching
from tests.strategies import KEYS, Scene, scenes
from tests.world import NOW, URL, World

DAYS = 6
Did = tuple[object, ...]


def foreseen(world: World, most: int | None = None) -> Coming:
    """Say what the next days bring, by what was last read."""
    with apart(world.database) as tx:
        env = observed.environment(tx, "contoso", URL)
        order = Order(world.environment, env, world.clock(), 0, "", ())
        return foresee(tx, order, DAYS, most=most)


def said(coming: Coming) -> dict[str, list[Did]]:
    """Put what was said of each day so that it can be compared."""
    found = defaultdict(list)
    for entry in coming.entries:
        if entry["action"] is not None:
            found[entry["day"]].append(_did(entry))
    return {day: sorted(entries, key=repr) for day, entries in found.items()}


def _did(entry: dict[str, Any]) -> Did:
    names = ("action", "person", "user", "profile_before", "profile_after", "situation", "reason")
    return tuple(entry[name] for name in names)


def done(world: World) -> dict[str, list[Did]]:
    """Run at the beginning of every day to come, and put what was done likewise."""
    found = {}
    today = world.clock().date()
    for ahead in range(1, DAYS + 1):
        day = today + timedelta(days=ahead)
        world.clock.now = datetime.combine(day, time(), UTC)
        report = world.reconcile()
        assert report.plan is not None
        with world.database.read() as tx:
            names = {p.id: p.name for p in observed.resolve_profiles(tx, 1).values()}
            did = [
                _did(change)
                for change in changes(tx, report.plan, names)
                if change["action"] not in ("flag", "unflag")
            ]
        if did:
            found[day.isoformat()] = sorted(did, key=repr)
    return found


def dated(scene: Scene, days: Sequence[tuple[int | None, int | None]]) -> Scene:
    """Give people of a scene first and last days, so many after today."""
    people = {
        key: [_dated(row, *ahead) for row in rows]
        for (key, rows), ahead in zip(scene.people.items(), days, strict=True)
    }
    return replace(scene, people=people)


def _dated(row: tuple[str, ...], first: int | None, last: int | None) -> tuple[str, ...]:
    said = [
        "" if n is None else (NOW + timedelta(days=n)).date().isoformat() for n in (first, last)
    ]
    return (*row[:6], said[0] or row[6], said[1] or row[7], *row[8:])


AHEAD = st.lists(
    st.tuples(st.sampled_from([None, 1, 3, 4]), st.sampled_from([None, 1, 2, 5])),
    min_size=len(KEYS),
    max_size=len(KEYS),
)


@searching(0.1)
@given(scenes(), AHEAD)
def test_runs_of_the_days_to_come_do_what_was_said(
    stage: Stage, scene: Scene, days: list[tuple[int | None, int | None]]
) -> None:
    """If both sides stay as they are, each day's run does what was said of it, and no more."""
    with stage(dated(scene, days)) as world:
        scene.live(world)
        assume(world.reconcile().certified)
        # What one removal makes room for comes in the next run, whatever the day.
        world.reconcile()

        coming = foreseen(world)

        assert said(coming) == done(world)
