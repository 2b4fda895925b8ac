"""A drafted configuration loads as it is, whatever people come from."""

from __future__ import annotations

import gzip
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.config import load
from syncd.config.columns import attribute, guess, look_into
from syncd.config.draft import METHODS, TYPES, Draft, DraftSource, problems, variables, written

SOURCES = {
    "csv": DraftSource("csv", "hr.csv"),
    "jsonl": DraftSource("jsonl", "hr.jsonl"),
    "sql": DraftSource("sql", query="SELECT id, login, mail, department FROM people"),
    "ldap": DraftSource("ldap", "ldaps://dc1.corp.contoso.com", "DC=corp,DC=contoso", "syncd@corp"),
    "graph": DraftSource("graph"),
    "scim": DraftSource("scim", "https://idp.contoso.com/scim/v2"),
    "http-json": DraftSource("http-json", "https://hr.contoso.com/api/people"),
}
DRAFT = Draft(
    "contoso", "https://contoso.crm4.dynamics.com", "client-secret", "t", "c", "proof.pem",
    (SOURCES["csv"],),
)  # fmt: skip


def environ(draft: Draft) -> dict[str, str]:
    """Set what a draft asks for."""
    named = dict.fromkeys(variables(draft), "hunter2")
    address = {"SYNCD_SOURCE_DATABASE": "sqlite:///people.db"}
    return {name: address.get(name, value) for name, value in named.items()}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", TYPES)
def test_what_is_drafted_loads_without_a_warning(kind: str, method: str, tmp_path: Path) -> None:
    """Of every kind of source, with every way to sign in, given only the variables it names."""
    url = "http://127.0.0.1:8091" if method == "none" else DRAFT.url
    draft = replace(DRAFT, url=url, method=method, sources=(SOURCES[kind],))
    file = tmp_path / "syncd.toml"
    file.write_text(written(draft), encoding="utf-8")

    config = load(file, environ(draft))

    assert config.warnings == ()
    assert [source.type for source in config.sources] == [kind]
    assert config.environments["contoso"].auth.method == method
    assert len(config.rules("contoso")) == 1


def test_several_sources_meet_by_the_employee_id(tmp_path: Path) -> None:
    """People are the same where their keys are; each source has a name and a rank of its own."""
    draft = replace(DRAFT, sources=(SOURCES["csv"], SOURCES["ldap"], SOURCES["csv"]))
    file = tmp_path / "syncd.toml"
    file.write_text(written(draft), encoding="utf-8")

    sources = load(file, environ(draft)).sources

    assert [(each.name, each.rank) for each in sources] == [
        ("hr", 1),
        ("directory", 2),
        ("hr 2", 3),
    ]
    assert [each.mapping().key.column for each in sources] == [
        "EmployeeID", "employeeID", "EmployeeID",
    ]  # fmt: skip


def test_no_secret_and_no_default_of_a_secret_is_written() -> None:
    """Where something must be kept there is a reference, and the head names the variable."""
    text = written(replace(DRAFT, sources=tuple(SOURCES.values())))

    for name in ("SYNCD_CLIENT_SECRET", "SYNCD_LDAP_PASSWORD", "SYNCD_SCIM_TOKEN", "SYNCD_API_KEY"):
        assert f'{{ env = "{name}" }}' in text
        assert f"#   {name}" in text


@given(st.text(max_size=20), st.text(min_size=1, max_size=20), st.text(max_size=20))
def test_whatever_is_answered_is_refused_or_loads(place: str, profile: str, when: str) -> None:
    """No answer makes a file that cannot be read: it is quoted, or there is a sentence."""
    draft = replace(DRAFT, sources=(DraftSource("csv", place),), profile=profile, when=when)

    found = problems(draft, "syncd.toml")

    assert not any("TOML" in each for each in found)


def test_a_wrong_address_is_a_sentence_about_the_file_to_be() -> None:
    """It names the file that would be written, and nothing of where it was tried."""
    (found,) = problems(replace(DRAFT, url="http://contoso.crm4.dynamics.com"), "my.toml")

    assert found.startswith("my.toml: environments.contoso.url")
    assert "https://" in found


