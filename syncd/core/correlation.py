"""Who is whose user (behaviour.md section 3). Nothing is ever guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from syncd.core.model import Finding, Presence, Rung

__all__ = ["Claim", "Claimant", "contend", "find"]

STRONG = (Rung.OBJECT_ID, Rung.EMPLOYEE_ID)
TELLING = (Rung.OBJECT_ID, Rung.EMPLOYEE_ID, Rung.USER_NAME)
"""Rungs that can contradict; a differing mail is only a note."""


@dataclass(frozen=True, slots=True)
class Claimant:
    """
    A person who looks for a user.

    `hits` are the candidates each rung finds, `link` the user and rung of a link made
    before whose user is still a candidate. `mute` people (a doubled key) take part by
    their link alone. `staying` says that the person is wanted or HELD; `leaving` that a
    link of theirs may pass to a new key: LEFT, or VANISHED for the second time. `shielded`
    are the protected users among those they find.
    """

    person: str
    hits: Mapping[Rung, tuple[str, ...]]
    link: tuple[str, Rung] | None = None
    presence: Presence = Presence.PRESENT
    mute: bool = False
    wanted: bool = False
    held: bool = False
    protected: bool = False
    shielded: frozenset[str] = frozenset()
    leaving: bool = False

    @property
    def everyone(self) -> frozenset[str]:
        """Every user that the person finds on any rung."""
        linked = {self.link[0]} if self.link else set()
        return frozenset(user for users in self.hits.values() for user in users) | linked


@dataclass(frozen=True, slots=True)
class Claim:
    """
    What was found for a person.

    `user` is whom the deciding rung or the link names, also where the person is
    AMBIGUOUS; `passed_from` names the person whose link passes to this one.
    """

    claimant: Claimant
    finding: Finding
    user: str | None = None
    rung: Rung | None = None
    detail: str = ""
    passed_from: str | None = None


def find(claimant: Claimant, ladder: Sequence[Rung]) -> Claim:
    """Look for the user of one person, as if nobody else were there."""
    if claimant.link is not None:
        return _linked(claimant, ladder)
    if claimant.mute:
        return Claim(claimant, Finding.NONE)
    for place, rung in enumerate(ladder):
        users = claimant.hits.get(rung, ())
        if not users:
            continue
        if len(users) > 1:
            detail = f"{rung} answers to {len(users)} users"
            return Claim(claimant, Finding.AMBIGUOUS, detail=detail)
        for lower in ladder[place + 1 :]:
            if lower in TELLING and _other(claimant, lower, users[0]):
                detail = f"{rung} finds one user, {lower} another"
                return Claim(claimant, Finding.AMBIGUOUS, users[0], rung, detail)
        return Claim(claimant, Finding.DECIDED, users[0], rung)
    return Claim(claimant, Finding.NONE)


def _other(claimant: Claimant, rung: Rung, user: str) -> bool:
    """Tell whether a rung finds exactly one candidate, and it is another."""
    users = claimant.hits.get(rung, ())
    return len(users) == 1 and users[0] != user


def _linked(claimant: Claimant, ladder: Sequence[Rung]) -> Claim:
    user, made_by = claimant.link or ("", Rung.HAND)
    if claimant.mute:
        return Claim(claimant, Finding.LINKED, user, made_by)
    if made_by is Rung.HAND:
        against = _other(claimant, Rung.OBJECT_ID, user)
        detail = "linked by hand, but object_id finds another user" if against else ""
        return Claim(claimant, Finding.LINKED, user, made_by, detail)
    above = ladder[: ladder.index(made_by)] if made_by in ladder else ladder
    for rung in ladder:
        counts = rung in above or (rung is made_by and rung in STRONG)
        if counts and _other(claimant, rung, user):
            detail = f"linked by {made_by}, but {rung} finds another user; the link stays"
            return Claim(claimant, Finding.AMBIGUOUS, user, made_by, detail)
    return Claim(claimant, Finding.LINKED, user, made_by)


def contend(claims: Sequence[Claim]) -> list[Claim]:
    """
    Settle who gets one user that several people's links or deciding rungs name.

    All *claims* name the same user. The result does not depend on their order.
    """
    claims = sorted(claims, key=lambda claim: claim.claimant.person)
    staying = [claim for claim in claims if _stays(claim)]
    if not staying:
        staying = claims
    yielded = [
        replace(claim, finding=Finding.NONE, user=None, rung=None)
        for claim in claims
        if claim not in staying
    ]
    if len(staying) == 1:
        return yielded + staying
    holder = _holder(staying)
    if holder is None:
        return yielded + [_ambiguous(claim, len(staying)) for claim in staying]
    others = [claim for claim in staying if claim is not holder]
    heir = _heir(holder, others)
    if heir is not None:
        nobody = replace(holder, finding=Finding.NONE, user=None, rung=None)
        given = replace(heir, finding=Finding.LINKED, passed_from=holder.claimant.person)
        rest = [_already(claim) for claim in others if claim is not heir]
        return [*yielded, nobody, given, *rest]
    return [*yielded, holder, *(_already(claim) for claim in others)]


def _stays(claim: Claim) -> bool:
    claimant = claim.claimant
    return claimant.wanted or claimant.held or claimant.link is not None


def _holder(claims: Sequence[Claim]) -> Claim | None:
    """Return whoever holds the link; an operator's word stands above every rung."""
    held = [claim for claim in claims if claim.claimant.link is not None]
    by_hand = [claim for claim in held if claim.rung is Rung.HAND]
    for group in (by_hand, held):
        if len(group) == 1:
            return group[0]
    return None


def _heir(holder: Claim, others: Sequence[Claim]) -> Claim | None:
    """
    Return the one wanted person to whom the link of somebody who left passes.

    One that was set by hand, too: whoever it kept out may have a link of their own.
    """
    wanted = [c for c in others if c.claimant.wanted and not c.claimant.held]
    if not _leaves(holder) or len(wanted) != 1:
        return None
    return wanted[0] if wanted[0].finding in (Finding.DECIDED, Finding.LINKED) else None


def _leaves(holder: Claim) -> bool:
    """Tell whether a holder is LEFT or VANISHED: what is judged before these keeps the link."""
    claimant = holder.claimant
    protected = claimant.protected or holder.user in claimant.shielded
    return (
        claimant.leaving and holder.finding is Finding.LINKED and not (protected or claimant.held)
    )


def _ambiguous(claim: Claim, number: int) -> Claim:
    detail = claim.detail or f"{number} people claim one user"
    return replace(claim, finding=Finding.AMBIGUOUS, detail=detail)


def _already(claim: Claim) -> Claim:
    if claim.claimant.link is not None:
        return _ambiguous(claim, 2)
    return replace(
        claim, finding=Finding.ALREADY_LINKED, detail="the user is linked to another person"
    )
