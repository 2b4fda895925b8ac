"""Systems that own data about people, each behind the same port."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import assert_never

from syncd.config import CsvSource, GraphSource, JsonlSource, LdapSource, ReadableSource, SqlSource
from syncd.config.web import HttpJsonSource, ScimSource
from syncd.core.ports import Halt, Source

__all__ = ["open_source"]


def open_source(
    settings: ReadableSource,
    stop: Halt,
    clock: Callable[[], datetime] | None = None,
) -> Source:
    """
    Return what reads a source; nothing is opened yet.

    *stop* ends waiting, *clock* says how old something is. Raises ConfigError for settings
    that cannot be used.
    """
    match settings:
        case CsvSource() | JsonlSource():
            from syncd.connectors.sources import files  # noqa: PLC0415  # only what is used

            return files.open_file(settings, clock)
        case GraphSource():
            from syncd.connectors.sources import graph  # noqa: PLC0415  # only what is used

            return graph.open_graph(settings, stop)
        case SqlSource():
            from syncd.connectors.sources import sql  # noqa: PLC0415  # only what is used

            return sql.open_sql(settings)
        case LdapSource():
            from syncd.connectors.sources import ldap  # noqa: PLC0415  # only what is used

            return ldap.open_ldap(settings)
        case ScimSource():
            from syncd.connectors.sources import scim  # noqa: PLC0415  # only what is used

            return scim.open_scim(settings, stop)
        case HttpJsonSource():
            from syncd.connectors.sources import http_json  # noqa: PLC0415  # only what is used

            return http_json.open_http_json(settings, stop)
        case _:
            assert_never(settings)
