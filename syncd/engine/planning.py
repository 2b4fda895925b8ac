"""Correlate, ask the rules, decide about every case, and write the plan."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from syncd.core import gates
from syncd.core.case import Context, Decision
from syncd.core.certificate import Certificate
from syncd.core.decide import decide
from syncd.core.estimates import Speed, estimate
from syncd.core.gates import Gate, Verdict
from syncd.core.mapping import decode_attributes
from syncd.core.model import Action, Situation, iso
from syncd.core.rules import Answer, judge
from syncd.engine.parts import Environment, Progress, Silent
from syncd.state import (
    answers,
    archive,
    capabilities,
    cases,
    damping,
    decisions,
    diff,
    escrow,
    hints,
    observed,
    partly,
    plans,
    quarantine,
    standing,
)
from syncd.state.answers import References
from syncd.state.archive import Head
from syncd.state.cases import Subject
from syncd.state.database import Tx
from syncd.state.memory import Notebook
from syncd.state.plans import Spool
from syncd.state.reuse import reuse, withhold

__all__ = ["Order", "Planned", "make_plan", "prepare"]

SCHEMA = "syncd.plan/1"
VALID = timedelta(days=1)
"""How long a saved plan may be applied."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan as it was saved, and what the gates said."""

    id: str
    situations: dict[str, int]
    gates: tuple[Gate, ...]
    planned: int
    used_passes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """
    What a plan is made of: for whom, when, under which number, from which certificates.

    `restrict_to` names a saved plan beyond which nothing may be done, `shown` the rows
    whose adoption it lists. With `everybody` no case is left to statements, with `delta` only
    those are judged anew whom something new concerns. Actions in `blackout` wait. `speed` is
    what the target does side by side.
    """

    environment: Environment
    env: int
    now: datetime
    run: int
    plan: str
    certificates: Sequence[Certificate]
    shown: frozenset[str] | None = None
    restrict_to: str | None = None
    everybody: bool = False
    delta: bool = False
    blackout: frozenset[Action] = frozenset()
    speed: Speed = field(default_factory=Speed)

    @property
    def certified(self) -> bool:
        """Whether every source was believed."""
        return all(certificate.certified for certificate in self.certificates)


def make_plan(tx: Tx, order: Order, progress: Progress) -> Planned:
    """
    Decide about everybody and save the plan, with all that the run must remember.

    *progress* is told of every step, also one that has nothing to count: whoever listens
    may want to stop there.
    """
    progress.phase("comparing")
    context, references = prepare(tx, order, progress)
    base = plans.base(tx, order.env)
    progress.advance(0)
    adopted = _correlate(tx, order, context)
    progress.advance(0)
    notebook = Notebook(tx, order.env, order.run, iso(order.now), order.shown)
    spool = Spool(tx, order.plan, context)
    situations = _decide(tx, order, context, notebook, spool, progress, adopted)
    _remark_profiles(spool, references)
    _remark_hints(tx, order, spool)
    reuse(tx, order.plan, order.env, context.refused)
    plans.name_creates(tx, order.plan, order.env, order.environment.space)
    _review_failures(tx, order)
    if order.restrict_to is not None:
        archive.restrict(tx, order.plan, order.restrict_to)
    passes = decisions.passes(tx, order.env, iso(order.now), context.profiles)
    verdict = gates.check(plans.counts(tx, order.plan), base, context.policy, passes)
    plans.hold(tx, order.plan, verdict)
    _hold_back(tx, order, context)
    spool.remark("pending", list(plans.withheld(tx, order.plan, order.env)))
    notebook.close(order.plan)
    diff.release(tx, order.env, context.today)
    return _save(tx, order, context, situations, verdict)


def _correlate(tx: Tx, order: Order, context: Context) -> int:
    """
    Find out who is whose user; in a delta only of those whom something new concerns.

    Of these the rows that are as wanted are adopted at once; returns how many there were.
    """
    policy, today = context.policy, context.today
    if order.delta and not order.everybody and order.shown is None:
        adopted = partly.refresh(
            tx, order.env, policy, today,
            certified=order.certified, run_number=order.run, now=iso(order.now),
        )  # fmt: skip
        if adopted is not None:
            return adopted
    standing.correlate(tx, order.env, policy, today, certified=order.certified)
    return 0


