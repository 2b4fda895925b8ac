"""LDAP directories, shown on a real OpenLDAP: the ways in, full reads, and what goes wrong."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme

from syncd.connectors.sources.ldap import Bind, Changes, Groups, LdapSource, Search
from syncd.core.mapping import Field, PersonMapping, Type
from syncd.core.ports import Known
from tests.connectors.sources.backends.openldap import MAPPING, directory, source_of
from tests.connectors.sources.people import nothing_known, read

if TYPE_CHECKING:
    from tests.openldap import Slapd

BASE = "dc=corp,dc=example,dc=test"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    """Give a directory with seven people for all tests that only read."""
    with directory(tmp_path_factory.mktemp("slapd")) as found:
        for which in range(7):
            found.person(f"K{which}", employeeID=f"E{which}", department="field")
        yield found


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Slapd]:
    """Give an empty directory for a test that changes it."""
    with directory(tmp_path) as found:
        yield found


def finding(source: LdapSource) -> str:
    """Read, and return the one finding."""
    records, facts = read(source)

    assert records == []
    assert len(facts.findings) == 1
    return facts.findings[0]


def test_start_tls_protects_a_plain_address(served: Slapd) -> None:
    """The server binds nobody without TLS, and lets this one in."""
    records, facts = read(source_of(served, url=served.plain))

    assert len(records) == 7
    assert facts.findings == ()


def test_without_tls_the_refusal_says_what_to_do(served: Slapd) -> None:
    """A password is not worth a guess."""
    said = finding(source_of(served, url=served.plain, start_tls=False))

    assert said.endswith("binds nobody without TLS; use an ldaps:// address or start_tls")


def test_a_certificate_is_a_way_in(served: Slapd) -> None:
    """SASL EXTERNAL: the server knows who shows it."""
    bind = Bind("certificate", certificate=served.folder / "client.pem")
    records, facts = read(source_of(served, bind=bind))

    assert len(records) == 7
    assert facts.findings == ()


@pytest.mark.parametrize("kind", ["tls", "plain"])
def test_a_server_of_another_authority_is_not_asked(
    served: Slapd, tmp_path: Path, kind: str
) -> None:
    """The sentence names the certificate, or at least what to look at."""
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    url, other = getattr(served, kind), tmp_path / "other.pem"
    said = finding(source_of(served, url=url, ca_file=other))

    assert "ca_file" in said
    assert "certificate is not trusted" in said or "StartTLS" in said


def test_a_wrong_password_is_not_shown(served: Slapd) -> None:
    """Neither in the finding nor where the source is printed."""
    source = source_of(served, bind=Bind("simple", f"cn=admin,{BASE}", "hunter2"))

    said = finding(source)

    assert said.endswith("the bind is refused; correct bind.user and bind.password")
    assert "hunter2" not in f"{said} {source!r}"


def test_the_next_server_is_asked_where_one_is_gone(served: Slapd) -> None:
    """In the order of the settings."""
    records, facts = read(source_of(served, url=f"ldaps://127.0.0.1:9 {served.tls}"))

    assert len(records) == 7
    assert facts.findings == ()


def test_where_nobody_answers_the_first_is_named(served: Slapd) -> None:
    """With what to look at."""
    said = finding(source_of(served, url="ldaps://127.0.0.1:9"))

    assert said.startswith("source directory (ldaps://127.0.0.1:9): the connection cannot be made")


@pytest.mark.parametrize(
    ("search", "says"),
    [
        (Search(f"ou=nowhere,{BASE}", "(objectClass=*)"), "there is no such base"),
        (Search("people", "(objectClass=*)"), "the base is not a distinguished name"),
        (Search(BASE, "(&(objectClass=*)"), "the filter cannot be read"),
    ],
    ids=["base", "name", "filter"],
)
def test_a_search_that_cannot_be_is_told(served: Slapd, search: Search, says: str) -> None:
    """The sentence says where to look."""
    said = finding(source_of(served, MAPPING, search))

    assert says in said
    assert search.base in said


def test_overlapping_searches_show_everybody_once(served: Slapd) -> None:
    """Several bases and filters may find the same person."""
    searches = (
        Search(f"ou=people,{BASE}", "(employeeID=E1)", "one"),
        Search(BASE, "(objectClass=adLikeUser)"),
    )
    records, facts = read(source_of(served, MAPPING, *searches))

    assert sorted(record[0] for record in records) == [f"K{which}" for which in range(7)]
    assert (facts.rows, facts.findings) == (7, ())


def test_a_search_without_anybody_is_no_error_here(served: Slapd) -> None:
    """Whether an empty read is believed is for the certificate."""
    _, facts = read(source_of(served, MAPPING, Search(BASE, "(employeeID=none)")))

    assert (facts.rows, facts.findings, facts.usable) == (0, (), True)


def test_an_attribute_that_the_directory_does_not_know_is_absent(served: Slapd) -> None:
    """It is asked by its schema, so that an attribute nobody has yet is none that is absent."""
    mapping = replace(
        MAPPING,
        leaves_on=Field("leaveDate", Type.DATE),
        attributes={"department": Field("departmnt"), "site": Field("zz9")},
    )
    records, facts = read(source_of(served, mapping))

    assert records == []
    assert not facts.usable
    assert facts.findings == (
        'source directory: the mapped column "departmnt" is absent; is it "department" now?',
        'source directory: the mapped column "zz9" is absent',
    )


def test_a_server_that_goes_away_half_way_is_a_finding(fresh: Slapd) -> None:
    """What came before is laid over the picture; nobody leaves it."""
    for which in range(7):
        fresh.person(f"K{which}")
    reading = source_of(fresh).read(nothing_known())
    pages = iter(reading)
    first = next(pages)
    fresh.stop()
    rest = list(pages)

    assert (len(first), rest) == (3, [])
    assert reading.facts.rows == 3
    assert len(reading.facts.findings) == 1
    assert "page 2: the connection cannot be made or broke off" in reading.facts.findings[0]


def test_values_are_read_for_what_they_are(fresh: Slapd) -> None:
    """Lists in order, times as days, names out of names, whatever the case of a column."""
    boss = fresh.person("boss")
    fresh.person(
        "ada",
        mail=[b"zoe@contoso.com", b"ada@contoso.com"],
        manager=boss,
        leaveDate="20260301220000Z",
        ou=[b"b", b"a"],
    )
    mapping = PersonMapping(
        Field("UID"),
        mail=Field("mail.first"),
        leaves_on=Field("leavedate", Type.DATE),
        attributes={
            "boss": Field("manager.name"),
            "units": Field("ou", split=";"),
            "where": Field("dn"),
        },
    )
    records, facts = read(source_of(fresh, mapping, Search(BASE, "(uid=ada)")))

    assert facts.findings == ()
    [ada] = records
    assert (ada[5], ada[8]) == ("ada@contoso.com", 739676)
    assert ada[9] == f'{{"boss":"boss","units":["a","b"],"where":"uid=ada,ou=people,{BASE}"}}'


def test_what_is_no_text_holds_its_person(fresh: Slapd) -> None:
    """Bytes, and several values where one was expected: the column is named, nothing is null."""
    fresh.person("ada", jpegPhoto=b"\xff\xd8\x00")
    fresh.person("bo", ou=[b"a", b"b"])
    fresh.person("cy")
    mapping = PersonMapping(
        Field("uid"), attributes={"photo": Field("jpegPhoto"), "unit": Field("ou")}
    )
    records, facts = read(source_of(fresh, mapping))

    problems = {record[0]: record[10] for record in records}
    assert facts.findings == ()
    assert problems["ada"] == 'column "jpegPhoto": an object is not a text'
    assert problems["bo"] == 'column "ou": a list is not a text'
    assert problems["cy"] is None


def test_whoever_is_renamed_is_the_same(fresh: Slapd) -> None:
    """The directory's own id stays; only who has another cell is given again."""
    fresh.person("ada", employeeID="E1")
    source = source_of(fresh, PersonMapping(Field("employeeID")))
    [before], _ = read(source)
    fresh.connection.rename_s(f"uid=ada,ou=people,{BASE}", "uid=ada.k")
    known = {before[1]} if before[1] else set()
    records, facts = read(source, Known(None, lambda: set(known)))

    assert records == []
    assert (facts.rows, facts.gone) == (1, set())


