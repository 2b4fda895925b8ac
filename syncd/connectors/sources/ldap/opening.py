"""From the settings of an LDAP source to the source."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from syncd.config.ldap import (
    CertificateBind,
    GroupSettings,
    LdapBind,
    SearchSettings,
    SimpleBind,
)
from syncd.config.ldap import LdapSource as Settings
from syncd.connectors.sources.ldap.settings import Bind, Directory, Groups, Search, Server
from syncd.connectors.sources.ldap.source import LdapSource
from syncd.core.errors import ConfigError

__all__ = ["open_ldap"]


def open_ldap(settings: Settings) -> LdapSource:
    """Return the source; nothing is connected yet. Raises ConfigError without python-ldap."""
    if find_spec("ldap") is None:
        raise ConfigError(
            [
                f"source {settings.name}: type ldap needs python-ldap; install syncd[ldap] (it is "
                "compiled: on Debian install gcc, libldap2-dev and libsasl2-dev first)"
            ]
        )
    directory = Directory(
        name=settings.name,
        server=Server(
            urls=settings.urls,
            bind=_bind(settings.bind),
            start_tls=settings.start_tls,
            ca_file=settings.ca_file,
            timeout=settings.timeout.total_seconds(),
        ),
        searches=_searches(settings.searches),
        mapping=settings.mapping(),
        page_size=settings.page_size,
        groups=_groups(settings.groups),
        changes=settings.changes,
        deletions=settings.deletions,
    )
    return LdapSource(directory)


def _bind(settings: LdapBind) -> Bind:
    match settings:
        case SimpleBind(user=user, password=password):
            return Bind("simple", user=user, password=password.get_secret_value())
        case CertificateBind(certificate=certificate, key=key):
            return Bind("certificate", certificate=certificate, key=key)
    return Bind(settings.method)


def _searches(settings: Sequence[SearchSettings]) -> tuple[Search, ...]:
    return tuple(Search(each.base, each.filter, each.scope) for each in settings)


def _groups(settings: GroupSettings | None) -> Groups | None:
    if settings is None:
        return None
    searches, only = _searches(settings.searches), frozenset(settings.only)
    return Groups(searches, settings.nested, settings.name, only)
