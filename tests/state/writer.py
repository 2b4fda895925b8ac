"""A process that writes under the lease of an environment whenever it is told to."""

from __future__ import annotations

import sys

from syncd.core.errors import SyncdError
from syncd.engine.parts import Stop
from syncd.state.database import Database
from syncd.state.lease import lease


def say(word: str) -> None:
    """Answer with a line."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def main(url: str, environment: str, seconds: float) -> None:
    """Say what became of each order that comes in as a line."""
    database, stop = Database(url), Stop()
    try:
        with lease(database, environment, stop, seconds) as held:
            say(f"held {held.fence}")
            for _ in sys.stdin:
                if stop.is_set():
                    say("silent")
                    continue
                with database.durable() as tx:
                    held.verify(tx)
                say("written")
    except SyncdError as error:
        say(type(error).__name__)
    database.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