def _review_failures(tx: Tx, order: Order) -> None:
    failures = order.environment.policy.failures
    escrow.review(tx, order.env, order.plan, order.now, failures, certified=order.certified)


def _hold_back(tx: Tx, order: Order, context: Context) -> None:
    """Hold what waits for reasons other than a gate, each with what relies on it."""
    if plans.suspend(tx, order.plan, order.blackout):
        plans.follow(tx, order.plan, "blackout")
    if withhold(tx, order.plan, context.refused):
        plans.follow(tx, order.plan, "capability")
    if escrow.hold(tx, order.env, order.plan, order.now):
        plans.follow(tx, order.plan, "escrow")
    quarantine.hold(tx, order.env, order.plan, order.now)


def prepare(tx: Tx, order: Order, progress: Progress | None = None) -> tuple[Context, References]:
    """Ask the rules, and say what holds for every case."""
    references = _ask_rules(tx, order, progress or Silent())
    context = Context(
        policy=order.environment.policy,
        now=order.now,
        certified=order.certified,
        managed=references.managed,
        unresolved=frozenset().union(*references.unresolved.values()),
        profiles=observed.resolve_profiles(tx, order.env),
        refused=frozenset(capabilities.refused(tx, order.env, order.now)),
    )
    return context, references


def _ask_rules(tx: Tx, order: Order, progress: Progress) -> References:
    """Let the rules answer for every new set of attributes; find out what their profiles are."""
    environment, today = order.environment, order.now.date()
    rules = environment.rules
    digest = environment.rules_digest
    if any(rule.reads_today for rule in rules):
        digest = f"{digest}@{today}"

    def answer(attributes: str) -> Answer:
        progress.advance(0)
        return judge(decode_attributes(attributes), today, rules)

    new = answers.ask(tx, order.env, digest, answer)
    named = [rule.profile for rule in rules if rule.profile is not None]
    profiles = observed.resolve_profiles(tx, order.env)
    return answers.resolve(tx, order.env, named, profiles, new)


def _decide(
    tx: Tx,
    order: Order,
    context: Context,
    notebook: Notebook,
    spool: Spool,
    progress: Progress,
    adopted: int,
) -> Counter[str]:
    """Decide about every case, and count everybody: those who were left behind, too."""
    counts: Counter[str] = Counter()
    notebook.open()
    limited = order.shown is not None
    if not order.everybody and not diff.unchanged(tx, order.env):
        adopted = diff.adopt(tx, order.env, order.run, notebook.now, shown=limited)
        progress.advance(0)
    damping.damp(tx, order.env, context)
    number = diff.attend(
        tx,
        order.env,
        context.today,
        adopted_by=order.run if adopted else None,
        everybody=order.everybody,
    )
    damping.spare(tx)
    progress.phase("deciding", number)
    for chunk in cases.cases(tx, order.env, context):
        decided = [(subject, decide(subject.case, context)) for subject in chunk]
        counts.update(d.situation for subject, d in decided if subject.kind != "note")
        notebook.take(decided)
        spool.changes(decided)
        _remark(spool, decided, context)
        progress.advance(len(chunk))
    settled = diff.settled(tx, order.env, context.today)
    if not order.everybody and not limited:
        diff.keep(tx, order.env, settled)
    counts.update(settled)
    # Whoever a statement adopted is as wanted by now, but was found.
    counts[Situation.CONFIRMED] -= adopted
    counts[Situation.FOUND] += adopted
    return counts


def _remark(spool: Spool, decided: Sequence[tuple[Subject, Decision]], context: Context) -> None:
    spool.remark("pending", (body for s, d in decided for body in _pending(s, d)))
    spool.remark("reports", (body for s, d in decided for body in _reports(s, d)))
    spool.remark(
        "saved",
        (
            {"person": s.case.person, "situation": d.saved}
            for s, d in decided
            if d.saved is not None
        ),
    )
    spool.remark("conflicts", (body for _, d in decided for body in _conflicts(d, context)))


def _pending(subject: Subject, decision: Decision) -> Iterable[dict[str, Any]]:
    for pending in decision.pending:
        yield {
            "person": subject.case.person,
            "user": subject.case.user.id if subject.case.user else None,
            "membership": pending.membership,
            "situation": decision.situation,
            "reason": pending.reason,
            "due": pending.due.isoformat() if pending.due else None,
        }


