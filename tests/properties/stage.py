"""Where generated worlds are built: a database that is empty again for each of them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from hypothesis import settings
from sqlalchemy import text

from syncd.state.database import Database
from syncd.state.schema_service import metadata
from tests.strategies import Scene
from tests.world import World, opened

__all__ = ["Stage", "searching"]

T = TypeVar("T")


def searching(share: float = 1.0) -> Callable[[T], T]:
    """Search as hard as the profile says, or a share of it where a world costs more."""
    usual = settings.default
    assert usual is not None
    found: Callable[[T], T] = settings(max_examples=max(5, int(share * usual.max_examples)))
    return found


class Stage:
    """Sets scenes, one after the other, on one state database."""

    def __init__(self, url: str) -> None:
        self.database: Database = opened(url)

    @contextmanager
    def __call__(self, scene: Scene) -> Iterator[World]:
        """Give the world of a scene, with a memory that is empty."""
        with self.database.begin() as tx:
            names = [table.name for table in metadata.sorted_tables]
            if self.database.sqlite:
                for name in names:
                    tx.execute(text(f"DELETE FROM {name}"))  # noqa: S608  # our own tables
            else:
                tx.execute(text(f"TRUNCATE {', '.join(names)} RESTART IDENTITY"))
        with tempfile.TemporaryDirectory(prefix="syncd-world-") as folder:
            yield scene.build(Path(folder), self.database)

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()
