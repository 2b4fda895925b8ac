"""Why somebody is as they are: the judgement of a run, for one person or user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from syncd.core.case import Context, Decision, Step
from syncd.core.certificate import Certificate
from syncd.core.decide import decide
from syncd.core.model import Action, iso
from syncd.engine.parts import Environment
from syncd.engine.planning import Order, prepare
from syncd.state import cases, damping, inquiry, said, standing
from syncd.state.cases import Subject
from syncd.state.database import Tx
from syncd.state.inquiry import Match
from syncd.state.views import Document

__all__ = ["Judge"]


class Judge:
    """
    Judges single people by what is in the state database, in a transaction to be rolled back.

    The rules answer and people find their users as a run would have it now.
    """

    def __init__(
        self,
        tx: Tx,
        environment: Environment,
        env: int,
        now: datetime,
        certificates: Sequence[Certificate],
        ranks: Mapping[str, int],
        *,
        fresh: bool = False,
    ) -> None:
        """
        Prepare to judge by how the last read of each source was judged.

        *ranks* are those of the sources, in the order of the configuration; *fresh* says that
        the read belongs to no run.
        """
        self.tx, self.env, self.environment, self.now = tx, env, environment, now
        order = Order(environment, env, now, 0, "", certificates)
        self._order = said.tellers(tx, ranks, certificates, iso(now) if fresh else None)
        self.context, self._references = prepare(tx, order)
        standing.correlate(
            tx, env, environment.policy, self.context.today, certified=order.certified
        )
        damping.damp(tx, env, self.context)
        damping.write(tx, env)

    def matches(self, asked: str) -> list[Match]:
        """Find whoever is called so."""
        return inquiry.matches(self.tx, self.env, asked)

    def explain(self, match: Match) -> Document:
        """Tell everything about somebody: what is known, how it is judged, what would follow."""
        ladder = self.environment.policy.match
        user = inquiry.user_facts(self.tx, self.env, match.user) if match.user else None
        persons = [
            inquiry.person_facts(self.tx, self.env, person, ladder, self._order)
            for person in match.persons
        ]
        return {
            "schema": "syncd.explain/1",
            "environment": self.environment.name,
            "as_of": iso(self.now),
            "persons": persons,
            "user": user,
            "judged": self._judged(match),
        }

    def _judged(self, match: Match) -> list[Document]:
        inquiry.attend(self.tx, self.env, match)
        return [
            _judgement(
                subject, decide(subject.case, self.context), self.context, self._why(subject)
            )
            for chunk in cases.cases(self.tx, self.env, self.context)
            for subject in chunk
        ]

    def _why(self, subject: Subject) -> str | None:
        """Say what is wrong with the profile that somebody should have."""
        wanted = subject.case.wanted
        return self._references.why.get(wanted.reference) if wanted else None


def _judgement(subject: Subject, decision: Decision, context: Context, why: str | None) -> Document:
    case = subject.case
    return {
        "person": case.person,
        "situation": str(decision.situation),
        "presence": str(case.presence) if case.person is not None else None,
        "wanted": context.profile_name(case.target) if case.target else None,
        "profile_problem": why,
        "protected": case.protected,
        "hold": asdict(case.hold) | {"until": _text(case.hold.until)} if case.hold else None,
        "choice": context.profile_name(case.chosen.profile) if case.chosen else None,
        "changes": [
            {
                "action": str(step.action),
                "membership": step.row.id if step.row else None,
                "profile_before": _before(step, context),
                "profile_after": context.profile_name(step.after) if step.after else None,
                "reason": step.reason,
            }
            for step in decision.steps
        ],
        "adopts": [row.id for row in decision.adopted],
        "pending": [
            {"membership": each.membership, "reason": str(each.reason), "due": _text(each.due)}
            for each in decision.pending
        ],
        "conflicts": [
            {
                "code": str(each.code),
                "profiles": sorted(context.profile_name(p) for p in each.profiles),
                "open": each.open,
            }
            for each in decision.conflicts
        ],
        "reports": [report.detail for report in decision.reports],
        "saved": str(decision.saved) if decision.saved else None,
    }


def _before(step: Step, context: Context) -> str | None:
    """Name what the row gives its user before."""
    gives_nothing = step.action in (Action.CREATE, Action.REACTIVATE)
    return None if step.row is None or gives_nothing else context.profile_name(step.row.profile)


def _text(day: Any) -> str | None:
    return None if day is None else str(day)
