"""Environment variables stand above the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncd.config import CsvSource
from syncd.core.settings import Limits, Ownership
from tests.config.files import problems, read, small


def test_a_variable_sets_a_setting_of_any_type(tmp_path: Path) -> None:
    """Texts are read as what the setting holds, also where the file has no such table."""
    config = read(
        tmp_path,
        small(),
        SYNCD_POLICY__LEAD_DAYS="3",
        SYNCD_POLICY__OWNERSHIP="exclusive",
        SYNCD_POLICY__GATES__CREATES__PERCENT="2.5",
        SYNCD_POLICY__CONFLICTS__FLAG="False",
        SYNCD_POLICY__MATCH__0="mail",
        SYNCD_LOG__FORMAT="console",
        SYNCD_SOURCES__0__PATH="people.csv",
        SYNCD_SOURCES__0__PERSON__USER_NAME="Login",
        SYNCD_SOURCES__0__PERSON__USER_NAME__DEFAULT="nobody",
        SYNCD_SOURCES__0__PERSON__ATTRIBUTES__DEPARTMENT="Abteilung",
        SYNCD_STATE__URL="sqlite:///other.db",
    )
    source = config.sources[0]
    policy, mapping = config.policy("contoso"), source.mapping()

    assert isinstance(source, CsvSource)
    assert (policy.lead_days, policy.ownership, policy.flag) == (3, Ownership.EXCLUSIVE, False)
    assert policy.creates == Limits(percent=2.5)
    assert [each.value for each in policy.match] == ["mail"]
    assert config.log.format == "console"
    assert source.path == tmp_path / "people.csv"
    assert mapping.user_name is not None
    assert (mapping.user_name.column, mapping.user_name.default) == ("Login", "nobody")
    assert mapping.attributes["department"].column == "Abteilung"
    assert config.state.url.get_secret_value() == f"sqlite:///{tmp_path}/other.db"


def test_names_may_be_written_in_any_case(tmp_path: Path) -> None:
    """Also names that the operator chose; a dash in them is an underscore."""
    document = small()
    document["environments"]["Nord-West"] = document["environments"].pop("contoso")

    config = read(
        tmp_path,
        document,
        SYNCD_ENVIRONMENTS__NORD_WEST__URL="http://localhost:5",
        syncd_log__level="debug",
    )

    assert config.environments["Nord-West"].url == "http://localhost:5"
    assert config.log.level == "debug"


def test_a_secret_in_a_variable_is_as_good_as_a_reference(tmp_path: Path) -> None:
    """The environment is where secrets may stand, with a password and without."""
    config = read(
        tmp_path,
        small(),
        SYNCD_STATE__URL="postgresql+psycopg://u:hunter2@db/syncd",
        SYNCD_ADMIN__TOKEN="hunter3",
    )

    assert config.state.url.get_secret_value() == "postgresql+psycopg://u:hunter2@db/syncd"
    assert config.settings.admin.token is not None
    assert config.settings.admin.token.get_secret_value() == "hunter3"
    assert "hunter" not in str(config.effective())


def test_variables_of_the_program_and_of_references_are_no_overrides(tmp_path: Path) -> None:
    """SYNCD_CONFIG and SYNCD_NOW belong to the program, others to the file that names them."""
    document = small() | {"admin": {"token": {"env": "SYNCD_ADMIN_TOKEN"}}}

    config = read(
        tmp_path,
        document,
        SYNCD_CONFIG="x",
        SYNCD_NOW="2026-03-01T08:00:00Z",
        SYNCD_ADMIN_TOKEN="t",
        SYNCD_SOMETHING="of another program",
        OTHER__THING="x",
    )

    assert config.settings.admin.token is not None
    assert config.policy("contoso").lead_days == 0


CASES = {
    "SYNCD_POLCY__LEAD_DAYS": 'names no setting; did you mean "SYNCD_POLICY__LEAD_DAYS"?',
    "SYNCD_POLICY__LEED_DAYS": 'names no setting; did you mean "SYNCD_POLICY__LEAD_DAYS"?',
    "SYNCD_ENVIRONMENTS__CONTOS__URL": 'did you mean "SYNCD_ENVIRONMENTS__CONTOSO__URL"?',
    "SYNCD_STATE_URL": 'names no setting; did you mean "SYNCD_STATE__URL"?',
    "SYNCD_LOG": "this is a table; set one of its keys, joined by __",
    "SYNCD_POLICY__GRACE": "names a table or a list; set one of its entries, joined by __",
    "SYNCD_SOURCES__7__PATH": "names no setting; this list has 1 entries, counted from 0",
    "SYNCD_SOURCES__1__PATH": "names no setting; this list has 1 entries, counted from 0",
    "SYNCD_SOURCES__HR__PATH": "names no setting; this list has 1 entries, counted from 0",
    "SYNCD_POLICY__LEAD_DAYS__X": "names no setting",
    "SYNCD_POLICY__LEAD_DAYS": '"x" is not a whole number',
    "SYNCD_STATE__UPGRADE": '"x" is not true or false',
    "SYNCD_POLICY__GATES__REMOVALS__PERCENT": '"x" is not a number',
}


@pytest.mark.parametrize("variable", CASES)
def test_a_variable_that_sets_nothing_is_a_problem(tmp_path: Path, variable: str) -> None:
    """A typing error in a variable's name must not be passed over."""
    found = problems(tmp_path, small(), **{variable: "x"})

    assert len(found) == 1
    assert found[0].startswith(f"{variable}: ")
    assert CASES[variable] in found[0]


def test_a_wrong_value_is_blamed_on_its_variable(tmp_path: Path) -> None:
    """Who reads the problem looks into the environment first, and not into the file."""
    found = problems(tmp_path, small(), SYNCD_POLICY__OWNERSHIP="adobt")

    assert len(found) == 1
    assert found[0].startswith("syncd.toml: SYNCD_POLICY__OWNERSHIP: policy.ownership: ")
    assert 'did you mean "adopt"?' in found[0]
