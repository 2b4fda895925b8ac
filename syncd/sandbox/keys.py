"""Keys in order, kept so that an insertion into a million moves a thousand."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator

__all__ = ["KeyIndex"]

BUCKET = 1024


class KeyIndex:
    """A sorted set of texts."""

    __slots__ = ("_buckets", "_lasts")

    def __init__(self, keys: Iterable[str] = ()) -> None:
        ordered = sorted(keys)
        self._buckets = [ordered[at : at + BUCKET] for at in range(0, len(ordered), BUCKET)]
        self._lasts = [bucket[-1] for bucket in self._buckets]

    def add(self, key: str) -> None:
        """Put in a key that is not there yet."""
        if not self._buckets:
            self._buckets, self._lasts = [[key]], [key]
            return
        at = min(bisect_left(self._lasts, key), len(self._buckets) - 1)
        bucket = self._buckets[at]
        insort(bucket, key)
        self._lasts[at] = bucket[-1]
        if len(bucket) > 2 * BUCKET:
            self._buckets[at : at + 1] = [bucket[:BUCKET], bucket[BUCKET:]]
            self._lasts[at : at + 1] = [bucket[BUCKET - 1], bucket[-1]]

    def remove(self, key: str) -> None:
        """Take out a key that is there."""
        at = bisect_left(self._lasts, key)
        bucket = self._buckets[at]
        del bucket[bisect_left(bucket, key)]
        if bucket:
            self._lasts[at] = bucket[-1]
        else:
            del self._buckets[at], self._lasts[at]

    def after(self, key: str | None) -> Iterator[str]:
        """Yield the keys that follow this one, or all of them, in order."""
        at = 0 if key is None else bisect_right(self._lasts, key)
        if at >= len(self._buckets):
            return
        first = self._buckets[at]
        yield from first if key is None else first[bisect_right(first, key) :]
        for bucket in self._buckets[at + 1 :]:
            yield from bucket
