"""Days to come as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from syncd.cli.render import columns, counted, more, moved, styled
from syncd.core.words import SAYS

if TYPE_CHECKING:
    from rich.console import Console

    from syncd.state.views import Document

__all__ = ["reason", "show"]

KINDS = {
    "create": "gain",
    "reactivate": "gain",
    "move": "move",
    "remove": "loss",
    "deactivate": "loss",
    None: "start without a profile",
}


def show(out: Console, document: Document, limit: int) -> None:
    """Write what the days bring, the next ones first."""
    entries = document["upcoming"]
    said = ", ".join(_counts(entries)) or "nothing changes"
    until = f" until {document['until']}"
    out.print(styled((document["environment"], "bold"), " · ", (f"{said}{until}", "bold")))
    facts = f"by what was read on {document['read_on']}; what is due today is in syncd plan"
    out.print(styled((facts, "dim")))
    for note in _notes(document):
        out.print(styled((note, "yellow")))
    if entries:
        out.print(
            columns(
                (
                    [
                        each["day"],
                        each["person"],
                        each["user_name"] or each["user"] or "",
                        moved(each["profile_before"], each["profile_after"]),
                        reason(each),
                    ]
                    for each in entries[:limit]
                ),
                heads=("day", "person", "user", "profile", "why"),
                whole=(0,),
            )
        )
    rest = more(len(entries), limit)
    if rest:
        out.print(styled((f"  {rest}", "dim")))


def _counts(entries: list[Document]) -> Iterator[str]:
    counts = Counter(KINDS[each["action"]] for each in entries)
    plural = {"loss": "losses", "start without a profile": "starts without a profile"}
    for kind in dict.fromkeys(KINDS.values()):
        if counts[kind]:
            yield counted(counts[kind], kind, plural.get(kind, ""))


def _notes(document: Document) -> Iterator[str]:
    if document["not_believed"]:
        names = ", ".join(document["not_believed"])
        yield f"not believed when last read: {names}; while that is so, nobody loses anything"
    if document["rules_by_day"]:
        yield "rules look at the day: only people with dates of their own are listed"


def reason(coming: Document) -> str:
    """Say why somebody gains or loses, or why nothing comes of a first day."""
    if coming["action"] is None:
        return f"{coming['situation']}: {coming['reason'] or SAYS.get(coming['situation'], '')}"
    since = coming["since"]
    told = f", {coming['situation']} since {since}" if since not in (None, coming["day"]) else ""
    return f"{coming['reason']}{told}"
