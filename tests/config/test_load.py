"""A configuration is read whole: defaults, conversions, and everything that is wrong with it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.config import ClientSecret, CsvSource, SqlSource, load
from syncd.config.believing import limits
from syncd.core.errors import ConfigError
from syncd.core.mapping import Type
from syncd.core.model import Rung
from syncd.core.settings import Limits, Ownership, Policy, Resolve, SourceLimits
from tests.config.files import problems, read, small, write

SCENARIOS = Path(__file__).parents[1] / "scenarios"
SECRET = {"method": "client-secret", "tenant_id": "t", "client_id": "c"}


def test_what_is_not_given_has_the_default_of_the_contract(tmp_path: Path) -> None:
    """Only environments, sources and rules must be given."""
    config = read(tmp_path, small())

    assert config.policy("contoso") == Policy()
    assert config.log.format == "json"
    assert config.state.keep_days.audit == 2555
    assert config.state.url.get_secret_value() == f"sqlite:///{tmp_path}/syncd.db"
    assert config.environments["contoso"].http.timeout == timedelta(seconds=60)
    assert config.settings.policy.failures.retry[-1] == timedelta(hours=24)
    assert config.settings.daemon.full == "15 2 * * *"
    assert config.settings.admin.listen == "127.0.0.1:8090"
    assert config.warnings == ()


@pytest.mark.parametrize(
    "file", sorted(SCENARIOS.rglob("syncd.toml")), ids=lambda path: str(path.relative_to(SCENARIOS))
)
def test_the_configurations_of_all_scenarios_load(file: Path) -> None:
    """The worked cases of the contract are configurations without problems or warnings."""
    config = load(file, {})

    assert config.warnings == ()
    assert config.rules("contoso")


def test_paths_are_relative_to_the_configuration_file(tmp_path: Path) -> None:
    """Where the program is started does not matter."""
    document = small() | {"state": {"url": "sqlite:///data/state.db"}}

    config = read(tmp_path, document)

    source = config.sources[0]
    assert isinstance(source, CsvSource)
    assert source.path == tmp_path / "hr.csv"
    assert config.state.url.get_secret_value() == f"sqlite:///{tmp_path}/data/state.db"


def test_an_absolute_database_stays_where_it_is(tmp_path: Path) -> None:
    """Four slashes name a file from the root on."""
    config = read(tmp_path, small() | {"state": {"url": "sqlite:////var/lib/syncd.db"}})

    assert config.state.url.get_secret_value() == "sqlite:////var/lib/syncd.db"


def test_a_source_gives_the_mapping_of_its_cells(tmp_path: Path) -> None:
    """A text alone is a column; enabled is a bool and days are dates without being told."""
    document = small()
    document["sources"][0]["person"] |= {
        "enabled": {"column": "Status", "true_values": ["Active"], "default": False},
        "leaves_on": {"column": "Last day", "format": "%d.%m.%Y"},
    }

    source = read(tmp_path, document).sources[0]
    mapping = source.mapping()

    assert isinstance(source, CsvSource)
    assert mapping.key.column == "EmployeeID"
    assert mapping.enabled is not None
    assert (mapping.enabled.type, mapping.enabled.default) == (Type.BOOL, "false")
    assert mapping.leaves_on is not None
    assert (mapping.leaves_on.type, mapping.leaves_on.format) == (Type.DATE, "%d.%m.%Y")
    assert mapping.attributes["grade"].type is Type.INT


def test_an_environment_overrides_the_policy_key_by_key(tmp_path: Path) -> None:
    """What the environment does not mention stays as [policy] has it."""
    document = small() | {
        "policy": {
            "lead_days": 3,
            "grace": {"left": 2, "vanished": 5},
            "gates": {"removals": {"floor": 9}},
        }
    }
    document["environments"]["contoso"]["policy"] = {
        "ownership": "exclusive",
        "grace": {"left": 0},
        "gates": {"removals": {"percent": 5}, "creates": {"floor": 1}},
        "conflicts": {"resolve": "manual"},
    }

    policy = read(tmp_path, document).policy("contoso")

    assert (policy.ownership, policy.lead_days) == (Ownership.EXCLUSIVE, 3)
    assert (policy.grace.left, policy.grace.vanished) == (0, 5)
    assert policy.removals == Limits(percent=5, floor=9)
    assert policy.creates == Limits(floor=1)
    assert policy.resolve is Resolve.MANUAL


def test_protected_users_are_kept_in_both_normal_forms(tmp_path: Path) -> None:
    """An entry may be meant as a user name or as an object id."""
    document = small() | {"policy": {"protected_users": [" Ada@Contoso.COM ", "{AB-CD}"]}}

    protected = read(tmp_path, document).policy("contoso").protected

    assert {"ada@contoso.com", "ab-cd"} <= protected


def test_a_rule_can_be_for_some_environments_only(tmp_path: Path) -> None:
    """The order of the file is kept; a rule without environments is for all."""
    document = small()
    document["environments"]["test"] = document["environments"]["contoso"] | {
        "url": "http://localhost:9"
    }
    document["rules"].insert(
        0, {"name": "first", "profile_from": "department", "when": "true", "environments": ["test"]}
    )

    config = read(tmp_path, document)

    assert [rule.name for rule in config.rules("test")] == ["first", "crew"]
    assert [rule.name for rule in config.rules("contoso")] == ["crew"]
    assert config.rules("test")[0].reads == {"department"}


def test_two_environments_at_one_address_are_warned_of(tmp_path: Path) -> None:
    """They would undo each other's work, yet a placeholder may stand twice."""
    document = small()
    document["environments"]["copy"] = document["environments"]["contoso"]

    warnings = read(tmp_path, document).warnings

    assert len(warnings) == 1
    assert "environments.copy.url: is the address of contoso, too" in warnings[0]


