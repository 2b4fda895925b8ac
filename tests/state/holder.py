"""A process that holds the lease of an environment until its standard input is closed."""

from __future__ import annotations

import sys

from syncd.state.database import Database
from syncd.state.lease import lease

if __name__ == "__main__":
    database = Database(sys.argv[1])
    with lease(database, sys.argv[2]):
        sys.stdout.write("held\n")
        sys.stdout.flush()
        sys.stdin.read()
    database.close()
