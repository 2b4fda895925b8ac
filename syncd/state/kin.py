"""Who may be somebody else's now that users are not what they were."""

from __future__ import annotations

from sqlalchemy import Connection

from syncd.state.database import column, one, run, scratch

__all__ = ["RUNGS", "of_users"]

RUNGS = {
    "object_id": "object_id",
    "employee_id": "employee_id",
    "user_name": "login",
    "mail": "mail",
}
"""What people say of themselves, and where users have it."""
TELLING = (*RUNGS.values(), "candidate", "disabled", "pointer")


def of_users(tx: Connection, env: int) -> list[str]:
    """
    Name the users whose change matters, and the people who find them or found them.

    `arrived` has users as they are now, `gone` those that are there no longer, `users` all as
    they were. A change of what nobody is found by, and that nothing follows from, is none.
    """
    scratch(tx, "altered", "id TEXT PRIMARY KEY")
    differs = " OR ".join(f"a.{name} IS DISTINCT FROM u.{name}" for name in TELLING)
    run(
        tx,
        "INSERT INTO altered SELECT a.id FROM arrived a LEFT JOIN users u "
        f"ON u.env = :env AND u.id = a.id WHERE u.id IS NULL OR {differs} "
        "UNION SELECT id FROM gone",
        env=env,
    )
    if not one(tx, "SELECT 1 FROM altered LIMIT 1"):
        return []
    values = ", ".join(f"{name} TEXT" for name in RUNGS.values())
    scratch(tx, "aliases", values)
    names = ", ".join(RUNGS.values())
    for table, env_only in (("arrived", ""), ("users", "env = :env AND ")):
        run(
            tx,
            f"INSERT INTO aliases SELECT {names} FROM {table} "
            f"WHERE {env_only}id IN (SELECT id FROM altered)",
            **({"env": env} if env_only else {}),
        )
    found = " OR ".join(
        f"{mine} IN (SELECT {theirs} FROM aliases WHERE {theirs} IS NOT NULL)"
        for mine, theirs in RUNGS.items()
    )
    people = f"SELECT key FROM people WHERE {found} UNION SELECT key FROM doubles WHERE {found}"
    return [
        *(f"u:{ident}" for ident in column(tx, "SELECT id FROM altered")),
        *(f"p:{key}" for key in column(tx, people)),
    ]