def test_secrets_come_by_reference_and_are_never_shown(tmp_path: Path) -> None:
    """A variable or a file of its own; no text of the configuration holds them."""
    (tmp_path / "secret").write_text("hunter2\n")
    document = small() | {"state": {"url": {"env": "DATABASE"}}}
    document["environments"]["contoso"] = {
        "url": "https://contoso.crm4.dynamics.com/",
        "auth": SECRET | {"client_secret": {"file": "secret"}},
    }

    config = read(tmp_path, document, DATABASE="postgresql+psycopg://u:hunter3@db/syncd")
    auth = config.environments["contoso"].auth
    shown = f"{config} {config!r} {config.effective()} {config.environments} {config.state}"

    assert isinstance(auth, ClientSecret)
    assert auth.client_secret.get_secret_value() == "hunter2"
    assert config.environments["contoso"].url == "https://contoso.crm4.dynamics.com"
    assert config.effective()["state"]["url"] == "postgresql+psycopg://u:***@db/syncd"
    assert "hunter" not in shown


MAPPING = {"claim_type": "smtp", "attribute": "personalemailaddress"}
MISTAKES: list[tuple[str, dict[str, Any], str]] = [
    ("section", {"polcy": {}}, 'polcy: there is no such setting here; did you mean "policy"?'),
    (
        "elsewhere",
        {"lead_days": 1},
        'there is no such setting here; did you mean "policy.lead_days"?',
    ),
    (
        "choice",
        {"policy": {"ownership": "adobt"}},
        'policy.ownership: "adobt" is not one of adopt, exclusive; did you mean "adopt"?',
    ),
    ("type", {"policy": {"lead_days": "3"}}, 'policy.lead_days: "3" is not a whole number'),
    ("bool", {"state": {"upgrade": 1}}, "state.upgrade: 1 is not true or false"),
    (
        "canary",
        {"policy": {"certificate": {"canaries": [1001]}}},
        "policy.certificate.canaries.0: 1001 is not a text; write it in quotes",
    ),
    (
        "percent",
        {"policy": {"gates": {"removals": {"percent": 101}}}},
        "policy.gates.removals.percent: 101 is too large; the most is 100",
    ),
    (
        "grace",
        {"policy": {"grace": {"left": -1}}},
        "policy.grace.left: -1 is too small; the least is 0",
    ),
    ("rung", {"policy": {"match": ["hand"]}}, 'policy.match.0: "hand" is not one of object_id'),
    ("twice", {"policy": {"match": ["mail", "mail"]}}, 'policy.match.1: "mail" stands here twice'),
    (
        "claim's field",
        {"usermapping": {"claims": {"nameid": "phone"}}},
        'usermapping.claims.nameid: "phone" is not one of object_id',
    ),
    (
        "no attribute",
        {"usermappings": [{"claim_type": "smtp"}]},
        "usermappings.0.attribute: is required",
    ),
    (
        "application",
        {"usermappings": [{**MAPPING, "application": "teams"}]},
        'usermappings.0.application: "teams" is not one of sharepoint, exchange',
    ),
    (
        "long claim",
        {"usermappings": [{**MAPPING, "claim_type": "x" * 101}]},
        "usermappings.0.claim_type: is too long; at most 100 characters",
    ),
    (
        "long attribute",
        {"usermappings": [{**MAPPING, "attribute": "x" * 129}]},
        "usermappings.0.attribute: is too long; at most 128 characters",
    ),
    (
        "mapping's id",
        {"usermappings": [{**MAPPING, "id": "7"}]},
        'usermappings.0.id: "7" is not a GUID; write',
    ),
    (
        "mapping's environment",
        {"usermappings": [{**MAPPING, "environments": ["contoos"]}]},
        'usermappings.0.environments: there is no environment "contoos"; did you mean "contoso"?',
    ),
    (
        "one claim under two names",
        {"usermappings": [MAPPING, {**MAPPING, "claim_type": "EMail"}]},
        'usermappings.1.claim_type: "EMail" is declared by usermappings.0, too',
    ),
    ("no rung", {"policy": {"match": []}}, "policy.match: needs at least one entry"),
    (
        "duration",
        {"policy": {"failures": {"dead_letter": "7 weeks"}}},
        'policy.failures.dead_letter: "7 weeks" is not a duration',
    ),
    ("no time", {"daemon": {"lease": "0s"}}, "daemon.lease: must be longer than nothing"),
    ("cron", {"daemon": {"full": "15 25 * * *"}}, "daemon.full: "),
    ("zone", {"daemon": {"timezone": "Mars"}}, 'daemon.timezone: "Mars" is not a known time zone'),
    ("database", {"state": {"url": "mysql://db/x"}}, 'state.url: must start with "sqlite:///"'),
    ("memory", {"state": {"url": "sqlite:///:memory:"}}, "state.url: must name a file"),
    (
        "password",
        {"state": {"url": "postgresql+psycopg://u:hunter2@db/x"}},
        "state.url: holds a password; give the whole address by reference",
    ),
    (
        "password as option",
        {"state": {"url": "postgresql+psycopg://db/x?password=hunter2"}},
        "state.url: holds a password; give the whole address by reference",
    ),
    ("not a table", {"state": "hunter2"}, "state: a text is not a table"),
    ("secret", {"admin": {"token": "hunter2"}}, "admin.token: must be a reference"),
    (
        "webhook",
        {"notifications": [{"type": "slack", "url": "https://hooks.example/hunter2"}]},
        "notifications.0.url: must be a reference",
    ),
    (
        "variable",
        {"admin": {"token": {"env": "NOPE"}}},
        "admin.token: the environment variable NOPE is not set",
    ),
    ("file", {"admin": {"token": {"file": "nope"}}}, "admin.token: the file nope does not exist"),
    (
        "receiver",
        {"notifications": [{"type": "smpt"}]},
        '"smpt" is not one of webhook, slack, teams, smtp; did you mean "smtp"?',
    ),
    (
        "mail",
        {"notifications": [{"type": "smtp", "host": "m", "sender": "a", "to": []}]},
        "notifications.0.to: needs at least one entry",
    ),
    ("no sources", {"sources": []}, "sources: needs at least one entry"),
    ("no environments", {"environments": {}}, "environments: needs at least one entry"),
]