GROUPED = PersonMapping(Field("uid"), attributes={"groups": Field("groups", split=";")})
GROUPS = (Search(f"ou=groups,{BASE}", "(objectClass=groupOfNames)"),)


def grouped(served: Slapd, groups: Groups) -> LdapSource:
    """Return a source with the column groups."""
    return LdapSource(replace(source_of(served, GROUPED).directory, groups=groups))


def test_nested_groups_are_expanded(fresh: Slapd) -> None:
    """Through any number of them, also in a circle, and whatever the case of a name."""
    ada, bo, cy = (fresh.person(name) for name in ("ada", "bo", "cy"))
    inner = fresh.group("inner", ada.upper())
    middle = fresh.group("middle", inner, bo)
    outer = fresh.group("outer", middle)
    fresh.group("inner", ada.upper(), outer)
    fresh.group("other", cy, "uid=gone,ou=people,dc=corp,dc=example,dc=test")
    everybody, facts = read(grouped(fresh, Groups(GROUPS)))
    some, _ = read(grouped(fresh, Groups(GROUPS, only=frozenset({"outer", "other"}))))

    assert facts.findings == ()
    assert {record[0]: record[9] for record in everybody} == {
        "ada": '{"groups":["inner","middle","outer"]}',
        "bo": '{"groups":["inner","middle","outer"]}',
        "cy": '{"groups":["other"]}',
    }
    assert {record[0]: record[9] for record in some} == {
        "ada": '{"groups":["outer"]}',
        "bo": '{"groups":["outer"]}',
        "cy": '{"groups":["other"]}',
    }


