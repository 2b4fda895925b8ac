"""What init does: ask, draft a configuration, see that it would be accepted, write it."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import typer

from syncd.config.columns import look_into
from syncd.config.draft import (
    METHODS,
    NAMES,
    TYPES,
    Draft,
    DraftSource,
    problems,
    variables,
    written,
)
from syncd.config.values import loopback
from syncd.core.errors import UsageError

__all__ = ["write"]

Said = Mapping[str, Any]
"""What the options say, by name; None where they say nothing."""
STDOUT = Path("-")
PLACES = {"csv": "hr.csv", "jsonl": "hr.jsonl"}
"""Where a file is if nobody says otherwise."""
ADDRESSED = {
    "ldap": "The directory's address (ldaps://HOST)",
    "scim": "The SCIM server's address, up to what stands before /Users",
    "http-json": "The address of the list of people",
}
QUERY = "SELECT id, login, mail, department FROM people"
OWNED = {"certificate": "The certificate with its key, PEM or PFX", "federated": "The token's file"}


def write(said: Said, file: Path, *, ask: bool, force: bool) -> None:
    """
    Write a configuration. Raises UsageError: something is missing or wrong, or the file is there.

    Nothing is written unless it would be accepted.
    """
    _free(file, force=force)
    asking = Asking(said, ask=ask and sys.stdin.isatty())
    draft = _draft(asking, file)
    if asking.missing:
        why = "" if not ask or sys.stdin.isatty() else "; there is no terminal to ask on"
        options = ", ".join(dict.fromkeys(asking.missing))
        raise UsageError(f"init needs to know {options}{why}. Nothing was written")
    wrong = problems(draft, str(file))
    if wrong:
        raise UsageError("\n".join([*wrong, "Nothing was written; give the options otherwise"]))
    text = written(draft)
    if file == STDOUT:
        typer.echo(text, nl=False)
        return
    _put(file, text, force=force)
    _next(draft, file)


class Asking:
    """Answers questions: by options, by asking, or by what is usual."""

    def __init__(self, said: Said, *, ask: bool) -> None:
        """Remember what the options *said*; *ask* where there is somebody to be asked."""
        self.said, self.ask = said, ask
        self.missing: list[str] = []

    def __call__(self, option: str, question: str, usual: str | None = None) -> str:
        """Return the answer; what has none and nothing usual is noted as missing."""
        given = self.said.get(option)
        if given is not None:
            return str(given).strip()
        if self.ask:
            return str(typer.prompt(question, default=usual, err=True)).strip()
        if usual is None:
            self.missing.append(f"--{option}")
        return usual or ""

    def kinds(self) -> list[str]:
        """Return the types of sources."""
        if not self.ask:
            self.missing.append(f"--source TYPE (one of {', '.join(TYPES)})")
            return []
        question = f"Where people come from: {', '.join(TYPES)}; several with blanks between"
        return str(typer.prompt(question, default="csv", err=True)).split()

    def place(self, kind: str, question: str) -> str:
        """Return where a source is, that no option of its own says."""
        if self.ask:
            return str(typer.prompt(question, default=PLACES.get(kind), err=True)).strip()
        if kind not in PLACES:
            self.missing.append(f"--source {kind}=ADDRESS")
        return PLACES.get(kind, "")


def _free(file: Path, *, force: bool) -> None:
    if file == STDOUT:
        return
    if file.is_dir():
        raise UsageError(f"{file} is a folder; name a file: --output {file / 'syncd.toml'}")
    if not file.parent.is_dir():
        raise UsageError(f"{file}: there is no folder {file.parent}; create it first")
    if file.exists() and not force:
        raise UsageError(
            f"{file} is there already and was left as it is; write another with --output FILE, "
            "or replace it with --force"
        )


def _put(file: Path, text: str, *, force: bool) -> None:
    try:
        with file.open("w" if force else "x", encoding="utf-8") as opened:
            opened.write(text)
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from error


# --- questions ------------------------------------------------------------------------------


def _draft(asking: Asking, file: Path) -> Draft:
    kinds = asking.said["source"] or asking.kinds()
    sources = [_source(asking, each, file) for each in kinds]
    url = asking("url", "The environment's address (https://NAME.crm4.dynamics.com)")
    method = _method(asking, url)
    named = method in ("client-secret", "certificate", "federated")
    graph = any(source.type == "graph" for source in sources)
    identified = named or (graph and method == "none")
    return Draft(
        environment=asking("name", "What to call the environment", _host(url)),
        url=url,
        method=method,
        tenant=asking("tenant", "The directory (tenant) id or domain") if identified else "",
        client=asking("client", "The application (client) id") if identified else _own(asking),
        proof=asking("proof", OWNED[method]) if method in OWNED else "",
        sources=sources,
        profile=asking("profile", "A profile that people shall have, by its name", "Field Crew"),
        when=asking.said["when"] or "",
    )


def _own(asking: Asking) -> str:
    """Return the client id of a user-assigned managed identity, which need not be given."""
    return asking.said["client"] or ""


def _method(asking: Asking, url: str) -> str:
    usual = "none" if loopback(url) else "client-secret"
    method = asking("auth", f"How syncd signs in ({', '.join(METHODS)})", usual)
    if method not in METHODS:
        raise UsageError(f"--auth {method}: write one of {', '.join(METHODS)}")
    return method


def _host(url: str) -> str:
    """Name an environment after the first part of its host."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        host = ""
    if not host or loopback(url):
        return "sandbox"
    return re.sub(r"[^a-z0-9-]", "-", host.partition(".")[0])


