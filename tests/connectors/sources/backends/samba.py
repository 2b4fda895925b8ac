"""A real Active Directory with people in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from syncd.connectors.sources.ldap import Bind, Directory, LdapSource, Search, Server
from syncd.core.mapping import Field, PersonMapping
from syncd.core.ports import Source
from tests.connectors.sources.backends import Cells

if TYPE_CHECKING:
    from tests.samba import Controller, Part

MAPPING = PersonMapping(
    Field("cn"),
    employee_id=Field("employeeID"),
    mail=Field("mail"),
    attributes={"department": Field("department")},
)
PEOPLE = "(&(objectCategory=person)(objectClass=user))"


def directory_of(
    part: Part, mapping: PersonMapping = MAPPING, user: str | None = None
) -> Directory:
    """Return what is set to read this part of the directory."""
    from tests import samba  # noqa: PLC0415  # needs the extra

    return Directory(
        "ad",
        Server(
            ("ldaps://127.0.0.1",),
            Bind("simple", user or samba.ADMIN, samba.PASSWORD),
            ca_file=part.controller.folder / "ca.pem",
            timeout=30,
        ),
        (Search(part.base, PEOPLE),),
        mapping,
        page_size=3,
    )


@dataclass(slots=True)
class Samba:
    """The people of one organizational unit."""

    part: Part
    directory: Directory

    def put(self, key: str, cells: Cells) -> None:
        self.part.person(
            key,
            employeeID=cells["employee_id"].encode(),
            mail=cells["mail"].encode(),
            department=cells["department"].encode(),
        )

    def delete(self, key: str) -> None:
        self.part.connection.delete_s(f"CN={key},{self.part.base}")

    def source(self) -> Source:
        return LdapSource(self.directory)

    def break_off(self) -> None:
        self.part.connection.rename_s(self.part.base, f"OU=away{self.part.base[8:30]}")


@contextmanager
def open_usn(folder: Path, controller: Controller) -> Iterator[Samba]:
    """Open a part of the directory whose changes are known by uSNChanged."""
    del folder  # the controller has its own
    with controller.part() as part:
        yield Samba(part, replace(directory_of(part), changes="usn"))


@contextmanager
def open_dirsync(folder: Path, controller: Controller) -> Iterator[Samba]:
    """Open a part of the directory whose changes are known by DirSync."""
    del folder
    with controller.part() as part:
        yield Samba(part, replace(directory_of(part), changes="dirsync"))
