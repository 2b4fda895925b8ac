"""From settings to a source that reads files."""

from __future__ import annotations

from syncd.config import CsvSource as CsvSettings
from syncd.config import JsonlSource as JsonlSettings
from syncd.connectors.sources.files.delimited import CsvSource
from syncd.connectors.sources.files.deliveries import Delivery
from syncd.connectors.sources.files.jsonlines import JsonlSource
from syncd.connectors.sources.files.reading import Clock, utc_now

__all__ = ["open_file"]


def open_file(
    settings: CsvSettings | JsonlSettings, clock: Clock | None
) -> CsvSource | JsonlSource:
    """Return the source that the settings describe; the clock says how old a file is."""
    asked = settings.delivery
    delivery = Delivery() if asked is None else Delivery(**dict(asked))
    given = (settings.name, settings.path, settings.mapping(), settings.encoding)
    if isinstance(settings, CsvSettings):
        return CsvSource(*given, settings.delimiter, delivery, clock or utc_now)
    return JsonlSource(*given, delivery, clock or utc_now)
