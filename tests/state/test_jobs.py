"""What is remembered of the daemon's tasks, on both kinds of database."""

from __future__ import annotations

from datetime import UTC, datetime

from syncd.state import jobs
from syncd.state.database import Database, run
from syncd.state.jobs import Job

ONE, TWO, THREE = (f"2026-11-22T0{hour}:00:00Z" for hour in (1, 2, 3))


def at(hour: int) -> datetime:
    """Return one of those moments."""
    return datetime(2026, 11, 22, hour, tzinfo=UTC)


def known(database: Database, env: int = 1) -> dict[str, Job]:
    """Return what is known."""
    with database.read() as tx:
        return jobs.jobs(tx, env)


def interrupted(database: Database, env: int = 1) -> bool:
    """Tell whether something was interrupted."""
    with database.read() as tx:
        return jobs.interrupted(tx, env)


def test_nothing_is_known_of_what_was_never_begun(database: Database) -> None:
    """An environment that is new has no tasks yet."""
    assert known(database) == {}
    assert not interrupted(database)


def test_start_end_and_success_are_kept(database: Database) -> None:
    """While a task runs its last end is still known; a success takes the last problem away."""
    with database.durable() as tx:
        jobs.begin(tx, 1, "full", ONE)
    assert known(database) == {"full": Job("full", at(1), None, None, None)}
    with database.durable() as tx:
        jobs.end(tx, 1, "full", TWO, "the server is away")
    assert known(database)["full"] == Job("full", at(1), at(2), None, "the server is away")
    with database.durable() as tx:
        jobs.begin(tx, 1, "full", TWO)
        jobs.end(tx, 1, "full", THREE, None)
    assert known(database)["full"] == Job("full", at(2), at(3), at(3), None)


def test_a_problem_leaves_the_last_success_in_place(database: Database) -> None:
    """It is still known when things last went well."""
    with database.durable() as tx:
        jobs.begin(tx, 1, "delta", ONE)
        jobs.end(tx, 1, "delta", TWO, None)
        jobs.begin(tx, 1, "delta", TWO)
        jobs.end(tx, 1, "delta", THREE, "the profile is not there")

    assert known(database)["delta"] == Job("delta", at(2), at(3), at(2), "the profile is not there")


def test_tasks_and_environments_do_not_meet(database: Database) -> None:
    """What ends is one task of one environment."""
    with database.durable() as tx:
        for env in (1, 2):
            for task in ("full", "delta"):
                jobs.begin(tx, env, task, ONE)
        jobs.end(tx, 1, "full", TWO, None)
    ended = {
        (env, name) for env in (1, 2) for name, job in known(database, env).items() if job.finished
    }

    assert ended == {(1, "full")}


def a_run(database: Database, env: int, finished: str | None) -> None:
    """Put a run on record."""
    with database.durable() as tx:
        run(
            tx,
            "INSERT INTO runs (env, command, started, finished) "
            "VALUES (:env, 'delta', :at, :finished)",
            env=env, at=ONE, finished=finished,
        )  # fmt: skip


def test_a_run_that_never_ended_was_interrupted(database: Database) -> None:
    """The last one of this environment counts: one that came to its end makes good for it."""
    a_run(database, 1, TWO)
    assert not interrupted(database)
    a_run(database, 1, None)
    a_run(database, 2, TWO)
    assert interrupted(database)
    assert not interrupted(database, 2)
    a_run(database, 1, THREE)
    assert not interrupted(database)


def test_an_attempt_that_was_never_settled_was_interrupted(database: Database) -> None:
    """Also where the run itself came to its end."""
    a_run(database, 1, TWO)
    with database.durable() as tx:
        run(
            tx,
            "INSERT INTO journal (run, number, env, plan, intended) "
            "VALUES (1, 1, 1, :plan, :at)",
            plan="p", at=ONE,
        )  # fmt: skip
    assert interrupted(database)
    assert not interrupted(database, 2)
    with database.durable() as tx:
        run(tx, "UPDATE journal SET settled = :at", at=TWO)
    assert not interrupted(database)
