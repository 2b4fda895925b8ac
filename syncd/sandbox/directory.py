"""The users and groups of an Entra ID tenant, with what changed when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from syncd.sandbox.errors import Refused
from syncd.sandbox.graph_catalog import REQUIRED, Kind, accepted, bad_request

__all__ = ["Directory", "Entry"]

MEMBERS = "members"
SOFT, HARD = "changed", "deleted"
"""How `@removed` says that an object may be restored, or not (section 2.1)."""


@dataclass(slots=True)
class Entry:
    """
    A user or a group, also one that was deleted.

    `deleted` is the reason that `@removed` gives, empty while it is there. `touched` has the
    version at which a property last changed, `members` the ids of direct members, also of
    users that are soft deleted, and `moves` which memberships changed, at which version.
    """

    id: str
    kind: Kind
    properties: dict[str, object]
    version: int = 0
    created: int = 0
    deleted: str = ""
    removed: int = 0
    touched: dict[str, int] = field(default_factory=dict)
    members: dict[str, None] = field(default_factory=dict)
    moves: dict[str, int] = field(default_factory=dict)


class Directory:
    """
    A tenant. Whoever calls holds the lock.

    `order` has the ids of a kind as they were created, `log` the versions at which objects of
    a kind changed, of which only an object's last one counts. `oldest` is the least version
    from which changes are still known.
    """

    def __init__(self) -> None:
        self.version = 0
        self.oldest = 0
        self.entries: dict[str, Entry] = {}
        self.order: dict[Kind, list[str]] = {kind: [] for kind in Kind}
        self.log: dict[Kind, list[tuple[int, str]]] = {kind: [] for kind in Kind}
        self._names: dict[str, str] = {}
        self._parents: dict[str, dict[str, None]] = {}
        self._last: tuple[str, int, list[Entry]] = ("", -1, [])

    def expire(self) -> None:
        """Let all tokens that were given so far be too old."""
        self.version += 1
        self.oldest = self.version

    def find(self, kind: Kind, ident: str) -> Entry:
        """Return an object by its id, a user also by its name. Raises Refused without one."""
        entry = self.entries.get(self._names.get(ident.lower(), ident.lower()))
        if entry is None or entry.kind is not kind or entry.deleted:
            raise _absent(ident)
        return entry

    def live(self, kind: Kind) -> Iterator[Entry]:
        """Give the objects of a kind that are there, as they were created."""
        for ident in self.order[kind]:
            entry = self.entries[ident]
            if not entry.deleted:
                yield entry

    def create(self, kind: Kind, given: Mapping[str, object], now: str) -> Entry:
        """Put an object in. Raises Refused for what is missing, wrong or taken."""
        properties = accepted(kind, given)
        for name in REQUIRED[kind]:
            if properties.get(name) is None:
                raise bad_request(f"A value is required for property '{name}' of resource.")
        if kind is Kind.USER:
            self._check_name(properties, None)
            properties.setdefault("userType", "Member")
        properties.setdefault("createdDateTime", now)
        entry = Entry(str(uuid4()), kind, {})
        self.entries[entry.id] = entry
        self.order[kind].append(entry.id)
        self._write(entry, properties)
        entry.created = entry.version
        return entry

    def update(self, entry: Entry, given: Mapping[str, object]) -> None:
        """Change properties. Raises Refused for what is wrong or taken."""
        properties = accepted(entry.kind, given)
        if entry.kind is Kind.USER:
            self._check_name(properties, entry.id)
        self._write(entry, properties)

    def delete(self, entry: Entry) -> None:
        """Delete an object softly: it can be restored, and stays a member where it was one."""
        self._forget_name(entry)
        self._end(entry, SOFT)

    def restore(self, ident: str) -> Entry:
        """Bring back what was softly deleted. Raises Refused."""
        entry = self._bin(ident)
        self._check_name(entry.properties, entry.id)
        entry.deleted, entry.removed = "", 0
        self._write(entry, dict(entry.properties))
        return entry

    def purge(self, ident: str) -> None:
        """Delete for good what was softly deleted; its memberships end. Raises Refused."""
        entry = self._bin(ident)
        self._end(entry, HARD)
        for parent in list(self._parents.get(entry.id, ())):
            self._move(self.entries[parent], entry.id, there=False)

    def join(self, group: Entry, member: str) -> None:
        """Make an object a direct member. Raises Refused if it is none, or is one already."""
        entry = self.entries.get(member.lower())
        if entry is None or entry.deleted:
            raise _absent(member)
        if entry.id in group.members:
            raise bad_request("One or more added object references already exist for 'members'.")
        self._move(group, entry.id, there=True)

    def part(self, group: Entry, member: str) -> None:
        """End a direct membership. Raises Refused if there is none."""
        if member.lower() not in group.members:
            raise _absent(member)
        self._move(group, member.lower(), there=False)

    def direct(self, group: Entry) -> Iterator[Entry]:
        """Give the direct members that are there."""
        for ident in group.members:
            entry = self.entries[ident]
            if not entry.deleted:
                yield entry

    def transitive(self, group: Entry) -> Sequence[Entry]:
        """Return each member once, those of nested groups too; groups may hold each other."""
        if self._last[:2] != (group.id, self.version):  # else it is the next page of the same
            self._last = group.id, self.version, list(self._walk(group))
        return self._last[2]

    def _walk(self, group: Entry) -> Iterator[Entry]:
        seen, waiting = {group.id}, [group]
        while waiting:
            for entry in self.direct(waiting.pop(0)):
                if entry.id in seen:
                    continue
                seen.add(entry.id)
                yield entry
                if entry.kind is Kind.GROUP:
                    waiting.append(entry)

    def groups_of(self, entry: Entry) -> set[str]:
        """Return the ids of all groups that an object is in, also through others."""
        found: set[str] = set()
        waiting = [entry.id]
        while waiting:
            for parent in self._parents.get(waiting.pop(), ()):
                if parent not in found and not self.entries[parent].deleted:
                    found.add(parent)
                    waiting.append(parent)
        return found

    def _write(self, entry: Entry, properties: Mapping[str, object]) -> None:
        self._touch(entry, *properties)
        if entry.kind is Kind.USER:
            self._forget_name(entry)
            name = properties.get("userPrincipalName", entry.properties.get("userPrincipalName"))
            self._names[str(name).lower()] = entry.id
        entry.properties.update(properties)

    def _end(self, entry: Entry, reason: str) -> None:
        self._touch(entry)
        entry.deleted, entry.removed = reason, entry.version

    def _move(self, group: Entry, member: str, *, there: bool) -> None:
        self._touch(group, MEMBERS)
        group.moves.pop(member, None)  # put in again, it is the newest
        group.moves[member] = group.version
        parents = self._parents.setdefault(member, {})
        if there:
            group.members[member] = parents[group.id] = None
        else:
            del group.members[member], parents[group.id]

    def _touch(self, entry: Entry, *names: str) -> None:
        self.version += 1
        entry.version = self.version
        entry.touched.update(dict.fromkeys(names, self.version))
        self.log[entry.kind].append((self.version, entry.id))

    def _bin(self, ident: str) -> Entry:
        entry = self.entries.get(ident.lower())
        if entry is None or entry.deleted != SOFT:
            raise _absent(ident)
        return entry

    def _forget_name(self, entry: Entry) -> None:
        self._names.pop(str(entry.properties.get("userPrincipalName", "")).lower(), None)

    def _check_name(self, properties: Mapping[str, object], own: str | None) -> None:
        name = properties.get("userPrincipalName")
        if name is not None and self._names.get(str(name).lower(), own) != own:
            said = "Another object with the same value for property userPrincipalName exists."
            raise bad_request(said)


def _absent(ident: str) -> Refused:
    said = f"Resource '{ident}' does not exist or one of its references is not there."
    return Refused(404, "Request_ResourceNotFound", said)
