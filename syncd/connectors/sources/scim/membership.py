"""Which groups have whom, directly or through other groups."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

from syncd.connectors.sources.scim.listing import Listing, Resource

__all__ = ["Membership", "read_membership"]

Names = Mapping[str, str]
Members = Mapping[str, list[str]]


@dataclass(frozen=True, slots=True)
class Membership:
    """The names of the groups of each user, by the user's id; `digest` is the same for the same."""

    groups: Mapping[str, tuple[str, ...]] = field(repr=False)
    digest: str

    def of(self, user: str) -> list[str]:
        """Return the names of the groups that have a user."""
        return list(self.groups.get(user, ()))


def read_membership(listing: Listing) -> Membership:
    """
    Read all groups. Raises Unread.

    It holds who is in which group, whatever the size of a page: a user comes without the
    groups at many servers, and a group that has another one comes in any order.
    """
    names: dict[str, str] = {}
    members: dict[str, list[str]] = {}
    for page in listing.pages():
        for own, group in page:
            name = group.get("displayName")
            names[own] = name if isinstance(name, str) and name else own
            members[own] = list(_members(group))
    found: dict[str, set[str]] = defaultdict(set)
    for own, name in names.items():
        for user in _everybody(own, members):
            found[user].add(name)
    groups = {user: tuple(sorted(each)) for user, each in found.items()}
    return Membership(groups, _digest(groups))


def _members(group: Resource) -> Iterator[str]:
    entries = group.get("members")
    for entry in entries if isinstance(entries, list) else []:
        value = entry.get("value") if isinstance(entry, dict) else None
        if isinstance(value, str):
            yield value


def _everybody(group: str, members: Members) -> Iterator[str]:
    """Walk a group and all groups in it, each once: some have themselves in them."""
    met, waiting = {group}, [group]
    while waiting:
        for each in members[waiting.pop()]:
            if each not in members:
                yield each
            elif each not in met:
                met.add(each)
                waiting.append(each)


def _digest(groups: Mapping[str, tuple[str, ...]]) -> str:
    digest = blake2b(digest_size=16)
    for user in sorted(groups):
        digest.update(repr((user, groups[user])).encode())
    return digest.hexdigest()
