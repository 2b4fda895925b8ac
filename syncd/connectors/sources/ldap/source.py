"""An LDAP directory as a source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from syncd.connectors.records import Batch, Course, RowReading, shape
from syncd.connectors.sources.ldap.settings import Directory
from syncd.core.ports import Known

__all__ = ["LdapSource"]


@dataclass(frozen=True, slots=True)
class LdapSource:
    """People in a directory; a column is an attribute, or what `decoding` makes of one."""

    directory: Directory

    @property
    def name(self) -> str:
        """Its name in the configuration."""
        return self.directory.name

    @property
    def shape(self) -> str:
        """A digest of everything that decides how an entry becomes a record."""
        return shape("ldap", self.directory.mapping)

    def read(self, known: Known) -> RowReading:
        """Read everybody whom the searches find."""
        what, mapping = f"source {self.name}", self.directory.mapping
        return RowReading(what, known, mapping, self._batches)

    def _batches(self, token: str | None, course: Course) -> Iterator[Batch]:
        from syncd.connectors.sources.ldap.reading import batches  # noqa: PLC0415  # needs the extra

        return batches(self.directory, token, course)
