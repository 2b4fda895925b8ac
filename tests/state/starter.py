"""A process that makes sure of the schema of a state database, as every command does."""

from __future__ import annotations

import sys

from syncd.core.errors import StateError
from syncd.state.database import Database
from syncd.state.upgrade import ensure

if __name__ == "__main__":
    database = Database(sys.argv[1])
    sys.stdout.write("starting\n")
    sys.stdout.flush()
    try:
        ensure(database, allowed=True)
    except StateError as error:
        sys.exit(str(error))
    finally:
        database.close()
