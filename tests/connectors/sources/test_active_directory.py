"""Active Directory, shown on a real domain controller: decoding, groups, and what changed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from syncd.connectors.sources.ldap import Bind, Directory, Groups, LdapSource, Search
from syncd.core.mapping import Field, PersonMapping, Type
from syncd.core.ports import Known, ReadFacts
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


def test_a_kerberos_ticket_is_a_way_in(part: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a password; and without a ticket the sentence says what is missing."""
    if shutil.which("kinit") is None and os.environ.get("CI") != "true":
        pytest.skip("kinit is not installed: apt install krb5-user libsasl2-modules-gssapi-mit")
    part.person("ada")
    directory = directory_of(part)
    server = replace(directory.server, bind=Bind("kerberos"))
    source = LdapSource(replace(directory, server=server))
    for name, value in part.controller.ticket().items():
        monkeypatch.setenv(name, value)
    records, facts = read(source)
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{part.controller.folder / 'none'}")
    nobody, later = read(source)

    assert facts.findings == ()
    assert [record[0] for record in records] == ["ada"]
    assert nobody == []
    assert "no usable Kerberos ticket" in later.findings[0]


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


def read_on(source: LdapSource, token: str | None) -> tuple[list[str], ReadFacts]:
    """Read what changed since, and return the keys that came."""
    records, facts = read(source, Known(None, set, token))
    return sorted(record[0] for record in records), facts


@pytest.fixture(params=["usn", "dirsync"])
def changing(request: pytest.FixtureRequest, part: Part) -> Directory:
    """Give three people, and both ways to ask for changes in turn."""
    for name in ("ada", "bo", "cy"):
        part.person(name, department=b"field")
    return replace(directory_of(part), changes=request.param)


def test_a_token_of_another_server_or_time_means_a_full_read(
    changing: Directory, part: Part
) -> None:
    """Another question, tombstones that may be gone, a broken token, another way."""
    source = LdapSource(changing)
    _, facts = read(source)
    assert facts.token is not None
    token = json.loads(facts.token)
    others: list[object] = [
        token | {"asked": "something else"},
        token | {"at": "2020-01-01T00:00:00+00:00"},
        token | {"method": "other"},
        {"usn": "x"},
    ]
    if changing.changes == "usn":
        others += [
            token | {"service": "CN=NTDS Settings,CN=DC2"},
            token | {"invocation": "00000000-0000-0000-0000-000000000000"},
            token | {"usn": token["usn"] + 1_000_000},  # the controller was set back
        ]
    else:
        [[context, cookie, _]] = token["cookies"]
        others += [
            token | {"cookies": [[context, cookie, "0" * 16]]},
            token | {"cookies": []},
            token | {"cookies": [[context, "QUJD", blake2b(b"ABC", digest_size=8).hexdigest()]]},
        ]
    right, _ = read_on(source, facts.token)
    reads = [read_on(source, json.dumps(each)) for each in others]

    assert right == []
    assert [given for given, _ in reads] == [["ada", "bo", "cy"]] * len(others)
    assert not any(each.partial or each.findings for _, each in reads)
    assert part.base in str(changing)


def test_a_changed_group_means_a_full_read(changing: Directory, part: Part) -> None:
    """It is the group that changes, not its members."""
    field = part.group("crew", f"CN=ada,{part.base}")
    groups = Groups((Search(part.base, "(objectClass=group)"),))
    source = LdapSource(replace(changing, mapping=GROUPED, groups=groups))
    _, first = read(source)
    part.person("bo", department=b"depot")
    one, partial = read_on(source, first.token)
    part.change(field, {"member": [f"CN=cy,{part.base}".encode()]})
    everybody, full = read_on(source, partial.token)
    nobody, quiet = read_on(source, full.token)
    part.connection.delete_s(field)
    _, later = read_on(source, quiet.token)

    assert "ada" not in one
    assert partial.partial
    assert (everybody, full.partial) == (["ada", "bo", "cy"], False)
    assert (nobody, quiet.partial) == ([], True)
    assert (later.partial, later.rows, later.findings) == (False, 3, ())


def test_somebody_deleted_and_made_anew_is_another(changing: Directory, part: Part) -> None:
    """The old id is gone, and somebody of the same name is there."""
    source = LdapSource(changing)
    records, first = read(source)
    [mark] = [record[1] for record in records if record[0] == "ada"]
    part.connection.delete_s(f"CN=ada,{part.base}")
    part.person("ada", department=b"office")
    given, facts = read_on(source, first.token)

    assert mark is not None
    assert given == ["ada"]
    assert mark[:8] in facts.gone


def test_an_account_that_cannot_see_deletions_is_told(changing: Directory, part: Part) -> None:
    """The directory would just never speak of them. Who knows that may say so."""
    user = part.account("reader")
    server = directory_of(part, user=user).server
    records, blind = read(LdapSource(replace(changing, server=server)))
    source = LdapSource(replace(changing, server=server, deletions=False))
    _, first = read(source)
    part.connection.delete_s(f"CN=ada,{part.base}")
    part.person("bo", department=b"depot")
    given, facts = read_on(source, first.token)

    assert records == []
    assert "the account cannot see who is deleted" in blind.findings[0]
    assert (given, facts.gone, facts.partial, facts.findings) == (["bo"], set(), True, ())


def test_changes_of_what_only_a_filter_names_are_seen(changing: Directory, part: Part) -> None:
    """Whoever comes to pass it is given."""
    searches = (Search(part.base, "(&(objectClass=user)(description=staff))"),)
    source = LdapSource(replace(changing, searches=searches))
    nobody, first = read(source)
    part.person("bo", description=b"staff")
    given, facts = read_on(source, first.token)

    assert nobody == []
    assert (given, facts.partial) == (["bo"], True)
