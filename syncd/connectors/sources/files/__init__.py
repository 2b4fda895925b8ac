"""
Files as sources: CSV and JSON Lines.

    deliveries  which file counts, its marker and checksum, its age
    packed      gzip and zip
    opened      one version of a file: open, scan, read again, compare
    encodings   which encoding it is, and from bytes to lines
    tally       what a read has found so far
    reading     pages, retries, and the facts at the end
    delimited   CSV rows          jsonlines   JSON objects
"""

from syncd.connectors.sources.files.delimited import CsvSource
from syncd.connectors.sources.files.deliveries import Delivery
from syncd.connectors.sources.files.jsonlines import JsonlSource
from syncd.connectors.sources.files.opening import open_file

__all__ = ["CsvSource", "Delivery", "JsonlSource", "open_file"]
