"""Systems that own data about people, each behind the same port."""

from __future__ import annotations

from typing import assert_never

from syncd.config import CsvSource, GraphSource, JsonlSource, LdapSource, ReadableSource, SqlSource
from syncd.config.web import HttpJsonSource, ScimSource
from syncd.core.ports import Halt, Source

__all__ = ["open_source"]


def open_source(settings: ReadableSource, stop: Halt) -> Source:
    """
    Return what reads a source; nothing is opened yet.

    *stop* ends waiting. Raises ConfigError for settings that cannot be used.
    """
    mapping = settings.mapping()
    match settings:
        case CsvSource(name=name, path=path, encoding=encoding, delimiter=delimiter):
            from syncd.connectors.sources import files  # noqa: PLC0415  # only what is used

            return files.CsvSource(name, path, mapping, encoding, delimiter)
        case JsonlSource(name=name, path=path, encoding=encoding):
            from syncd.connectors.sources import files  # noqa: PLC0415  # only what is used

            return files.JsonlSource(name, path, mapping, encoding)
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
