"""The daemon's tasks: when each last began, ended and went well."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from syncd.state.database import one, rows, run

__all__ = ["Job", "begin", "end", "interrupted", "jobs"]


@dataclass(frozen=True, slots=True)
class Job:
    """One task of an environment; `problem` is what stopped it last, None if nothing did."""

    task: str
    started: datetime | None
    finished: datetime | None
    succeeded: datetime | None
    problem: str | None


def begin(tx: Connection, env: int, task: str, now: str) -> None:
    """Note that a task begins."""
    run(
        tx,
        "INSERT INTO jobs (env, job, started) VALUES (:env, :task, :now) "
        "ON CONFLICT (env, job) DO UPDATE SET started = excluded.started",
        env=env, task=task, now=now,
    )  # fmt: skip


def end(tx: Connection, env: int, task: str, now: str, problem: str | None) -> None:
    """Note how a task ended: well, without a *problem*."""
    run(
        tx,
        "UPDATE jobs SET finished = :now, problem = :problem, "
        "succeeded = CASE WHEN :good = 1 THEN :now ELSE succeeded END "
        "WHERE env = :env AND job = :task",
        env=env, task=task, now=now, problem=problem, good=int(problem is None),
    )  # fmt: skip


def jobs(tx: Connection, env: int) -> dict[str, Job]:
    """Return what is known of an environment's tasks."""
    sql = "SELECT job, started, finished, succeeded, problem FROM jobs WHERE env = :env"
    return {
        row.job: Job(row.job, _at(row.started), _at(row.finished), _at(row.succeeded), row.problem)
        for row in rows(tx, sql, env=env)
    }


def interrupted(tx: Connection, env: int) -> bool:
    """Tell whether the last run never came to its end, or an attempt was never settled."""
    sql = (
        "SELECT 1 FROM runs WHERE env = :env AND finished IS NULL "
        "AND id = (SELECT max(id) FROM runs WHERE env = :env) "
        "UNION ALL SELECT 1 FROM journal WHERE env = :env AND settled IS NULL LIMIT 1"
    )
    return one(tx, sql, env=env) is not None


def _at(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
