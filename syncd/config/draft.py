"""A configuration to begin with, as `syncd init` writes it: whole, and with its reasons."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from syncd.config.columns import Sample, guess
from syncd.config.load import load
from syncd.core.errors import ConfigError

__all__ = ["METHODS", "NAMES", "TYPES", "Draft", "DraftSource", "problems", "variables", "written"]

TYPES = ("csv", "jsonl", "sql", "ldap", "graph", "scim", "http-json")
METHODS = ("client-secret", "certificate", "federated", "managed-identity", "none")
SECRET = "SYNCD_CLIENT_SECRET"  # noqa: S105  # the name of a variable
NAMES = {
    "csv": "hr",
    "jsonl": "hr lines",
    "sql": "hr database",
    "ldap": "directory",
    "graph": "entra",
    "scim": "identity platform",
    "http-json": "hr suite",
}
VARIABLES = {
    "sql": ("SYNCD_SOURCE_DATABASE", "the address of the database, with user and password"),
    "ldap": ("SYNCD_LDAP_PASSWORD", "the password of the account that reads the directory"),
    "scim": ("SYNCD_SCIM_TOKEN", "a token that may read users and groups there"),
    "http-json": ("SYNCD_API_KEY", "the key of the export"),
}
"""Environment variables that hold what a source must not name."""


@dataclass(frozen=True, slots=True)
class DraftSource:
    """
    A source to be written: its type, and where it is.

    `base` and `user` are for a directory, `query` for a database; `sample` is what a file
    shows of its columns.
    """

    type: str
    place: str = ""
    base: str = ""
    user: str = ""
    query: str = ""
    sample: Sample | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """
    What somebody answered.

    `method` is how syncd signs in, `proof` the file it does so with; `profile` goes to people of
    whom the CEL expression `when` is true, one that fits the source unless given.
    """

    environment: str
    url: str
    method: str
    tenant: str = ""
    client: str = ""
    proof: str = ""
    sources: Sequence[DraftSource] = ()
    profile: str = "Field Crew"
    when: str = ""


def variables(draft: Draft) -> dict[str, str]:
    """Return the environment variables to be set before the first run, and what each holds."""
    found = {}
    kinds = [source.type for source in draft.sources]
    alone = draft.method == "none" and "graph" in kinds
    if draft.method == "client-secret" or alone:
        whom = "that may read users" if alone else "that may change memberships"
        found[SECRET] = f"the secret of the application {whom}"
    return found | dict(VARIABLES[kind] for kind in kinds if kind in VARIABLES)


def problems(draft: Draft, name: str) -> list[str]:
    """Say what a configuration written from *draft* would be refused for, as of a file *name*."""
    environ = dict.fromkeys(variables(draft), "x")
    if "SYNCD_SOURCE_DATABASE" in environ:
        environ["SYNCD_SOURCE_DATABASE"] = "sqlite:///x.db"
    with tempfile.TemporaryDirectory(prefix="syncd-") as folder:
        path = Path(folder) / "syncd.toml"
        path.write_text(written(draft), encoding="utf-8")
        try:
            load(path, environ)
        except ConfigError as error:
            return [each.replace(str(path), name) for each in error.problems]
    return []


def written(draft: Draft) -> str:
    """Write the configuration, every part with a comment of its own."""
    parts = [
        *_head(draft),
        *_environment(draft),
        *POLICY,
        *(
            line
            for name, rank, each in _named(draft.sources)
            for line in _source(draft, name, rank, each)
        ),
        *_rules(draft),
    ]
    return "\n".join(parts) + "\n"


def _named(sources: Sequence[DraftSource]) -> Iterator[tuple[str, int, DraftSource]]:
    """Name each source after its type; a second one of a type is numbered."""
    seen: dict[str, int] = {}
    for rank, source in enumerate(sources, 1):
        seen[source.type] = seen.get(source.type, 0) + 1
        again = f" {seen[source.type]}" if seen[source.type] > 1 else ""
        yield f"{NAMES[source.type]}{again}", rank, source


def _head(draft: Draft) -> Iterator[str]:
    yield "# What syncd keeps in step, and by what. Every key that is not here has its default:"
    yield "# `syncd check-config` shows them all, config/README.md says what each one means."
    needed = variables(draft)
    if needed:
        yield "#"
        yield "# Secrets stay out of this file. Before the first run, set:"
        widest = max(map(len, needed))
        yield from (f"#   {name:<{widest}}  {what}" for name, what in needed.items())
    yield from ("", "[state]", 'url = "sqlite:///syncd.db"        # beside this file')
    yield '# or PostgreSQL, for the service on several machines: url = { env = "SYNCD_DATABASE" }'


def _environment(draft: Draft) -> Iterator[str]:
    name = _key(draft.environment)
    yield from ("", "# The Dataverse environment whose memberships are kept.")
    yield f"[environments.{name}]"
    yield f"url = {_text(draft.url)}"
    yield from ("", f"[environments.{name}.auth]")
    yield from _auth(draft)


def _auth(draft: Draft) -> Iterator[str]:
    """Write how syncd signs in at Entra ID; the same application may read Graph."""
    yield f"method = {_text(draft.method)}"
    if draft.method in ("client-secret", "certificate", "federated"):
        yield f"tenant_id = {_text(draft.tenant)}"
        yield f"client_id = {_text(draft.client)}"
    match draft.method:
        case "client-secret":
            yield f'client_secret = {{ env = "{SECRET}" }}'
        case "certificate":
            yield _beside(f"certificate = {_text(draft.proof)}", "PEM with its key, or PFX")
        case "federated":
            yield _beside(f"token_file = {_text(draft.proof)}", "read at each sign-in")
        case "managed-identity" if draft.client:
            yield _beside(f"client_id = {_text(draft.client)}", "a user-assigned identity")


POLICY = (
    "",
    "# What syncd may do, and when it takes a row away.",
    "[policy]",
    'ownership = "adopt"              # rows that people made are reported, not changed;',
    '                                 # "exclusive" changes those of profiles that rules name, too',
    "protected_users = []             # user names or object ids that are never touched",
    "[policy.grace]                   # days between deciding and removing",
    "left = 0",
    "out_of_scope = 0",
    "vanished = 0                     # after a second day without them",
    "user_disabled = 0",
    "[policy.gates.removals]          # a run that would remove or move more stops and asks",
    "percent = 10",
    "absolute = 200",
    "floor = 5",
    "[policy.certificate]             # when a read is believed: no read, no removal",
    "max_shrink_percent = 20",
    "canaries = []                    # keys of people who will not leave soon; a good idea",
)


# --- sources --------------------------------------------------------------------------------


def _source(draft: Draft, name: str, rank: int, source: DraftSource) -> Iterator[str]:
    yield from ("", f"# {ABOUT[source.type]}", "[[sources]]", f"name = {_text(name)}")
    yield f"type = {_text(source.type)}"
    if len(draft.sources) > 1:
        yield _beside(f"rank = {rank}", "lower wins where several describe a person")
    fields, attributes = _mapping(source, several=len(draft.sources) > 1)
    yield from _place(draft, source)
    yield "[sources.person]                 # which column says what; CHECK these"
    yield _beside(f"key = {_value(fields.pop('key'))}", "text that never changes for a person")
    yield from (f"{field} = {_value(column)}" for field, column in fields.items())
    yield "[sources.person.attributes]      # what rules may ask for as person.NAME"
    yield from (f"{_key(each)} = {_value(column)}" for each, column in attributes.items())


ABOUT = {
    "csv": "People from a CSV file.",
    "jsonl": "People from a file with one JSON object a line.",
    "sql": "People from a database; its driver must be installed, and the account need only read.",
    "ldap": "People from a directory; the program needs its extra: pip install 'syncd[ldap]'.",
    "graph": "People from Entra ID, with the application permission User.Read.All.",
    "scim": "People from a SCIM 2.0 server.",
    "http-json": "People from a JSON export over HTTP; config/http-json.toml shows other pagings.",
}


def _place(draft: Draft, source: DraftSource) -> Iterator[str]:
    """Write where a source is and how it is read."""
    match source.type:
        case "csv" | "jsonl":
            yield _beside(f"path = {_text(source.place)}", "relative to this file")
            yield 'encoding = "auto"'
            if source.type == "csv":
                yield 'delimiter = "auto"'
        case "sql":
            yield f'url = {{ env = "{VARIABLES["sql"][0]}" }}'
            yield f"query = {_text(source.query)}"
        case "ldap":
            yield from _directory(source)
        case "graph":
            yield from ("[sources.auth]", *_auth_of_graph(draft))
        case "scim":
            yield _beside(f"url = {_text(source.place)}", "what stands before /Users")
            yield f'auth = {{ method = "bearer", token = {{ env = "{VARIABLES["scim"][0]}" }} }}'
        case _:
            yield f"url = {_text(source.place)}"
            key = f'{{ env = "{VARIABLES["http-json"][0]}" }}'
            yield f'auth = {{ method = "header", name = "X-Api-Key", value = {key} }}'
            yield 'rows = "items"                   # where the list stands in a page'
            paging = '{ method = "page", parameter = "page", size_parameter = "per_page" }'
            yield f"paging = {paging}"


def _directory(source: DraftSource) -> Iterator[str]:
    secret = f'{{ env = "{VARIABLES["ldap"][0]}" }}'
    yield _beside(f"urls = [{_text(source.place)}]", "the first that answers is asked")
    yield f'bind = {{ method = "simple", user = {_text(source.user)}, password = {secret} }}'
    yield '# ca_file = "corp-ca.pem"        # the authority of its certificates, if it is your own'
    yield "[[sources.searches]]"
    yield f"base = {_text(source.base)}"
    yield "# where the directory is not Active Directory: (objectClass=person)"
    yield 'filter = "(&(objectCategory=person)(objectClass=user))"'


def _auth_of_graph(draft: Draft) -> Iterator[str]:
    """Sign in as for the environment; where that is a sandbox, as an application to be named."""
    if draft.method != "none":
        yield from _auth(draft)
        return
    yield 'method = "client-secret"'
    yield f"tenant_id = {_text(draft.tenant)}"
    yield f"client_id = {_text(draft.client)}"
    yield f'client_secret = {{ env = "{SECRET}" }}'


USUAL: Mapping[str, tuple[Mapping[str, object], Mapping[str, object]]] = {
    "csv": (
        {
            "key": "EmployeeID",
            "employee_id": "EmployeeID",
            "user_name": "UPN",
            "mail": "Email",
            "enabled": {"column": "Status", "true_values": ["Active"]},
            "leaves_on": {"column": "Last day", "format": "%Y-%m-%d"},
        },
        {"department": "Department"},
    ),
    "jsonl": (
        {"key": "employeeId", "employee_id": "employeeId", "user_name": "userPrincipalName"},
        {"department": "department"},
    ),
    "sql": (
        {"key": "id", "employee_id": "id", "user_name": "login", "mail": "mail"},
        {"department": "department"},
    ),
    "ldap": (
        {
            "key": "objectGUID",
            "employee_id": "employeeID",
            "user_name": "userPrincipalName",
            "mail": "mail",
            "enabled": "userAccountControl.enabled",
            "leaves_on": "accountExpires",
        },
        {"department": "department"},
    ),
    "graph": (
        {
            "key": "id",
            "object_id": "id",
            "employee_id": "employeeId",
            "user_name": "userPrincipalName",
            "mail": "mail",
            "enabled": "accountEnabled",
        },
        {"department": "department"},
    ),
    "scim": (
        {
            "key": "externalId",
            "employee_id": (
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber"
            ),
            "user_name": "userName",
            "mail": 'emails[type eq "work"].value',
            "enabled": "active",
        },
        {"department": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"},
    ),
    "http-json": (
        {"key": "id", "employee_id": "id", "user_name": "login", "mail": "mail"},
        {"department": "department"},
    ),
}
"""What the columns of a source are usually called: of a person, and for rules."""


def _mapping(source: DraftSource, *, several: bool) -> tuple[dict[str, object], dict[str, object]]:
    """Return the columns of a source. Several sources meet by the employee id."""
    if source.sample is not None:
        return guess(source.sample)
    fields, attributes = (dict(each) for each in USUAL[source.type])
    if several and "employee_id" in fields:
        fields["key"] = fields["employee_id"]
    return fields, attributes


# --- rules ----------------------------------------------------------------------------------


def _rules(draft: Draft) -> Iterator[str]:
    """Write one rule, about the first attribute that there is."""
    attributes = [
        each for s in draft.sources for each in _mapping(s, several=len(draft.sources) > 1)[1]
    ]
    asked = attributes[0] if attributes else "key"
    yield from ("", "# Who gets which profile. In order; the first rule that matches decides.")
    yield from ("[[rules]]", f"name = {_text(draft.profile.lower())}")
    yield _beside(f"profile = {_text(draft.profile)}", "its published name, or its id")
    if draft.when:
        yield f"when = {_text(draft.when)}"
    else:
        usual = f'person.{asked} == "Field Service"'
        yield f"when = '{usual}'     # CHANGE this"


def _beside(setting: str, comment: str) -> str:
    """Write a comment beside a setting, where all comments begin."""
    return f"{setting:<32} # {comment}"


def _key(key: str) -> str:
    bare = key and all(c.isascii() and (c.isalnum() or c in "_-") for c in key)
    return key if bare else _text(key)


def _value(value: object) -> str:
    match value:
        case Mapping():
            inner = ", ".join(f"{_key(str(key))} = {_value(each)}" for key, each in value.items())
            return f"{{ {inner} }}"
        case list():
            return f"[{', '.join(map(_value, value))}]"
    return _text(str(value))


def _text(text: str) -> str:
    # JSON escapes as TOML does, but for this one.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
