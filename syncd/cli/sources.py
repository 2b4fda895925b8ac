"""`syncd sources`: what was read, whether it was believed, and what may pass once."""

from __future__ import annotations

from syncd.app import App
from syncd.cli import desk, listing
from syncd.core.certificate import acceptable
from syncd.core.errors import UsageError
from syncd.state import lookup
from syncd.state.decisions import Ruling, Verb
from syncd.state.lookup import Read

__all__ = ["accept", "show", "withdraw"]


def show(app: App, *, as_json: bool) -> None:
    """Show when each source was last read, and whether the read was believed."""
    with desk.look(app, None) as (tx, _):
        reads = lookup.last_reads(tx, [source.name for source in app.config.sources])
        accepted = {ruling.subject: ruling for ruling in lookup.rulings(tx, Verb.ACCEPT, None)}
    bodies = [_body(read, accepted.get(read.name)) for read in reads]
    if as_json:
        listing.write_document({"sources": bodies})
        return
    lines = [
        [read.name, read.at or "never", read.rows, _verdict(read, accepted.get(read.name))]
        for read in reads
    ]
    listing.write_columns(("source", "last read", "rows believed", "verdict"), lines)


def _body(read: Read, accepted: Ruling | None) -> dict[str, object]:
    return {
        "source": read.name,
        "last_read": read.at,
        "certified_rows": read.rows,
        "certified": read.believed,
        "findings": list(read.findings),
        "notes": list(read.notes),
        "accepted_by": accepted.who if accepted else None,
        "accepted_reason": accepted.reason if accepted else None,
    }


def _verdict(read: Read, accepted: Ruling | None) -> str:
    if read.believed is None:
        said = "not read yet"
    else:
        said = "believed" if read.believed else f"not believed: {'; '.join(read.findings)}"
    said = "; ".join([said, *read.notes])
    return f"{said} (the next read is accepted by {accepted.who})" if accepted else said


def accept(app: App, name: str, reason: str) -> None:
    """
    Let the next read of a source pass what its last one failed by.

    It becomes the new baseline. Good for one read, and for one finding.
    """
    with desk.sit_down(app, None, reason) as at:
        _known(at, name)
        read = lookup.last_reads(at.tx, [name])[0]
        if read.believed is None:
            raise UsageError(
                f"{name}: this source has not been read yet; first run: syncd reconcile"
            )
        if read.believed:
            raise UsageError(f"{name}: the last read was believed; there is nothing to accept")
        if len(read.findings) > 1:
            raise UsageError(
                f"{name}: the last read failed by {len(read.findings)} findings, and only one may "
                f"pass; mend the others first: {'; '.join(read.findings)}"
            )
        if not all(acceptable(finding) for finding in read.findings):
            raise UsageError(
                f"{name}: a read that fails by this is never believed: {read.findings[0]}; "
                f"{_remedy(read.findings[0])}"
            )
        at.add(Verb.ACCEPT, name, None)
        listing.put(f"{name}: the next read may pass this: {'; '.join(read.findings)}")


def _remedy(finding: str) -> str:
    """
    Say what to do about a finding that nobody may accept.

    A renamed column is one: nothing was read without it, so there is nothing to believe.
    """
    if "mapped column" in finding and "is absent" in finding:
        return (
            "if the column was renamed, write its new name into the mapping of this source "
            "([sources.person] in the configuration), otherwise bring it back into the file; "
            "the next read needs no acceptance then"
        )
    return "mend the file, or the mapping in the configuration"


def _known(at: desk.Desk, name: str) -> None:
    names = [source.name for source in at.app.config.sources]
    if name not in names:
        raise UsageError(f"{name}: there is no such source; there are {', '.join(names)}")


def withdraw(app: App, name: str, reason: str) -> None:
    """Take an acceptance back that no read has used yet."""
    with desk.sit_down(app, None, reason) as at:
        if not at.withdraw(Verb.ACCEPT, name, None):
            raise UsageError(f"{name}: nothing is accepted of this source; see: syncd sources list")
        listing.put(f"{name}: the next read is judged like every other")
