"""Rows that syncd emptied, and who takes them: where rows cannot be deleted, or not be made."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from syncd.core.ledger import Message
from syncd.core.model import Membership

__all__ = ["is_free", "keeps", "pair", "recycles"]


def recycles(refused: Collection[Message]) -> bool:
    """Tell whether emptied rows are used again: they pile up, or no others are to be had."""
    return Message.DELETE in refused or Message.CREATE in refused


def is_free(row: Membership, *, ours: bool) -> bool:
    """
    Tell whether somebody may take a row: a link once made it ours, and it is nobody's.

    An inactive or flagged one would need more than the two lookups to be set.
    """
    return ours and row.user is None and row.active and not row.flagged


def keeps(row: Membership, refused: Collection[Message], *, ours: bool) -> bool:
    """
    Tell whether a husk stays because of what the environment refuses.

    Where nothing is deleted every husk stays; where nothing can be made, those that the
    next joiner may take.
    """
    if Message.DELETE in refused:
        return True
    return Message.CREATE in refused and is_free(row, ours=ours)


def pair(
    joiners: Sequence[tuple[int, str]], free: Sequence[str], bound: Mapping[str, str]
) -> dict[int, str]:
    """
    Give free rows to joiners, (change, user), in their order; the same for the same input.

    `bound` says which row a user tried before and could not take: it stays that user's, so
    that one who always fails does not spoil a row with each try.
    """
    given = {number: bound[user] for number, user in joiners if bound.get(user) in free}
    kept = set(bound.values())
    rest = [row for row in free if row not in kept]
    others = [number for number, _ in joiners if number not in given]
    return given | dict(zip(others, rest, strict=False))
