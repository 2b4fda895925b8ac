"""Rows in the order of their keys, in buckets: an insertion into a million moves a thousand."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["Bucket", "Index", "Row", "Span"]

Row = tuple[object, ...]
SIZE = 1024


class Bucket:
    """
    Neighbours: keys, their rows, and beside each row its JSON as it was last shown.

    `select` says for which selection `shown` is; a row that was written since has None there.
    """

    __slots__ = ("keys", "rows", "select", "shown")

    def __init__(self, keys: list[str], rows: list[Row]) -> None:
        self.keys = keys
        self.rows = rows
        self.forget()

    def forget(self, select: tuple[int, ...] | None = None) -> None:
        """Drop what was shown, and be ready for this selection."""
        self.select = select
        self.shown: list[bytes | None] = [None] * len(self.keys)


@dataclass(frozen=True, slots=True)
class Span:
    """Consecutive rows of one bucket."""

    bucket: Bucket
    start: int
    stop: int


class Index:
    """All rows of a table, by key."""

    __slots__ = ("_buckets", "_lasts")

    def __init__(self, keys: Sequence[str] = (), rows: Sequence[Row] = ()) -> None:
        """Take keys in order, and their rows."""
        self._buckets = [
            Bucket(list(keys[at : at + SIZE]), list(rows[at : at + SIZE]))
            for at in range(0, len(keys), SIZE)
        ]
        self._lasts = [bucket.keys[-1] for bucket in self._buckets]

    def put(self, key: str, row: Row) -> None:
        """Put in a row, or in the place of the one with this key."""
        if not self._buckets:
            self._buckets, self._lasts = [Bucket([key], [row])], [key]
            return
        number = min(bisect_left(self._lasts, key), len(self._buckets) - 1)
        bucket = self._buckets[number]
        at = bisect_left(bucket.keys, key)
        if at < len(bucket.keys) and bucket.keys[at] == key:
            bucket.rows[at], bucket.shown[at] = row, None
            return
        bucket.keys.insert(at, key)
        bucket.rows.insert(at, row)
        bucket.shown.insert(at, None)
        self._lasts[number] = bucket.keys[-1]
        if len(bucket.keys) > 2 * SIZE:
            self._split(number, bucket)

    def _split(self, number: int, bucket: Bucket) -> None:
        halves = [
            Bucket(bucket.keys[:SIZE], bucket.rows[:SIZE]),
            Bucket(bucket.keys[SIZE:], bucket.rows[SIZE:]),
        ]
        self._buckets[number : number + 1] = halves
        self._lasts[number : number + 1] = [half.keys[-1] for half in halves]

    def remove(self, key: str) -> None:
        """Take out a row that is there."""
        number = bisect_left(self._lasts, key)
        bucket = self._buckets[number]
        at = bisect_left(bucket.keys, key)
        del bucket.keys[at], bucket.rows[at], bucket.shown[at]
        if bucket.keys:
            self._lasts[number] = bucket.keys[-1]
        else:
            del self._buckets[number], self._lasts[number]

    def spans(self, after: str | None, limit: int) -> tuple[list[Span], bool]:
        """Return the rows that follow a key, at most so many, and whether there are more."""
        found: list[Span] = []
        number, start = self._place(after)
        while number < len(self._buckets):
            bucket = self._buckets[number]
            stop = min(start + limit, len(bucket.keys))
            if stop > start:
                found.append(Span(bucket, start, stop))
                limit -= stop - start
            if stop < len(bucket.keys):
                return found, True
            number, start = number + 1, 0
        return found, False

    def after(self, key: str | None) -> Iterator[Row]:
        """Yield the rows that follow this key, or all of them, in order."""
        number, start = self._place(key)
        for bucket in self._buckets[number:]:
            yield from bucket.rows[start:] if start else bucket.rows
            start = 0

    def _place(self, after: str | None) -> tuple[int, int]:
        """Find the bucket and the position in it where the rows after this key begin."""
        if after is None:
            return 0, 0
        number = bisect_right(self._lasts, after)
        if number == len(self._buckets):
            return number, 0
        return number, bisect_right(self._buckets[number].keys, after)