@pytest.mark.parametrize(
    ("change", "says"), [each[1:] for each in MISTAKES], ids=[m[0] for m in MISTAKES]
)
def test_each_mistake_has_its_sentence(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    """File, dotted path, what is wrong and what may have been meant; never a secret."""
    found = problems(tmp_path, small() | change)

    assert any(each.startswith("syncd.toml: ") and says in each for each in found), found
    assert "hunter2" not in "".join(found)


ENVIRONMENTS: list[tuple[str, dict[str, Any], str]] = [
    (
        "plain http",
        {"url": "http://contoso.crm4.dynamics.com", "auth": SECRET},
        'url: must start with "https://"',
    ),
    (
        "none elsewhere",
        {"url": "https://contoso.crm4.dynamics.com", "auth": {"method": "none"}},
        'auth.method: "none" is for a sandbox on this machine',
    ),
    (
        "looks local",
        {"url": "https://127.0.0.1.example.com", "auth": {"method": "none"}},
        'auth.method: "none" is for a sandbox on this machine',
    ),
    ("no host", {"url": "https://", "auth": {"method": "none"}}, "url: must be a web address"),
    (
        "scheme",
        {"url": "ftp://u:hunter2@h", "auth": {"method": "none"}},
        "url: must be a web address",
    ),
    (
        "user",
        {"url": "https://u:hunter2@h", "auth": {"method": "none"}},
        "url: must be a plain address",
    ),
    (
        "literal secret",
        {"url": "https://h", "auth": SECRET | {"client_secret": "hunter2"}},
        "auth.client_secret: must be a reference",
    ),
    ("no secret", {"url": "https://h", "auth": SECRET}, "auth.client_secret: is required"),
    ("no method", {"url": "https://h", "auth": {}}, "auth.method: is required"),
    (
        "method",
        {"url": "https://h", "auth": {"method": "client_secret"}},
        'certificate, federated, managed-identity; did you mean "client-secret"?',
    ),
    (
        "plain authority",
        {"url": "https://h", "auth": SECRET | {"authority": "http://localhost:8443"}},
        'auth.authority: must start with "https://"; nobody signs in over anything else',
    ),
    (
        "no single directory",
        {"url": "https://h", "auth": SECRET | {"tenant_id": "common"}},
        'auth.tenant_id: "common" is no single directory; write its id or its domain',
    ),
    (
        "key of a method",
        {"url": "https://h", "auth": SECRET | {"client_secrt": {"env": "X"}}},
        'auth.client_secrt: there is no such setting here; did you mean "client_secret"?',
    ),
    (
        "batch",
        {"url": "http://localhost", "auth": {"method": "none"}, "http": {"batch_size": 1001}},
        "http.batch_size: 1001 is too large; the most is 1000",
    ),
    (
        "own policy",
        {"url": "http://localhost", "auth": {"method": "none"}, "policy": {"leed_days": 1}},
        'policy.leed_days: there is no such setting here; did you mean "lead_days"?',
    ),
]


@pytest.mark.parametrize(
    ("environment", "says"), [each[1:] for each in ENVIRONMENTS], ids=[e[0] for e in ENVIRONMENTS]
)
def test_an_environment_that_cannot_work_is_refused(
    tmp_path: Path, environment: dict[str, Any], says: str
) -> None:
    """Signing in with nothing is for this machine; secrets never stand in the file."""
    found = problems(tmp_path, small() | {"environments": {"contoso": environment}})

    assert any("environments.contoso." in each and says in each for each in found), found
    assert "hunter2" not in "".join(found)


@pytest.mark.parametrize("url", ["http://127.8.9.1:1", "http://localhost:1", "http://[::1]:1"])
def test_this_machine_needs_neither_https_nor_signing_in(tmp_path: Path, url: str) -> None:
    """All of 127.0.0.0/8, localhost and ::1 are this machine."""
    document = small()
    document["environments"]["contoso"]["url"] = url

    config = read(tmp_path, document)

    assert config.environments["contoso"].url == url


def test_an_environment_has_a_plain_name(tmp_path: Path) -> None:
    """Letters, digits, - and _: names stand in commands and variables."""
    document = small()
    document["environments"]["a b"] = document["environments"]["contoso"]

    found = problems(tmp_path, document)

    assert found == [
        'syncd.toml: environments.a b: "a b" is not a name; use letters, digits, - and _'
    ]


FIELDS: list[tuple[str, str, object, str]] = [
    ("key", "key", {"column": "K", "default": "x"}, "person.key.default: a key has no default"),
    ("empty", "mail", "  ", "person.mail.column: must not be empty"),
    (
        "type",
        "enabled",
        {"column": "S", "type": "text"},
        "person.enabled.type: enabled is always bool",
    ),
    (
        "split",
        "mail",
        {"column": "M", "split": ";"},
        "person.mail.split: mail is one value and no list",
    ),
    (
        "format",
        "mail",
        {"column": "M", "format": "%d.%m.%Y"},
        "person.mail.format: is for type date",
    ),
    ("day", "starts_on", {"column": "D", "format": "%d.%m."}, "does not name year, month and day"),
    (
        "directive",
        "starts_on",
        {"column": "D", "format": "%Q"},
        "does not name year, month and day",
    ),
    ("default", "leaves_on", {"column": "D", "default": "x"}, '"x" does not fit type date'),
    (
        "unknown",
        "e_mail",
        "M",
        'person.e_mail: there is no such setting here; did you mean "mail"?',
    ),
    ("reserved", "attributes", {"user_name": "U"}, "every person has this name already"),
    (
        "mark",
        "attributes",
        {"g": {"column": "G", "type": "int", "split": ";"}},
        "split: is for type text",
    ),
]


@pytest.mark.parametrize(
    ("name", "field", "says"), [f[1:] for f in FIELDS], ids=[f[0] for f in FIELDS]
)
def test_a_column_is_read_in_a_way_that_fits_its_place(
    tmp_path: Path, name: str, field: object, says: str
) -> None:
    """Type, format, split, true values and default must agree with each other and the place."""
    document = small()
    document["sources"][0]["person"][name] = field
    document["rules"][0]["when"] = "true"

    found = problems(tmp_path, document)

    assert len(found) == 1
    assert "syncd.toml: sources.0.person." in found[0]
    assert says in found[0]


SQL = {"type": "sql", "path": None, "url": "sqlite:///hr.db", "query": "SELECT * FROM people"}
GRAPH = {
    "type": "graph",
    "path": None,
    "url": "http://127.0.0.1:8091",
    "auth": {"method": "none"},
    "groups": ["Crew"],
}
ATTRIBUTES = {"department": "department", "grade": {"column": "employeeType", "type": "int"}}
TEAMS = {"teams": {"column": "groups", "split": ";"}}
WEB = {
    "type": "http-json",
    "path": None,
    "url": "http://127.0.0.1:8092/people",
    "auth": {"method": "none"},
}
SOURCES: list[tuple[str, dict[str, Any], str]] = [
    (
        "no sign-in",
        WEB | {"type": "scim", "url": "https://idp.contoso.com/scim"},
        'sources.0.auth.method: "none" is for a server on this machine; this one is elsewhere',
    ),
    (
        "address",
        WEB | {"url": "http://127.0.0.1/?x=1"},
        "sources.0.url: must be a plain address",
    ),
    ("list", WEB | {"rows": "data..items"}, 'sources.0.rows: "data..items" is not a path'),
    ("moment", WEB | {"since": {"parameter": "s", "format": "%H"}}, "since.format: names no day"),
    ("paging", WEB | {"paging": {"method": "pages"}}, "sources.0.paging.method: "),
    (
        "column",
        WEB | {"person": {"key": "id", "mail": "emails[0]", "attributes": {"department": "d"}}},
        'sources.0.person: has a column "emails[0]" that is not a path',
    ),
    (
        "literal token",
        WEB | {"auth": {"method": "bearer", "token": "hunter2"}},
        "sources.0.auth.token: must be a reference",
    ),
    ("kind", {"type": "cvs"}, 'sources.0.type: "cvs" is not one of csv, jsonl'),
    ("encoding", {"encoding": "utf-9"}, 'sources.0.encoding: "utf-9" is not a known text encoding'),
    ("binary", {"encoding": "base64"}, 'sources.0.encoding: "base64" is not a known text encoding'),
    ("delimiter", {"delimiter": ";;"}, 'sources.0.delimiter: must be one character or "auto"'),
    ("jsonl", {"type": "jsonl", "delimiter": ";"}, "sources.0.delimiter: there is no such setting"),
    (
        "statement",
        SQL | {"query": "DELETE FROM people"},
        "sources.0.query: must be a SELECT; it may begin with WITH",
    ),
    (
        "statements",
        SQL | {"query": "SELECT 1; DELETE FROM people"},
        "sources.0.query: must be one statement; there is a semicolon in it",
    ),
    (
        "password",
        SQL | {"url": "postgresql+psycopg://u:hunter2@db/hr"},
        "sources.0.url: holds a password; give the whole address by reference",
    ),
    ("no database", SQL | {"url": "hr.contoso.com"}, "sources.0.url: must be the address of a"),
    ("no file", SQL | {"url": "sqlite:///"}, "sources.0.url: must name a file"),
    (
        "overlap",
        SQL | {"watermark": {"column": "changed", "overlap": "5 weeks"}},
        'sources.0.watermark.overlap: "5 weeks" is not a duration',
    ),
    (
        "negative overlap",
        SQL | {"watermark": {"column": "changed", "overlap": -1}},
        "sources.0.watermark.overlap: must not be negative",
    ),
    (
        "groups without a list",
        GRAPH | {"person": {"key": "id", "attributes": ATTRIBUTES | {"teams": "groups"}}},
        'sources.0: maps the column "groups" without split, and it is a list',
    ),
    (
        "groups of nowhere",
        GRAPH | {"groups": None, "person": {"key": "id", "attributes": ATTRIBUTES | TEAMS}},
        'sources.0: maps the column "groups" but names no groups',
    ),
    (
        "no sign-in at Graph",
        GRAPH | {"url": None},
        'sources.0.auth.method: "none" is for a server on this machine; this one is elsewhere',
    ),
    (
        "a directory of many",
        GRAPH
        | {
            "auth": {
                "method": "federated",
                "tenant_id": "common",
                "client_id": "c",
                "token_file": "t",
            }
        },
        'sources.0.auth.tenant_id: "common" is no single directory',
    ),
    (
        "folder",
        {"path": "drop/*/hr.csv"},
        "sources.0.path: may have * and ? in the name of the file only",
    ),
    ("ending", {"delivery": {"done": "done"}}, "sources.0.delivery.done: must be the ending"),
    ("no day", {"delivery": {"date": "hr-%Y"}}, "does not name year, month and day"),
    ("no look", {"delivery": {"date": "%c"}}, 'has "%c", which cannot be looked for'),
    ("no date", {"delivery": {"newest": "date"}}, "sources.0.delivery.date: is required where"),
    ("where", {"delivery": {"date_in": "content"}}, "sources.0.delivery.date: is required where"),
    (
        "too late",
        {"delivery": {"newest": "date", "date": "%Y-%m-%d", "date_in": "content"}},
        "sources.0.delivery.newest: is for a date in the name",
    ),
    (
        "no other",
        {"delivery": {"repeated": "finding"}},
        "sources.0.delivery.repeated: is for a path with * or ?",
    ),
    (
        "groups of nothing",
        {"certificate": {"bands": ["department", "deparment"]}},
        'sources.0.certificate.bands.1: this source maps no attribute "deparment"; did you mean',
    ),
    (
        "groups of lists",
        {
            "certificate": {"bands": ["enabled", "teams"]},
            "person": {
                "key": "id",
                "attributes": ATTRIBUTES | {"teams": {"column": "teams", "split": ";"}},
            },
        },
        'sources.0.certificate.bands.1: "teams" is mapped as list; groups are of texts',
    ),
    ("learning", {"certificate": {"learn": 10}}, "sources.0.certificate.learn: "),
    ("path", {"path": 3}, "sources.0.path: 3 is not a path; write it as a text in quotes"),
]


@pytest.mark.parametrize(("change", "says"), [s[1:] for s in SOURCES], ids=[s[0] for s in SOURCES])
def test_a_source_that_cannot_be_read_is_refused(
    tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    """What the source maps still counts, so that no rule is blamed for it."""
    document = small()
    changed = document["sources"][0] | change
    document["sources"][0] = {key: value for key, value in changed.items() if value is not None}

    found = problems(tmp_path, document)

    assert len(found) == 1
    assert says in found[0]


def test_what_a_source_is_compared_with_has_defaults(tmp_path: Path) -> None:
    """Nothing is compared by groups unless attributes are named; keys always are."""
    document = small()
    document["sources"][0]["certificate"] = {"bands": ["department"], "learn": 3}
    written, bare = read(tmp_path, document).sources[0], read(tmp_path, small()).sources[0]

    assert limits(written.certificate) == SourceLimits(bands=("department",), learn=3)
    assert limits(bare.certificate) == SourceLimits()


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1 AS id;",
        "  with t as (select 1 as id) select * from t",
        "-- a comment; with a semicolon\nSELECT ';' AS id, 'it''s;' AS \"a;b\" /* ; */",
        "(SELECT 1 AS id) UNION (SELECT 2)",
    ],
)
def test_a_query_may_be_any_select(tmp_path: Path, query: str) -> None:
    """What stands in texts, names and comments is no statement."""
    document = small()
    document["sources"][0] = {
        "name": "hr",
        "type": "sql",
        "url": "sqlite:///hr.db",
        "query": query,
        "watermark": {"column": "changed", "overlap": 100},
        "person": document["sources"][0]["person"],
    }

    source = read(tmp_path, document).sources[0]

    assert isinstance(source, SqlSource)
    assert source.url.get_secret_value() == f"sqlite:///{tmp_path}/hr.db"
    assert source.watermark is not None
    assert source.watermark.overlap == 100


