"""From what was seen of an environment to what is well, doubtful or wrong about it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.connectors.dataverse.usage import tables
from syncd.core.doctor import judge
from syncd.core.ledger import Message
from syncd.core.model import Rung
from syncd.core.preflight import (
    Caller,
    Facts,
    Observation,
    Organization,
    Trouble,
    Verdict,
    Wish,
    gravest,
    sentence,
)
from syncd.core.uses import ColumnFound, KeyFound, TableFound, TableUse

USES = tables(tuple(Rung))
ROWS, USERS, PROFILES = USES[:3]
WISH = Wish(USES, ["Field Crew"])
KINDS = ("Create", "Read", "Write", "Delete", "Append", "AppendTo")
CREW = ("20000000-0000-4000-8000-000000000001", "Field Crew", True)


def fitting(use: TableUse) -> TableFound:
    """Describe a table that is just as it is used."""
    return TableFound(
        use.name,
        use.name.upper(),
        use.entity_set,
        use.key,
        "Standard",
        True,
        True,
        {
            each.name: ColumnFound(each.name, min(each.types), length=each.length or None)
            for each in use.columns
        },
        {each.column: {each.nav: each.target} for each in use.lookups},
        (),
        {kind: f"prv{kind}{use.name}" for kind in KINDS},
    )


def held() -> dict[str, str]:
    """Return every privilege, organization-wide."""
    return {f"prv{kind}{use.name}".lower(): "Global" for use in USES for kind in KINDS}


WELL = Facts(
    "https://contoso.api.crm4.dynamics.com",
    "by certificate",
    caller=Caller("u", "o", ("syncd",)),
    organization=Organization(
        "O", "Contoso", "9.2", "Enabled", "https://contoso.crm4.dynamics.com/"
    ),
    tables={use.name: fitting(use) for use in USES},
    readable=dict.fromkeys((use.name for use in USES), None),
    messages=frozenset(Message),
    privileges=held(),
    profiles=(CREW,),
    skew=0.4,
    trips=(0.02, 0.03, 9.0),
    hint=8,
    retention=7,
)


def wrong(facts: Facts, wish: Wish = WISH) -> list[Observation]:
    """Return what is not well."""
    return [each for each in judge(facts, wish) if each.verdict is not Verdict.OK]


def with_table(use: TableUse, **changes: object) -> Facts:
    """Return an environment that is well but for one table."""
    table = replace(fitting(use), **changes)  # type: ignore[arg-type]  # a field and its value
    return replace(WELL, tables={**WELL.tables, use.name: table})


def without(use: TableUse, column: str) -> Facts:
    """Return an environment in which a column is missing."""
    columns = {name: each for name, each in fitting(use).columns.items() if name != column}
    return with_table(use, columns=columns)


def test_what_is_well_needs_nothing_to_be_done() -> None:
    """Each line is ok, and none has a remedy; one slow answer of three is no pattern."""
    found = judge(WELL, WISH)

    assert wrong(WELL) == []
    assert gravest(found) is Verdict.OK
    assert not any(each.remedy for each in found)
    assert {"sign-in", "WhoAmI", "organization", "clock", "round trip"} <= {f.check for f in found}


@pytest.mark.parametrize("use", USES, ids=lambda use: str(use.name))
def test_each_column_that_is_missing_has_its_name(use: TableUse) -> None:
    """A failure where a run needs the table; a table that only helps to understand, a warning."""
    verdict = Verdict.FAILURE if use.vital else Verdict.WARNING
    for column in use.columns:
        (found,) = wrong(without(use, column.name))
        assert (found.check, found.verdict) == (f"table {use.name}", verdict)
        assert found.seen == f"column {column.name} is missing"
        assert found.remedy


@pytest.mark.parametrize("use", USES, ids=lambda use: str(use.name))
def test_each_column_of_another_type_has_its_name(use: TableUse) -> None:
    """And both types are said."""
    for column in use.columns:
        columns = {**fitting(use).columns, column.name: ColumnFound(column.name, "Money")}
        (found,) = wrong(with_table(use, columns=columns))
        assert found.seen.startswith(f"column {column.name} has the type Money instead of ")


@given(st.lists(st.from_regex(r"new_[a-z]{1,8}", fullmatch=True), max_size=5))
def test_columns_and_relationships_too_many_are_fine(names: list[str]) -> None:
    """Environments are customised; syncd does not look at what it does not use."""
    more = {name: ColumnFound(name, "Virtual") for name in names}
    columns = {**fitting(ROWS).columns, **more}
    navs = {**fitting(ROWS).navs, **{name: {name: "account"} for name in names}}

    assert wrong(with_table(ROWS, columns=columns, navs=navs)) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"type": "Elastic"}, "of the type Elastic"),
        ({"entity_set": "members"}, "set is called members instead of"),
        ({"key": "rowid"}, "key is rowid instead of"),
        (
            {"navs": {"systemuserid": {"systemuserid": "systemuser"},
                "mobileofflineprofileid": {"MobileOfflineProfileId": "mobileofflineprofile"}}},
            "lookup systemuserid is called systemuserid to systemuser instead of SystemUserId",
        ),
        ({"versions": False}, "optimistic concurrency is off"),
        ({"tracked": False}, "change tracking is off"),
    ],
)  # fmt: skip
def test_a_table_of_another_kind_is_told(changes: dict[str, object], said: str) -> None:
    """What syncd can do without is a warning, all else a failure."""
    (found,) = wrong(with_table(ROWS, **changes))

    assert said in found.seen
    doubtful = "concurrency" in said or "tracking" in said
    assert found.verdict is (Verdict.WARNING if doubtful else Verdict.FAILURE)
    assert found.remedy


def test_a_column_that_became_too_short_or_read_only_is_told() -> None:
    """Both let a run begin, and then each of its writes fails."""
    columns = fitting(ROWS).columns
    short = {**columns, "name": ColumnFound("name", "String", length=50)}
    fixed = {**columns, "systemuserid": ColumnFound("systemuserid", "Lookup", update=False)}

    (shorter,), (stiff,) = (
        wrong(with_table(ROWS, columns=short)),
        wrong(with_table(ROWS, columns=fixed)),
    )
    assert "takes 50 characters instead of 100" in shorter.seen
    assert stiff.seen == "column systemuserid is not valid for update"


def test_an_alternate_key_is_told() -> None:
    """Where user and profile are unique, duplicates cannot come to be."""
    key = KeyFound(("systemuserid", "mobileofflineprofileid"), "Active")
    found = judge(with_table(ROWS, keys=(key,)), WISH)

    assert any("unique by systemuserid + mobileofflineprofileid" in each.seen for each in found)


def test_a_definition_that_may_not_be_read_is_no_proof() -> None:
    """The rows could be read, so it is a warning; a table that is not there is a failure."""
    hidden = replace(WELL, tables={**WELL.tables, ROWS.name: Trouble("no right; give one")})
    absent = replace(WELL, tables={**WELL.tables, ROWS.name: Trouble("not found", absent=True)})

    assert [(each.verdict, each.remedy) for each in wrong(hidden)] == [
        (Verdict.WARNING, "give one")
    ]
    assert [each.verdict for each in wrong(absent)] == [Verdict.FAILURE]


# --- rights -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("use", "kind"), [(use, right.kind) for use in USES for right in use.rights]
)
def test_each_right_that_is_missing_is_named_with_the_way_to_it(use: TableUse, kind: str) -> None:
    """Table, privilege, role and the place in the admin center stand in one line."""
    name = f"prv{kind}{use.name}"
    lacking = {key: depth for key, depth in held().items() if key != name.lower()}
    reading = {**WELL.readable, use.name: Trouble("403") if kind == "Read" else None}
    (found,) = wrong(replace(WELL, privileges=lacking, readable=reading))

    assert (found.check, found.verdict) == (f"rights on {use.name.upper()}", Verdict.FAILURE)
    assert f"({name})" in found.remedy
    assert "in role syncd, table" in found.remedy
    assert "to Organization" in found.remedy


def test_a_right_that_does_not_reach_everywhere_is_told_as_the_editor_calls_it() -> None:
    """Half a directory is a failure, half of the teams a warning."""
    users = replace(WELL, privileges={**held(), "prvreadsystemuser": "Local"})
    teams = replace(WELL, privileges={**held(), "prvreadteam": "Basic"})

    (half,), (some,) = wrong(users), wrong(teams)
    assert half.seen.startswith("Read reaches only Business unit")
    assert (half.verdict, some.verdict) == (Verdict.FAILURE, Verdict.WARNING)


@pytest.mark.parametrize(
    ("roles", "said"),
    [
        ((), "a role of its own"),
        (("Basic User",), "a role of its own, in addition to Basic User"),
        (("Basic User", "Sync"), "in role Sync,"),
        (("A", "B"), "one of the roles A, B"),
    ],
)
def test_no_built_in_role_is_to_be_changed(roles: tuple[str, ...], said: str) -> None:
    """Who has only such roles is told to make one."""
    facts = replace(WELL, privileges={}, caller=Caller("u", "o", roles))

    assert all(said in each.remedy for each in wrong(facts))


def test_privileges_that_cannot_be_listed_are_a_warning() -> None:
    """What can be read was tried all the same."""
    (found,) = wrong(replace(WELL, privileges=Trouble("no")))

    assert (found.check, found.verdict) == ("rights", Verdict.WARNING)


# --- everything else --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("skew", "verdict"),
    [
        (119, Verdict.OK), (-119, Verdict.OK), (121, Verdict.WARNING), (-121, Verdict.WARNING),
        (301, Verdict.FAILURE), (-600, Verdict.FAILURE),
    ],
)  # fmt: skip
def test_a_clock_is_judged_by_what_tokens_bear(skew: float, verdict: Verdict) -> None:
    """Two minutes are doubtful, five are too much, in both directions."""
    (found,) = [each for each in judge(replace(WELL, skew=skew), WISH) if each.check == "clock"]

    assert found.verdict is verdict
    assert ("ahead" in found.seen) == (skew > 120)


@pytest.mark.parametrize(
    ("organization", "verdict", "said"),
    [
        (Organization("O", "C", "9", "Disabled"), Verdict.FAILURE, "state Disabled"),
        (Organization("x", "C", "9", "Enabled"), Verdict.FAILURE, "WhoAmI answers for o"),
        (
            Organization("o", "C", "9", "Enabled", "https://other.crm4.dynamics.com/"),
            Verdict.WARNING,
            "says that its address is https://other.crm4.dynamics.com/",
        ),
        (Trouble("refused"), Verdict.WARNING, "refused"),
    ],
)
def test_the_organization_is_the_one_that_is_meant(
    organization: Organization | Trouble, verdict: Verdict, said: str
) -> None:
    """Enabled, one and the same, and at the address that the configuration has."""
    (found,) = wrong(replace(WELL, organization=organization))

    assert (found.check, found.verdict) == ("organization", verdict)
    assert said in found.seen


@pytest.mark.parametrize(
    ("lost", "count", "said"),
    [
        ({Message.CREATE}, 1, "Associate is"),
        ({Message.DELETE}, 1, "emptied"),
        ({Message.DELETE, Message.DISASSOCIATE}, 1, "neither Delete nor Disassociate"),
        ({Message.CREATE, Message.UPDATE, Message.DELETE}, 3, ""),
        ({Message.CREATE_MULTIPLE}, 0, ""),
    ],
)
def test_messages_that_are_not_registered_are_no_failure(
    lost: set[Message], count: int, said: str
) -> None:
    """Lists leave out what works (domain.md section 8); syncd tries, and has substitutes."""
    found = wrong(replace(WELL, messages=frozenset(Message) - lost))

    assert [each.verdict for each in found] == [Verdict.WARNING] * count
    assert all(said in each.seen for each in found)


@pytest.mark.parametrize(
    ("named", "profiles", "seen", "remedy"),
    [
        ("Depot", [CREW], "profile Depot does not exist here", "create and publish it, or mend"),
        ("field crew", [CREW], "does not exist here", "(it is written Field Crew)"),
        ("Field Crew", [("1", "Field Crew", False)], "is not published", "publish it"),
        ("Field Crew", [CREW, ("2", "Field Crew", True)], "has 2 published", "use its id"),
    ],
)
def test_profiles_are_looked_for_as_a_run_does(
    named: str, profiles: list[tuple[str, str, bool]], seen: str, remedy: str
) -> None:
    """There, published, and one of its name; capitals count."""
    (found,) = wrong(replace(WELL, profiles=profiles), Wish(USES, [named, named]))

    assert (found.check, found.verdict) == ("profiles", Verdict.FAILURE)
    assert seen in found.seen
    assert remedy in found.remedy


def test_a_profile_may_be_named_by_its_id() -> None:
    """Also where several have its name."""
    twin = ("20000000-0000-4000-8000-000000000002", "Field Crew", True)

    assert wrong(replace(WELL, profiles=[CREW, twin]), Wish(USES, [CREW[0].upper()])) == []


def test_speed_is_judged_by_the_median_and_the_hint() -> None:
    """More lanes than recommended slow an environment down."""
    found = wrong(replace(WELL, trips=(3.0, 3.1, 0.1), hint=4), Wish(USES, [], lanes=9))

    assert [each.check for each in found] == ["round trip", "parallelism"]
    assert found[0].seen.startswith("3000 ms")
    assert all(each.verdict is Verdict.WARNING for each in found)


def test_who_cannot_come_in_is_told_only_that() -> None:
    """All else would follow from it."""
    facts = Facts("https://x", "by certificate", entry=("sign-in", Trouble("the secret is over")))

    assert judge(facts, WISH) == [Observation("sign-in", Verdict.FAILURE, "the secret is over")]


def test_an_environment_that_was_lost_on_the_way_is_a_failure() -> None:
    """What was seen before is shown all the same."""
    found = wrong(replace(WELL, broken="no answer in time"))

    assert [sentence(each) for each in found] == ["connection: no answer in time"]
