"""Connect to a directory: TLS with the authority that is set, and the ways to bind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import ldap
import ldap.sasl

from syncd.connectors.records import Unread
from syncd.connectors.sources.ldap.refusals import telling, tls_trouble
from syncd.connectors.sources.ldap.settings import Bind, Server

__all__ = ["Connection", "connected"]

CONNECT = 10.0
"""Seconds for a connection to come about, at most."""


class Connection:
    """A bound connection, and the beginning of every sentence about it."""

    __slots__ = ("link", "timeout", "what")

    def __init__(self, link: Any, what: str, timeout: float) -> None:
        """Remember the library's connection, the words and the seconds for an answer."""
        self.link = link
        self.what = what
        self.timeout = timeout


@contextmanager
def connected(what: str, server: Server) -> Iterator[Connection]:
    """
    Connect to the first address that answers, bind, and unbind at the end.

    A server that answers and refuses is not passed over. Raises Unread.
    """
    connection = _first(what, server)
    try:
        yield connection
    finally:
        with suppress(ldap.LDAPError):
            connection.link.unbind_s()


def _first(what: str, server: Server) -> Connection:
    troubles = []
    for url in server.urls:
        try:
            return _connect(f"{what} ({url})", url, server)
        except Unread as error:
            if not isinstance(error.__cause__, ldap.SERVER_DOWN | ldap.TIMEOUT):
                raise
            troubles.append(error)
    raise troubles[0]


def _connect(what: str, url: str, server: Server) -> Connection:
    with telling(what):
        link = ldap.initialize(url)
        _options(link, server)
    try:
        with telling(what):
            if server.start_tls and url.startswith("ldap://"):
                link.start_tls_s()
            _bind(link, server.bind)
    except Unread as error:
        cause = error.__cause__
        if isinstance(cause, ldap.SERVER_DOWN) and url.startswith("ldaps://"):
            trouble = tls_trouble(url, server)
            if trouble is not None:
                raise Unread(f"{what}: {trouble}") from None
        if isinstance(cause, ldap.CONNECT_ERROR):
            raise Unread(
                f"{what}: TLS does not come about; check that the server offers StartTLS and that "
                "ca_file holds its authority"
            ) from None
        raise
    return Connection(link, what, server.timeout)


def _options(link: Any, server: Server) -> None:
    link.set_option(ldap.OPT_PROTOCOL_VERSION, 3)
    link.set_option(ldap.OPT_REFERRALS, 0)  # another server might be given the password
    link.set_option(ldap.OPT_NETWORK_TIMEOUT, min(CONNECT, server.timeout))
    link.set_option(ldap.OPT_TIMEOUT, server.timeout)
    link.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
    link.set_option(ldap.OPT_X_TLS_PROTOCOL_MIN, ldap.OPT_X_TLS_PROTOCOL_TLS1_2)
    if server.ca_file is not None:
        link.set_option(ldap.OPT_X_TLS_CACERTFILE, str(server.ca_file))
    bind = server.bind
    if bind.certificate is not None:
        link.set_option(ldap.OPT_X_TLS_CERTFILE, str(bind.certificate))
        link.set_option(ldap.OPT_X_TLS_KEYFILE, str(bind.key or bind.certificate))
    link.set_option(ldap.OPT_X_TLS_NEWCTX, 0)  # the last of them: it makes the others count


def _bind(link: Any, bind: Bind) -> None:
    match bind.method:
        case "simple":
            link.simple_bind_s(bind.user, bind.password)
        case "certificate":
            link.sasl_external_bind_s()
        case "kerberos":
            # Active Directory refuses a second layer of encryption below TLS.
            link.set_option(ldap.OPT_X_SASL_SECPROPS, "maxssf=0")
            # The ticket is for the name that is set, not for what a reverse look-up makes of it.
            link.set_option(ldap.OPT_X_SASL_NOCANON, True)
            link.sasl_non_interactive_bind_s("GSSAPI")
        case "anonymous":
            link.simple_bind_s()
