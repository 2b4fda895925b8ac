"""Active Directory, shown on a real domain controller: decoding, groups, and what changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from syncd.connectors.sources.ldap import Bind, Groups, LdapSource, Search
from syncd.core.mapping import Field, PersonMapping, Type
from tests.connectors.sources.backends.samba import directory_of
from tests.connectors.sources.people import read

if TYPE_CHECKING:
    from tests.samba import Controller, Part

pytestmark = pytest.mark.campaign  # laying out a domain takes long

GROUPED = PersonMapping(Field("cn"), attributes={"groups": Field("groups", split=";")})


@pytest.fixture
def part(domain_controller: Controller) -> Iterator[Part]:
    """Give a part of the directory that is this test's own."""
    with domain_controller.part() as found:
        yield found


def test_an_account_is_read_as_people_read_it(part: Part) -> None:
    """GUID, SID, whether it is enabled, its last day, and times."""
    part.person("ada", accountExpires=b"134116992000000000")
    part.person("bo", userAccountControl=b"546", accountExpires=b"0")
    part.person("cy", accountExpires=b"9223372036854775807")
    mapping = PersonMapping(
        Field("cn"),
        object_id=Field("objectGUID"),
        enabled=Field("userAccountControl.enabled", Type.BOOL),
        leaves_on=Field("accountExpires", Type.DATE),
        attributes={
            "sid": Field("objectSid"),
            "anchor": Field("objectGUID.base64"),
            "made": Field("whenCreated", Type.DATE),
        },
    )
    records, facts = read(LdapSource(directory_of(part, mapping)))

    assert facts.findings == ()
    found = {record[0]: record for record in records}
    assert [found[name][6] for name in ("ada", "bo", "cy")] == [1, 0, 1]
    # It expires as 2026 begins, so the last day is the one before.
    assert [found[name][8] for name in ("ada", "bo", "cy")] == [739616, None, None]
    assert found["ada"][2] == guid_of(part, "ada")
    assert '"sid":"S-1-5-21-' in found["ada"][9]


def guid_of(part: Part, name: str) -> str:
    """Return the id of somebody as people write it."""
    [(_, entry)] = part.connection.search_s(f"CN={name},{part.base}", 0, attrlist=["objectGUID"])
    return str(UUID(bytes_le=entry["objectGUID"][0]))


@pytest.mark.parametrize("nested", ["expand", "in-chain"])
def test_whoever_is_in_a_group_of_a_group_is_in_both(part: Part, nested: str) -> None:
    """Also where groups stand in each other."""
    ada, bo = part.person("ada"), part.person("bo")
    part.person("cy")
    inner = part.group("inner", ada)
    outer = part.group("outer", inner, bo)
    part.change(inner, {"member": [ada.encode(), outer.encode()]})
    searches = (Search(part.base, "(objectClass=group)"),)
    groups = Groups(searches, nested)  # type: ignore[arg-type]  # one of the two
    records, facts = read(LdapSource(replace(directory_of(part, GROUPED), groups=groups)))

    assert facts.findings == ()
    assert {record[0]: record[9] for record in records} == {
        "ada": '{"groups":["inner","outer"]}',
        "bo": '{"groups":["inner","outer"]}',
        "cy": '{"groups":[]}',
    }


def test_the_primary_group_counts_and_what_it_is_in(part: Part) -> None:
    """No list of members shows it; only the groups that are asked for are told."""
    part.person("ada")
    users = "CN=Domain Users,CN=Users,DC=corp,DC=example,DC=test"
    part.group("everybody", users)
    searches = (Search("DC=corp,DC=example,DC=test", "(objectClass=group)"),)
    groups = Groups(searches, only=frozenset({"Domain Users", "everybody"}))
    [ada], facts = read(LdapSource(replace(directory_of(part, GROUPED), groups=groups)))

    assert facts.findings == ()
    assert ada[9] == '{"groups":["Domain Users","everybody"]}'


def test_a_column_of_groups_wants_groups(part: Part) -> None:
    """Nobody is in no group because none were read."""
    part.person("ada")
    records, facts = read(LdapSource(directory_of(part, GROUPED)))

    assert records == []
    assert facts.findings[0].startswith('source ad: the mapped column "groups" is absent')


def test_a_refused_bind_says_why(part: Part) -> None:
    """Active Directory tells a wrong password from an account that is disabled."""
    user = part.account("reader")
    directory = directory_of(part, user=user)
    wrong = Bind("simple", user, "hunter2")
    records, facts = read(
        LdapSource(replace(directory, server=replace(directory.server, bind=wrong)))
    )
    part.person("reader", userAccountControl=b"66050")
    _, later = read(LdapSource(directory))

    assert records == []
    assert "the password is wrong" in facts.findings[0]
    assert "the account is disabled" in later.findings[0]
    assert user not in f"{facts} {later}"


def test_long_lists_of_members_come_in_ranges(part: Part) -> None:
    """What the server gives in parts is read to the end."""
    everybody = [part.person(f"p{which}") for which in range(7)]
    part.group("all", *everybody)
    from syncd.connectors.sources.ldap import (  # noqa: PLC0415  # need the extra
        connecting,
        searching,
    )

    search = Search(part.base, "(cn=all)")
    with connecting.connected("source ad", directory_of(part).server) as connection:
        [[(_, values)]] = list(searching.pages(connection, search, ["member;range=0-2"], 5))

    assert sorted(values["member"]) == sorted(each.encode() for each in everybody)
