"""
Where a read of changes goes on, as text that is kept with the people it covers.

A token names everything that its number or cookie is worth nothing without: what was
asked, the controller and its invocation, or the domain.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from hashlib import blake2b

import msgspec

from syncd.connectors.sources.ldap.settings import Directory
from syncd.connectors.sources.ldap.standing import Standing

__all__ = ["Token", "asked", "cookies", "dumped", "loaded", "with_cookies"]

OLDEST = timedelta(days=55)
"""Tombstones are kept for 60 days at least (identity-and-sources.md section 3.2)."""


@dataclass(frozen=True, slots=True)
class Token:
    """How far a read came: a number of one controller, or a cookie of one domain."""

    method: str
    asked: str
    at: str
    service: str = ""
    invocation: str = ""
    usn: int = 0
    cookies: tuple[tuple[str, str, str], ...] = ()

    def holds(self, directory: Directory, standing: Standing) -> bool:
        """
        Tell whether changes can be read from here.

        Not if something else is asked now, if tombstones may be gone, and for numbers not
        at another controller or at one that counts anew or behind: it was restored.
        """
        if self.method != directory.changes or self.asked != asked(directory):
            return False
        if standing.now is None or standing.now - datetime.fromisoformat(self.at) > OLDEST:
            return False
        if self.method == "dirsync":
            return True
        here = (standing.service, standing.invocation)
        return here == (self.service, self.invocation) and standing.usn >= self.usn


def asked(directory: Directory) -> str:
    """Return a digest of what decides who is read at all."""
    said = repr((directory.searches, directory.groups and _stable(directory)))
    return blake2b(said.encode(), digest_size=8).hexdigest()


def _stable(directory: Directory) -> object:
    groups = directory.groups
    if groups is None:
        return None
    return groups.searches, groups.nested, groups.name, sorted(groups.only)


def cookies(token: Token) -> dict[str, bytes]:
    """Return the cookies by their naming contexts."""
    return {context: base64.b64decode(written) for context, written, _ in token.cookies}


def with_cookies(token: Token, found: Mapping[str, bytes]) -> Token:
    """Add cookies, with checksums: a broken one would be answered with no changes."""
    written = [(context, *_checked(value)) for context, value in found.items()]
    return replace(token, cookies=tuple(written))


def _checked(value: bytes) -> tuple[str, str]:
    return base64.b64encode(value).decode(), blake2b(value, digest_size=8).hexdigest()


def dumped(token: Token) -> str:
    """Write a token."""
    return msgspec.json.encode(asdict(token)).decode()


def loaded(text: str) -> Token | None:
    """Read a token; None for one that is broken."""
    try:
        token = msgspec.json.decode(text, type=Token)
        datetime.fromisoformat(token.at)
        whole = all(
            _checked(base64.b64decode(each, validate=True))[1] == check
            for _, each, check in token.cookies
        )
    except (msgspec.MsgspecError, ValueError):
        return None
    return token if whole else None
