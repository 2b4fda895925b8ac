"""Numbers known here as a table there: one statement then does what is alike for all of them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection

from syncd.state.database import run

__all__ = ["spread"]


def spread(tx: Connection, sql: str, numbers: Sequence[int], **values: object) -> None:
    """
    Execute one statement that may read the table `numbers`, which has one column `number`.

    *numbers* are bound as one value, which takes a third of what binding row by row does.
    """
    if tx.dialect.name == "sqlite":
        table = "SELECT value FROM json_each(:numbers)"
        values["numbers"] = msgspec.json.encode(numbers).decode()
    else:
        table = "SELECT unnest(CAST(:numbers AS bigint[]))"
        values["numbers"] = list(numbers)
    run(tx, f"WITH numbers (number) AS ({table}) {sql}", **values)
