"""
A process that runs syncd and kills itself at a commit: `mortal CONFIGURATION [MOMENT]`.

Without a moment it lives, and prints the moments at which it could have died.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from syncd.app import build
from syncd.state.database import Database, Tx


@dataclass(slots=True)
class Deadly:
    """A state database whose process is killed right before or right after a commit."""

    database: Database
    at: int | None
    moments: list[str] = field(default_factory=list)

    @contextmanager
    def begin(self) -> Iterator[Tx]:
        """Open a transaction that may never be committed."""
        with self.database.begin() as tx:
            yield tx
            self._moment("before plan")
        self._moment("after plan")

    @contextmanager
    def durable(self) -> Iterator[Tx]:
        """Likewise."""
        with self.database.durable() as tx:
            yield tx
            self._moment("before journal")
        self._moment("after journal")

    def __getattr__(self, name: str) -> object:
        return getattr(self.database, name)

    def _moment(self, name: str) -> None:
        if self.at == len(self.moments):
            os.kill(os.getpid(), signal.SIGKILL)
        self.moments.append(name)


def main(configuration: str, at: int | None) -> None:
    """Reconcile, and die if the moment comes."""
    app = build(Path(configuration), os.environ)
    with app.database() as database, app.reconciler(database, "contoso") as reconciler:
        deadly = Deadly(database, at)
        reconciler.database = cast("Database", deadly)
        reconciler.reconcile()
    sys.stdout.write("\n".join(deadly.moments))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else None)