def test_the_in_chain_rule_is_not_asked_of_those_who_do_not_know_it(served: Slapd) -> None:
    """They would find nobody, and say nothing."""
    said = finding(grouped(served, Groups(GROUPS, "in-chain")))

    assert 'groups.nested = "in-chain" needs Active Directory' in said
    assert said.endswith('use "expand"')


@pytest.mark.parametrize("changes", ["usn", "dirsync"])
def test_changes_are_not_asked_of_those_who_cannot_tell(served: Slapd, changes: Changes) -> None:
    """Only Active Directory counts them in this way."""
    directory = replace(source_of(served).directory, changes=changes)

    said = finding(LdapSource(directory))

    assert f'changes = "{changes}" needs Active Directory' in said


def test_groups_that_cannot_be_read_fail_the_read(served: Slapd) -> None:
    """Otherwise everybody would have left theirs."""
    nowhere = (Search(f"ou=nowhere,{BASE}", "(objectClass=*)"),)

    assert "there is no such base" in finding(grouped(served, Groups(nowhere)))


def test_groups_and_people_take_more_than_a_page_each(served: Slapd) -> None:
    """A server may keep only one paged search at a time for a connection."""
    for which in range(7):
        served.group(f"g{which}", f"uid=K{which},ou=people,{BASE}")
    records, facts = read(grouped(served, Groups(GROUPS)))

    assert facts.findings == ()
    assert {record[0]: record[9] for record in records} == {
        f"K{which}": f'{{"groups":["g{which}"]}}' for which in range(7)
    }


@pytest.mark.campaign
def test_a_group_of_very_many_is_read(fresh: Slapd) -> None:
    """A hundred thousand members, most of whom are not among the people."""
    ada = fresh.person("ada")
    fresh.group("all", ada, *(f"uid=p{which},ou=people,{BASE}" for which in range(100_000)))
    [record], facts = read(grouped(fresh, Groups(GROUPS)))

    assert facts.findings == ()
    assert record[9] == '{"groups":["all"]}'


@pytest.mark.campaign
def test_everybody_of_a_large_directory_comes(fresh: Slapd) -> None:
    """The server stops at a thousand without pages; here come more, each once."""
    for which in range(1500):
        fresh.person(f"K{which}")
    records, facts = read(source_of(fresh, PersonMapping(Field("uid")), page_size=400))

    assert len({record[0] for record in records}) == facts.rows == 1500
    assert facts.findings == ()


WITHOUT = """
import sys, threading
sys.modules["ldap"] = None
from syncd.config import LdapSource
from syncd.connectors.sources import open_source
open_source(LdapSource.model_validate({
    "name": "ad", "type": "ldap", "urls": ["ldaps://dc1.contoso.com"],
    "bind": {"method": "kerberos"}, "person": {"key": "objectGUID"},
    "searches": [{"base": "dc=contoso,dc=com", "filter": "(objectClass=user)"}],
}), threading.Event())
"""


def test_without_python_ldap_one_sentence_says_how_to_get_it() -> None:
    """The extra is compiled where it is installed, so not everybody has it."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=False
    )

    said = done.stderr.splitlines()[-1]
    assert "source ad: type ldap needs python-ldap; install syncd[ldap]" in said