HR = "Personnel No;UPN;E-Mail;Status;Hire date;Last day;Cost center;Department;Remark\n"
ROWS = (
    "007;a@x.org;a@x.org;Active;01.02.2020;;K1;Field;x\n"
    "008;b@x.org;;Left;03.04.2021;31.12.2025;;;\n"
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_file_tells_its_columns(encoding: str, tmp_path: Path) -> None:
    """By their names, and by the texts that stand in them."""
    (tmp_path / "hr.csv").write_text(HR + ROWS.replace("x\n", "é\n"), encoding=encoding)

    sample = look_into(tmp_path / "hr.csv", "csv")

    assert sample is not None
    fields, attributes = guess(sample)
    assert fields == {
        "key": "Personnel No",
        "employee_id": "Personnel No",
        "user_name": "UPN",
        "mail": "E-Mail",
        "enabled": {"column": "Status", "true_values": ["Active"]},
        "starts_on": {"column": "Hire date", "format": "%d.%m.%Y"},
        "leaves_on": {"column": "Last day", "format": "%d.%m.%Y"},
    }
    assert attributes == {"department": "Department", "cost_center": "Cost center"}


def test_lines_of_json_tell_theirs(tmp_path: Path) -> None:
    """A boolean needs no true values, a day as ISO writes it no format."""
    row = '{"employeeId": 7, "active": true, "hireDate": "2026-03-01", "unit": "Field"}\n'
    (tmp_path / "hr.jsonl").write_text(row, encoding="utf-8")

    sample = look_into(tmp_path / "hr.jsonl", "jsonl")

    assert sample is not None
    assert guess(sample) == (
        {
            "key": "employeeId",
            "employee_id": "employeeId",
            "enabled": "active",
            "starts_on": "hireDate",
        },
        {"unit": "unit"},
    )


@pytest.mark.parametrize(
    ("columns", "rows", "key", "attributes"),
    [
        (["a", "b"], [], "a", {"b": "b"}),
        (["Größe"], [], "Größe", {}),
        (["id", "2nd site"], [], "id", {"column_2nd_site": "2nd site"}),
        (["id", "Status", "Last day"], [["1", "7", "soon"]], "id", {}),
    ],
)
def test_what_fits_nothing_is_left_aside(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    key: str,
    attributes: dict[str, str],
    tmp_path: Path,
) -> None:
    """There is a key all the same; a status or a day that nobody could read is not mapped."""
    lines = [",".join(line) for line in [columns, *rows]]
    (tmp_path / "hr.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")

    sample = look_into(tmp_path / "hr.csv", "csv")

    assert sample is not None
    fields, ruled = guess(sample)
    assert fields["key"] == key
    assert set(fields) <= {"key", "employee_id"}
    assert ruled == attributes


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("absent.csv", None),
        ("empty.csv", b""),
        ("hr.csv.gz", gzip.compress(HR.encode(), mtime=0)),
        ("broken.jsonl", b'{"a": 1\n'),
        ("list.jsonl", b"[1, 2]\n"),
        ("deep.jsonl", b'{"a":' + b"[" * 5000),
    ],
)
def test_a_file_that_tells_nothing_is_no_problem(
    name: str, content: bytes | None, tmp_path: Path
) -> None:
    """Then columns are called what they are usually called."""
    if content is not None:
        (tmp_path / name).write_bytes(content)

    assert look_into(tmp_path / name, name.split(".")[1]) is None


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """Whoever writes a configuration would sit before a program that does nothing."""
    os.mkfifo(tmp_path / "hr.csv")

    assert look_into(tmp_path / "hr.csv", "csv") is None


@given(st.text(max_size=12))
def test_every_column_makes_a_name_that_rules_can_use(column: str) -> None:
    """A rule says `person.NAME`."""
    assert attribute(column).isidentifier()
    assert attribute(column).isascii()
