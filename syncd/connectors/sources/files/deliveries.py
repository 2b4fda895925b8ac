"""Files as they are delivered: which one counts, whether it is whole, and how old it is."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from syncd.connectors.sources.files.opened import PACKED, Unreadable
from syncd.core.stamps import stamp_reader

__all__ = ["Delivery", "complete", "dated", "expected_sum", "findings"]

WILD = re.compile(r"[*?[]")
HEX = re.compile(r"(?<![0-9a-fA-F])[0-9a-fA-F]{64}(?![0-9a-fA-F])")
SUMS = 1 << 16
"""Bytes of a checksum file that are looked at."""
AHEAD = timedelta(days=1)
"""How far a date may lie ahead: wherever it was written, it was that day there."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """
    How a system delivers its files; by default one file that is always there.

    `done` and `checksum` are endings of files beside the one that is read. `date` says how
    a moment is written in the name or near the beginning of the content; without it the
    file's time counts.
    """

    newest: Literal["name", "time", "date"] = "name"
    done: str | None = None
    checksum: str | None = None
    date: str | None = None
    date_in: Literal["name", "content"] = "name"
    max_age: timedelta | None = None
    repeated: Literal["allow", "finding"] = "allow"


def complete(path: Path, delivery: Delivery) -> list[Path]:
    """
    Return the file that counts, and those that came before it, the newest first.

    A file whose marker is missing, or older than the file, is still being written: the
    one before it counts. Raises Unreadable where there is none, OSError where the folder
    cannot be read.
    """
    if not WILD.search(path.name) or path.exists():
        if path.exists() and not _done(path, delivery):
            raise Unreadable(
                f"{path}: there is no marker {path.name}{delivery.done} that is newer than the "
                "file, so it is not complete yet"
            )
        return [path]
    matching = list(_matching(path, delivery))
    if not matching:
        raise Unreadable(f"{path}: no file in the folder has such a name; was any delivered?")
    whole = [each for each in matching if _done(each, delivery)]
    if not whole:
        raise Unreadable(
            f"{path}: none of the {len(matching)} files has a marker *{delivery.done} that is "
            "newer than the file, so none is complete yet"
        )
    return sorted(whole, key=lambda each: _rank(each, delivery), reverse=True)


def _matching(path: Path, delivery: Delivery) -> Iterator[Path]:
    """Find the files in the folder of a pattern. Raises Unreadable for one that leads out."""
    folder = path.parent
    aside = tuple(each for each in (delivery.done, delivery.checksum) if each)
    for name in sorted(os.listdir(folder)):  # noqa: PTH208 - names are what the pattern is for
        each = folder / name
        hidden = name.startswith(".") or (aside and name.endswith(aside))
        if hidden or not fnmatchcase(name, path.name) or each.is_dir():
            continue
        if each.is_symlink() and each.resolve().parent != folder.resolve():
            raise Unreadable(f"{each}: this link leads out of the folder; nothing was read")
        yield each


Rank = tuple[float, tuple[tuple[int, str], ...]]


def _rank(path: Path, delivery: Delivery) -> Rank:
    """Say how new a file is: by its date or time, then by its name, digits as numbers."""
    first = 0.0
    if delivery.newest == "time":
        first = path.stat().st_mtime
    elif delivery.newest == "date" and delivery.date is not None:
        moment = stamp_reader(delivery.date)(path.name)
        first = moment.timestamp() if moment is not None else float("-inf")
    return first, tuple(_pieces(path.name.casefold()))


def _pieces(name: str) -> Iterator[tuple[int, str]]:
    for digits, other in re.findall(r"([0-9]+)|([^0-9]+)", name):
        yield (int(digits), "") if digits else (-1, other)


def _done(path: Path, delivery: Delivery) -> bool:
    if delivery.done is None:
        return True
    marker = _beside(path, delivery.done)
    return marker is not None and marker.stat().st_mtime_ns >= path.stat().st_mtime_ns


def _beside(path: Path, ending: str) -> Path | None:
    """Find what belongs to a file: hr.csv.gz.done, hr.csv.done or hr.done for hr.csv.gz."""
    names = [path.name]
    if path.suffix.lower() in PACKED:
        names.append(path.stem)
    names.append(Path(names[-1]).stem)
    found = (path.with_name(f"{name}{ending}") for name in names)
    return next((each for each in found if each.is_file() and each != path), None)


def expected_sum(path: Path, ending: str) -> str:
    """
    Return the SHA-256 that the file beside *path* promises, as lower-case hex digits.

    It may be of one file or a list of many, as sha256sum and others write them. Raises
    Unreadable where there is none.
    """
    beside = _beside(path, ending)
    if beside is None:
        raise Unreadable(f"{path}: there is no {path.name}{ending} beside it; nothing was read")
    with beside.open("rb") as file:
        raw = file.read(SUMS)
    wide = raw[:2] in {b"\xff\xfe", b"\xfe\xff"}
    lines = raw.decode("utf-16" if wide else "utf-8", errors="replace").splitlines()
    sums = [(found[0].lower(), line) for line in lines for found in HEX.finditer(line)]
    named = [digits for digits, line in sums if path.name in line]
    chosen = named or [digits for digits, _ in sums]
    if not chosen:
        raise Unreadable(f"{beside}: it holds no SHA-256 of {path.name}")
    if len(set(chosen)) > 1:
        which = f"and which is of {path.name}?"
        raise Unreadable(f"{beside}: it holds {len(chosen)} SHA-256 sums, {which}")
    return chosen[0]


def dated(path: Path, written: float, beginning: str, delivery: Delivery) -> datetime | None:
    """
    Return the moment a file is of: by its name or content, else when it was written.

    None where nobody asks. Raises Unreadable where it holds no such date.
    """
    if delivery.date is None:
        return None if delivery.max_age is None else datetime.fromtimestamp(written, UTC)
    text = path.name if delivery.date_in == "name" else beginning
    moment = stamp_reader(delivery.date)(text)
    if moment is None:
        place = "the name" if delivery.date_in == "name" else "the beginning of the content"
        raise Unreadable(f'{path}: {place} holds no date like "{delivery.date}"')
    return moment


def findings(path: Path, moment: datetime, now: datetime, delivery: Delivery) -> Iterator[str]:
    """Say what the age of a file has against it."""
    age = now - moment
    if delivery.max_age is not None and age > delivery.max_age:
        yield (
            f"{path}: it is of {moment:%Y-%m-%d %H:%M} UTC, which is {_span(age)} ago, and max_age "
            f"is {_span(delivery.max_age)}; is it still delivered?"
        )
    if delivery.date is not None and -age > AHEAD:
        yield (
            f"{path}: it is of {moment:%Y-%m-%d}, which is yet to come; "
            f'is its date written like "{delivery.date}"?'
        )


def _span(span: timedelta) -> str:
    hours = span / timedelta(hours=1)
    if hours < 1:
        return f"{span / timedelta(minutes=1):.0f} minutes"
    return f"{hours:.0f} hours" if hours < 72 else f"{hours / 24:.0f} days"