def test_names_of_sources_and_rules_are_their_own(tmp_path: Path) -> None:
    """Reports call them by name; spaces around it make no difference."""
    document = small()
    document["sources"].append(document["sources"][0] | {"name": " hr "})
    document["rules"].append(document["rules"][0])

    found = problems(tmp_path, document)

    assert found == [
        'syncd.toml: sources.1.name: "hr" is the name of sources.0, too; each needs its own',
        'syncd.toml: rules.1.name: "crew" is the name of rules.0, too; each needs its own',
    ]


RULES: list[tuple[str, dict[str, Any], str]] = [
    ("neither", {"profile": None}, "rules.0: needs either profile or profile_from, and not both"),
    ("both", {"profile_from": "department"}, "rules.0: needs either profile or profile_from"),
    (
        "unmapped",
        {"profile": None, "profile_from": "departmnt"},
        'no source maps the attribute "departmnt"; did you mean "department"?',
    ),
    ("number", {"profile": None, "profile_from": "grade"}, "grade is mapped as int"),
    (
        "environment",
        {"environments": ["contso"]},
        'rules.0.environments.0: there is no environment "contso"; did you mean "contoso"?',
    ),
    ("expression", {"when": "person.department =="}, "rules.0.when: the expression does not parse"),
    ("no expression", {"when": None}, "rules.0.when: is required"),
    ("empty", {"when": " "}, "rules.0.when: must not be empty"),
]


