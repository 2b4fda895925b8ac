"""
Files as sources: CSV and JSON Lines.

    opened      one version of a file: open, scan, read again, compare
    encodings   which encoding it is, and from bytes to lines
    tally       what a read has found so far
    reading     pages, retries, and the facts at the end
    delimited   CSV rows          jsonlines   JSON objects
"""

from syncd.connectors.sources.files.delimited import CsvSource
from syncd.connectors.sources.files.jsonlines import JsonlSource

__all__ = ["CsvSource", "JsonlSource"]
