"""
Systems that keep the people of a made-up company, each a real one that a source can read.

    file       csv, a file
    table      sql, a SQLite database
    tenant     graph, Microsoft Graph as the sandbox shows it
    platform   scim, scim2-server from PyPI
    directory  ldap, OpenLDAP's slapd

The last two are programs of others. They run as long as the register is open, on this machine
alone, with everything that they write in the folder that they are given.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path
from typing import Literal, assert_never

from syncd.sandbox.registers import directory, file, platform, table, tenant
from syncd.sandbox.registers.parts import Register, Row, Words

__all__ = ["Kind", "Register", "Row", "Words", "open_register"]

Kind = Literal["csv", "ldap", "graph", "scim", "sql"]
"""The type of the source that reads it."""


def open_register(
    kind: Kind, folder: Path, url: str, today: Callable[[], date]
) -> AbstractContextManager[Register]:
    """
    Open an empty register in a folder.

    *url* is the sandbox's, whose tenant `graph` fills; *today* tells who has started, to
    systems that know no dates. Raises SandboxError if a program is missing or does not start.
    """
    match kind:
        case "csv":
            return file.opened(folder)
        case "sql":
            return table.opened(folder)
        case "graph":
            return tenant.opened(url)
        case "scim":
            return platform.opened(folder, today)
        case "ldap":
            return directory.opened(folder)
        case _:
            assert_never(kind)