def _reports(subject: Subject, decision: Decision) -> Iterable[dict[str, Any]]:
    user = subject.case.user
    if subject.kind == "note":
        return
    for report in decision.reports:
        body = {
            "situation": report.situation,
            "person": subject.case.person,
            "user": user.id if user else None,
            "user_name": user.user_name if user else None,
            "detail": report.detail,
        }
        if subject.case.husk:
            body["membership"] = subject.case.husk.id
        yield body


def _conflicts(decision: Decision, context: Context) -> Iterable[dict[str, Any]]:
    for conflict in decision.conflicts:
        yield {
            "code": conflict.code,
            "user": conflict.user,
            "profiles": sorted(context.profile_name(p) for p in conflict.profiles),
            "open": conflict.open,
        }


def _remark_profiles(spool: Spool, references: References) -> None:
    """Say once for each profile without a single published answer what is wrong with it."""
    spool.remark(
        "reports",
        (
            {
                "situation": Situation.UNRESOLVED_PROFILE,
                "person": None,
                "user": None,
                "user_name": None,
                "profile": reference,
                "detail": why,
            }
            for reference, why in sorted(references.why.items())
        ),
    )


def _remark_hints(tx: Tx, order: Order, spool: Spool) -> None:
    """Say of each claim whose column `usermapping` leaves open that nobody is found by it."""
    said = hints.remarks(tx, order.env, order.environment.policy.match)
    everybody: dict[str, Any] = {
        "situation": Situation.AMBIGUOUS, "person": None, "user": None, "user_name": None
    }  # fmt: skip
    spool.remark("reports", [{**everybody, "detail": why} for why in said])


def _save(
    tx: Tx, order: Order, context: Context, counts: Counter[str], verdict: Verdict
) -> Planned:
    now = iso(order.now)
    digest = archive.digest(tx, order.plan, order.env, order.run)
    situations = {str(name): counts[name] for name in sorted(counts) if counts[name]}
    shown = tuple(_shown(gate, context) for gate in verdict.gates)
    document = {
        "schema": SCHEMA,
        "plan": order.plan,
        "environment": order.environment.name,
        "created_at": now,
        "digest": digest,
        "situations": situations,
        "gates": [
            {
                "gate": gate.gate,
                "scope": gate.scope,
                "count": gate.count,
                "allowed": gate.allowed,
                "tripped": gate.tripped,
            }
            for gate in shown
        ],
        "estimate": _estimate(tx, order, context),
        "certificates": [
            {
                "source": certificate.source,
                "certified": certificate.certified,
                "rows": certificate.rows,
                "findings": list(certificate.findings),
                **({"notes": list(certificate.notes)} if certificate.notes else {}),
            }
            for certificate in order.certificates
        ],
        "profiles": {profile.id: profile.name for profile in context.profiles.values()},
    }
    archive.save(
        tx,
        Head(
            id=order.plan,
            env=order.env,
            run=order.run or None,
            created=now,
            expires=iso(order.now + VALID),
            config=order.environment.config_digest,
            digest=digest,
            document=json.dumps(document, ensure_ascii=False),
        ),
    )
    used = tuple(
        int(gate.passed)
        for gate in verdict.gates
        if gate.passed and not verdict.tripped and plans.free(tx, order.plan, gate.scope)
    )
    planned = sum(number for *_, number in plans.counts(tx, order.plan))
    return Planned(order.plan, situations, shown, planned, used)


def _estimate(tx: Tx, order: Order, context: Context) -> dict[str, object]:
    """Say what it takes to apply what is not held, by what was measured last."""
    pace = capabilities.pace(tx, order.env)
    speed = order.speed
    if pace is not None:
        speed = replace(speed, rate=pace.rate, measured_lanes=pace.lanes)
    found = estimate(plans.sendable(tx, order.plan), speed, context.refused)
    return {
        "requests": found.requests,
        "operations": found.operations,
        "seconds": round(found.seconds, 1),
        "measured": found.measured,
    }


def _shown(gate: Gate, context: Context) -> Gate:
    """Name a gate's scope by the profile's name."""
    if gate.scope == gates.RUN:
        return gate
    name = context.profile_name(gate.scope.removeprefix("profile:"))
    return Gate(gate.gate, f"profile:{name}", gate.count, gate.allowed, gate.tripped, gate.passed)