def _source(asking: Asking, said: str, file: Path) -> DraftSource:
    kind, _, place = (part.strip() for part in said.strip(" ,").partition("="))
    if kind not in TYPES:
        raise UsageError(f"--source {kind}: write one of {', '.join(TYPES)}")
    match kind:
        case "csv" | "jsonl":
            place = place or asking.place(kind, f"The {kind} file, seen from {file.parent}")
            sample = look_into(file.parent / place, kind)
            return DraftSource(kind, place, sample=sample)
        case "sql":
            if place:
                raise UsageError(
                    "--source sql takes no address, since that may hold a password; set the "
                    "environment variable that the file will name"
                )
            return DraftSource(kind, query=asking("query", "What the database is asked", QUERY))
        case "ldap":
            place = place or asking.place(kind, ADDRESSED[kind])
            return DraftSource(
                kind,
                place,
                base=asking("base", "Under which name people are", _domain(place)),
                user=asking("user", "Who reads the directory (a name, or NAME@DOMAIN)"),
            )
        case "graph":
            return DraftSource(kind)
    return DraftSource(kind, place or asking.place(kind, ADDRESSED[kind]))


def _domain(address: str) -> str | None:
    """Guess the root of a directory from a server's name: the domain that it is in."""
    try:
        parts = (urlsplit(address).hostname or "").split(".")[1:]
    except ValueError:
        return None
    return ",".join(f"DC={part}" for part in parts) if len(parts) > 1 else None


# --- what comes next ------------------------------------------------------------------------


def _next(draft: Draft, file: Path) -> None:
    """Say what to do with the file, in the order in which it is done."""
    name = shlex.quote(str(file))
    first = shlex.quote(NAMES[draft.sources[0].type])
    typer.echo(f"{file} is written. Next:")
    steps: list[Sequence[str]] = [
        (f"export {variable}=…", what) for variable, what in variables(draft).items()
    ]
    steps += [
        (f"syncd -c {name} check-config", "look through the file before: CHECK and CHANGE"),
        (f"syncd -c {name} doctor", "whether everything is there that syncd needs"),
        (f"syncd -c {name} sources preview {first}", "the first people, as they are mapped"),
        (f"syncd -c {name} plan", "what would be done; writes nothing"),
    ]
    widest = max(len(step) for step, _ in steps)
    for step, what in steps:
        typer.echo(f"  {step:<{widest}}   # {what}")
