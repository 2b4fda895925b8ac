"""
A database as a source: one SELECT, read in one transaction that cannot write.

    source      the read: everything, or what changed by a watermark column
    opened      engine, transaction, time limit, and the sentence for each failure
    values      from what drivers return to cells
    marks       the watermark: how it is kept, and how far a read goes back from it
"""

from syncd.connectors.sources.sql.source import SqlSource, Watermark, open_sql

__all__ = ["SqlSource", "Watermark", "open_sql"]
