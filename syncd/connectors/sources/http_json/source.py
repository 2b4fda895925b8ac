"""People from an export over HTTP: all of them, or those that changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b

import msgspec

from syncd.config.web import AskForNext, OnePage, Since
from syncd.config.web import HttpJsonSource as Settings
from syncd.connectors.records import Batch, Course, RowReading, Unread, beginning, shape
from syncd.connectors.sources.http_json.walking import Page, Walk
from syncd.connectors.web import Site, open_site
from syncd.core.identity import text
from syncd.core.mapping import PersonMapping
from syncd.core.paths import MISSING, Path, compile_path
from syncd.core.ports import Halt, Known

__all__ = ["HttpJsonSource", "open_http_json"]

MOMENT = "%Y-%m-%dT%H:%M:%SZ"
PASSES = 2
"""How often an export that changes under way is read."""
ALL = OnePage(method="none")


@dataclass(frozen=True, slots=True)
class HttpJsonSource:
    """
    The rows of a JSON export.

    With *since* a read of changes asks for them. Who is deleted is told by *deleted* only;
    where an export does not say it, only whole reads take people out.
    """

    name: str
    site: Site
    mapping: PersonMapping
    query: Mapping[str, str] = field(default_factory=dict)
    paging: AskForNext = ALL
    rows: str | None = None
    total: str | None = None
    since: Since | None = None
    deleted: str | None = None

    @property
    def shape(self) -> str:
        """A digest of everything that decides how a row becomes a record."""
        query = sorted(self.query.items())
        return shape("http-json", self.mapping, self.site.url, query, self.rows, self.deleted)

    def read(self, known: Known) -> RowReading:
        """Read the rows; who is known and has not changed is not given again."""
        return RowReading(f"source {self.name}", known, self.mapping, self._rows)

    def _rows(self, token: str | None, course: Course) -> Iterator[Batch]:
        changes = self._changes(token)
        course.partial = bool(changes)
        with self.site.opened(f"source {self.name}") as way:
            walk = Walk(way, {**self.query, **changes}, self.paging, self.rows, self.total)
            sight = _Sight(self.mapping, self.deleted, shaky=walk.shaky)
            for _ in range(PASSES):
                for page in walk.pages():
                    yield sight.batch(page)
                if not walk.shaky or len(set(walk.totals)) <= 1:
                    break
                sight.once, sight.odd = True, 0
            else:
                raise Unread(
                    f"{way.whom} changed the number of rows each time while they were read, so "
                    "some may be missing; run again at a quieter time"
                )
            if sight.odd:
                raise Unread(f"{way.whom} gave {sight.odd} rows that are no objects; not read")
            if self.since is not None and walk.began is not None:
                course.token = walk.began.strftime(MOMENT)

    def _changes(self, token: str | None) -> dict[str, str]:
        """Return what asks for changes only; nothing where all is wanted."""
        if token is None or self.since is None:
            return {}
        try:
            then = datetime.strptime(token, MOMENT).replace(tzinfo=UTC) - self.since.overlap
        except ValueError:
            return {}
        return {self.since.parameter: _written(then, self.since.format)}


def open_http_json(settings: Settings, stop: Halt) -> HttpJsonSource:
    """Return what reads this source; *stop* ends waiting. Raises ConfigError."""
    return HttpJsonSource(
        settings.name,
        open_site(settings.url, settings.auth, settings.http, stop),
        settings.mapping(),
        settings.query,
        settings.paging,
        settings.rows,
        settings.total,
        settings.since,
        settings.deleted,
    )


def _written(moment: datetime, form: str) -> str:
    match form:
        case "unix":
            return str(int(moment.timestamp()))
        case "unix-ms":
            return str(int(moment.timestamp() * 1000))
        case _:
            return moment.strftime(form)


@dataclass(slots=True)
class _Sight:
    """
    Takes the mapped columns out of rows, and knows rows again where pages are counted.

    A row that slipped onto the next page comes twice and is one; with `once` nobody is
    given who was given before.
    """

    mapping: PersonMapping
    deleted: str | None
    shaky: bool
    once: bool = False
    odd: int = 0
    key: str = field(init=False)
    paths: Mapping[str, Path] = field(init=False)
    gone: Path | None = field(init=False)
    seen: dict[bytes, bytes] = field(default_factory=dict)
    named: bool = False

    def __post_init__(self) -> None:
        names = self.mapping.columns()
        self.key = names[0]
        try:
            self.paths = {name: compile_path(name) for name in names}
            self.gone = None if self.deleted is None else compile_path(self.deleted)
        except ValueError as exc:
            raise Unread(f"a mapped column {exc}") from exc

    def batch(self, page: Page) -> Batch:
        """Return the rows of a page that were not given, and who is deleted."""
        rows: list[tuple[str | None, Mapping[str, object]]] = []
        gone: list[str] = []
        for each in page:
            if not isinstance(each, dict):
                self.odd += 1
                continue
            row = self._row(each)
            own = _own(row.get(self.key))
            if self.shaky and own is not None and self._met(own, each):
                continue
            if self.gone is not None and _true(self.gone.value(each)):
                gone += [own] if own is not None else []
                continue
            rows.append((own, row))
        self.named = self.named or bool(rows)
        return Batch(rows, gone)

    def _met(self, own: str, row: Mapping[str, object]) -> bool:
        """Whether a row was given, as it is now; any way it is, where each is given once."""
        key = beginning(own)
        content = blake2b(msgspec.json.encode(row), digest_size=8).digest()
        before = self.seen.get(key)
        if before is None:
            self.seen[key] = content
            return False
        return self.once or before == content

    def _row(self, found: dict[str, object]) -> dict[str, object]:
        # All names of the first page tell what a column that is absent may be called now.
        row: dict[str, object] = {} if self.named else dict(found)
        for name, path in self.paths.items():
            value = found[name] if name in found else path.value(found)
            if value is not MISSING:
                row[name] = value
        return row


def _own(key: object) -> str | None:
    if isinstance(key, bool) or not isinstance(key, str | int):
        return None
    return text(str(key)) or None


def _true(value: object) -> bool:
    return value is True or value == 1 or (isinstance(value, str) and value.lower() == "true")
