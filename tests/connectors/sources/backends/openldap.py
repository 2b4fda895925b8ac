"""A real OpenLDAP with people in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from syncd.connectors.sources.ldap import Bind, Directory, LdapSource, Search, Server
from syncd.core.mapping import Field, PersonMapping
from syncd.core.ports import Source
from tests.connectors.sources.backends import Cells

if TYPE_CHECKING:
    from tests.openldap import Slapd

MAPPING = PersonMapping(
    Field("uid"),
    employee_id=Field("employeeID"),
    mail=Field("mail"),
    attributes={"department": Field("department")},
)


@contextmanager
def directory(folder: Path) -> Iterator[Slapd]:
    """Start a server in a folder. Skips, or fails in CI, where a program is missing."""
    require()
    from tests import openldap  # noqa: PLC0415  # needs the extra

    with openldap.serve(folder) as served:
        yield served


def require() -> None:
    """Skip the test where a program is missing; in CI it goes on, and fails."""
    if find_spec("ldap") is None and os.environ.get("CI") != "true":
        pytest.skip("python-ldap is not installed: pip install -e '.[ldap]'")
    from tests import openldap  # noqa: PLC0415  # needs the extra

    if not openldap.installed() and os.environ.get("CI") != "true":
        pytest.skip("slapd is not installed: apt install slapd")


def source_of(
    served: Slapd,
    mapping: PersonMapping = MAPPING,
    *searches: Search,
    url: str | None = None,
    bind: Bind | None = None,
    ca_file: Path | None = None,
    start_tls: bool = True,
    page_size: int = 3,
) -> LdapSource:
    """Return a source that reads this directory."""
    from tests import openldap  # noqa: PLC0415  # needs the extra

    read = Directory(
        "directory",
        Server(
            tuple((url or served.tls).split()),
            bind or Bind("simple", openldap.ADMIN, openldap.PASSWORD),
            start_tls=start_tls,
            ca_file=ca_file or served.folder / "ca.pem",
            timeout=10,
        ),
        searches or (Search(openldap.PEOPLE, "(objectClass=inetOrgPerson)"),),
        mapping,
        page_size=page_size,
    )
    return LdapSource(read)


@dataclass(slots=True)
class OpenLdap:
    """The people of one directory."""

    served: Slapd

    def put(self, key: str, cells: Cells) -> None:
        self.served.person(
            key,
            employeeID=cells["employee_id"],
            mail=cells["mail"],
            department=cells["department"],
        )

    def delete(self, key: str) -> None:
        from tests import openldap  # noqa: PLC0415  # needs the extra

        self.served.connection.delete_s(f"uid={key},{openldap.PEOPLE}")

    def source(self) -> Source:
        return source_of(self.served)

    def break_off(self) -> None:
        self.served.stop()


@contextmanager
def open_people(folder: Path) -> Iterator[OpenLdap]:
    """Open a directory."""
    with directory(folder) as served:
        yield OpenLdap(served)
