"""What situations are called where a person reads them."""

from __future__ import annotations

from collections.abc import Mapping

from syncd.core.model import Situation

__all__ = ["SAYS"]

SAYS: Mapping[str, str] = {
    Situation.CONFIRMED: "as wanted",
    Situation.FOUND: "right already; remembered as ours from now on",
    Situation.ABSENT: "wanted, but there is no row",
    Situation.MISSING: "wanted, but a row of ours is gone",
    Situation.INACTIVE: "wanted, but the row is inactive",
    Situation.MISPLACED: "our row gives another profile than the one wanted",
    Situation.FOREIGN_MISPLACED: "a row that is not ours gives another profile than the one wanted",
    Situation.DUPLICATE: "several rows give the same profile",
    Situation.SURPLUS: "several rows give different profiles",
    Situation.FLAGGED: "as wanted, but the server's conflict flag is set",
    Situation.LEFT: "left",
    Situation.OUT_OF_SCOPE: "no rule matches, or not started yet",
    Situation.VANISHED: "no source shows them any more",
    Situation.USER_DISABLED: "their user is disabled",
    Situation.UNLICENSED_USER: "wanted, but their user is disabled",
    Situation.UNRESOLVED_USER: "wanted, but no user is found",
    Situation.UNRESOLVED_PROFILE: "wanted, but the profile cannot be used",
    Situation.AMBIGUOUS: "the evidence contradicts itself; nothing is guessed",
    Situation.ALREADY_LINKED: "their user belongs to somebody else",
    Situation.UNASSIGNED: "rows that nobody asked for",
    Situation.HUSK: "rows without a user or a profile",
    Situation.PROTECTED: "never changed",
    Situation.HELD: "left alone until somebody looks",
    Situation.IDLE: "not wanted, and there is no row",
}
