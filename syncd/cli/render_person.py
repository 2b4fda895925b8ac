"""Why somebody is as they are, as text: from what the sources say to what would follow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from syncd.cli.render import columns, heading, moved, styled, when
from syncd.core.words import SAYS

if TYPE_CHECKING:
    from rich.console import Console

    from syncd.state.views import Document

__all__ = ["show"]

FACTS = ("object_id", "employee_id", "user_name", "mail", "enabled", "starts_on", "leaves_on")


def show(out: Console, document: Document) -> None:
    """Write the whole story of one match."""
    user, persons = document["user"], document["persons"]
    who = ", ".join(person["key"] for person in persons) or "nobody in the sources"
    name = f" · {user['user_name'] or user['id']}" if user else " · no user"
    as_read = "read just now" if document["fresh"] else "as last read"
    out.print(
        styled((f"{who}{name}", "bold"), f" in {document['environment']}", (f" ({as_read})", "dim"))
    )
    for judged in document["judged"]:
        _show_judged(out, judged, several=len(document["judged"]) > 1)
    for person in persons:
        _show_person(out, person)
    if user:
        _show_user(out, user)
    _show_decisions(out, document["decisions"])
    _show_past(out, document)
    if not document["certified"]:
        out.print()
        out.print(styled(("A source is not believed: nothing is removed for anybody.", "yellow")))


def _show_judged(out: Console, judged: Document, *, several: bool) -> None:
    situation = judged["situation"]
    who = f"{judged['person']}: " if several and judged["person"] else ""
    style = "bold green" if situation in ("CONFIRMED", "FOUND", "IDLE") else "bold yellow"
    out.print(styled(who, (situation, style), f": {SAYS.get(situation, '')}"))
    wanted = f"wants {judged['wanted']}" if judged["wanted"] else "wants no profile"
    if judged["presence"]:
        out.print(columns([["sources", f"{judged['presence']}, {wanted}"]]))
    lines = list(_follows(judged))
    out.print(columns(lines or [["next run", "nothing to do"]]))


def _follows(judged: Document) -> Iterator[Sequence[str]]:
    """Say what the next run would do, or why it would not."""
    for change in judged["changes"]:
        profiles = moved(change["profile_before"], change["profile_after"])
        yield "next run", f"{change['action']} {profiles}: {change['reason']}"
    for row in judged["adopts"]:
        yield "next run", f"adopt row {row}"
    for each in judged["pending"]:
        due = f", due {each['due']}" if each["due"] else ""
        yield "withheld", f"{each['reason']}{due} (row {each['membership'] or 'not there yet'})"
    for report in judged["reports"]:
        yield "reported", report
    if judged["profile_problem"]:
        yield "profile", judged["profile_problem"]
    for each in judged["conflicts"]:
        state = "stays open" if each["open"] else "is settled by the next run"
        yield "conflict", f"{each['code']} {state}: {', '.join(each['profiles'])}"
    if judged["protected"]:
        yield "protected", "on policy.protected_users; never changed"
    if judged["choice"]:
        yield "decided", f"an operator chose {judged['choice']}"
    if judged["saved"]:
        yield "saved", f"a removal pending as {judged['saved']} is called off"


# --- the person -------------------------------------------------------------------------------


def _show_person(out: Console, person: Document) -> None:
    out.print()
    out.print(heading(f"person {person['key']}", _presence(person)))
    if not person["sources"]:
        out.print(styled("  in no source"))
    else:
        out.print(columns(_said(person), heads=("", *(_sources(person)))))
        _show_stale(out, person["sources"])
    _show_rules(out, person["rules"])
    _show_rungs(out, person)
    _show_links(out, person["links"])
    sighting = person["sighting"]
    if sighting:
        second = f", again {sighting['second']}" if sighting["second"] else ""
        due = f", due {sighting['due']}" if sighting["due"] else ""
        said = f"seen as {sighting['situation']} first {sighting['first']}{second}{due}"
        out.print(columns([["memory", said]]))


def _presence(person: Document) -> str:
    return "" if person["merged"] else "not in the picture of the sources any more"


def _sources(person: Document) -> list[str]:
    """Head the columns: with several sources their ranks matter, and what counts of all."""
    told = person["sources"]
    if len(told) == 1:
        return [_named(told[0])]
    return [*(f"{_named(each)}\nrank {each['rank']}" for each in told), "counts"]


def _named(source: Document) -> str:
    return f"{source['source']}, stale" if source["stale"] else str(source["source"])


def _show_stale(out: Console, told: Sequence[Document]) -> None:
    """Say of what is not believed how old it is, and why."""
    lines = []
    for each in told:
        if each["stale"]:
            at = each["certified_at"]
            since = f"its last certified picture is of {when(at)}" if at else "none was certified"
            why = f": {each['findings'][0]}" if each["findings"] else ""
            lines.append(["stale", f"{each['source']}: {since}; the last read failed{why}"])
    if lines:
        out.print(columns(lines))


def _said(person: Document) -> Iterator[list[str | None]]:
    """Give what each source says of each field; and whose word counts, if there are several."""
    told = [*person["sources"]]
    counts = {each["field"]: _counted(each) for each in person["counts"]}
    several = len(told) > 1
    for field in FACTS:
        values = [source[field] for source in told]
        if any(value is not None for value in values):
            yield [field, *map(_value, values), *([counts.get(field)] if several else [])]
    for name in sorted({name for source in told for name in source["attributes"]}):
        values = [source["attributes"].get(name) for source in told]
        yield [name, *map(_value, values), *([counts.get(name)] if several else [])]
    if any(source["problem"] for source in told):
        yield ["problem", *(source["problem"] for source in told)]
    if any(source["deleted"] for source in told):
        yield ["deleted", *("yes" if source["deleted"] else None for source in told)]
    if any(source["doubled"] for source in told):
        yield ["doubled", *("yes" if source["doubled"] else None for source in told)]


def _counted(origin: Document) -> str:
    """Name the value that counts, and whose it is where sources differ."""
    value = _value(origin["value"]) or ""
    match origin["by"]:
        case "rank":
            return f"{value} ({origin['source']})"
        case "strictest":
            return f"{value} ({origin['source']}, strictest)"
    return value


def _value(value: object) -> str | None:
    if isinstance(value, list):
        return "; ".join(map(str, value)) or None
    if isinstance(value, dict):
        return ", ".join(f"{name} {each}" for name, each in value.items())
    return None if value is None else str(value)


def _show_rules(out: Console, rules: Document | None) -> None:
    if rules is None:
        return
    if rules["error"]:
        lines = [["rules", rules["error"]]]
    elif rules["rule"] is None:
        lines = [["rules", "none matches"]]
    else:
        lines = [["rules", f"{rules['rule']}: {rules['profile']}"]]
    for loser in rules["losers"]:
        note = f" ({loser['note']})" if loser["note"] else ""
        lines.append(["", f"also {loser['rule']}: {loser['profile'] or 'no answer'}{note}"])
    out.print(columns(lines))


def _show_rungs(out: Console, person: Document) -> None:
    found = f"{person['finding']} by {person['found_by']}" if person["found_by"] else ""
    said = person["finding_detail"] or found or person["finding"]
    lines: list[list[str]] = [["user", said]]
    for rung in person["rungs"]:
        if rung["value"] is None:
            lines.append(["", f"{rung['rung']}: no value"])
            continue
        users = ", ".join(each["user_name"] or each["user"] for each in rung["users"])
        others = len(rung["not_candidates"])
        note = f" ({others} more, no accounts of people)" if others else ""
        lines.append(["", f"{rung['rung']} {rung['value']}: {users or 'nobody'}{note}"])
    out.print(columns(lines))


def _show_links(out: Console, links: Sequence[Document]) -> None:
    lines = []
    for place, link in enumerate(links):
        ended = f"; ended {when(link['ended'])}: {link['why']}" if link["ended"] else ""
        how = f"{link['origin']} in run {link['run']}, found by {link['found_by']}"
        said = f"{link['profile']}, {how}, {when(link['since'])}{ended}"
        lines.append(["ours" if not place else "", said])
    if lines:
        out.print(columns(lines))


# --- the user ---------------------------------------------------------------------------------


def _show_user(out: Console, user: Document) -> None:
    out.print()
    notes = [
        user["full_name"] or "",
        "deleted" if user["deleted"] else "",
        "disabled" if user["disabled"] else "",
        "no account of a person" if user["candidate"] is False else "",
    ]
    note = ", ".join(note for note in notes if note)
    out.print(heading(f"user {user['user_name'] or ''} {user['id']}".replace("  ", " "), note))
    lines = [["rows", "none"]] if not user["rows"] else []
    for place, row in enumerate(user["rows"]):
        marks = [
            "active" if row["active"] else "inactive",
            "flagged" if row["flagged"] else "",
            f"ours ({row['ours']})" if row["ours"] else "not ours",
            f"since {when(row['created_on'])}" if row["created_on"] else "",
        ]
        said = ", ".join(mark for mark in marks if mark)
        lines.append(["rows" if not place else "", f"{row['profile']}: {said}"])
    lines += [["team brings", team] for team in user["teams"]]
    lines += [["found by", f"{key}, who is not decided about"] for key in user["explained_by"]]
    for each in user["conflicts"]:
        end = f"ended {when(each['ended'])} by {each['how']}" if each["ended"] else "still there"
        lines.append(["conflict", f"{each['code']} since {when(each['first'])}, {end}"])
    out.print(columns(lines))


# --- what was decided and done ------------------------------------------------------------------


def _show_decisions(out: Console, decisions: Sequence[Document]) -> None:
    if not decisions:
        return
    out.print()
    out.print(heading("decided by operators"))
    lines = []
    for each in decisions:
        until = f" until {each['until']}" if each["until"] else ""
        value = f" {each['value']}" if each["value"] else ""
        lines.append([each["kind"], f"{each['who']}{value}{until}: {each['reason']}"])
    out.print(columns(lines))


def _show_past(out: Console, document: Document) -> None:
    lines = []
    for each in document["last_plan"]:
        detail = f": {each['detail']}" if each["detail"] else ""
        lines.append([f"run {each['run']}", f"{each['action']} {each['result']}{detail}"])
    for each in document["audit"]:
        profiles = moved(each["profile_before"], each["profile_after"])
        lines.append([when(each["at"]), f"{each['what']} {profiles}, {each['result']}"])
    if lines:
        out.print()
        out.print(heading("lately"))
        out.print(columns(lines, whole=(0,)))