@pytest.mark.parametrize(("change", "says"), [r[1:] for r in RULES], ids=[r[0] for r in RULES])
def test_a_rule_that_cannot_be_asked_is_refused(
    tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    """One profile or one attribute that names it, and only what exists."""
    document = small()
    changed = document["rules"][0] | change
    document["rules"][0] = {key: value for key, value in changed.items() if value is not None}

    found = problems(tmp_path, document)

    assert len(found) == 1
    assert says in found[0]


def test_broken_toml_is_named_with_line_and_column(tmp_path: Path) -> None:
    """Also where the file ends too early."""
    path = tmp_path / "syncd.toml"
    texts = {"[state]\nurl = \n": "line 2, column 7", "[state]\nurl = [1,": "line 2, column 10"}

    for text, place in texts.items():
        path.write_text(text)
        with pytest.raises(ConfigError) as caught:
            load(path, {})

        assert caught.value.problems[0].startswith(f"{path}: {place}: is not TOML")


def test_a_number_of_thousands_of_digits_is_one_sentence(tmp_path: Path) -> None:
    """Python refuses to read it, and TOML has no error for that."""
    path = tmp_path / "syncd.toml"
    path.write_text(f"[policy]\nlead_days = {'1' * 5000}\n")

    with pytest.raises(ConfigError) as caught:
        load(path, {})

    assert caught.value.problems == (f"{path}: a number in it has too many digits",)


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    """Missing, a folder, or not text: what it is, and nothing else."""
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9\n")
    cases = {"nope.toml": "there is no such file", "": "is a folder", "latin.toml": "is not UTF-8"}

    for name, says in cases.items():
        with pytest.raises(ConfigError) as caught:
            load(tmp_path / name, {})

        assert len(caught.value.problems) == 1
        assert says in caught.value.problems[0]


def test_a_byte_order_mark_is_no_problem(tmp_path: Path) -> None:
    """Some editors write one."""
    path = write(tmp_path, small())
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())

    assert load(path, {}).rules("contoso")


def test_the_digest_follows_what_decides(tmp_path: Path) -> None:
    """Neither the folder nor secrets, logs or the database change it; a rule or a grace does."""
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    plain = read(one, small()).digest

    same = read(other, small() | {"log": {"level": "debug"}, "state": {"url": "sqlite:///x.db"}})
    graced = read(one, small() | {"policy": {"grace": {"left": 1}}})
    ruled = small()
    ruled["rules"][0]["when"] = "true"

    assert same.digest == plain
    assert graced.digest != plain
    assert read(one, ruled).digest != plain


def test_rungs_and_canaries_reach_the_core(tmp_path: Path) -> None:
    """The order of rungs is the operator's; canaries are compared in their normal form."""
    document = small() | {
        "policy": {"match": ["mail", "object_id"], "certificate": {"canaries": [" E1 "]}}
    }

    policy = read(tmp_path, document).policy("contoso")

    assert policy.match == (Rung.MAIL, Rung.OBJECT_ID)
    assert policy.certificate.canaries == ("E1",)
