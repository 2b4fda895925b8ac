"""A small export of people over HTTP, as HR suites have it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from syncd.config.web import Offset, Since
from syncd.connectors.sources.http_json import HttpJsonSource
from tests.connectors.sources.backends import MAPPING, Cells
from tests.connectors.sources.web import Asked, Reply, Web, serve, site

SIZE = 3


@dataclass(slots=True)
class Export:
    """Rows in the order in which they came; deleted ones stay, and say so."""

    web: Web
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    broken: bool = False

    def put(self, key: str, cells: Cells) -> None:
        now = datetime.now(UTC).isoformat()
        self.rows[key] = {"key": key, **cells, "changed": now, "deleted": False}

    def delete(self, key: str) -> None:
        self.rows[key] = {"key": key, "changed": datetime.now(UTC).isoformat(), "deleted": True}

    def source(self) -> HttpJsonSource:
        return HttpJsonSource(
            "hr",
            site(f"{self.web.url}/people"),
            MAPPING,
            paging=Offset(method="offset", size=SIZE),
            rows="data.people",
            total="data.total",
            since=Since(parameter="changed_since"),
            deleted="deleted",
        )

    def break_off(self) -> None:
        self.broken = True

    def answer(self, asked: Asked) -> Reply:
        """Answer as the export does."""
        start, limit = int(asked.query["offset"]), int(asked.query["limit"])
        least = asked.query.get("changed_since", "")
        found = [row for row in self.rows.values() if row["changed"] >= least]
        page = {"people": found[start : start + limit], "total": len(found)}
        return Reply({"data": page}, cut=self.broken and start >= SIZE)


@contextmanager
def open_export(_folder: Path) -> Iterator[Export]:
    """Open an export that is empty."""
    with serve(lambda _: Reply({})) as web:
        export = Export(web)
        web.answer = export.answer
        yield export
