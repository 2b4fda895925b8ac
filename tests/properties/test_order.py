"""In which order things come says nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from syncd.core.hints import Hint, Hints
from syncd.core.ledger import Ledger
from syncd.core.model import Membership
from syncd.core.plan import Change, Outcome
from syncd.core.ports import (
    MembershipRow,
    Pages,
    ProfileRow,
    Remembered,
    Target,
    TeamProfileRow,
    UserRow,
)
from syncd.state import archive
from tests.properties.stage import Stage, searching
from tests.strategies import Scene, scenes
from tests.world import World

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Shuffled:
    """A target that gives its rows in another order, in odd pages, and some of them twice."""

    target: Target
    random: Random

    def users(
        self, known: set[str], hints: Sequence[Hint] = (), memory: Remembered | None = None
    ) -> Pages[UserRow]:
        return self._mixed(self.target.users(known, hints, memory))

    def hints(self) -> Hints:
        return self.target.hints()

    def memberships(
        self, known: set[str], memory: Remembered | None = None
    ) -> Pages[MembershipRow]:
        return self._mixed(self.target.memberships(known, memory))

    def users_since(self, token: str, hints: Sequence[Hint] = ()) -> Pages[UserRow]:
        return self.target.users_since(token, hints)

    def memberships_since(self, token: str) -> Pages[MembershipRow]:
        return self.target.memberships_since(token)

    def profiles(self) -> Sequence[ProfileRow]:
        return self._shuffled(self.target.profiles())

    def team_profiles(self) -> Sequence[TeamProfileRow]:
        return self._shuffled(self.target.team_profiles())

    def fetch(self, ids: Sequence[str]) -> dict[str, Membership]:
        return self.target.fetch(ids)

    def apply(self, changes: Sequence[Change], run: int) -> list[Outcome]:
        return self.target.apply(changes, run)

    @property
    def batch_size(self) -> int:
        return self.target.batch_size

    @property
    def lanes(self) -> int:
        return self.target.lanes

    @property
    def ledger(self) -> Ledger:
        return self.target.ledger

    def _shuffled(self, rows: Sequence[T]) -> list[T]:
        return self.random.sample(rows, len(rows))

    def _mixed(self, pages: Pages[T]) -> Pages[T]:
        return Pages(self._pages([row for page in pages for row in page]), pages.token)

    def _pages(self, rows: Sequence[T]) -> Iterator[Sequence[T]]:
        again = self.random.sample(rows, len(rows) // 2)
        whole = self._shuffled([*rows, *again])
        while whole:
            size = self.random.randint(0, len(whole))
            yield whole[:size]
            whole = whole[size:]


def digest(world: World, target: Target | None = None) -> object:
    """Plan, and say what the plan hashes to."""
    with world.database.rehearse() as tx:
        planned, _ = world.judge(tx, target=target)
        head = archive.head(tx, "plan")
        return head and head.digest, planned.situations


@searching(0.3)
@given(scenes(gates=True), st.integers(0, 2**16))
def test_the_order_of_input_does_not_change_the_plan(stage: Stage, scene: Scene, seed: int) -> None:
    """Rows of files and of the server may come in any order, also twice in two pages."""
    random = Random(seed)
    with stage(scene) as world:
        scene.live(world)
        expected = digest(world)
        for source, rows in world.said.items():
            world.says(random.sample(rows, len(rows)), source)

        with closing(world.target()) as target:
            assert digest(world, Shuffled(target, random)) == expected
