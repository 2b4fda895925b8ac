"""What changed, and whom that concerns."""

from __future__ import annotations

from syncd.state.database import Database, Tx, rows, run
from syncd.state.revisions import (
    MEMORY,
    MOST,
    gather,
    known,
    numbers,
    remember,
    touch,
    touch_from,
)


def concerned(tx: Tx, since: str) -> set[str] | None:
    """Return whom changes concern, None if anybody."""
    if not gather(tx, known(since)):
        return None
    return {row.subject for row in rows(tx, "SELECT subject FROM concerned")}


def test_changes_since_then_name_whom_they_concern(database: Database) -> None:
    """Of several inputs together, each from where it was looked at."""
    with database.begin() as tx:
        touch(tx, "people", ["p:K1"])
        then = numbers(tx, "people", "links:1")
        touch(tx, "people", ["p:K2"])
        touch(tx, "people", ["p:K2", "p:K3"])
        touch(tx, "links:1", ["u:7"])
        touch(tx, "links:2", ["u:8"])

        assert concerned(tx, then) == {"p:K2", "p:K3", "u:7"}
        assert concerned(tx, numbers(tx, "people", "links:1")) == set()


def test_a_change_that_names_nobody_may_concern_anybody(database: Database) -> None:
    """Until somebody has looked since; one that concerns nobody is another thing."""
    with database.begin() as tx:
        then = numbers(tx, "people")
        touch(tx, "people", ["p:K1"])
        touch(tx, "people")
        later = numbers(tx, "people")
        touch(tx, "people", ())

        assert concerned(tx, then) is None
        assert concerned(tx, later) == set()
        assert numbers(tx, "people") != later


def test_what_was_long_ago_may_concern_anybody(database: Database) -> None:
    """Only so many changes are remembered; a number from another life is no better."""
    with database.begin() as tx:
        then = numbers(tx, "people")
        touch(tx, "people", ["p:K1"])
        remember(tx, "revision:people", str(MEMORY - 2))
        touch(tx, "people", ["p:K2"])
        assert concerned(tx, then) == {"p:K1", "p:K2"}

        touch(tx, "people", ["p:K2"])
        touch(tx, "people", ["p:K2"])
        kept = {row.subject for row in rows(tx, "SELECT subject FROM news")}

        assert concerned(tx, then) is None
        assert concerned(tx, f"people={MEMORY * 2}") is None
        assert kept == {"p:K2"}


def test_a_change_of_very_many_is_one_of_everybody(database: Database) -> None:
    """They are not listed."""
    with database.begin() as tx:
        then = numbers(tx, "people", "rows:1")
        touch(tx, "rows:1", (f"u:{number}" for number in range(MOST + 1)))
        assert concerned(tx, then) is None

        now = numbers(tx, "people", "rows:1")
        touch_from(tx, "people", "SELECT 'p:K1'", 1)
        assert concerned(tx, now) == {"p:K1"}
        touch_from(tx, "people", "SELECT 'p:K2'", MOST + 1)
        assert concerned(tx, now) is None


def test_a_plan_concerns_whomever_its_changes_name(database: Database) -> None:
    """As long as it is there; after that nobody knows."""
    with database.begin() as tx:
        then = numbers(tx, "rows:1")
        run(
            tx,
            "INSERT INTO plans (id, env, created, expires, config, digest, document) "
            "VALUES ('P', 1, '', '', '', '', '')",
        )
        run(
            tx,
            "INSERT INTO changes (plan, number, action, person, user_id, membership, situation, "
            "reason) VALUES ('P', 1, 'create', 'K1', 'U1', 'R', 'ABSENT', '')",
        )
        touch(tx, "rows:1", ["plan:P"])
        found = concerned(tx, then)
        run(tx, "DELETE FROM plans")

        assert found is not None
        assert {"p:K1", "u:U1"} <= found
        assert concerned(tx, then) is None
