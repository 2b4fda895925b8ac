"""What changed in Active Directory since a token: whom to read again, and who is deleted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import ldap
from ldap.controls import RequestControl

from syncd.connectors.records import Unread
from syncd.connectors.sources.ldap.connecting import Connection
from syncd.connectors.sources.ldap.decoding import guid
from syncd.connectors.sources.ldap.dirsync import Expired, synced
from syncd.connectors.sources.ldap.groups import MEMBERS, PERSON, narrowed
from syncd.connectors.sources.ldap.refusals import telling
from syncd.connectors.sources.ldap.searching import pages
from syncd.connectors.sources.ldap.settings import Directory, Search
from syncd.connectors.sources.ldap.standing import Standing
from syncd.connectors.sources.ldap.tokens import Token, asked, cookies, with_cookies

__all__ = ["Changed", "begin", "changed"]

SHOW_DELETED = "1.2.840.113556.1.4.417"
"""The control that shows tombstones ([MS-ADTS])."""
NOBODY = "(!(objectClass=*))"
AT_ONCE = 100
"""How many ids stand in one filter."""
NAMED = re.compile(r"\(\s*([A-Za-z][\w-]*)\s*(?::[^=()]*:|[~<>])?=")
"""The attributes in a filter (RFC 4515)."""


@dataclass(frozen=True, slots=True)
class Changed:
    """Searches that find everybody who changed, ids of whoever is deleted, and where to go on."""

    searches: Sequence[Search]
    gone: Sequence[str]
    token: Token


def begin(connection: Connection, directory: Directory, standing: Standing) -> Token | None:
    """
    Return where changes go on that are made from now on; None where nobody asks for them.

    To be called before everything is read. Raises Unread if the server or the account
    cannot tell changes, deletions with them.
    """
    if directory.changes == "none":
        return None
    if not standing.active_directory or not standing.invocation or standing.now is None:
        raise Unread(
            f'{connection.what}: changes = "{directory.changes}" needs Active Directory, and this '
            'is another server or does not say how far it is; set changes = "none"'
        )
    if directory.deletions:
        for context in _contexts(directory, standing):
            _require_sight(connection, context)
    token = _token(directory, standing)
    if directory.changes == "usn":
        return token
    return with_cookies(
        token,
        {
            context: _walked(connection, context, NOBODY, ["objectGUID"], b"", [])
            for context in _contexts(directory, standing)
        },
    )


def changed(
    connection: Connection,
    directory: Directory,
    standing: Standing,
    since: Token,
    attributes: Sequence[str],
) -> Changed | None:
    """
    Say what changed since a token; None if only reading everybody can tell.

    So it is after a change to a group: it is not the members who change then.
    """
    if not since.holds(directory, standing):
        return None
    if directory.changes == "usn":
        return _by_number(connection, directory, standing, since)
    try:
        return _by_cookie(connection, directory, standing, since, attributes)
    except Expired:
        return None


# --- by uSNChanged ------------------------------------------------------------------------


def _by_number(
    connection: Connection, directory: Directory, standing: Standing, since: Token
) -> Changed | None:
    newer = f"(uSNChanged>={since.usn + 1})"
    groups = directory.groups
    for search in groups.searches if groups else ():
        if any(pages(connection, narrowed(search, newer), ["1.1"], 1)):
            return None
    gone: list[str] = []
    for context in _contexts(directory, standing) if directory.deletions else ():
        search = Search(f"CN=Deleted Objects,{context}", f"(&(isDeleted=TRUE){newer})")
        shown = [RequestControl(SHOW_DELETED, True)]
        names = ["objectGUID", "objectClass"]
        for page in pages(connection, search, names, directory.page_size, shown):
            for _, values in page:
                if groups and b"group" in values.get("objectclass", ()):
                    return None
                gone += [guid(each) for each in values.get("objectguid", ())]
    searches = [narrowed(search, newer) for search in directory.searches]
    return Changed(searches, gone, _token(directory, standing))


# --- by DirSync ---------------------------------------------------------------------------


def _by_cookie(
    connection: Connection,
    directory: Directory,
    standing: Standing,
    since: Token,
    attributes: Sequence[str],
) -> Changed | None:
    old: dict[str, bytes] = cookies(since)
    new: dict[str, bytes] = {}
    gone: list[str] = []
    ids: list[bytes] = []
    for context in _contexts(directory, standing):
        if context not in old:
            return None
        found: list[tuple[bytes, bool]] = []
        condition = _any_of(directory.searches, "(isDeleted=TRUE)")
        wanted = _told(attributes, directory.searches)
        new[context] = _walked(connection, context, condition, wanted, old[context], found)
        # After the new cookie is known, so that no change to a group falls between the two.
        if _groups_changed(connection, directory, context, old[context]):
            return None
        gone += [guid(each) for each, deleted in found if deleted and directory.deletions]
        ids += [each for each, deleted in found if not deleted]
    searches = [
        narrowed(search, f"(|{''.join(map(_by_id, ids[at : at + AT_ONCE]))})")
        for at in range(0, len(ids), AT_ONCE)
        for search in directory.searches
    ]
    return Changed(searches, gone, with_cookies(_token(directory, standing), new))


def _groups_changed(
    connection: Connection, directory: Directory, context: str, since: bytes
) -> bool:
    groups = directory.groups
    if groups is None:
        return False
    found: list[tuple[bytes, bool]] = []
    condition = _any_of(groups.searches, "(&(isDeleted=TRUE)(objectClass=group))")
    wanted = _told([*MEMBERS, groups.name], groups.searches)
    _walked(connection, context, condition, wanted, since, found)
    return bool(found)


def _walked(
    connection: Connection,
    context: str,
    condition: str,
    attributes: Sequence[str],
    since: bytes,
    found: list[tuple[bytes, bool]],
) -> bytes:
    """Walk to the end, note who changed and whether deleted, and return the cookie."""
    walk = synced(connection, context, condition, attributes, since)
    for page in walk:
        for _, values in page:
            deleted = values.get("isdeleted") == [b"TRUE"]
            found += [(each, deleted) for each in values.get("objectguid", ())]
    return walk.cookie


def _any_of(searches: Sequence[Search], more: str) -> str:
    return f"(|{''.join(narrowed(each, '').filter for each in searches)}{more})"


def _told(attributes: Sequence[str], searches: Sequence[Search]) -> list[str]:
    """Return the attributes whose change counts: those that are read or decide who is."""
    named = [name for each in searches for name in NAMED.findall(each.filter)]
    return list(dict.fromkeys([*attributes, *PERSON, *named, "objectGUID", "name", "isDeleted"]))


def _by_id(value: bytes) -> str:
    return "(objectGUID=" + "".join(f"\\{each:02x}" for each in value) + ")"


# --- both ---------------------------------------------------------------------------------


def _token(directory: Directory, standing: Standing) -> Token:
    return Token(
        directory.changes,
        asked(directory),
        standing.now.isoformat() if standing.now else "",
        standing.service,
        standing.invocation,
        standing.usn,
    )


def _contexts(directory: Directory, standing: Standing) -> list[str]:
    return list(dict.fromkeys(standing.context(each.base) for each in directory.searches))


def _require_sight(connection: Connection, context: str) -> None:
    """Raise Unread if the account cannot list deleted objects: nothing else would say so."""
    with telling(connection.what):
        try:
            found = connection.link.search_ext_s(
                f"CN=Deleted Objects,{context}",
                ldap.SCOPE_BASE,
                serverctrls=[RequestControl(SHOW_DELETED, True)],
                timeout=connection.timeout,
            )
        except (ldap.NO_SUCH_OBJECT, ldap.INSUFFICIENT_ACCESS):
            found = []
    if not any(values for dn, values in found if dn):
        raise Unread(
            f"{connection.what}: the account cannot see who is deleted, and a read of changes "
            f"would not miss them; let it list CN=Deleted Objects,{context} (dsacls), or set "
            "deletions = false and rely on full reads"
        )
