"""
People in the JSON export of an HR suite, over HTTP.

    source   a read: everything, or what changed
    walking  from page to page, and whether all of them came
"""

from syncd.connectors.sources.http_json.source import HttpJsonSource, open_http_json

__all__ = ["HttpJsonSource", "open_http_json"]
