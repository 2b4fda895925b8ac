"""What is set for a directory: where it is, who asks, and what is looked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from syncd.core.mapping import PersonMapping

__all__ = ["Bind", "Changes", "Directory", "Groups", "Search", "Server"]


@dataclass(frozen=True, slots=True)
class Bind:
    """How syncd says who it is. A password is never shown."""

    method: Literal["simple", "certificate", "kerberos", "anonymous"]
    user: str = ""
    password: str = field(default="", repr=False)
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class Server:
    """
    Where the directory is.

    The addresses are tried in order. `start_tls` is for those that begin with ldap://.
    `timeout` is in seconds, for connecting and for each answer.
    """

    urls: tuple[str, ...]
    bind: Bind
    start_tls: bool = True
    ca_file: Path | None = None
    timeout: float = 60.0


@dataclass(frozen=True, slots=True)
class Search:
    """Entries below a base that a filter lets through; `one` is only one level down."""

    base: str
    filter: str
    scope: Literal["subtree", "one"] = "subtree"


@dataclass(frozen=True, slots=True)
class Groups:
    """
    Which groups count, and how nesting is found out.

    `expand` reads the members of all these groups and follows them here; `in-chain` asks
    Active Directory, group by group, for everybody below. Only the groups of `only` are
    told where any are named there.
    """

    searches: tuple[Search, ...]
    nested: Literal["expand", "in-chain"] = "expand"
    name: str = "cn"
    only: frozenset[str] = frozenset()


Changes = Literal["none", "usn", "dirsync"]
"""How Active Directory is asked for what changed."""


@dataclass(frozen=True, slots=True)
class Directory:
    """Everything that a read needs to know."""

    name: str
    server: Server
    searches: tuple[Search, ...]
    mapping: PersonMapping
    page_size: int = 500
    groups: Groups | None = None
    changes: Changes = "none"
    deletions: bool = True
